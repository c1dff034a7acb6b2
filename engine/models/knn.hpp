// SPDX-License-Identifier: Apache-2.0
// Neighborhood models: what somebody will think of an item follows from what they thought of similar items
// (Sarwar et al. 2001), or from what similar people thought of it (Resnick et al. 1994). docs/neighbors.md compares.
#pragma once
#include "engine/core/neighbor_search.hpp"
#include "engine/models/fit.hpp"

namespace kindred {

struct KnnOptions {
  NeighborSearch search;
  int used = 0;                   ///< of the neighbors at most so many have a part in a score; 0: all
  bool weighted_average = false;  ///< predicts values; else sums of weights, for lists
  Normalize center =
      Normalize::kNone;     ///< what is taken off the values that scores are made of, not off those compared
  bool normalized = false;  ///< train's values are normalized
};

/// Neighbors of items by the users they have in common. center: kNone or kSubtractItemMean, an item's mean over all
/// users, those without it counting 0, where weights are summed; where they are averaged the caller has to center (the
/// same as normalizing after the fit), and kNone predicts the mean of all values where no neighbor has a part.
FittedModel fit_item_knn(Context& ctx, const Interactions& train, const KnnOptions& options);

/// The same with neighbors that another search has found, of items as train numbers them.
FittedModel fit_item_knn(const Interactions& train, NeighborLists neighbors, const KnnOptions& options);

/// Neighbors of users by the items they have in common.
FittedModel fit_user_knn(Context& ctx, const Interactions& train, const KnnOptions& options);

/// rows: what has neighbors, items or users.
FitMemory knn_memory(const Context& ctx, const FitShape& shape, int64_t rows, const KnnOptions& options);

}  // namespace kindred
