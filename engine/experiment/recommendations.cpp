// SPDX-License-Identifier: Apache-2.0
#include "engine/experiment/recommendations.hpp"

#include <numeric>
#include <vector>

#include "engine/recommend/recommender.hpp"
#include "engine/recommend/streaming.hpp"
#include "engine/store/sinks.hpp"

namespace kindred {
int64_t write_recommendations(Context& ctx, const FittedModel& model, int k, const std::string& target) {
  std::vector<int32_t> users(static_cast<size_t>(model.num_users()));
  std::iota(users.begin(), users.end(), 0);
  SinkInfo info;
  info.items = model.items.get();
  info.catalogue = &model.catalogue;
  info.model = model.name;
  info.content_hash = model.content_hash;
  info.expected_queries = model.num_users();
  const auto out = open_sink(target, "csv", info);
  Recommender recommender(ctx, model);
  Filters had{seen_parts(model)};
  for (const HostCsr* part : held_out_parts(model)) had.excluded.push_back(part);
  in_batches("recommendations", users.size(), true, [&](size_t begin, size_t count) {
    const auto part = std::span<const int32_t>(users).subspan(begin, count);
    const TopK lists = recommender.for_users(part, k, had);
    std::vector<std::string> names;
    for (const int32_t user : part) names.push_back(model.users->text(user));
    out->write({names, part, lists.k, lists.items, lists.scores, {}});
  });
  out->finish();
  return model.num_users();
}

}  // namespace kindred
