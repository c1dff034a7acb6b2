// SPDX-License-Identifier: Apache-2.0
// Dense linear algebra: products by cuBLAS in fp32, the rest own kernels, all of them bound by memory.
//
// cuBLAS sees columns where we see rows: our row-major a (n x d) is its column-major aᵀ (d x n), so c = a b becomes
// cᵀ = bᵀ aᵀ without moving anything.
#include <algorithm>
#include <vector>

#include "kernels/cuda/device/reduce.cuh"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/libraries.hpp"
#include "kernels/detail/dense.hpp"
#include "kernels/memory.hpp"

namespace kindred::cuda {
namespace {

constexpr int64_t kGramRows = 4096;          // rows summed in fp32
constexpr int64_t kPartialBytes = 64 << 20;  // of fp32 Gram matrices that wait to be combined
constexpr float kOne = 1, kZero = 0;

/// Gram matrices of blocks of rows that are computed before they are combined.
int64_t grams_at_once(int64_t rows, int64_t cols) {
  const int64_t blocks = (rows + kGramRows - 1) / kGramRows;
  return std::clamp<int64_t>(kPartialBytes / (4 * cols * cols), 1, std::max<int64_t>(1, blocks));
}

cublasOperation_t operation(Transpose transpose) { return transpose == Transpose::kYes ? CUBLAS_OP_T : CUBLAS_OP_N; }
int64_t leading(int64_t cols) { return std::max<int64_t>(1, cols); }

/// sums (d x d) = (first ? 0 : sums) + the partial matrices in order; `out` receives them where it is not null. Reads
/// lower triangles alone, so that the result is symmetric to the bit.
__global__ void combine_grams(const float* __restrict__ partial, int64_t count, int64_t d, double* __restrict__ sums,
                              bool first, float* __restrict__ out) {
  for (int64_t e = grid_thread(); e < d * d; e += grid_threads()) {
    const int64_t i = e / d, j = e % d, lower = i >= j ? e : j * d + i;
    double sum = first ? 0 : sums[e];
    for (int64_t block = 0; block < count; ++block) sum += partial[block * d * d + lower];
    sums[e] = sum;
    if (out != nullptr) out[e] = static_cast<float>(sum);
  }
}

enum class RowOp { kSquare, kNorm, kNormalize };

/// A warp a row. out[row] is |row|^2 or |row|; kNormalize divides the row by |row| where that is not 0.
template <RowOp op>
__global__ void reduce_rows(const float* a, int64_t rows, int64_t cols, float* out) {
  for (int64_t row = grid_warp(); row < rows; row += grid_warps()) {
    const float* x = a + row * cols;
    double sum = 0;
    for (int64_t k = lane_id(); k < cols; k += kWarp) sum += double{x[k]} * double{x[k]};
    sum = warp_sum(sum);
    if constexpr (op == RowOp::kNormalize) {
      const float scale = sum > 0 ? static_cast<float>(1 / sqrt(sum)) : 1.f;
      for (int64_t k = lane_id(); k < cols; k += kWarp) out[row * cols + k] = x[k] * scale;
    } else if (lane_id() == 0) {
      out[row] = static_cast<float>(op == RowOp::kNorm ? sqrt(sum) : sum);
    }
  }
}

__global__ void multiply_rows(float* __restrict__ a, int64_t rows, int64_t cols, const float* __restrict__ factor) {
  for (int64_t row = grid_warp(); row < rows; row += grid_warps())
    for (int64_t k = lane_id(); k < cols; k += kWarp) a[row * cols + k] *= factor[row];
}

}  // namespace

void gemm(Context& ctx, float alpha, MatrixView<const float> a, Transpose ta, MatrixView<const float> b, Transpose tb,
          float beta, MatrixView<float> c) {
  const int64_t k = ta == Transpose::kYes ? a.rows : a.cols;
  check(blas().sgemm(blas_handle(ctx), operation(tb), operation(ta), c.cols, c.rows, k, &alpha, b.data, leading(b.cols),
                     a.data, leading(a.cols), &beta, c.data, leading(c.cols)),
        "gemm");
}

int64_t gram_scratch_bytes(int, int64_t rows, int64_t cols) {
  return 4 * cols * cols * grams_at_once(rows, cols) + 8 * cols * cols;
}

void gram(Context& ctx, MatrixView<const float> a, MatrixView<float> out) {
  const int64_t d = a.cols, square = d * d;
  const int64_t full_blocks = a.rows / kGramRows, tail_rows = a.rows % kGramRows;
  const int64_t blocks = full_blocks + (tail_rows > 0);
  const int64_t at_once = grams_at_once(a.rows, d);
  Array<float> partial(ctx, at_once * square, "gram blocks");
  Array<double> sums(ctx, square, "gram sums");
  const LaunchConfig config = over_items(device_of(ctx).limits, square);
  if (blocks == 0) launch(ctx, combine_grams, config, partial.data(), 0, d, sums.data(), true, out.data);
  for (int64_t begin = 0; begin < blocks; begin += at_once) {
    const int64_t count = std::min(at_once, blocks - begin), full = std::min(count, full_blocks - begin);
    const float* x = a.row(begin * kGramRows);
    const int64_t stride = kGramRows * d;
    if (full > 0)
      check(blas().sgemm_strided_batched(blas_handle(ctx), CUBLAS_OP_N, CUBLAS_OP_T, d, d, kGramRows, &kOne, x, d,
                                         stride, x, d, stride, &kZero, partial.data(), d, square, full),
            "gram");
    if (full < count)
      check(blas().sgemm(blas_handle(ctx), CUBLAS_OP_N, CUBLAS_OP_T, d, d, tail_rows, &kOne, x + full * stride, d,
                         x + full * stride, d, &kZero, partial.data() + full * square, d),
            "gram");
    launch(ctx, combine_grams, config, partial.data(), count, d, sums.data(), begin == 0,
           begin + count == blocks ? out.data : nullptr);
  }
}

void row_squares(Context& ctx, MatrixView<const float> a, VectorView<float> out) {
  launch(ctx, reduce_rows<RowOp::kSquare>, over_warps(device_of(ctx).limits, a.rows), a.data, a.rows, a.cols, out.data);
}

void row_norms(Context& ctx, MatrixView<const float> a, VectorView<float> out) {
  launch(ctx, reduce_rows<RowOp::kNorm>, over_warps(device_of(ctx).limits, a.rows), a.data, a.rows, a.cols, out.data);
}

void normalize_rows(Context& ctx, MatrixView<float> a) {
  launch(ctx, reduce_rows<RowOp::kNormalize>, over_warps(device_of(ctx).limits, a.rows), a.data, a.rows, a.cols,
         a.data);
}

void scale_rows(Context& ctx, MatrixView<float> a, VectorView<const float> factor) {
  launch(ctx, multiply_rows, over_warps(device_of(ctx).limits, a.rows), a.data, a.rows, a.cols, factor.data);
}

void symmetric_eigen(Context& ctx, MatrixView<const float> symmetric, VectorView<float> out,
                     MatrixView<float> vectors) {
  std::vector<float> matrix(static_cast<size_t>(symmetric.size())), values(static_cast<size_t>(out.size));
  std::vector<float> rows(matrix.size());
  download(ctx, symmetric.flat(), std::span<float>(matrix));
  ctx.wait();
  kindred::detail::symmetric_eigen_host(matrix, values, rows);
  upload<float>(ctx, values, out);
  upload<float>(ctx, rows, vectors.flat());
  ctx.wait();  // the host's buffers end here
}

}  // namespace kindred::cuda
