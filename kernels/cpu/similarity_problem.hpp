// SPDX-License-Identifier: Apache-2.0
// What all ways to find similar rows prepare alike, and the ways themselves. Rows are renumbered by falling number of
// entries: those that are often met lie together, and a row is compared with shorter numbers alone where all pairs are
// wanted, so that each pair is met once.
#pragma once
#include <algorithm>
#include <span>
#include <vector>

#include "kernels/cpu/similarity_simd.hpp"
#include "kernels/cpu/threads.hpp"
#include "kernels/memory.hpp"
#include "kernels/topk.hpp"

namespace kindred::cpu {

constexpr int64_t kRowChunk = 256;  // rows of a task that passes over a matrix

/// Means that stand for what is missing, in fp64.
struct ColumnMeans {
  std::vector<double> mean;
  double sum = 0, squares = 0;
};

/// A matrix as it enters the sums: its values, centered where the plan says so, and the terms of its rows.
struct PreparedRows {
  CsrView rows;
  Array<float> centered;
  std::vector<detail::RowTerms> terms;

  int64_t entries(int64_t r) const { return rows.offsets[r + 1] - rows.offsets[r]; }
  std::span<const int32_t> columns(int64_t r) const {
    return {rows.indices + rows.offsets[r], static_cast<size_t>(entries(r))};
  }
  /// Of row r's entries; null: each is 1.
  const float* values(int64_t r) const {
    if (!centered.empty()) return centered.data() + (rows.offsets[r] - rows.offsets[0]);
    return rows.values != nullptr ? rows.values + rows.offsets[r] : nullptr;
  }
};

struct SimilarityProblem {
  SimilarityParams params;
  detail::PairPlan pair;
  ColumnMeans means;
  PreparedRows rows;
  Array<int32_t> order, rank;  // number -> row, row -> number
  detail::PairTerms terms;
  std::vector<double> a, b, w;  // the rows' terms, by number

  /// queries: what the rows of `matrix` are compared with; values may differ in sign or be there on one side alone.
  SimilarityProblem(Context& ctx, CsrView matrix, CsrView queries, const SimilarityParams& params);

  int64_t size() const { return rows.rows.rows; }
  TermLists row_terms() const { return {a.data(), b.data(), w.data()}; }
  /// Rows without a common column may be neighbors too.
  bool all_pairs() const { return params.min_overlap == 0; }
};

PreparedRows prepare_rows(Context& ctx, CsrView rows, const SimilarityParams& params, const detail::PairPlan& plan,
                          const ColumnMeans& means);

/// The rows that are asked about: those of the problem itself, or others.
struct AskedRows {
  const PreparedRows& rows;
  VectorView<const int32_t> self;  // empty: none
  bool within;                     // row q is the problem's row q

  /// The row that query q must not get, or -1.
  int64_t own(int64_t q) const { return within ? q : self.empty() ? -1 : self[q]; }
};

/// Lists of the best so far, for `rows` rows, `capacity` long before they are cut to their k best.
struct SimilarityLists {
  Array<Candidate> candidates;
  Array<int32_t> counts;
  Array<float> thresholds;
  CandidateLists view;

  SimilarityLists(Context& ctx, int64_t rows, int64_t k, int64_t capacity)
      : candidates(ctx, rows * capacity, "similarity candidates"),
        counts(ctx, rows, "similarity candidates"),
        thresholds(ctx, rows, "similarity candidates"),
        view{candidates.data(), counts.data(), thresholds.data(), thresholds.data(), capacity, k, nullptr, nullptr} {
    for (int64_t r = 0; r < rows; ++r) clear(r);
  }
  void clear(int64_t row) { counts.data()[row] = 0, thresholds.data()[row] = kNoScore; }
  void write(int64_t row, int32_t* ids, float* similarities) {
    write_list(candidates.data() + row * view.capacity, counts.data()[row], view.k, ids, similarities);
  }
};

/// Gives both sides of a tile's pairs their candidates. fill(row, thread, similarities, marks) writes those of a row of
/// the tile, `chunk` rows a task; lists are by number, and each has one writer at a time.
template <class Fill>
void compare_tile(Context& ctx, const SimilarityProblem& problem, const SimilarityTile& tile, int64_t chunk,
                  int64_t offer_chunk, SimilarityLists& lists, Fill&& fill) {
  const int32_t* const order = problem.order.data();
  parallel_for(ctx, tile.last - tile.first, chunk, [&](int64_t begin, int64_t end, int thread) {
    for (int64_t r = tile.first + begin; r < tile.first + end; ++r) {
      if (tile.width(r) <= 0) continue;
      fill(r, thread, tile.row(r), tile.row_marks(r));
      collect(tile.row(r), tile.width(r), tile.row_marks(r), order + tile.from, lists.view, r);
    }
  });
  parallel_for(ctx, std::min(tile.to, tile.last) - tile.from, offer_chunk,
               [&](int64_t begin, int64_t end, int) { offer(tile, begin, end, order, lists.view); });
}

/// Each row's sums with all others, added up entry by entry; no row waits for another.
void similar_by_rows(Context& ctx, const SimilarityProblem& problem, const AskedRows& asked, MatrixView<int32_t> ids,
                     MatrixView<float> similarities);
/// Each pair's sums once, a tile of rows against all before it.
void similar_by_halves(Context& ctx, const SimilarityProblem& problem, SimilarityLists& lists);
/// Counts of pairs by bits, 512 rows at a time; PairSums::kCount alone.
void similar_by_bits(Context& ctx, const SimilarityProblem& problem, SimilarityLists& lists);
void similar_by_bits(Context& ctx, const SimilarityProblem& problem, const AskedRows& asked, MatrixView<int32_t> ids,
                     MatrixView<float> similarities);
/// Products of dense blocks; PairFormula::kNormalized of values alone.
void similar_by_products(Context& ctx, const SimilarityProblem& problem, SimilarityLists& lists);

}  // namespace kindred::cpu
