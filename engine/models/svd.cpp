// SPDX-License-Identifier: Apache-2.0
#include "engine/models/svd.hpp"

#include <algorithm>

#include "engine/core/error.hpp"
#include "engine/core/log.hpp"
#include "kernels/memory.hpp"
#include "kernels/sparse.hpp"

namespace kindred {

FittedModel fit_svd(Context& ctx, const Interactions& train, const SvdOptions& options) {
  const int64_t users = train.num_users(), items = train.num_items(), k = options.factors;
  if (k > std::min(users, items))
    throw InputError("svd: model.factors is " + std::to_string(k) + ", a matrix of " + std::to_string(users) +
                     " users and " + std::to_string(items) + " items has at most " +
                     std::to_string(std::min(users, items)) + "; lower model.factors");
  const HostCsr& r = train.matrix;
  const ResidentCsr rows(ctx, r.offsets, r.indices, r.values, r.cols, "interactions");
  const Csr columns = transpose(ctx, rows.view());
  Matrix<float> left(ctx, users, k, "user factors"), right(ctx, items, k, "item factors");
  Array<float> lengths(ctx, k, "singular values");
  SvdParams params = options.params;
  params.seed = ctx.seed();
  truncated_svd(ctx, rows.view(), columns.view(), params, left.view(), lengths.view(), right.view());

  Factors factors{HostMatrix(users, k), HostMatrix(items, k), {}, {}};
  std::vector<float> values(static_cast<size_t>(k));
  download<float>(ctx, left.view().flat(), factors.users.data);
  download<float>(ctx, right.view().flat(), factors.items.data);
  download<float>(ctx, lengths.view(), values);
  ctx.wait();
  for (int64_t i = 0; i < items; ++i)
    for (size_t f = 0; f < values.size(); ++f) factors.items.row(i)[f] *= values[f];
  const auto rank = std::ranges::count_if(values, [](float v) { return v > 0; });
  if (rank < k)
    log_warning("the matrix has a lower rank than model.factors: the other factors are 0",
                {{"rank", static_cast<int64_t>(rank)}, {"factors", k}});
  FittedModel out = describe(train, "svd");
  out.scorer = std::move(factors);
  out.fold_in = SvdFoldIn{};
  return out;
}

FitMemory svd_memory(const Context& ctx, const FitShape& shape, const SvdOptions& options) {
  const int64_t entry = 4 + 4 * shape.values, tables = 4 * (shape.users + shape.items) * options.factors;
  const int64_t columns = entry * shape.interactions + 8 * shape.items;
  const int64_t work =
      columns + tables + svd_scratch_bytes(ctx, shape.users, shape.items, options.factors, options.params);
  FitMemory out;
  out.snapshot = tables + 12 * shape.items;
  if (ctx.on_cuda())  // the transpose sorts before the tables are there
    out.device =
        entry * shape.interactions + 8 * shape.users + std::max(work, columns + (8 + 2 * entry) * shape.interactions);
  else
    out.host = work;
  return out;
}

}  // namespace kindred
