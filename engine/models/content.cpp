// SPDX-License-Identifier: Apache-2.0
#include "engine/models/content.hpp"

#include "engine/core/log.hpp"
#include "engine/core/profile.hpp"
#include "kernels/cpu/threads.hpp"

namespace kindred {

FittedModel fit_content(Context& ctx, const Interactions& train, const Catalogue& catalogue, const HostMatrix& vectors,
                        const ContentOptions& options) {
  ContentFeatures features = content_features(catalogue, train.num_items(), vectors, options);
  for (const FeatureBlock& block : features.blocks)
    log_info("features of items", {{"name", block.name}, {"columns", block.columns}});
  if (features.unknown > 0)
    log_warning("items of which nothing is known: they are like no other", {{"items", features.unknown}});

  FittedModel model = describe(train, "content");
  Factors factors;
  factors.users = HostMatrix(train.num_users(), features.rows.cols);
  factors.items = std::move(features.rows);
  constexpr int64_t kUsersAChunk = 64;
  cpu::parallel_for(ctx, train.num_users(), kUsersAChunk, [&](int64_t begin, int64_t end, int) {
    for (int64_t u = begin; u < end; ++u)
      profile_of(factors.items, train.matrix.row(u), train.matrix.row_values(u), factors.users.row(u));
  });
  model.scorer = std::move(factors);
  model.metric = Metric::kCosine;
  model.fold_in = ProfileFoldIn{};
  return model;
}

}  // namespace kindred
