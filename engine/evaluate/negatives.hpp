// SPDX-License-Identifier: Apache-2.0
// Negatives: items that a user has had nothing to do with, drawn to stand beside the held-out ones.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace kindred {

/// `count` items out of those in [0, items) that are not in `had` (ascending), each set of them equally likely,
/// ascending; all of them where there are no more. The draw depends on seed and user alone.
std::vector<int32_t> draw_negatives(std::span<const int32_t> had, int64_t items, int count, uint64_t seed,
                                    int32_t user);

}  // namespace kindred
