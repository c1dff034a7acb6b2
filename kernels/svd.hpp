// SPDX-License-Identifier: Apache-2.0
// Truncated singular value decomposition of a sparse matrix: its best approximation of a given rank, by subspace
// iteration from a random start (Halko, Martinsson, Tropp 2011).
#pragma once
#include "kernels/context.hpp"

namespace kindred {

struct SvdParams {
  int oversampling = 16;     ///< vectors beyond those that are asked for
  int power_iterations = 4;  ///< products with a and its transpose after the first; each sharpens the decay of values
  uint64_t seed = 0;         ///< of the start
};

/// a (m x n) is about left diag(values) rightᵀ with k values, descending. left: m x k, right: n x k, both with
/// orthonormal columns; of each pair the largest component of `right` is positive. transposed: a's transpose (n x m).
/// Values beyond the rank of a (below 1e-6 of the largest) are 0, and so are their columns.
/// Subspaces are made orthonormal by the eigenvectors of their Gram matrix, twice (Stathopoulos, Wu 2002): products and
/// Gram matrices alone, and dependent columns do no harm. Waits, because those are solved on the host.
/// InvalidArgument: k is below 1 or above min(m, n); shapes. Cost: (2 power_iterations + 2) 2 nnz l FLOP and as many
/// times nnz (4 l + 8) bytes, l = k + oversampling; 8 (m + n) l^2 FLOP a power iteration. Memory: 8 (m + n) l bytes.
void truncated_svd(Context& ctx, CsrView a, CsrView transposed, const SvdParams& params, MatrixView<float> left,
                   VectorView<float> values, MatrixView<float> right);
int64_t svd_scratch_bytes(const Context& ctx, int64_t rows, int64_t cols, int64_t k, const SvdParams& params);

}  // namespace kindred
