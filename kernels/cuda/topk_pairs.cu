// SPDX-License-Identifier: Apache-2.0
// Scores of given pairs: limited by gathering two rows a pair. Eight lanes read a pair's rows side by side and add
// their shares by a fixed tree.
#include "kernels/cuda/device/reduce.cuh"
#include "kernels/cuda/launch.cuh"
#include "kernels/detail/topk.hpp"

namespace kindred::cuda {
namespace {

constexpr int kThreads = 256, kLanes = 8, kGroups = kWarp / kLanes;
constexpr int64_t kRun = 64;  // entries of a sparse matrix that a warp takes at a time

/// The dot product of two rows, in every lane of a group of eight.
__device__ __forceinline__ float group_dot(const float* x, const float* y, int64_t factors) {
  float sum = 0;
  for (int64_t k = lane_id() % kLanes; k < factors; k += kLanes) sum = __fmaf_rn(__ldg(x + k), __ldg(y + k), sum);
  return group_sum<kLanes>(sum);
}

__global__ void __launch_bounds__(kThreads)
    pair_scores_of_lists(MatrixView<const float> x, MatrixView<const float> y, const int32_t* row, const int32_t* col,
                         int64_t count, float* out, FailureSink failures) {
  for (int64_t first = grid_warp() * kGroups; first < count; first += grid_warps() * kGroups) {
    const int64_t e = first + lane_id() / kLanes;
    const bool there = e < count, leader = lane_id() % kLanes == 0;
    const int64_t i = there ? row[e] : 0, j = there ? col[e] : 0;
    const bool row_fits = i >= 0 && i < x.rows, col_fits = j >= 0 && j < y.rows, fits = row_fits && col_fits && there;
    if (!row_fits && leader) failures.report(Failure::kPairRow, e);
    if (!col_fits && leader) failures.report(Failure::kPairColumn, e);
    const float score =
        group_dot(x.data + (fits ? i * x.cols : 0), y.data + (fits ? j * y.cols : 0), fits ? x.cols : 0);
    if (fits && leader) out[e] = score;
  }
}

/// The row whose entries hold e: the last whose offset is not above it, within [low, high).
__device__ __forceinline__ int64_t row_of(const int64_t* offsets, int64_t low, int64_t high, int64_t e) {
  while (high - low > 1) {
    const int64_t middle = low + (high - low) / 2;
    if (offsets[middle] <= e)
      low = middle;
    else
      high = middle;
  }
  return low;
}

__global__ void __launch_bounds__(kThreads)
    pair_scores_of_matrix(MatrixView<const float> x, MatrixView<const float> y, CsrView pairs, float* out) {
  const int64_t base = pairs.offsets[0];
  for (int64_t run = grid_warp() * kRun; run < pairs.nnz; run += grid_warps() * kRun) {
    int64_t row = 0;
    for (int64_t at = run; at < run + kRun && at < pairs.nnz; at += kGroups) {
      const int64_t place = at + lane_id() / kLanes, e = base + (place < pairs.nnz ? place : pairs.nnz - 1);
      if (at == run || e >= pairs.offsets[row + 1]) row = row_of(pairs.offsets, row, pairs.rows, e);
      const float score = group_dot(x.data + row * x.cols, y.data + pairs.indices[e] * y.cols, x.cols);
      if (place < pairs.nnz && lane_id() % kLanes == 0) out[place] = score;
    }
  }
}

}  // namespace

void pair_scores(Context& ctx, MatrixView<const float> x, MatrixView<const float> y, VectorView<const int32_t> row,
                 VectorView<const int32_t> col, VectorView<float> out) {
  launch(ctx, pair_scores_of_lists, over_items(device_of(ctx).limits, row.size * kLanes, kThreads), x, y, row.data,
         col.data, row.size, out.data, failures_of(ctx));
}

void pair_scores(Context& ctx, MatrixView<const float> x, MatrixView<const float> y, CsrView pairs,
                 VectorView<float> out) {
  launch(ctx, pair_scores_of_matrix, over_warps(device_of(ctx).limits, (pairs.nnz + kRun - 1) / kRun, kThreads), x, y,
         pairs, out.data);
}

}  // namespace kindred::cuda
