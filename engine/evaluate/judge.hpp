// SPDX-License-Identifier: Apache-2.0
// The bookkeeping behind evaluate(): who is evaluated, what is relevant to them, and the sums of each metric as lists,
// candidates and pairs come in. Knows neither models nor files.
#pragma once
#include <functional>
#include <span>
#include <vector>

#include "engine/evaluate/evaluate.hpp"

namespace kindred {

/// What metrics of lists need to know about items.
struct ItemFacts {
  int64_t items = 0;              ///< how many there are
  std::vector<int64_t> had_by{};  ///< users that have had an item; empty: not known
  int64_t users = 0;              ///< of had_by
  HostMatrix unit_vectors{};      ///< items x d, each of length 1 or 0; for diversity
  const HostCsr* tags = nullptr;  ///< where there are no vectors
};

/// A user's list, or all candidates of one, with their scores.
struct ListRow {
  std::span<const int32_t> items;
  std::span<const float> scores;
  bool whole;  ///< no candidate follows
};

/// A user's relevant held-out items, ascending, with their gains.
struct Relevant {
  std::vector<int32_t> items;
  std::vector<float> gains;
  std::vector<float> ideal;  ///< gains, those of unknown items too, descending
  int64_t count = 0;         ///< unknown items included
};

class Judge {
 public:
  using Rows = std::function<ListRow(size_t)>;

  Judge(Context& ctx, const EvaluationData& data, const EvaluateOptions& options, ItemFacts facts);

  std::span<const int32_t> users() const { return out_.users; }
  /// Positions in users() of those with something relevant: the ones whose lists and candidates count.
  std::span<const size_t> ranked() const { return ranked_; }
  bool wants(MetricScope scope) const;
  bool wants(MetricKind kind) const;
  int longest() const { return longest_; }  ///< k of the longest list, 0 without one

  /// Held-out items and negatives of a user, ascending, without what was seen.
  std::vector<int32_t> candidates_of(size_t position);
  /// Relevant items of a user that are candidates, ascending.
  std::vector<int32_t> positives_of(size_t position) const;

  /// Metrics of lists for the users at `positions`, whose lists are rows(q). Returns the q whose ties only a longer
  /// list decides; nothing is kept of these.
  std::vector<size_t> take_lists(std::span<const size_t> positions, const Rows& rows);
  /// Before take_candidates where auc_global is wanted: scores of positives_of, one user of ranked() after the other.
  void take_positives(std::vector<float> scores);
  /// auc for the users at `positions`; rows(q) holds all candidates, in any order, maybe with what was seen.
  void take_candidates(std::span<const size_t> positions, const Rows& rows);
  /// Metrics of pairs: scores of the held-out pairs of users()[begin], users()[begin + 1] … one after the other.
  void take_pairs(size_t begin, size_t end, std::span<const float> scores);

  Evaluation finish();

 private:
  struct Scratch {
    Relevant relevant;
    std::vector<float> gain_at;  // of an item: above 0 where it is relevant, below where it is no candidate
    std::vector<Hit> hits;
    std::vector<float> tied;
    std::vector<double> sum;          // of unit vectors
    std::vector<int32_t> first_rank;  // of an item in any list; 0: in none
    std::vector<int64_t> halves;      // of negatives, between the sorted positives
  };

  int64_t count_relevant(int32_t user) const;
  void relevant_of(int32_t user, Relevant& out) const;
  std::vector<int32_t> seen_by(int32_t user) const;
  void choose_users();
  bool take_list(size_t position, const ListRow& row, Scratch& scratch);
  bool find_hits(const ListRow& row, Scratch& scratch) const;
  void take_order(size_t position, const ListRow& row, Scratch& scratch);
  double novelty(std::span<const int32_t> items) const;
  double diversity(std::span<const int32_t> items, std::vector<double>& sum) const;
  void set(size_t metric, size_t position, double sum, double weight) {
    out_.sums[metric][position] = sum, out_.weights[metric][position] = weight;
  }
  void finish_coverage(size_t metric);
  void finish_auc_global(size_t metric);

  Context& ctx_;
  const EvaluationData& data_;
  const EvaluateOptions& options_;
  ItemFacts facts_;
  Evaluation out_;
  std::vector<size_t> ranked_;
  int longest_ = 0;
  std::vector<Scratch> scratch_;  // one a thread
  std::vector<bool> candidate_;   // of any user; empty: all items are
  // auc_global
  std::vector<float> positives_, sorted_positives_;
  std::vector<double> above_;       // [position] pairs of the user's negatives with positives that are above them
  std::vector<int64_t> negatives_;  // [position]
};

}  // namespace kindred
