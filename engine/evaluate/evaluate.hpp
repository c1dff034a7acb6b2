// SPDX-License-Identifier: Apache-2.0
// Metrics of ranked lists and of predicted values against held-out interactions. Definitions: docs/evaluation.md.
#pragma once
#include <string>
#include <vector>

#include "engine/data/dataset.hpp"
#include "engine/recommend/recommender.hpp"

namespace kindred {

enum class MetricKind : uint8_t { kRecall, kPrecision, kHit, kNdcg, kMap, kMrr, kRmse, kMae };

struct MetricSpec {
  MetricKind kind;
  int k = 0;                 ///< list length; 0 for rmse and mae
  std::string name() const;  ///< "ndcg@10", "rmse"
  bool larger_is_better() const { return kind != MetricKind::kRmse && kind != MetricKind::kMae; }
};

/// "recall@20". InputError for what is not a metric, with the nearest name.
MetricSpec parse_metric(std::string_view text);

struct MetricValue {
  double mean = 0, low = 0, high = 0;  ///< low, high: 95 % bootstrap interval over users, 1,000 draws by the seed
};

struct EvaluateOptions {
  std::vector<MetricSpec> metrics;
  bool filter_seen = true;
  float relevant_min = -std::numeric_limits<float>::infinity();
  bool gain_by_value = false;
  int64_t users = 0;  ///< at most so many users, drawn by the seed; 0: all
  uint64_t seed = 42;
  bool intervals = true;
};

struct Evaluation {
  std::vector<MetricSpec> metrics;
  std::vector<MetricValue> values;            ///< as metrics
  std::vector<int32_t> users;                 ///< rows of the users evaluated, ascending
  std::vector<std::vector<double>> per_user;  ///< [metric][position in users]; for rmse and mae the user's own error
};

/// seen: matrices whose items are no candidates (train, and in a test validation too). Lists of max k are drawn in
/// batches; a relevant item loses ties, also against items beyond the cut (the lists are asked for again, longer, where
/// equal scores cross it). Cost: that of the lists, plus O(k) a user and metric.
Evaluation evaluate(Context& ctx, const FittedModel& model, const std::vector<const HostCsr*>& seen,
                    const HeldOut& held_out, const EvaluateOptions& options);

/// Metrics of one list, for tests and other callers: `hits[r]` is the gain of the item at rank r + 1 (0: not relevant);
/// `ideal` the user's relevant gains, descending; `relevant` their number, unknown ones included.
double list_metric(const MetricSpec& metric, std::span<const float> hits, std::span<const float> ideal,
                   int64_t relevant);

}  // namespace kindred
