// SPDX-License-Identifier: Apache-2.0
// Everybody's lists at the end of a run: export.recommendations.
#pragma once
#include <string>

#include "engine/core/fitted_model.hpp"
#include "kernels/context.hpp"

namespace kindred {

/// Writes each user's k best items to `target` (engine/store/sinks.hpp), as `kindred-topk --all-users --to` does: what
/// a user has had, held-out items too, is left out. Memory: the model and a batch of lists. Returns the number of
/// users.
int64_t write_recommendations(Context& ctx, const FittedModel& model, int k, const std::string& target);

}  // namespace kindred
