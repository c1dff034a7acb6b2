// SPDX-License-Identifier: Apache-2.0
// The one place that knows every model: what a config's model.type fits, and what that takes.
#pragma once
#include "engine/experiment/config.hpp"
#include "engine/models/fit.hpp"

namespace kindred {

/// Fits config's model (values of `train` may be normalized meanwhile, as NormalizedTrain does); `epochs` where it has
/// some. `refit`: what is only told along the way may be left out.
FittedModel fit_model(Context& ctx, Interactions& train, const Catalogue& catalogue, const Config& config, int epochs,
                      const FitHooks& hooks, bool refit = false);

FitMemory fit_memory(const Context& ctx, const FitShape& shape, const Config& config);

}  // namespace kindred
