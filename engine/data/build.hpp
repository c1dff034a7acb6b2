// SPDX-License-Identifier: Apache-2.0
// Rows as they were read to a matrix: grouped by user, ascending by item, one entry a pair.
#pragma once
#include <cstdint>
#include <vector>

#include "engine/core/interactions.hpp"
#include "engine/data/reader.hpp"

namespace kindred {

struct Built {
  Interactions all;              ///< without ids
  int64_t merged = 0;            ///< rows that went into an entry of another row
  int64_t user = -1, item = -1;  ///< with Duplicates::kError: the first pair that occurs twice; all is not merged then
};

/// `user_rows[t][n]` is the matrix row of number n of the map of thread t, `item_rows` likewise. Rows of one pair are
/// merged as `duplicates` (not kAuto) says; where there is no value column each row's value is 1, written down only
/// where sums differ from that. The newest time and its row's kind stay. Independent of threads, and but for kLast
/// among rows of equal time of the rows' order. The rows' memory is given back on the way: peak is rows + matrix.
Built build_matrix(Context& ctx, RawRows rows, const std::vector<std::vector<int32_t>>& user_rows,
                   const std::vector<std::vector<int32_t>>& item_rows, int64_t num_users, int64_t num_items,
                   Duplicates duplicates);

}  // namespace kindred
