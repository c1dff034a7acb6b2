// SPDX-License-Identifier: Apache-2.0
// Rows of factors for histories, and the split of a score over a history: one least-squares row problem, solved and
// taken apart.
#pragma once
#include "engine/recommend/recommender.hpp"

namespace kindred {

struct FoldedIn {
  HostMatrix factors;       ///< q x d
  std::vector<float> bias;  ///< q; empty where the model has none
};

/// Where each history's scores lie: value = offset + scale x raw score. From the model's normalization; 0 and 1 where
/// scores are no values. InputError where a history does not allow the normalization.
std::vector<UserScale> scales_of(const FittedModel& model, const HostCsr& histories);

/// One exact row solve for each history (q x items; values as in training). InputError where the model has no recipe or
/// a value is not allowed.
FoldedIn fold_in_rows(Context& ctx, const FittedModel& model, const HostCsr& histories);

/// Hu et al. 2008, section 5: with A x = sum_e b_e y_e the score of item i is sum_e b_e (y_i' A^-1 y_e): each summand
/// is what interaction e brought. In fp64. shared: shared_part(). Empty where the model has no recipe. Cost: d^3 / 3 +
/// |items| (2 d^2 + 2 n_u d).
std::vector<std::vector<Reason>> explain_row(const FittedModel& model, std::span<const double> shared,
                                             std::span<const int32_t> history, std::span<const float> values,
                                             std::span<const int32_t> items);

/// What all rows of a model share, made once for many explanations: of an implicit model the item table's Gram matrix
/// (d x d), of a decomposition 1 / |column|^2 of that table (d); empty where there is nothing.
std::vector<double> shared_part(Context& ctx, const FittedModel& model);

}  // namespace kindred
