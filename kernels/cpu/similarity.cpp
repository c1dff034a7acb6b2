// SPDX-License-Identifier: Apache-2.0
// The planning half of similar_rows. Rows are renumbered by falling number of entries. A row is compared with those
// before it alone: the sums of a pair are added once, and they lie in a short, often used stretch of memory. A tile of
// rows is compared at a time; then each finds its best among its own similarities, and all rows before the tile's end
// find theirs in the tile's columns, so that no list has two writers. Tiles depend on shapes alone.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "kernels/cpu/similarity_simd.hpp"
#include "kernels/cpu/threads.hpp"
#include "kernels/memory.hpp"
#include "kernels/topk.hpp"

namespace kindred::cpu {
namespace {

using detail::PairPlan, detail::PairTerms, detail::RowTerms;

constexpr int64_t kRowChunk = 256;        // rows of a task that passes over a matrix
constexpr int64_t kOfferChunk = 1024;     // rows that look through a tile's columns in one task
constexpr int64_t kTileFloats = 1 << 20;  // similarities of a tile: 4 MiB stay in the caches
constexpr int64_t kFewEntries = 16;       // an addition to every so many rows: marks pay

/// Means that stand for what is missing, in fp64.
struct ColumnMeans {
  std::vector<double> mean;
  double sum = 0, squares = 0;
};

ColumnMeans column_means(CsrView rows) {
  ColumnMeans out;
  out.mean.assign(static_cast<size_t>(rows.cols), 0);
  std::vector<int64_t> count(out.mean.size(), 0);
  for (int64_t e = rows.offsets[0]; e < rows.offsets[rows.rows]; ++e) {
    const auto c = static_cast<size_t>(rows.indices[e]);
    out.mean[c] += rows.values != nullptr ? double{rows.values[e]} : 1;
    ++count[c];
  }
  for (size_t c = 0; c < count.size(); ++c) {
    if (count[c] > 0) out.mean[c] /= static_cast<double>(count[c]);
    out.sum += out.mean[c], out.squares += out.mean[c] * out.mean[c];
  }
  return out;
}

/// A matrix as it enters the sums: its values, centered where the plan says so, and the terms of its rows.
struct Prepared {
  CsrView rows;
  Array<float> centered;
  std::vector<RowTerms> terms;

  const float* values() const { return centered.empty() ? rows.values : centered.data() - rows.offsets[0]; }
};

Prepared prepare(Context& ctx, CsrView rows, const SimilarityParams& params, const PairPlan& plan,
                 const ColumnMeans& means) {
  Prepared out;
  out.rows = rows;
  if (plan.centered) out.centered = Array<float>(ctx, rows.nnz, "similarity values");
  out.terms.resize(static_cast<size_t>(rows.rows));
  const bool by_row = plan.centered && params.missing == Missing::kRowMean;
  parallel_for(ctx, rows.rows, kRowChunk, [&](int64_t first, int64_t last, int) {
    for (int64_t r = first; r < last; ++r) {
      const int64_t begin = rows.offsets[r], end = rows.offsets[r + 1];
      const auto value = [&](int64_t e) { return rows.values != nullptr ? double{rows.values[e]} : 1.0; };
      detail::RowSums s;
      if (by_row && end > begin) {
        for (int64_t e = begin; e < end; ++e) s.mean += value(e);
        s.mean /= static_cast<double>(end - begin);
      }
      for (int64_t e = begin; e < end; ++e) {
        double v = value(e);
        if (plan.centered) {
          const double column = means.mean.empty() ? 0 : means.mean[static_cast<size_t>(rows.indices[e])];
          const float rounded = static_cast<float>(v - (by_row ? s.mean : column));
          out.centered.data()[e - rows.offsets[0]] = rounded;
          v = double{rounded};
          s.along += v * column;
        }
        s.count += 1, s.sum += v, s.squares += v * v, s.absolute += std::abs(v);
      }
      out.terms[static_cast<size_t>(r)] = detail::row_terms(s, params.metric, params.missing, plan.formula,
                                                            static_cast<double>(rows.cols), means.sum, means.squares);
    }
  });
  return out;
}

/// The columns of a matrix, its rows numbered by falling number of entries; for each entry, in the order of the
/// matrix, how many rows of its column come before its own.
struct Columns {
  Array<int32_t> order, rank;  // number -> row, row -> number
  Array<int64_t> offsets;
  Array<int32_t> rows, before;
  Array<float> values;

  ColumnLists lists() const { return {offsets.data(), rows.data(), values.empty() ? nullptr : values.data()}; }
};

Columns columns_of(Context& ctx, const Prepared& matrix, bool values) {
  const CsrView rows = matrix.rows;
  const int64_t n = rows.rows, base = rows.offsets[0];
  Columns out;
  out.order = Array<int32_t>(ctx, n, "similarity order");
  out.rank = Array<int32_t>(ctx, n, "similarity order");
  std::iota(out.order.data(), out.order.data() + n, 0);
  std::stable_sort(out.order.data(), out.order.data() + n, [&](int32_t x, int32_t y) {
    return rows.offsets[x + 1] - rows.offsets[x] > rows.offsets[y + 1] - rows.offsets[y];
  });
  for (int32_t number = 0; number < n; ++number) out.rank.data()[out.order.data()[number]] = number;
  out.offsets = Array<int64_t>(ctx, rows.cols + 1, "similarity columns");
  out.rows = Array<int32_t>(ctx, rows.nnz, "similarity columns");
  out.before = Array<int32_t>(ctx, rows.nnz, "similarity columns");
  if (values) out.values = Array<float>(ctx, rows.nnz, "similarity columns");
  int64_t* const offsets = out.offsets.data();
  std::fill_n(offsets, rows.cols + 1, 0);
  for (int64_t e = base; e < base + rows.nnz; ++e) ++offsets[rows.indices[e] + 1];
  std::partial_sum(offsets, offsets + rows.cols + 1, offsets);
  std::vector<int64_t> next(offsets, offsets + rows.cols);
  for (int32_t number = 0; number < n; ++number) {
    const int64_t r = out.order.data()[number];
    for (int64_t e = rows.offsets[r]; e < rows.offsets[r + 1]; ++e) {
      const auto column = static_cast<size_t>(rows.indices[e]);
      const int64_t to = next[column]++;
      out.rows.data()[to] = number;
      out.before.data()[e - base] = static_cast<int32_t>(to - offsets[column]);
      if (values) out.values.data()[to] = matrix.values()[e];
    }
  }
  return out;
}

/// Lists of the best so far, for `rows` rows.
struct Lists {
  Array<Candidate> candidates;
  Array<int32_t> counts;
  Array<float> thresholds;
  CandidateLists view;

  Lists(Context& ctx, int64_t rows, int64_t k)
      : candidates(ctx, rows * 2 * k, "similarity candidates"),
        counts(ctx, rows, "similarity candidates"),
        thresholds(ctx, rows, "similarity candidates"),
        view{candidates.data(), counts.data(), thresholds.data(), thresholds.data(), 2 * k, k, nullptr, nullptr} {
    for (int64_t r = 0; r < rows; ++r) clear(r);
  }
  void clear(int64_t row) { counts.data()[row] = 0, thresholds.data()[row] = kNoScore; }
  void write(int64_t row, int32_t* ids, float* similarities) {
    write_list(candidates.data() + row * view.capacity, counts.data()[row], view.k, ids, similarities);
  }
};

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

bool all_positive(CsrView rows) {
  return rows.values == nullptr || std::all_of(rows.values + rows.offsets[0], rows.values + rows.offsets[rows.rows],
                                               [](float v) { return v > 0; });
}

/// Everything that both ops prepare alike.
struct Plan {
  PairPlan pair;
  ColumnMeans means;
  Prepared rows;
  Columns columns;
  PairTerms terms;
  std::vector<RowTerms> row_terms;  // by number

  /// queries: what the rows of `matrix` are compared with; values may differ in sign or be there on one side alone.
  Plan(Context& ctx, CsrView matrix, CsrView queries, const SimilarityParams& params)
      : pair(detail::pair_plan(params, matrix.values != nullptr || queries.values != nullptr,
                               all_positive(matrix) && all_positive(queries))),
        means(params.missing == Missing::kColumnMean && pair.centered ? column_means(matrix) : ColumnMeans{}),
        rows(prepare(ctx, matrix, params, pair, means)),
        columns(columns_of(ctx, rows, pair.sums != detail::PairSums::kCount && rows.values() != nullptr)),
        terms(params, pair, matrix.cols, means.sum, means.squares) {
    for (int64_t number = 0; number < matrix.rows; ++number)
      row_terms.push_back(rows.terms[static_cast<size_t>(columns.order.data()[number])]);
  }
};

}  // namespace

void similar_rows(Context& ctx, CsrView matrix, const SimilarityParams& params, MatrixView<int32_t> ids,
                  MatrixView<float> similarities) {
  const int64_t n = matrix.rows, k = ids.cols, base = matrix.offsets[0];
  const Plan plan(ctx, matrix, matrix, params);
  const int32_t* const order = plan.columns.order.data();
  Scratch sums(ctx, plan.pair.sums, n);
  Lists lists(ctx, n, k);

  const int64_t height = std::clamp<int64_t>(kTileFloats / n, 8, 256), blocks = (n + kMarkBlock - 1) / kMarkBlock;
  Array<float> tile(ctx, height * n, "similarity tile");
  Array<uint8_t> marks(ctx, height * blocks, "similarity marks");
  for (int64_t first = 0; first < n; first += height) {
    const int64_t last = std::min(first + height, n);
    parallel_for(ctx, last - first, 1, [&](int64_t t, int64_t, int thread) {
      const int64_t number = first + t, row = order[number];
      const auto begin = static_cast<size_t>(matrix.offsets[row] - base);
      const auto count = static_cast<size_t>(matrix.offsets[row + 1] - matrix.offsets[row]);
      const int32_t* const before = plan.columns.before.data() + begin;
      const int64_t additions = std::accumulate(before, before + count, int64_t{0});
      uint8_t* const marked = marks.data() + t * blocks;
      const bool everywhere = params.min_overlap == 0 || additions * kFewEntries > number;
      std::fill_n(marked, blocks, everywhere);
      add_sums(plan.terms, plan.columns.lists(),
               {{matrix.indices + base + begin, count},
                plan.rows.values() != nullptr ? plan.rows.values() + matrix.offsets[row] : nullptr,
                before},
               sums.of(thread), everywhere ? nullptr : marked);
      finish_sums(plan.terms, plan.rows.terms[static_cast<size_t>(row)], plan.row_terms.data(), number, marked,
                  sums.of(thread), tile.data() + t * n);
      collect(tile.data() + t * n, number, marked, order, lists.view, number);
    });
    parallel_for(ctx, last, kOfferChunk, [&](int64_t begin, int64_t end, int) {
      for (int64_t t = 0; t < last - first; ++t)
        offer(tile.data() + t * n, begin, std::min(end, first + t), marks.data() + t * blocks, order[first + t],
              lists.view);
    });
  }
  parallel_for(ctx, n, kRowChunk, [&](int64_t begin, int64_t end, int) {
    for (int64_t number = begin; number < end; ++number)
      lists.write(number, ids.row(order[number]), similarities.row(order[number]));
  });
}

void similar_rows(Context& ctx, CsrView queries, VectorView<const int32_t> self, CsrView matrix,
                  const SimilarityParams& params, MatrixView<int32_t> ids, MatrixView<float> similarities) {
  const int64_t n = matrix.rows, k = ids.cols;
  const Plan plan(ctx, matrix, queries, params);
  const Prepared asked = prepare(ctx, queries, params, plan.pair, plan.means);
  const int32_t* const order = plan.columns.order.data();
  const ColumnLists columns = plan.columns.lists();
  Scratch sums(ctx, plan.pair.sums, n);
  Lists lists(ctx, ctx.threads(), k);
  const int64_t blocks = (n + kMarkBlock - 1) / kMarkBlock;
  Array<float> found(ctx, ctx.threads() * n, "similarity row");
  Array<uint8_t> marks(ctx, ctx.threads() * blocks, "similarity marks");
  parallel_for(ctx, queries.rows, 1, [&](int64_t q, int64_t, int thread) {
    const int64_t begin = queries.offsets[q];
    const std::span<const int32_t> entries(queries.indices + begin,
                                           static_cast<size_t>(queries.offsets[q + 1] - begin));
    int64_t additions = 0;
    for (const int32_t c : entries) additions += columns.offsets[c + 1] - columns.offsets[c];
    uint8_t* const marked = marks.data() + thread * blocks;
    float* const similarity = found.data() + thread * n;
    const bool everywhere = params.min_overlap == 0 || additions * kFewEntries > n;
    std::fill_n(marked, blocks, everywhere);
    add_sums(plan.terms, columns, {entries, asked.values() != nullptr ? asked.values() + begin : nullptr, nullptr},
             sums.of(thread), everywhere ? nullptr : marked);
    finish_sums(plan.terms, asked.terms[static_cast<size_t>(q)], plan.row_terms.data(), n, marked, sums.of(thread),
                similarity);
    if (!self.empty() && self[q] >= 0)
      similarity[plan.columns.rank.data()[self[q]]] = std::numeric_limits<float>::quiet_NaN();
    lists.clear(thread);
    collect(similarity, n, marked, order, lists.view, thread);
    lists.write(thread, ids.row(q), similarities.row(q));
  });
}

}  // namespace kindred::cpu
