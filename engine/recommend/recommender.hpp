// SPDX-License-Identifier: Apache-2.0
// Answers from a fitted model: best items of users, of histories, similar items and users, scores of pairs, reasons.
// Knows no file and no model type: a scorer, a history and a fold-in recipe suffice.
#pragma once
#include <memory>
#include <span>
#include <vector>

#include "engine/core/fitted_model.hpp"
#include "kernels/context.hpp"
#include "kernels/topk.hpp"

namespace kindred {

/// `rows` lists of at most k, row-major, best first; item -1 where a list ends early.
struct TopK {
  int k = 0;
  std::vector<int32_t> items;
  std::vector<float> scores;
  float lowest = -kNoScore, highest = kNoScore;  ///< of all that the lists held before Filters::min_score ended them

  int64_t rows() const { return k > 0 ? static_cast<int64_t>(items.size()) / k : 0; }
  std::span<const int32_t> row(int64_t r) const {
    return std::span(items).subspan(static_cast<size_t>(r) * static_cast<size_t>(k), static_cast<size_t>(k));
  }
  std::span<const float> row_scores(int64_t r) const {
    return std::span(scores).subspan(static_cast<size_t>(r) * static_cast<size_t>(k), static_cast<size_t>(k));
  }
  /// Rows [begin, begin + count), to be written.
  std::span<int32_t> part(size_t begin, size_t count) {
    return std::span(items).subspan(begin * static_cast<size_t>(k), count * static_cast<size_t>(k));
  }
  std::span<float> part_scores(size_t begin, size_t count) {
    return std::span(scores).subspan(begin * static_cast<size_t>(k), count * static_cast<size_t>(k));
  }
};

/// What lists may hold: all parts hold together, each may be left out.
struct Filters {
  /// What users of the model must not get: users x items; for_users alone looks there. Null ones count for nothing.
  std::vector<const HostCsr*> excluded = {};
  std::vector<const HostCsr*> refused = {};  ///< queries x items: what the one who asks must not get
  const HostCsr* candidates = nullptr;       ///< queries x items: only these are ranked
  std::span<const uint8_t> allowed = {};     ///< one an item, 0: in nobody's list
  float min_score = kNoScore;                ///< on the model's scale: lists end above lower scores
};

/// euclidean: score = -|x - y|. kModel: that of the neighbors that the model keeps; the dot product of factors.
enum class Similarity : uint8_t { kModel, kDot, kCosine, kEuclidean };

/// One past interaction's part in a score; see Recommender::explain.
struct Reason {
  int32_t row;  ///< of the item, or of the user where the model is one of neighbors of users
  float part;
};

/// Keeps the scorer's tables on the context's device. The model must outlive it. Memory: one batch of lists.
class Recommender {
 public:
  /// history: what users of the model have had, where it is not (yet) in the model; null: model.history.
  explicit Recommender(Context& ctx, const FittedModel& model, const HostCsr* history = nullptr);
  ~Recommender();

  /// Best items for users of the model (rows of its user table). People of whom it knows nothing (row -1, or no history
  /// and no item biases) get items by count, which is their score unless the model predicts values: then the mean is.
  TopK for_users(std::span<const int32_t> users, int k, const Filters& filters);
  /// Best items for people who are not in the model: row q of `histories` (q x items) is what one has done; values as
  /// in training. To leave out what one has had, refuse `histories`. Uses the fold-in recipe. Throws InputError where
  /// there is none and the model is not Constant.
  TopK for_histories(const HostCsr& histories, int k, const Filters& filters);
  /// Similarities that a model of neighbors keeps, at most as many as it keeps; its scorer answers for one side.
  TopK similar_items(std::span<const int32_t> items, int k, Similarity similarity, const Filters& filters = {});
  TopK similar_users(std::span<const int32_t> users, int k, Similarity similarity, const Filters& filters = {});
  /// Scores of pairs, on the model's scale (link, offset and scale applied). A user or item of -1 is not in the model:
  /// what is known of the other side and the mean remain.
  std::vector<float> score(std::span<const int32_t> users, std::span<const int32_t> items);
  /// Scores of every item for users of the model: users x items. Cost: one product of matrices for models with factors.
  HostMatrix score_all(std::span<const int32_t> users);

  /// Scores of a user's items split over the history, largest part first (Hu et al. 2008, section 5). With mean and
  /// item bias the parts add up to the score of the row that solves the history exactly against the model's item table
  /// (the user's own bias, which came from the history too, is in them). The stored row differs from it a little: it
  /// was solved before the items' last half-sweep, and by kCg and kBlock not exactly. Neighbors: what each brought, of
  /// the score exactly; center, offset and what is known of the item alone are the rest. Empty where the model has no
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
