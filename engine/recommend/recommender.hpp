// SPDX-License-Identifier: Apache-2.0
// Answers from a fitted model: best items of users, of histories, similar items and users, scores of pairs, reasons.
// Knows no file and no model type: a scorer, a history and a fold-in recipe suffice.
#pragma once
#include <memory>
#include <span>
#include <vector>

#include "engine/core/fitted_model.hpp"
#include "kernels/context.hpp"

namespace kindred {

/// `rows` lists of at most k, row-major, best first; item -1 where a list ends early.
struct TopK {
  int k = 0;
  std::vector<int32_t> items;
  std::vector<float> scores;

  int64_t rows() const { return k > 0 ? static_cast<int64_t>(items.size()) / k : 0; }
  std::span<const int32_t> row(int64_t r) const {
    return std::span(items).subspan(static_cast<size_t>(r) * static_cast<size_t>(k), static_cast<size_t>(k));
  }
  std::span<const float> row_scores(int64_t r) const {
    return std::span(scores).subspan(static_cast<size_t>(r) * static_cast<size_t>(k), static_cast<size_t>(k));
  }
};

/// What a user must not get: any of these, each users x items (or queries x items) or null.
struct Exclusions {
  std::vector<const HostCsr*> matrices;
};

enum class Similarity : uint8_t { kDot, kCosine, kEuclidean };  ///< euclidean: score = -|x - y|

/// One past interaction's part in a score; see Recommender::explain.
struct Reason {
  int32_t item;
  float part;
};

/// Keeps the scorer's tables on the context's device. The model must outlive it. Memory: one batch of lists.
class Recommender {
 public:
  Recommender(Context& ctx, const FittedModel& model);
  ~Recommender();

  /// Best items for users of the model (rows of its user table). A user without history gets items by count where the
  /// scorer has nothing to say (all products 0).
  TopK for_users(std::span<const int32_t> users, int k, const Exclusions& exclude);
  /// Best items for people who are not in the model: row q of `histories` (q x items) is what one has done; values as
  /// in training. Own items are left out unless `include_seen`. Uses the fold-in recipe. Throws InputError where there
  /// is none and the model is not Constant.
  TopK for_histories(const HostCsr& histories, int k, bool include_seen);
  TopK similar_items(std::span<const int32_t> items, int k, Similarity similarity);
  TopK similar_users(std::span<const int32_t> users, int k, Similarity similarity);
  /// Scores of pairs, on the model's scale (link, offset and scale applied). A user or item of -1 is not in the model:
  /// what is known of the other side and the mean remain.
  std::vector<float> score(std::span<const int32_t> users, std::span<const int32_t> items);

  /// Scores of a user's items split over the history, largest part first (Hu et al. 2008, section 5). With mean and
  /// item bias the parts add up to the score of the row that solves the history exactly against the model's item table
  /// (the user's own bias, which came from the history too, is in them). The stored row differs from it a little: it
  /// was solved before the items' last half-sweep, and by kCg and kBlock not exactly. Empty where the model has no
  /// fold-in recipe or no history. Cost: one d x d factorization a user; give all items of a user in one call.
  std::vector<std::vector<Reason>> explain(int32_t user, std::span<const int32_t> items);
  std::vector<std::vector<Reason>> explain_history(std::span<const int32_t> history, std::span<const float> values,
                                                   std::span<const int32_t> items);

  /// Rows of vectors for histories (fold-in alone): q x d; for models with factors.
  HostMatrix fold_in(const HostCsr& histories);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kindred
