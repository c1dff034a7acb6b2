// SPDX-License-Identifier: Apache-2.0
// Between the planning half of similar_rows (similarity.cpp) and its loops, compiled for each instruction set
// (similarity_simd.cpp).
#pragma once
#include <cstdint>
#include <span>

#include "kernels/cpu/topk_simd.hpp"
#include "kernels/detail/similarity.hpp"

namespace kindred::cpu {

constexpr int64_t kMarkBlock = 64;  // columns that share a mark: "something was added here"

/// The entries of each column of the matrix: which rows, ascending, and their values (null: 1).
struct ColumnLists {
  const int64_t* offsets;
  const int32_t* rows;
  const float* values;
};

/// The entries of one row that is compared: columns, values (null: 1), and how many of each column's rows take part
/// (null: all).
struct ComparedRow {
  std::span<const int32_t> columns;
  const float* values;
  const int32_t* prefix;
};

/// Adds up a row's sums with all others. marks: one a block of rows, set where something was added; null: all count as
/// marked.
void add_sums(const detail::PairTerms& terms, const ColumnLists& lists, const ComparedRow& row, void* sums,
              uint8_t* marks);

/// similarity[j] with rows j < limit in marked blocks (NaN: no neighbor); clears their sums.
void finish_sums(const detail::PairTerms& terms, const detail::RowTerms& own, const detail::RowTerms* rows,
                 int64_t limit, const uint8_t* marks, void* sums, float* similarity);

/// Appends the rows of marked blocks below `limit` whose similarity reaches list `list`'s threshold. names: row -> id.
void collect(const float* similarity, int64_t limit, const uint8_t* marks, const int32_t* names,
             const CandidateLists& lists, int64_t list);

/// For rows j in [begin, end), in marked blocks: candidate (similarity[j], name) for list j where it reaches the
/// threshold.
void offer(const float* similarity, int64_t begin, int64_t end, const uint8_t* marks, int32_t name,
           const CandidateLists& lists);

}  // namespace kindred::cpu
