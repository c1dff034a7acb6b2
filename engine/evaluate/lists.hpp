// SPDX-License-Identifier: Apache-2.0
// Ranked lists, one a user, from any tool.
#pragma once
#include <vector>

#include "engine/core/interactions.hpp"
#include "engine/data/reader.hpp"

namespace kindred {

/// Row u of `matrix` is user u's list in order: score (its values) descending, equal scores by item; no item twice.
struct RankedLists {
  HostCsr matrix;
  int64_t repeated = 0;  ///< rows of the file that named an item again and were dropped
};

/// Lists from the rows of a file, in any order. Where a list names an item twice the better score counts.
/// `user_rows[t][n]` is the row of number n of the map of thread t, -1 for users to pass over; `item_rows` likewise.
/// `ascending`: the values are ranks, 1 being the best; scores are then their negatives. Independent of threads and of
/// the order of rows.
RankedLists build_lists(Context& ctx, const RawRows& rows, const std::vector<std::vector<int32_t>>& user_rows,
                        const std::vector<std::vector<int32_t>>& item_rows, int64_t num_users, int64_t num_items,
                        bool ascending);

}  // namespace kindred
