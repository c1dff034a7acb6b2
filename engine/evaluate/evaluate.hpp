// SPDX-License-Identifier: Apache-2.0
// A model, or lists that any tool made, against held-out interactions. Definitions: docs/evaluation.md.
#pragma once
#include <limits>
#include <string>
#include <vector>

#include "engine/data/dataset.hpp"
#include "engine/evaluate/lists.hpp"
#include "engine/evaluate/metrics.hpp"
#include "engine/recommend/recommender.hpp"

namespace kindred {

struct EvaluateOptions {
  std::vector<MetricSpec> metrics;
  bool filter_seen = true;      ///< what a user has seen is no candidate
  bool only_negatives = false;  ///< candidates are negatives and held-out items, not all items
  int negatives = 100;          ///< drawn for a user where no file gives them
  float relevant_min = -std::numeric_limits<float>::infinity();
  bool gain_by_value = false;
  int64_t users = 0;  ///< at most so many users, drawn by the seed; 0: all
  uint64_t seed = 42;
  bool intervals = true;
};

/// What an evaluation is held against; all matrices have the rows of the users and the columns of the items. Histories
/// that held_out gives are folded in, and have been seen.
struct EvaluationData {
  const HeldOut& held_out;
  std::vector<const HostCsr*> seen;      ///< train, and in a test validation too
  const HostCsr* negatives = nullptr;    ///< from a file; null: drawn where options.only_negatives
  const Catalogue* catalogue = nullptr;  ///< tags, for the diversity of models without item vectors
  const HostCsr* history = nullptr;      ///< what a model of neighbors answers from; null: its own
};

/// The negatives that a file gave, where they are asked for.
inline const HostCsr* negatives_of(const PreparedData& data, const EvaluateOptions& options) {
  return options.only_negatives && data.negatives.rows() > 0 ? &data.negatives : nullptr;
}

struct MetricValue {
  double mean = 0;
  /// 95 % bootstrap interval over users, 1,000 draws by the seed; NaN where there is none (coverage).
  double low = std::numeric_limits<double>::quiet_NaN(), high = low;
};

/// A metric is sum / weight over users (rmse: its root), so that any resample of the users has its value too.
struct Evaluation {
  std::vector<MetricSpec> metrics;
  std::string candidates;           ///< "" for all, "/100neg" for drawn negatives, "/neg" for those of a file
  std::vector<int32_t> users;       ///< rows of the users evaluated, ascending
  int64_t users_with_relevant = 0;  ///< those among them that metrics other than of pairs are about
  std::vector<std::vector<double>> sums, weights;  ///< [metric][position in users]; empty for coverage
  std::vector<MetricValue> values;                 ///< as metrics

  std::string name(size_t metric) const { return metrics[metric].name() + candidates; }
  /// A user's own value; NaN where it is not defined (a weight of 0).
  double of_user(size_t metric, size_t position) const;
};

/// A relevant item loses ties, also against items beyond the cut (the lists are asked for again, longer, where equal
/// scores cross it); in auc ties count half. Throws InputError for a metric that makes no sense for the model.
/// Cost: that of the lists; auc: a score for each user and candidate.
Evaluation evaluate(Context& ctx, const FittedModel& model, const EvaluationData& data, const EvaluateOptions& options);

/// The same for lists. Metrics of pairs and auc need the scores of all pairs concerned; novelty needs what was seen.
Evaluation evaluate(Context& ctx, const RankedLists& lists, const EvaluationData& data, const EvaluateOptions& options);

}  // namespace kindred
