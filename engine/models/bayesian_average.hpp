// SPDX-License-Identifier: Apache-2.0
// The baseline for ratings: an item's mean, drawn towards the mean of all items the fewer ratings it has
// (engine/core/bayesian_average.hpp).
#pragma once
#include "engine/models/fit.hpp"

namespace kindred {

/// Items without a rating score m and count neither in C nor in m.
FittedModel fit_bayesian_average(const Interactions& train);

}  // namespace kindred
