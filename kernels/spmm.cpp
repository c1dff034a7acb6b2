// SPDX-License-Identifier: Apache-2.0
#include "kernels/spmm.hpp"

#include "kernels/detail/check.hpp"
#include "kernels/detail/spmm.hpp"

namespace kindred {

void spmm(Context& ctx, float alpha, CsrView a, MatrixView<const float> b, float beta, MatrixView<float> out) {
  detail::check_device(ctx, "spmm", "a", a);
  detail::check_device(ctx, "spmm", "b", b);
  detail::check_device(ctx, "spmm", "out", out);
  if (a.cols != b.rows || out.rows != a.rows || out.cols != b.cols)
    detail::bad_argument("spmm", "a is " + detail::shape(a) + ", b " + detail::shape(b) + ", out " +
                                     detail::shape(out) + "; expected m x n, n x d and m x d");
  if (out.size() == 0) return;
  ctx.on_cuda() ? cuda::spmm(ctx, alpha, a, b, beta, out) : cpu::spmm(ctx, alpha, a, b, beta, out);
}

}  // namespace kindred
