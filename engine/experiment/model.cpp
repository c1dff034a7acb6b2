// SPDX-License-Identifier: Apache-2.0
#include "engine/experiment/model.hpp"

#include <fmt/format.h>

#include "engine/core/error.hpp"
#include "engine/core/log.hpp"
#include "engine/data/item_vectors.hpp"
#include "engine/data/normalize.hpp"
#include "engine/models/bayesian_average.hpp"
#include "engine/models/content.hpp"
#include "engine/models/popularity.hpp"
#include "engine/recommend/recommender.hpp"
#include "engine/store/model_file.hpp"

namespace kindred {
namespace {

/// Neighbors of items by the vectors that another model has of them; items that it does not know have none.
NeighborLists neighbors_over(const Config& config, Context& ctx, const Ids& items) {
  const NeighborSearch& search = config.knn.search;
  const FittedModel over = load_model(config.over, {.users = false, .history = false, .catalogue = false});
  if (!std::holds_alternative<Factors>(over.scorer))
    throw InputError(fmt::format("model.over: {}: model '{}' has no factors; expected one that has, like als",
                                 config.over.string(), over.model));
  std::vector<int32_t> ours(static_cast<size_t>(over.num_items())), known, known_rows;  // theirs -> ours; theirs, ours
  for (int32_t i = 0; i < over.num_items(); ++i) ours[static_cast<size_t>(i)] = items.find(over.items->text(i));
  for (int32_t i = 0; i < over.num_items(); ++i)
    if (ours[static_cast<size_t>(i)] >= 0) known.push_back(i), known_rows.push_back(ours[static_cast<size_t>(i)]);
  if (const auto missing = items.size() - static_cast<int64_t>(known.size()); missing > 0)
    log_warning("items that model.over does not know have no neighbors", {{"items", missing}});
  std::vector<uint8_t> allowed(ours.size());
  for (size_t i = 0; i < ours.size(); ++i) allowed[i] = ours[i] >= 0;
  using M = SimilarityMetric;
  const M metric = search.similarity.metric;
  const Similarity similarity = metric == M::kDot         ? Similarity::kDot
                                : metric == M::kEuclidean ? Similarity::kEuclidean
                                                          : Similarity::kCosine;
  const TopK lists = Recommender(ctx, over).similar_items(known, search.neighbors, similarity, {.allowed = allowed});
  // Known items as train numbers them: rows without a list are empty.
  const auto k = static_cast<size_t>(lists.k), rows = static_cast<size_t>(items.size());
  std::vector<int32_t> ids(rows * k, -1);
  std::vector<float> similarities(rows * k, kNoScore);
  for (size_t q = 0; q < known.size(); ++q)
    for (size_t e = 0; e < k; ++e) {
      const int32_t found = lists.items[q * k + e];
      const size_t to = static_cast<size_t>(known_rows[q]) * k + e;
      if (found >= 0) ids[to] = ours[static_cast<size_t>(found)], similarities[to] = lists.scores[q * k + e];
    }
  return weigh_neighbors(ids, similarities, items.size(), items.size(), search);
}

FittedModel fit_neighbors(const Config& config, Context& ctx, Interactions& train) {
  KnnOptions options = config.knn;
  const auto fit_knn = [&] {
    if (config.model == "user-knn") return fit_user_knn(ctx, train, options);
    return config.over.empty() ? fit_item_knn(ctx, train, options)
                               : fit_item_knn(train, neighbors_over(config, ctx, *train.items), options);
  };
  options.normalized = config.data.normalize != Normalize::kNone;
  FittedModel model = fit_knn();
  // Centering is normalizing when the similarities are known.
  if (options.weighted_average) NormalizedTrain(ctx, train, options.center).undo(model);
  return model;
}

}  // namespace

FittedModel fit_model(Context& ctx, Interactions& train, const Catalogue& catalogue, const Config& config, int epochs,
                      const FitHooks& hooks, bool refit) {
  if (is_knn(config)) return fit_neighbors(config, ctx, train);
  if (config.model == "popularity") return fit_popularity(train);
  if (config.model == "bayesian-average") return fit_bayesian_average(train);
  if (config.model == "content") {
    const HostMatrix vectors = config.vectors.empty() ? HostMatrix{} : read_item_vectors(config.vectors, *train.items);
    return fit_content(ctx, train, catalogue, vectors, config.content);
  }
  if (config.model == "sgd") {
    SgdOptions options = config.sgd;
    options.epochs = epochs;
    return fit_sgd(ctx, train, options, hooks);
  }
  if (config.model == "svd") {
    FittedModel model = fit_svd(ctx, train, config.svd);
    model.predicts_values = predicts_values(config);
    return model;
  }
  AlsOptions options = config.als;
  options.epochs = epochs;
  options.loss_every_epoch = options.loss_every_epoch && !refit;
  return fit_als(ctx, train, options, hooks);
}

FitMemory fit_memory(const Context& ctx, const FitShape& shape, const Config& config) {
  if (is_knn(config)) return knn_memory(ctx, shape, config.model == "item-knn" ? shape.items : shape.users, config.knn);
  if (config.model == "als") return als_memory(ctx, shape, config.als);
  if (config.model == "svd") return svd_memory(ctx, shape, config.svd);
  if (config.model == "sgd") return sgd_memory(ctx, shape, config.sgd);
  return {};
}

}  // namespace kindred
