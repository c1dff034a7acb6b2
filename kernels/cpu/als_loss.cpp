// SPDX-License-Identifier: Apache-2.0
// The objective of alternating least squares on the CPU. The sum over all pairs is the product of both Gram matrices,
// here in fp64: in fp32 its rounding would hide the last steps of a descent.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/cpu/als_simd.hpp"
#include "kernels/cpu/threads.hpp"
#include "kernels/detail/als.hpp"
#include "kernels/memory.hpp"

namespace kindred::cpu {
namespace {

constexpr int64_t kEntryChunk = 1 << 16;
constexpr int64_t kRowChunk = 4096;
constexpr int64_t kGramPanel = 64;  // rows of a Gram matrix computed together
constexpr int64_t kGramBlock = 64;  // rows of the table converted at a time

/// body(begin, end) for chunks of [0, count); the sum of what it returns, in order.
template <class Body>
double ordered_sum(Context& ctx, int64_t count, int64_t chunk, Body&& body) {
  Array<double> parts(ctx, (count + chunk - 1) / chunk, "als loss parts");
  parallel_for(ctx, count, chunk,
               [&](int64_t begin, int64_t end, int) { parts.data()[begin / chunk] = body(begin, end); });
  return std::accumulate(parts.data(), parts.data() + parts.size(), 0.0);
}

/// xᵀ x in fp64, upper triangle, width x width (columns padded to a multiple of 16). Shards of rows, a number that
/// depends on the width alone, are summed in order; a task is a shard's share of one panel.
Array<double> gram_double(Context& ctx, MatrixView<const float> x) {
  const int64_t width = (x.cols + 15) / 16 * 16, size = width * width;
  const int64_t shards = std::clamp<int64_t>((int64_t{1} << 20) / size, 1, 64);
  const int64_t panels = (width + kGramPanel - 1) / kGramPanel;
  const int64_t shard_rows = (x.rows + shards - 1) / shards;
  Array<double> sums(ctx, shards * size, "als loss grams");
  Array<double> blocks(ctx, ctx.threads() * kGramBlock * width, "als loss rows");
  std::fill_n(sums.data(), sums.size(), 0.0);
  parallel_for(ctx, shards * panels, 1, [&](int64_t task, int64_t, int thread) {
    const int64_t shard = task % shards, first = task / shards * kGramPanel;
    const int64_t end = std::min(x.rows, (shard + 1) * shard_rows);
    double* block = blocks.data() + thread * kGramBlock * width;
    for (int64_t begin = shard * shard_rows; begin < end; begin += kGramBlock) {
      const int64_t count = std::min(kGramBlock, end - begin);
      for (int64_t r = 0; r < count; ++r) {
        std::copy_n(x.row(begin + r) + first, x.cols - first, block + r * width + first);
        std::fill(block + r * width + x.cols, block + (r + 1) * width, 0.0);
      }
      als_add_products(block, count, width, first, std::min(kGramPanel, width - first), sums.data() + shard * size);
    }
  });
  for (int64_t shard = 1; shard < shards; ++shard)
    for (int64_t k = 0; k < size; ++k) sums.data()[k] += sums.data()[shard * size + k];
  return sums;
}

/// Sum over all pairs of (x_u . y_i)^2 = trace of the Gram matrices' product.
double pair_squares(Context& ctx, MatrixView<const float> x, MatrixView<const float> y) {
  const Array<double> left = gram_double(ctx, x), right = gram_double(ctx, y);
  const int64_t width = (x.cols + 15) / 16 * 16;
  double sum = 0;
  for (int64_t i = 0; i < width; ++i)
    for (int64_t k = i; k < width; ++k)
      sum += (i == k ? 1 : 2) * left.data()[i * width + k] * right.data()[i * width + k];
  return sum;
}

double ridge_term(Context& ctx, MatrixView<const float> x, const int64_t* offsets, const detail::AlsRidge& ridge) {
  return ordered_sum(ctx, x.rows, kRowChunk, [&](int64_t begin, int64_t end) {
    double sum = 0;
    for (int64_t row = begin; row < end; ++row) {
      double square = 0;
      for (int64_t k = 0; k < x.cols; ++k) square += double{x.row(row)[k]} * x.row(row)[k];
      sum += ridge(offsets[row + 1] - offsets[row]) * square;
    }
    return sum;
  });
}

double entry_term(Context& ctx, const detail::AlsObjectiveProblem& problem) {
  const CsrView& rows = problem.rows;
  const bool is_explicit = problem.params.objective == AlsObjective::kExplicit;
  const int64_t dots = problem.x.cols - (problem.params.biases ? 1 : 0);
  const double mean = is_explicit ? problem.params.mean : 0;
  return ordered_sum(ctx, rows.nnz, kEntryChunk, [&](int64_t begin, int64_t end) {
    const int64_t start = rows.offsets[0];
    int64_t row = std::upper_bound(rows.offsets, rows.offsets + rows.rows + 1, start + begin) - rows.offsets - 1;
    double sum = 0;
    for (int64_t e = start + begin; e < start + end; ++e) {
      while (e >= rows.offsets[row + 1]) ++row;
      const float* x = problem.x.row(row);
      const float* y = problem.y.row(rows.indices[e]);
      double score = mean + als_dot(x, y, dots);
      if (problem.params.biases) score += double{x[dots]} + y[dots];
      const double value = rows.values != nullptr ? rows.values[e] : 1;
      const double rest = (is_explicit ? value : 1) - score;
      sum += (is_explicit ? 1 : value) * rest * rest - problem.observed_square * score * score;
    }
    return sum;
  });
}

}  // namespace

double als_loss(Context& ctx, const detail::AlsObjectiveProblem& problem) {
  double loss = entry_term(ctx, problem) + ridge_term(ctx, problem.x, problem.rows.offsets, problem.row_ridge) +
                ridge_term(ctx, problem.y, problem.item_offsets.data, problem.item_ridge);
  if (problem.pair_weight > 0) loss += problem.pair_weight * pair_squares(ctx, problem.x, problem.y);
  return loss;
}

}  // namespace kindred::cpu
