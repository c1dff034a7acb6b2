// SPDX-License-Identifier: Apache-2.0
// The profile of a history over a table of items: profile = sum of value x item's row / sum of |value|. Zeros where the
// values are all 0.
#pragma once
#include <span>

#include "engine/core/fitted_model.hpp"

namespace kindred {

/// No `values`: each is 1. In fp64, in the order of the history. Cost: 2 n d FLOP.
void profile_of(const HostMatrix& items, std::span<const int32_t> history, std::span<const float> values,
                std::span<float> profile);

}  // namespace kindred
