// SPDX-License-Identifier: Apache-2.0
// Matrix factorisation by stochastic gradient descent, for ratings (Koren, Bell, Volinsky 2009; with implicit_history
// Koren 2008) and for ranking (kernels/sgd.hpp has the losses and their papers).
#pragma once
#include "engine/models/fit.hpp"
#include "kernels/sgd.hpp"

namespace kindred {

struct SgdOptions {
  /// Loss, optimizer, regularization, negatives …; the mean is found by the fit.
  SgdParams params{.margin = 0.7f, .negative_weight = 150};
  int factors = 64;
  bool biases = true;  ///< not with cosine scores; under a loss that compares items only theirs
  float learning_rate = 0.01f;
  float decay = 1;                ///< the rate of epoch t is learning_rate decay^(t - 1)
  bool implicit_history = false;  ///< SVD++: x_u = p_u + sum over what u has of y_i / sqrt(n_u)
  SgdSchedule schedule = SgdSchedule::kBlocked;
  float init_scale = 0.1f;  ///< standard deviation of the first factors is init_scale / sqrt(factors)
  int epochs = 20;
};

/// What suits a loss, see docs/factorization.md.
struct SgdDefaults {
  float learning_rate, regularization;
  int negatives;  ///< uniform
};
SgdDefaults sgd_defaults(SgdLoss loss, SgdOptimizer optimizer);

/// Whether scores are on the scale of the values.
bool predicts_values(const SgdOptions& options);

/// Takes every interaction once an epoch. The loss that is reported is the mean over samples, each before its step.
/// Where it rises three epochs in a row the rate is halved, and the log says so. Throws NumericError with the epoch and
/// what to try where it is not finite.
FittedModel fit_sgd(Context& ctx, const Interactions& train, const SgdOptions& options, const FitHooks& hooks = {});

FitMemory sgd_memory(const Context& ctx, const FitShape& shape, const SgdOptions& options);

}  // namespace kindred
