// SPDX-License-Identifier: Apache-2.0
// The k best rows of a table for each query of a batch, under filters: the one place where lists are made.
#pragma once
#include <optional>
#include <span>
#include <vector>

#include "engine/core/fitted_model.hpp"
#include "kernels/context.hpp"

namespace kindred {

/// Filters as a batch sees them: row q belongs to query q.
struct BatchFilters {
  HostCsr excluded;                       ///< rows() == 0: nothing
  std::optional<HostCsr> candidates;      ///< absent: the whole table
  std::span<const uint8_t> allowed = {};  ///< one a row of the table; empty: all
};

/// ids, scores: queries x k in order (score x.y + bias descending, row ascending), -1 and kNoScore where a list ends
/// early. bias: one a row of the table, or empty. Cost: as top_k; with candidates 2 d FLOP each.
void rank(Context& ctx, const HostMatrix& queries, MatrixView<const float> table, std::span<const float> bias,
          const BatchFilters& filters, int k, std::span<int32_t> ids, std::span<float> scores);

/// The union of the rows `rows` of several matrices, null ones aside, without values; row -1 is empty.
HostCsr merge_rows(std::span<const HostCsr* const> matrices, std::span<const int32_t> rows, int64_t cols);

/// Rows [begin, begin + count) of a matrix.
HostCsr slice_rows(const HostCsr& matrix, int64_t begin, int64_t count);

/// Rows of a matrix, one after the other, with values; row -1 is empty.
HostCsr gather_rows(const HostCsr& matrix, std::span<const int32_t> rows);

/// The matrix with those rows (ascending) in the place of its own, with values.
HostCsr replace_rows(const HostCsr& matrix, std::span<const int32_t> rows, const HostCsr& by);

/// Rows of a table, one after the other; row -1 is all zeros.
HostMatrix gather(const HostMatrix& table, std::span<const int32_t> rows);

}  // namespace kindred
