// SPDX-License-Identifier: Apache-2.0
// The backends of kernels/sparse.hpp; shapes and devices are checked, contents are not.
#pragma once
#include "kernels/sparse.hpp"

#define KINDRED_SPARSE_OPS                                                                       \
  Csr csr_from_pairs(Context& ctx, VectorView<const int32_t> row, VectorView<const int32_t> col, \
                     VectorView<const float> value, int64_t rows, int64_t cols);                 \
  Csr transpose(Context& ctx, CsrView a);                                                        \
  void row_sums(Context& ctx, CsrView a, VectorView<float> out);                                 \
  void column_sums(Context& ctx, CsrView a, VectorView<float> out);

namespace kindred::cpu {
KINDRED_SPARSE_OPS
}
namespace kindred::cuda {
KINDRED_SPARSE_OPS
}
#undef KINDRED_SPARSE_OPS
