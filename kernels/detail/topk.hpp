// SPDX-License-Identifier: Apache-2.0
// The backends of kernels/topk.hpp; shapes and devices are checked.
#pragma once
#include "kernels/topk.hpp"

#define KINDRED_TOPK_OPS                                                                                              \
  void top_k(Context& ctx, MatrixView<const float> queries, MatrixView<const float> items,                            \
             VectorView<const float> item_bias, CsrView excluded, MatrixView<int32_t> ids, MatrixView<float> scores); \
  void pair_scores(Context& ctx, MatrixView<const float> x, MatrixView<const float> y, VectorView<const int32_t> row, \
                   VectorView<const int32_t> col, VectorView<float> out);                                             \
  void pair_scores(Context& ctx, MatrixView<const float> x, MatrixView<const float> y, CsrView pairs,                 \
                   VectorView<float> out);

namespace kindred::cpu {
KINDRED_TOPK_OPS
}
namespace kindred::cuda {
KINDRED_TOPK_OPS
}
#undef KINDRED_TOPK_OPS
