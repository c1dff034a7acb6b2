// SPDX-License-Identifier: Apache-2.0
// Sparse times dense: a warp a row of the result, lanes over its columns, 128 of them in registers at a time. Bound by
// the gathered rows, 4 bytes a column and entry, most of which come from the L2 where the dense matrix fits it.
#include "kernels/cuda/launch.cuh"
#include "kernels/detail/spmm.hpp"

namespace kindred::cuda {
namespace {

constexpr int kThreads = 256, kValues = 4;

__global__ void __launch_bounds__(kThreads)
    multiply(float alpha, CsrView a, MatrixView<const float> b, float beta, MatrixView<float> out) {
  for (int64_t row = grid_warp(); row < a.rows; row += grid_warps())
    for (int64_t first = 0; first < b.cols; first += kValues * kWarp) {
      float sum[kValues] = {};
      for (int64_t e = a.offsets[row]; e < a.offsets[row + 1]; ++e) {
        const float value = a.values != nullptr ? a.values[e] : 1.f;
        const float* const from = b.data + int64_t{a.indices[e]} * b.cols;
#pragma unroll
        for (int j = 0; j < kValues; ++j) {
          const int64_t k = first + lane_id() + kWarp * j;
          if (k < b.cols) sum[j] += value * from[k];
        }
      }
#pragma unroll
      for (int j = 0; j < kValues; ++j) {
        const int64_t k = first + lane_id() + kWarp * j;
        float* const to = out.data + row * out.cols + k;
        if (k < b.cols) *to = alpha * sum[j] + (beta != 0 ? beta * *to : 0.f);
      }
    }
}

}  // namespace

void spmm(Context& ctx, float alpha, CsrView a, MatrixView<const float> b, float beta, MatrixView<float> out) {
  launch(ctx, multiply, over_warps(device_of(ctx).limits, a.rows, kThreads), alpha, a, b, beta, out);
}

}  // namespace kindred::cuda
