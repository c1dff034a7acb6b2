// SPDX-License-Identifier: Apache-2.0
// Building and reshaping sparse matrices on the device.
#pragma once
#include "kernels/memory.hpp"

namespace kindred {

/// The CSR matrix of `nnz` entries (row[e], col[e], value[e]) in any order; columns ascend within each row. Entries of
/// one (row, col) keep their order and stay separate. `value` may be empty: the matrix has none, each entry is 1.
/// Indices out of range: InvalidArgument on the CPU at once, on CUDA at ctx.wait(). Cost: two counting passes (CPU) or
/// a radix sort (CUDA), O(nnz).
Csr csr_from_pairs(Context& ctx, VectorView<const int32_t> row, VectorView<const int32_t> col,
                   VectorView<const float> value, int64_t rows, int64_t cols);

/// The transposed matrix, rows ascending within each column. Cost: O(nnz + cols), 24 bytes an entry moved.
Csr transpose(Context& ctx, CsrView a);

/// out[r] = sum of row r's values, in fp64, rounded once. out: rows.
void row_sums(Context& ctx, CsrView a, VectorView<float> out);

/// out[c] = sum of column c's values in the order of rows, in fp64, rounded once. out: cols. Cost: a transpose.
void column_sums(Context& ctx, CsrView a, VectorView<float> out);

}  // namespace kindred
