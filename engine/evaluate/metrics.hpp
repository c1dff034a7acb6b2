// SPDX-License-Identifier: Apache-2.0
// What can be asked of an evaluation, and the arithmetic of one user's list. Definitions: docs/evaluation.md.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kindred {

enum class MetricKind : uint8_t {
  kPrecision,
  kRecall,
  kHit,
  kNdcg,
  kMap,
  kMrr,
  kCoverage,
  kNovelty,
  kDiversity,
  kAuc,
  kAucGlobal,
  kRmse,
  kMae,
  kLogloss
};

/// What a metric is computed from.
enum class MetricScope : uint8_t {
  kHits,        ///< relevant items in lists of k: precision to mrr
  kItems,       ///< whatever is in lists of k: coverage, novelty, diversity
  kCandidates,  ///< the order of all candidates: auc, auc_global
  kPairs        ///< the scores of all held-out pairs: rmse, mae, logloss
};

struct MetricSpec {
  MetricKind kind;
  int k = 0;                 ///< list length; 0 where there is no list
  std::string name() const;  ///< "ndcg@10", "rmse"
  MetricScope scope() const;
  bool larger_is_better() const { return scope() != MetricScope::kPairs; }
  /// Whether each user has a value of his own.
  bool of_users() const { return kind != MetricKind::kCoverage && kind != MetricKind::kAucGlobal; }
};

/// "recall@20". InputError for what is not a metric, with the nearest name.
MetricSpec parse_metric(std::string_view text);

/// Why a metric makes no sense for a model, "" where it does. `values`: its scores are on the scale of the training
/// values; `probabilities`: they are those of a sigmoid; `likeness`: items have vectors or tags.
std::string objection(const MetricSpec& metric, bool values, bool probabilities, bool likeness);

/// A relevant item in a list.
struct Hit {
  int rank;  ///< from 1
  float gain;
};

/// A metric of kHits for one list: `hits` by rank, those beyond k are passed over; `ideal` the gains of the user's
/// relevant items, descending; `relevant` their number, unknown ones included. O(hits + min(k, ideal)).
double list_metric(const MetricSpec& metric, std::span<const Hit> hits, std::span<const float> ideal, int64_t relevant);

}  // namespace kindred
