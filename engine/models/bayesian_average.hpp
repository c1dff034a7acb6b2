// SPDX-License-Identifier: Apache-2.0
// The baseline for ratings: an item's mean, drawn towards the mean of all items the fewer ratings it has. With C the
// mean number of ratings of an item and m the mean of the items' means: score(i) = (C m + sum of i's ratings) / (C +
// n_i).
#pragma once
#include "engine/models/fit.hpp"

namespace kindred {

/// Items without a rating score m and count neither in C nor in m.
FittedModel fit_bayesian_average(const Interactions& train);

}  // namespace kindred
