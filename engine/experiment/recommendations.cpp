// SPDX-License-Identifier: Apache-2.0
#include "engine/experiment/recommendations.hpp"

#include <algorithm>
#include <numeric>
#include <vector>

#include "engine/core/interrupt.hpp"
#include "engine/core/log.hpp"
#include "engine/recommend/recommender.hpp"
#include "engine/store/sinks.hpp"

namespace kindred {
namespace {

constexpr size_t kBatch = 4096;  // users answered at a time

}  // namespace

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
  std::vector<const HostCsr*> had;
  for (const HostCsr* part : {&model.history, &model.held_out_validation, &model.held_out_test}) {
    if (part->rows() > 0) had.push_back(part);
  }
  Progress progress("recommendations", model.num_users(), "users");
  for (size_t begin = 0; begin < users.size(); begin += kBatch) {
    check_interrupt();
    const auto part = std::span<const int32_t>(users).subspan(begin, std::min(kBatch, users.size() - begin));
    const TopK lists = recommender.for_users(part, k, {had});
    std::vector<std::string> names;
    for (const int32_t user : part) names.push_back(model.users->text(user));
    out->write({names, part, lists.k, lists.items, lists.scores, {}});
    progress.update(static_cast<int64_t>(begin + part.size()));
  }
  out->finish();
  return model.num_users();
}

}  // namespace kindred
