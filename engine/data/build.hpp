// SPDX-License-Identifier: Apache-2.0
// Rows as they were read to a matrix: grouped by user, ascending by item, one entry a pair.
#pragma once
#include <cstdint>
#include <vector>

#include "engine/core/interactions.hpp"
#include "engine/data/reader.hpp"

namespace kindred {

struct BuiltMatrix {
  HostCsr matrix;
  std::vector<int64_t> times;  ///< an entry; empty where the rows have none
  std::vector<uint8_t> kinds;  ///< likewise
  int64_t merged = 0;          ///< rows that went into an entry of an earlier row
};

/// `user_rows[t][n]` is the matrix row of number n of the map of thread t, `item_rows` likewise. Rows of one pair are
/// merged: values are those of the last row, or the number of rows where there is no value column; the newest time
/// and the last row's kind count. Independent of threads. The rows' memory is given back on the way: peak is rows +
/// matrix.
BuiltMatrix build_matrix(Context& ctx, RawRows rows, const std::vector<std::vector<int32_t>>& user_rows,
                         const std::vector<std::vector<int32_t>>& item_rows, int64_t num_users, int64_t num_items);

}  // namespace kindred
