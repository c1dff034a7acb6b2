// SPDX-License-Identifier: Apache-2.0
#include "kernels/detail/sparse.hpp"

#include "kernels/detail/check.hpp"

namespace kindred {
using detail::check_device, detail::check_size;

Csr csr_from_pairs(Context& ctx, VectorView<const int32_t> row, VectorView<const int32_t> col,
                   VectorView<const float> value, int64_t rows, int64_t cols) {
  check_device(ctx, "csr_from_pairs", "row", row);
  check_device(ctx, "csr_from_pairs", "col", col);
  check_device(ctx, "csr_from_pairs", "value", value);
  check_size("csr_from_pairs", "col", col.size, "an entry each", row.size);
  if (!value.empty()) check_size("csr_from_pairs", "value", value.size, "an entry each", row.size);
  if (rows < 0 || cols < 0 || rows > INT32_MAX || cols > INT32_MAX)
    detail::bad_argument("csr_from_pairs", "a shape of " + std::to_string(rows) + " x " + std::to_string(cols) +
                                               "; each side is from 0 to 2,147,483,647");
  return ctx.on_cuda() ? cuda::csr_from_pairs(ctx, row, col, value, rows, cols)
                       : cpu::csr_from_pairs(ctx, row, col, value, rows, cols);
}

Csr transpose(Context& ctx, CsrView a) {
  check_device(ctx, "transpose", "a", a);
  return ctx.on_cuda() ? cuda::transpose(ctx, a) : cpu::transpose(ctx, a);
}

void row_sums(Context& ctx, CsrView a, VectorView<float> out) {
  check_device(ctx, "row_sums", "a", a);
  check_device(ctx, "row_sums", "out", out);
  check_size("row_sums", "out", out.size, "a row each", a.rows);
  if (a.rows == 0) return;
  ctx.on_cuda() ? cuda::row_sums(ctx, a, out) : cpu::row_sums(ctx, a, out);
}

void column_sums(Context& ctx, CsrView a, VectorView<float> out) {
  check_device(ctx, "column_sums", "a", a);
  check_device(ctx, "column_sums", "out", out);
  check_size("column_sums", "out", out.size, "a column each", a.cols);
  if (a.cols == 0) return;
  ctx.on_cuda() ? cuda::column_sums(ctx, a, out) : cpu::column_sums(ctx, a, out);
}

}  // namespace kindred
