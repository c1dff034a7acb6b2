// SPDX-License-Identifier: Apache-2.0
#include "engine/models/knn.hpp"

#include <algorithm>

#include "engine/core/log.hpp"
#include "kernels/memory.hpp"
#include "kernels/sparse.hpp"
#include "kernels/topk.hpp"

namespace kindred {
namespace {

float mean_value(const HostCsr& m) {
  double sum = 0;
  for (int64_t e = 0; e < m.nnz(); ++e) sum += m.value(e);
  return m.nnz() > 0 ? static_cast<float>(sum / static_cast<double>(m.nnz())) : 0;
}

/// Scores W (r - c) + c over a user's whole row, zeros included: what an item adds for everybody is c - W c.
std::vector<float> item_mean_bias(const HostCsr& train, const HostCsr& weights) {
  std::vector<double> mean(static_cast<size_t>(train.cols));
  for (int64_t e = 0; e < train.nnz(); ++e)
    mean[static_cast<size_t>(train.indices[static_cast<size_t>(e)])] += train.value(e);
  for (double& m : mean) m /= std::max<double>(1, static_cast<double>(train.rows()));
  std::vector<float> out(mean.size());
  for (int64_t i = 0; i < weights.rows(); ++i) {
    double sum = mean[static_cast<size_t>(i)];
    for (int64_t e = weights.offsets[static_cast<size_t>(i)]; e < weights.offsets[static_cast<size_t>(i) + 1]; ++e)
      sum -= double{weights.value(e)} * mean[static_cast<size_t>(weights.indices[static_cast<size_t>(e)])];
    out[static_cast<size_t>(i)] = static_cast<float>(sum);
  }
  return out;
}

void note_lonely(const HostCsr& weights, const char* rows) {
  int64_t lonely = 0;
  for (int64_t r = 0; r < weights.rows(); ++r) lonely += weights.row(r).empty();
  log_info("neighbors", {{rows, weights.rows()}, {"pairs", weights.nnz()}, {"without_neighbors", lonely}});
}

FittedModel finish(const Interactions& train, std::string name, NeighborsOf of, NeighborLists found,
                   const KnnOptions& options) {
  FittedModel out = describe(train, std::move(name));
  Neighbors scorer;
  scorer.of = of;
  scorer.weights = std::move(found.weights);
  scorer.similarity = std::move(found.similarity);
  scorer.weighted_average = options.weighted_average;
  scorer.used = options.used;
  if (options.weighted_average && options.center == Normalize::kNone)
    scorer.center.assign(static_cast<size_t>(train.num_items()), mean_value(train.matrix));
  if (!options.weighted_average && options.center == Normalize::kSubtractItemMean)
    scorer.item_bias = item_mean_bias(train.matrix, scorer.weights);
  out.scorer = std::move(scorer);
  out.predicts_values = options.weighted_average;
  return out;
}

}  // namespace

FittedModel fit_item_knn(Context& ctx, const Interactions& train, const KnnOptions& options) {
  const HostCsr& r = train.matrix;
  NeighborLists found;
  {
    const ResidentCsr users(ctx, r.offsets, r.indices, r.values, r.cols, "interactions");
    const Csr items = transpose(ctx, users.view());
    found = find_neighbors(ctx, items.view(), options.search);
  }
  return fit_item_knn(train, std::move(found), options);
}

FittedModel fit_item_knn(const Interactions& train, NeighborLists neighbors, const KnnOptions& options) {
  note_lonely(neighbors.weights, "items");
  FittedModel out = finish(train, "item-knn", NeighborsOf::kItems, std::move(neighbors), options);
  out.fold_in = HistoryFoldIn{};
  return out;
}

FittedModel fit_user_knn(Context& ctx, const Interactions& train, const KnnOptions& options) {
  const HostCsr& r = train.matrix;
  NeighborLists found;
  {
    const ResidentCsr users(ctx, r.offsets, r.indices, r.values, r.cols, "interactions");
    found = find_neighbors(ctx, users.view(), options.search);
  }
  note_lonely(found.weights, "users");
  FittedModel out = finish(train, "user-knn", NeighborsOf::kUsers, std::move(found), options);
  out.fold_in = NeighborsFoldIn{options.search, options.normalized};
  return out;
}

FitMemory knn_memory(const Context& ctx, const FitShape& shape, int64_t rows, const KnnOptions& options) {
  const int64_t k = options.search.neighbors == 0 ? rows : std::min<int64_t>(options.search.neighbors, rows);
  const int64_t entry = 4 + 4 * shape.values, lists = 8 * rows * k;
  FitMemory out;
  out.snapshot = lists + 4 * rows * k * options.search.normalize + 12 * shape.items;
  const int64_t search = entry * shape.interactions + 24 * shape.interactions + 2 * lists;
  out.host = lists;
  (ctx.on_cuda() ? out.device : out.host) += search;
  return out;
}

}  // namespace kindred
