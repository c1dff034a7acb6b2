// SPDX-License-Identifier: Apache-2.0
// Alternating least squares on the CPU: rows by falling degree, threads outside, vectors (als_simd.cpp) inside. A row's
// sums run over segments of kAlsSegment entries, in fp32 inside one and in fp64 across them, in order; so a row that is
// spread over the threads has the bits that one thread would give it.
#include "kernels/detail/als.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>
#include <vector>

#include "kernels/cpu/als_row.hpp"
#include "kernels/cpu/threads.hpp"
#include "kernels/memory.hpp"

namespace kindred::cpu {
namespace {

constexpr int64_t kLongRow = 1024;  // rows up to here are handed to threads several at a time
constexpr int64_t kRowChunk = 16;
constexpr int64_t kStepRows = 8192;  // rows solved together, whose vectors are kept

/// Rows by falling degree, ties by row: rows of one solver and of one size stand together, the last chunk is a light
/// one.
Array<int32_t> rows_by_degree(Context& ctx, const CsrView& rows) {
  Array<int32_t> order(ctx, rows.rows, "als row order");
  const auto degree = [&](int64_t row) { return rows.offsets[row + 1] - rows.offsets[row]; };
  int64_t largest = 0;
  for (int64_t row = 0; row < rows.rows; ++row) largest = std::max(largest, degree(row));
  // Counting sort over degrees, the long ones sharing a place that is sorted afterwards.
  const int64_t places = std::min(largest, kLongRow) + 1;
  std::vector<int64_t> next(static_cast<size_t>(places) + 1);
  const auto place = [&](int64_t row) { return places - 1 - std::min(degree(row), places - 1); };
  for (int64_t row = 0; row < rows.rows; ++row) ++next[static_cast<size_t>(place(row)) + 1];
  std::partial_sum(next.begin(), next.end(), next.begin());
  const int64_t long_rows = next[1];
  for (int64_t row = 0; row < rows.rows; ++row)
    order.data()[next[static_cast<size_t>(place(row))]++] = static_cast<int32_t>(row);
  std::stable_sort(order.data(), order.data() + long_rows, [&](int32_t a, int32_t b) { return degree(a) > degree(b); });
  return order;
}

}  // namespace

void als_features(Context& ctx, MatrixView<const float> fixed, MatrixView<float> features, VectorView<float> offset) {
  parallel_for(ctx, fixed.rows, 4096, [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; ++row) {
      float* to = features.row(row);
      std::copy_n(fixed.row(row), fixed.cols, to);
      std::fill(to + fixed.cols, to + features.cols, 0.0f);
      if (!offset.empty()) offset[row] = std::exchange(to[fixed.cols - 1], 1.0f);
    }
  });
}

void als_half_sweep(Context& ctx, const detail::AlsProblem& problem) {
  const CsrView& rows = problem.rows;
  const Array<int32_t> order = rows_by_degree(ctx, rows);
  const auto degree = [&](int64_t place) {
    const int32_t row = order.data()[place];
    return rows.offsets[row + 1] - rows.offsets[row];
  };
  const auto first_with_degree_at_most = [&](int64_t limit) {
    int64_t low = 0, high = rows.rows;
    while (low < high) {
      const int64_t middle = (low + high) / 2;
      degree(middle) > limit ? low = middle + 1 : high = middle;
    }
    return low;
  };
  // A row that alone would keep one thread busy for a quarter of the sweep is spread over all.
  const int64_t spread =
      ctx.threads() == 1
          ? 0
          : first_with_degree_at_most(std::max(2 * detail::kAlsSegment, rows.nnz / (4 * int64_t{ctx.threads()})));
  const int64_t filled = first_with_degree_at_most(0);

  AlsRowSolver solver(ctx, problem, degree(0), spread < rows.rows ? degree(spread) : 0);
  for (int64_t place = 0; place < spread; ++place) solver.solve_spread(order.data()[place]);

  int64_t together = spread;
  while (together < filled && solver.steps_together(degree(together))) {
    const int64_t begin = together;
    while (together < filled && together - begin < kStepRows && solver.steps_together(degree(together))) ++together;
    solver.solve_together(std::span(order.data() + begin, static_cast<size_t>(together - begin)));
  }
  const int64_t longs = std::max(together, first_with_degree_at_most(kLongRow));
  const auto solve = [&](int64_t place, int thread) {
    solver.solve(std::span(order.data() + place, static_cast<size_t>(std::min<int64_t>(3, filled - place))), thread);
  };
  parallel_for(ctx, longs - together, 1, [&](int64_t begin, int64_t, int thread) { solve(together + begin, thread); });
  parallel_for(ctx, filled - longs, kRowChunk, [&](int64_t begin, int64_t end, int thread) {
    for (int64_t place = begin; place < end; ++place) solve(longs + place, thread);
  });
  for (int64_t place = filled; place < rows.rows; ++place)
    std::fill_n(problem.solved.row(order.data()[place]), problem.factors(), 0.0f);
}

int64_t als_scratch_bytes(int threads, const detail::AlsShape& shape, const AlsParams& params) {
  return 4 * shape.rows + AlsRowSolver::scratch_bytes(threads, shape, params, kStepRows);
}

}  // namespace kindred::cpu
