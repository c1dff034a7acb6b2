// SPDX-License-Identifier: Apache-2.0
#include "kernels/weighting.hpp"

#include <cmath>

#include "kernels/detail/check.hpp"
#include "kernels/detail/weighting.hpp"

namespace kindred {
using detail::check_device, detail::check_size;

void weigh_entries(Context& ctx, CsrView a, EntryWeight weight, float parameter, VectorView<const float> row,
                   VectorView<const float> column, VectorView<float> out) {
  constexpr const char* kOp = "weigh_entries";
  check_device(ctx, kOp, "a", a);
  check_device(ctx, kOp, "row", row);
  check_device(ctx, kOp, "column", column);
  check_device(ctx, kOp, "out", out);
  check_size(kOp, "row", row.size, "a row each", a.rows);
  check_size(kOp, "column", column.size, "a column each", a.cols);
  check_size(kOp, "out", out.size, "an entry each", a.nnz);
  if (!(parameter >= 0) || !std::isfinite(parameter))
    detail::bad_argument(kOp, "parameter is " + std::to_string(parameter) + "; it is finite and at least 0");
  if (a.nnz == 0) return;
  ctx.on_cuda() ? cuda::weigh_entries(ctx, a, weight, parameter, row, column, out)
                : cpu::weigh_entries(ctx, a, weight, parameter, row, column, out);
}

}  // namespace kindred
