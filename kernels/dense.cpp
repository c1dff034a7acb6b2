// SPDX-License-Identifier: Apache-2.0
#include "kernels/detail/dense.hpp"

#include "kernels/detail/check.hpp"

namespace kindred {
using detail::bad_argument, detail::check_device, detail::check_size, detail::shape;

void gemm(Context& ctx, float alpha, MatrixView<const float> a, Transpose ta, MatrixView<const float> b, Transpose tb,
          float beta, MatrixView<float> c) {
  check_device(ctx, "gemm", "a", a);
  check_device(ctx, "gemm", "b", b);
  check_device(ctx, "gemm", "c", c);
  const bool turn_a = ta == Transpose::kYes, turn_b = tb == Transpose::kYes;
  const int64_t m = turn_a ? a.cols : a.rows, k = turn_a ? a.rows : a.cols, n = turn_b ? b.rows : b.cols;
  if ((turn_b ? b.cols : b.rows) != k || c.rows != m || c.cols != n)
    bad_argument("gemm", "a is " + shape(a) + (turn_a ? " transposed" : "") + ", b " + shape(b) +
                             (turn_b ? " transposed" : "") + ", c " + shape(c) + "; m x k, k x n and m x n are needed");
  if (m == 0 || n == 0) return;
  ctx.on_cuda() ? cuda::gemm(ctx, alpha, a, ta, b, tb, beta, c) : cpu::gemm(ctx, alpha, a, ta, b, tb, beta, c);
}

void gram(Context& ctx, MatrixView<const float> a, MatrixView<float> out) {
  check_device(ctx, "gram", "a", a);
  check_device(ctx, "gram", "out", out);
  if (out.rows != a.cols || out.cols != a.cols)
    bad_argument("gram", "a is " + shape(a) + ", out " + shape(out) + "; out must be square with a's columns");
  if (a.cols == 0) return;
  ctx.on_cuda() ? cuda::gram(ctx, a, out) : cpu::gram(ctx, a, out);
}

int64_t gram_scratch_bytes(const Context& ctx, int64_t rows, int64_t cols) {
  return ctx.on_cuda() ? cuda::gram_scratch_bytes(ctx.threads(), rows, cols)
                       : cpu::gram_scratch_bytes(ctx.threads(), rows, cols);
}

void row_squares(Context& ctx, MatrixView<const float> a, VectorView<float> out) {
  check_device(ctx, "row_squares", "a", a);
  check_device(ctx, "row_squares", "out", out);
  check_size("row_squares", "out", out.size, "a row each", a.rows);
  if (a.rows == 0) return;
  ctx.on_cuda() ? cuda::row_squares(ctx, a, out) : cpu::row_squares(ctx, a, out);
}

void row_norms(Context& ctx, MatrixView<const float> a, VectorView<float> out) {
  check_device(ctx, "row_norms", "a", a);
  check_device(ctx, "row_norms", "out", out);
  check_size("row_norms", "out", out.size, "a row each", a.rows);
  if (a.rows == 0) return;
  ctx.on_cuda() ? cuda::row_norms(ctx, a, out) : cpu::row_norms(ctx, a, out);
}

void scale_rows(Context& ctx, MatrixView<float> a, VectorView<const float> factor) {
  check_device(ctx, "scale_rows", "a", a);
  check_device(ctx, "scale_rows", "factor", factor);
  check_size("scale_rows", "factor", factor.size, "a row each", a.rows);
  if (a.rows == 0 || a.cols == 0) return;
  ctx.on_cuda() ? cuda::scale_rows(ctx, a, factor) : cpu::scale_rows(ctx, a, factor);
}

void normalize_rows(Context& ctx, MatrixView<float> a) {
  check_device(ctx, "normalize_rows", "a", a);
  if (a.rows == 0 || a.cols == 0) return;
  ctx.on_cuda() ? cuda::normalize_rows(ctx, a) : cpu::normalize_rows(ctx, a);
}

void symmetric_eigen(Context& ctx, MatrixView<const float> symmetric, VectorView<float> out,
                     MatrixView<float> vectors) {
  check_device(ctx, "symmetric_eigen", "symmetric", symmetric);
  check_device(ctx, "symmetric_eigen", "out", out);
  check_device(ctx, "symmetric_eigen", "vectors", vectors);
  const int64_t d = symmetric.rows;
  if (symmetric.cols != d || vectors.rows != d || vectors.cols != d || out.size != d)
    bad_argument("symmetric_eigen", "symmetric is " + shape(symmetric) + ", vectors " + shape(vectors) + ", out " +
                                        std::to_string(out.size) + "; d x d, d x d and d are needed");
  if (d == 0) return;
  ctx.on_cuda() ? cuda::symmetric_eigen(ctx, symmetric, out, vectors)
                : cpu::symmetric_eigen(ctx, symmetric, out, vectors);
}

}  // namespace kindred
