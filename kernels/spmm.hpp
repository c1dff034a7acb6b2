// SPDX-License-Identifier: Apache-2.0
// Products of a sparse and a dense matrix.
#pragma once
#include "kernels/context.hpp"

namespace kindred {

/// out = alpha a b + beta out. a: m x n in CSR, b: n x d, out: m x d; out must not overlap b. beta = 0 does not read
/// out. A row's entries are added in order, in fp32: the same bits for any number of threads. Empty rows are sums of
/// nothing. Cost: 2 nnz d FLOP, nnz (4 d + 8) bytes.
void spmm(Context& ctx, float alpha, CsrView a, MatrixView<const float> b, float beta, MatrixView<float> out);

}  // namespace kindred
