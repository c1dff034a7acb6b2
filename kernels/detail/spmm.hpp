// SPDX-License-Identifier: Apache-2.0
// The backends of kernels/spmm.hpp; arguments are checked.
#pragma once
#include "kernels/spmm.hpp"

namespace kindred::cpu {
void spmm(Context& ctx, float alpha, CsrView a, MatrixView<const float> b, float beta, MatrixView<float> out);
/// Rows [begin, end) of it on this thread.
void spmm_rows(float alpha, CsrView a, MatrixView<const float> b, float beta, MatrixView<float> out, int64_t begin,
               int64_t end);
}  // namespace kindred::cpu
namespace kindred::cuda {
void spmm(Context& ctx, float alpha, CsrView a, MatrixView<const float> b, float beta, MatrixView<float> out);
}  // namespace kindred::cuda
