// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "engine/experiment/data_report.hpp"

namespace kindred {
namespace {

using Json = nlohmann::ordered_json;

Json json_of(const Spread& spread) {
  Json out{{"mean", spread.mean}, {"deviation", spread.deviation}};
  for (size_t q = 0; q < kQuantiles.size(); ++q) out[kQuantileNames[q]] = spread.quantiles[q];
  Json& bins = out["histogram"] = Json::array();
  for (const Bin& bin : spread.bins) bins.push_back({{"low", bin.low}, {"high", bin.high}, {"count", bin.count}});
  return out;
}

Json json_of(const std::vector<RankedItem>& items, bool scored) {
  Json out = Json::array();
  for (const RankedItem& item : items) {
    Json& entry = out.emplace_back(Json{{"item", item.id}, {"count", item.count}});
    if (!item.title.empty()) entry["title"] = item.title;
    if (scored) entry["mean"] = item.mean, entry["score"] = item.score;
  }
  return out;
}

}  // namespace

std::string statistics_json(const Statistics& s) {
  const bool valued = s.values.has_value();
  Json out{{"users", s.users}, {"items", s.items}, {"interactions", s.interactions}, {"density", s.density}};
  if (valued) out["values"] = json_of(*s.values);
  out["interactions_per_user"] = json_of(s.of_user);
  out["interactions_per_item"] = json_of(s.of_item);
  out["popularity"] = {{"gini", s.gini}, {"lorenz", s.lorenz}};
  if (!s.period.empty()) {
    Json periods = Json::array();
    for (const Period& period : s.periods) periods.push_back({{"start", period.start}, {"count", period.count}});
    out["activity"] = {
        {"first", s.first_time}, {"last", s.last_time}, {"period", s.period}, {"counts", std::move(periods)}};
  }
  out["most_rated"] = json_of(s.most_rated, valued);
  if (valued) {
    out["bayesian_average"] = {{"usual_count", *s.usual_count},
                               {"mean_of_means", *s.mean_of_means},
                               {"best", json_of(s.best, true)},
                               {"worst", json_of(s.worst, true)}};
  }
  if (s.untagged) {
    Json tags = Json::array();
    for (const TagCount& tag : s.tags) {
      Json& entry = tags.emplace_back(Json{{"tag", tag.tag}, {"items", tag.items}, {"interactions", tag.interactions}});
      if (valued) entry["mean"] = tag.mean;
    }
    out["tags"] = {{"distinct", s.distinct_tags}, {"most", std::move(tags)}};
  }
  Json& missing = out["missing"] = {{"items_without_interactions", s.listed_unseen}};
  if (s.untitled) missing["items_without_title"] = *s.untitled;
  if (s.untagged) missing["items_without_tags"] = *s.untagged;
  missing["interactions_without_time"] = s.untimed;
  Json rows = Json::array();
  for (const RejectedRow& row : s.rejected_rows)
    rows.push_back({{"file", row.file}, {"line", row.line}, {"reason", row.reason}, {"text", row.text}});
  out["odd"] = {{"rows_read", s.rows_read},
                {"rows_merged", s.merged},
                {"rows_rejected", s.rejected},
                {"rejected", std::move(rows)},
                {"users_of_one_value", s.constant_users},
                {"users_with_one_interaction", s.single_users},
                {"items_with_one_interaction", s.single_items}};
  out["warnings"] = s.warnings;
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace kindred
