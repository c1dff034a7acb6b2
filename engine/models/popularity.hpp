// SPDX-License-Identifier: Apache-2.0
// The baseline: an item's score is the number of its interactions, the same for every user.
#pragma once
#include "engine/models/fit.hpp"

namespace kindred {

FittedModel fit_popularity(const Interactions& train);

}  // namespace kindred
