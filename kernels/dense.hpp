// SPDX-License-Identifier: Apache-2.0
// Dense linear algebra on row-major fp32 matrices. Cost: gemm 2 m n k FLOP (oneDNN on the CPU, cuBLAS on CUDA).
#pragma once
#include "kernels/context.hpp"

namespace kindred {

enum class Transpose : uint8_t { kNo, kYes };

/// c = alpha op(a) op(b) + beta c. op(a): m x k, op(b): k x n, c: m x n. beta = 0 does not read c.
/// c must not overlap a or b. On the CPU the bits do not depend on the number of threads.
void gemm(Context& ctx, float alpha, MatrixView<const float> a, Transpose ta, MatrixView<const float> b, Transpose tb,
          float beta, MatrixView<float> c);

/// out = aᵀ a (d x d, symmetric, both triangles) for a: n x d. Sums over blocks of 4,096 rows in fp32, combined in
/// fp64 in order: relative error below 1e-6 of the diagonal for any n. Cost: n d (d + 1) FLOP.
void gram(Context& ctx, MatrixView<const float> a, MatrixView<float> out);
/// Bytes that it takes beside them.
int64_t gram_scratch_bytes(const Context& ctx, int64_t rows, int64_t cols);

/// out[i] = |a_i| (or |a_i|^2), Euclidean. a: n x d, out: n.
void row_norms(Context& ctx, MatrixView<const float> a, VectorView<float> out);
void row_squares(Context& ctx, MatrixView<const float> a, VectorView<float> out);

/// a_i *= factor_i. a: n x d, factor: n.
void scale_rows(Context& ctx, MatrixView<float> a, VectorView<const float> factor);

/// a_i /= |a_i|; rows of zeros stay zero.
void normalize_rows(Context& ctx, MatrixView<float> a);

/// out (d values ascending), vectors (d x d, row k holds the k-th eigenvector): symmetric = vectorsᵀ diag(out) vectors.
/// Computed in fp64 by LAPACK on the host on either device (d is at most some thousand): this call waits.
/// The largest component of each vector is positive, so signs are repeatable. d^2 floats travel each way on CUDA.
/// Throws NumericError, at once and with row -1, where the matrix holds NaN or infinity or LAPACK does not converge.
void symmetric_eigen(Context& ctx, MatrixView<const float> symmetric, VectorView<float> out, MatrixView<float> vectors);

}  // namespace kindred
