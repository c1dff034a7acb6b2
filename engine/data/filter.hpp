// SPDX-License-Identifier: Apache-2.0
// What is left out of the interactions before they are split: small values, users and items with too few.
#pragma once
#include <cstdint>

#include "engine/core/interactions.hpp"

namespace kindred {

/// Drops the entries whose value is smaller; returns how many. Users and items stay, even without entries.
int64_t drop_below(Interactions& all, float least);

struct Dropped {
  int64_t users = 0, items = 0, interactions = 0;
};

/// The k-core: drops users and items with fewer entries than asked for until none is left that has fewer, and gives the
/// rest their rows anew. What is left depends on the pairs alone. Cost: O(entries), and memory for the pairs by item.
Dropped keep_core(Interactions& all, int64_t least_of_user, int64_t least_of_item);

}  // namespace kindred
