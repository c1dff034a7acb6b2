// SPDX-License-Identifier: Apache-2.0
// The backends of kernels/dense.hpp; arguments are checked.
#pragma once
#include <span>

#include "kernels/dense.hpp"

namespace kindred::detail {
/// Before a call of LAPACK: OpenBLAS takes 128 MiB at its first work, and where the process may not have them it asks
/// again for ever. Throws OutOfMemory there.
void expect_room_for_blas();
/// symmetric_eigen in host memory, for both backends. Throws NumericError where LAPACK does not converge.
void symmetric_eigen_host(std::span<const float> symmetric, std::span<float> values, std::span<float> vectors);
}  // namespace kindred::detail

#define KINDRED_DENSE_OPS                                                                                  \
  void gemm(Context& ctx, float alpha, MatrixView<const float> a, Transpose ta, MatrixView<const float> b, \
            Transpose tb, float beta, MatrixView<float> c);                                                \
  void gram(Context& ctx, MatrixView<const float> a, MatrixView<float> out);                               \
  int64_t gram_scratch_bytes(int threads, int64_t rows, int64_t cols);                                     \
  void row_squares(Context& ctx, MatrixView<const float> a, VectorView<float> out);                        \
  void row_norms(Context& ctx, MatrixView<const float> a, VectorView<float> out);                          \
  void scale_rows(Context& ctx, MatrixView<float> a, VectorView<const float> factor);                      \
  void normalize_rows(Context& ctx, MatrixView<float> a);                                                  \
  void symmetric_eigen(Context& ctx, MatrixView<const float> symmetric, VectorView<float> out,             \
                       MatrixView<float> vectors);

namespace kindred::cpu {
KINDRED_DENSE_OPS
}
namespace kindred::cuda {
KINDRED_DENSE_OPS
}
#undef KINDRED_DENSE_OPS
