// SPDX-License-Identifier: Apache-2.0
// Between the planning half of similar_rows (similarity*.cpp) and its loops, compiled for each instruction set
// (similarity_simd.cpp, similarity_bits_simd.cpp).
#pragma once
#include <cstdint>
#include <span>

#include "kernels/cpu/topk_simd.hpp"
#include "kernels/detail/similarity.hpp"

namespace kindred::cpu {

constexpr int64_t kMarkBlock = 16;  // rows that share a mark: "some have something in common"
constexpr int64_t kStripe = 512;    // rows that are compared at once as bits
constexpr int64_t kStripeWords = kStripe / 64;

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

/// RowTerms of consecutive rows, each term by itself: formulas run over rows in vectors.
struct TermLists {
  const double *a, *b, *w;

  detail::RowTerms operator[](int64_t row) const { return {a[row], b[row], w[row]}; }
  TermLists from(int64_t row) const { return {a + row, b + row, w + row}; }
};

/// Similarities of rows [first, last) with rows [from, to): row r's begin at values + (r - first) * stride. Those from
/// r on, on and above the diagonal, are not there. marks: kMarkBlock similarities each, null: all are there.
struct SimilarityTile {
  int64_t first, last, from, to;
  float* values;
  int64_t stride;
  uint8_t* marks;
  int64_t mark_stride;

  float* row(int64_t r) const { return values + (r - first) * stride; }
  uint8_t* row_marks(int64_t r) const { return marks != nullptr ? marks + (r - first) * mark_stride : nullptr; }
  int64_t width(int64_t r) const { return (r < to ? r : to) - from; }
};

/// Adds up a row's sums with all others. met: becomes the rows that it has a column in common with, their number is
/// returned; room for all rows and one more; null: not asked for.
int64_t add_sums(const detail::PairTerms& terms, const ColumnLists& lists, const ComparedRow& row, void* sums,
                 int32_t* met);

/// How many of `columns` have each of a stripe's rows; bits: kStripeWords words a column, a bit a row. counts: of those
/// that have none nothing is written. marks: set where there are any.
void count_bits(const uint64_t* bits, std::span<const int32_t> columns, int32_t* counts, uint8_t* marks);

/// similarity[j] with rows j < count of marked blocks (NaN: no neighbor); clears their sums. marks: null: all.
void finish_sums(const detail::PairTerms& terms, const detail::RowTerms& own, const TermLists& rows, int64_t count,
                 const uint8_t* marks, void* sums, float* similarity);

/// Similarities with `count` rows, offered to list `list`; clears their sums. names: row -> id; own_id gets none.
void collect_met(const detail::PairTerms& terms, const detail::RowTerms& own, const TermLists& rows, const int32_t* met,
                 int64_t count, void* sums, const int32_t* names, int64_t own_id, const CandidateLists& lists,
                 int64_t list);

/// Appends rows j < count of marked blocks whose similarity reaches list `list`'s threshold. names: row -> id.
void collect(const float* similarity, int64_t count, const uint8_t* marks, const int32_t* names,
             const CandidateLists& lists, int64_t list);

/// Appends the tile's rows to the lists of its columns [begin, end), local to the tile; `begin` starts a block of
/// marks. names: row -> id.
void offer(const SimilarityTile& tile, int64_t begin, int64_t end, const int32_t* names, const CandidateLists& lists);

}  // namespace kindred::cpu
