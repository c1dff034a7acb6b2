// SPDX-License-Identifier: Apache-2.0
// Matrix factorisation by alternating least squares, for implicit and explicit feedback.
#pragma once
#include "engine/models/fit.hpp"

namespace kindred {

struct AlsOptions {
  std::string feedback = "implicit";  ///< "implicit" | "explicit"
  int factors = 64;                   ///< 1 to 1,024
  AlsParams params;                   ///< objective, regularization, solver …; feedback decides between them
  float alpha = 0;                    ///< c = 1 + alpha f(r)
  bool log_confidence = false;        ///< f(r) = log(1 + r) instead of r
  bool biases = true;                 ///< explicit: user and item biases
  float init_scale = 0.1f;            ///< standard deviation of the first factors is init_scale / sqrt(factors)
  int epochs = 15;
  bool loss_every_epoch = true;  ///< else after the last
};

/// Throws InputError for values that the objective does not allow (negative ones where feedback is implicit).
void check_als_values(const Interactions& train, const AlsOptions& options);

/// Alternates half-sweeps (users, then items) from random factors drawn by (ctx.seed(), side, row).
/// Throws InputError as check_als_values, and NumericError with epoch, row and what to try where values leave the range
/// of floats.
FittedModel fit_als(Context& ctx, const Interactions& train, const AlsOptions& options, const FitHooks& hooks = {});

}  // namespace kindred
