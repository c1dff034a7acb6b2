// SPDX-License-Identifier: Apache-2.0
// Similar rows by adding up: for each entry of a row, the entries of its column. By rows, each row is compared with all
// others by itself. By halves, a row is compared with those before it alone: the sums of a pair are added once, and
// they lie in a short, often used stretch of memory. A tile of rows is compared at a time; then each finds its best
// among its own similarities, and all rows before the tile's end find theirs in the tile's columns.
#include <limits>
#include <numeric>

#include "kernels/cpu/similarity_problem.hpp"

namespace kindred::cpu {
namespace {

constexpr int64_t kOfferChunk = 1024;     // rows that look through a tile's columns in one task
constexpr int64_t kTileFloats = 1 << 22;  // similarities of a tile: 16 MiB stay in the caches, waits are few
constexpr int64_t kTaskRows = 16;         // rows of a task that compares them with all
constexpr int64_t kLongList = 1024;       // candidates of a thread's one list: seldom cut
constexpr int64_t kFewEntries = 4;        // an addition to every so many rows: those that are met are listed

/// The columns of a matrix, rows by number; for each entry, in the order of the matrix, how many rows of its column
/// come before its own (where that is asked for).
struct Columns {
  Array<int64_t> offsets;
  Array<int32_t> rows, prefix;
  Array<float> values;

  Columns(Context& ctx, const SimilarityProblem& problem, bool with_prefix);
  ColumnLists lists() const { return {offsets.data(), rows.data(), values.empty() ? nullptr : values.data()}; }
};

Columns::Columns(Context& ctx, const SimilarityProblem& problem, bool with_prefix) {
  const CsrView matrix = problem.rows.rows;
  const int64_t base = matrix.offsets[0];
  offsets = Array<int64_t>(ctx, matrix.cols + 1, "similarity columns");
  rows = Array<int32_t>(ctx, matrix.nnz, "similarity columns");
  if (with_prefix) prefix = Array<int32_t>(ctx, matrix.nnz, "similarity columns");
  if (problem.pair.sums != detail::PairSums::kCount && problem.rows.values(0) != nullptr)
    values = Array<float>(ctx, matrix.nnz, "similarity columns");
  std::fill_n(offsets.data(), matrix.cols + 1, 0);
  for (int64_t e = base; e < base + matrix.nnz; ++e) ++offsets.data()[matrix.indices[e] + 1];
  std::partial_sum(offsets.data(), offsets.data() + matrix.cols + 1, offsets.data());
  std::vector<int64_t> next(offsets.data(), offsets.data() + matrix.cols);
  for (int32_t number = 0; number < matrix.rows; ++number) {
    const int64_t r = problem.order.data()[number], first = matrix.offsets[r];
    const float* const row_values = problem.rows.values(r);
    for (int64_t e = first; e < matrix.offsets[r + 1]; ++e) {
      const auto column = static_cast<size_t>(matrix.indices[e]);
      const int64_t to = next[column]++;
      rows.data()[to] = number;
      if (with_prefix) prefix.data()[e - base] = static_cast<int32_t>(to - offsets.data()[column]);
      if (!values.empty()) values.data()[to] = row_values[e - first];
    }
  }
}

/// A thread's sums, all 0 between rows.
class Scratch {
 public:
  Scratch(Context& ctx, detail::PairSums sums, int64_t rows)
      : bytes_((detail::sums_bytes(sums) * rows + 63) / 64 * 64),
        memory_(ctx, ctx.threads() * bytes_, "similarity sums") {
    fill_zero(ctx, memory_.view());
  }
  void* of(int thread) { return memory_.data() + thread * bytes_; }

 private:
  int64_t bytes_;
  Array<unsigned char> memory_;
};

}  // namespace

void similar_by_rows(Context& ctx, const SimilarityProblem& problem, const AskedRows& asked, MatrixView<int32_t> ids,
                     MatrixView<float> similarities) {
  const int64_t n = problem.size();
  const int32_t* const order = problem.order.data();
  const Columns by_column(ctx, problem, false);
  const ColumnLists columns = by_column.lists();
  Scratch sums(ctx, problem.pair.sums, n);
  SimilarityLists lists(ctx, ctx.threads(), ids.cols, std::max<int64_t>(2 * ids.cols, kLongList));
  Array<float> found(ctx, ctx.threads() * n, "similarity row");
  Array<int32_t> met(ctx, ctx.threads() * (n + 1), "similarity rows met");
  parallel_for(ctx, asked.rows.rows.rows, kTaskRows, [&](int64_t begin, int64_t end, int thread) {
    for (int64_t q = begin; q < end; ++q) {
      const ComparedRow row{asked.rows.columns(q), asked.rows.values(q), nullptr};
      const detail::RowTerms& own = asked.rows.terms[static_cast<size_t>(q)];
      int64_t additions = 0;
      for (const int32_t c : row.columns) additions += columns.offsets[c + 1] - columns.offsets[c];
      lists.clear(thread);
      if (!problem.all_pairs() && additions * kFewEntries < n) {
        int32_t* const here = met.data() + thread * (n + 1);
        const int64_t count = add_sums(problem.terms, columns, row, sums.of(thread), here);
        collect_met(problem.terms, own, problem.row_terms(), here, count, sums.of(thread), order, asked.own(q),
                    lists.view, thread);
      } else {
        float* const similarity = found.data() + thread * n;
        add_sums(problem.terms, columns, row, sums.of(thread), nullptr);
        finish_sums(problem.terms, own, problem.row_terms(), n, nullptr, sums.of(thread), similarity);
        if (const int64_t same = asked.own(q); same >= 0)
          similarity[problem.rank.data()[same]] = std::numeric_limits<float>::quiet_NaN();
        collect(similarity, n, nullptr, order, lists.view, thread);
      }
      lists.write(thread, ids.row(q), similarities.row(q));
    }
  });
}

void similar_by_halves(Context& ctx, const SimilarityProblem& problem, SimilarityLists& lists) {
  const int64_t n = problem.size(), base = problem.rows.rows.offsets[0];
  const Columns columns(ctx, problem, true);
  Scratch sums(ctx, problem.pair.sums, n);
  const int64_t height = std::clamp<int64_t>(kTileFloats / n, 8, 1024);
  Array<float> values(ctx, height * n, "similarity tile");
  for (int64_t first = 0; first < n; first += height) {
    const int64_t last = std::min(first + height, n);
    const SimilarityTile tile{first, last, 0, last, values.data(), n, nullptr, 0};
    compare_tile(ctx, problem, tile, 1, kOfferChunk, lists,
                 [&](int64_t number, int thread, float* similarity, uint8_t* marks) {
                   const int64_t row = problem.order.data()[number];
                   const int32_t* const prefix = columns.prefix.data() + (problem.rows.rows.offsets[row] - base);
                   add_sums(problem.terms, columns.lists(),
                            {problem.rows.columns(row), problem.rows.values(row), prefix}, sums.of(thread), nullptr);
                   finish_sums(problem.terms, problem.rows.terms[static_cast<size_t>(row)], problem.row_terms(), number,
                               marks, sums.of(thread), similarity);
                 });
  }
}

}  // namespace kindred::cpu
