// SPDX-License-Identifier: Apache-2.0
// Scores of a Neighbors model. Few numbers are touched for a person, and at random: the host does it on either device.
// A batch of people is a matrix of sources, a row each: what somebody has had, less what is expected (neighbors of
// items), or his neighbors with their weights (neighbors of users). The rest is the same for people of the model and
// for others.
#pragma once
#include <optional>
#include <span>
#include <vector>

#include "engine/core/fitted_model.hpp"
#include "engine/core/normalization.hpp"
#include "engine/recommend/rank.hpp"
#include "engine/recommend/recommender.hpp"

namespace kindred {

class NeighborScores {
 public:
  /// `history`: what users of the model have had. Both must outlive this. Memory: the weights once more by column, or 4
  /// bytes an interaction; in each call 20 bytes an item and thread.
  NeighborScores(Context& ctx, const FittedModel& model, const HostCsr& history);

  /// Of users of the model; row -1: nobody. InputError where the model keeps no history.
  HostCsr sources_of(std::span<const int32_t> users) const;
  /// Of people with these histories; scales: as scales_of has them, whether scores are values or not.
  HostCsr sources_of(const HostCsr& histories) const;

  /// The k best items of each row by raw score, -1 and kNoScore where a list ends. Items to which no neighbor leads are
  /// in no list, unless the model has something to say of every item. Returns rows of which it has nothing to say.
  std::vector<int32_t> rank(const HostCsr& sources, const BatchFilters& filters, int k, std::span<int32_t> ids,
                            std::span<float> scores) const;
  /// Raw scores of the entries of `pairs` (rows as sources, columns: items).
  std::vector<float> score(const HostCsr& sources, const HostCsr& pairs) const;
  /// What each neighbor brought to raw scores of row q, the largest part first. The parts, what is known of the item
  /// alone and of everybody add up to the score.
  std::vector<std::vector<Reason>> explain(const HostCsr& sources, std::span<const int32_t> items) const;

  /// What is expected of an item that the model does not know, where it predicts values.
  float of_unknown_item() const;

 private:
  float of_item(int32_t item) const;  ///< what every user's raw score of an item holds
  struct Scratch;
  struct Sum;
  /// Whether there is something to say of an item to which no neighbor leads.
  bool knows_items() const {
    return neighbors_.weighted_average || !neighbors_.center.empty() || !neighbors_.item_bias.empty();
  }
  float raw(int32_t item, const Sum& sum) const;
  void add_all(const HostCsr& sources, int64_t q, Scratch& scratch) const;
  template <class Visit>
  void for_each_part(const HostCsr& sources, int64_t q, int32_t item, const Scratch& scratch, const Visit& visit) const;
  void enter(const HostCsr& sources, int64_t q, Scratch& scratch) const;
  void leave(const HostCsr& sources, int64_t q, Scratch& scratch) const;
  void rank_row(int64_t q, const BatchFilters& filters, int k, Scratch& scratch) const;
  std::vector<Scratch> scratch() const;

  Context& ctx_;
  const FittedModel& model_;
  const Neighbors& neighbors_;
  const HostCsr& history_;
  std::vector<float> residuals_;  // of the history: values less what is expected (neighbors of users)
  // Weights by column: who names item j (neighbors of items of which all are used).
  std::vector<int64_t> column_offsets_;
  std::vector<int32_t> column_rows_;
  std::vector<float> column_weights_;
};

/// The users of the model that are nearest to these histories. `history`: what users of the model have had.
NeighborLists fold_in_neighbors(Context& ctx, const FittedModel& model, const HostCsr& history,
                                const HostCsr& histories);

}  // namespace kindred
