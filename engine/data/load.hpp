// SPDX-License-Identifier: Apache-2.0
// The data steps from a file up to the split: rows, weights of events, merged duplicates, limits. docs/data-steps.md.
#pragma once
#include "engine/data/dataset.hpp"
#include "kernels/context.hpp"

namespace kindred {

/// All interactions of a file, with ids of its own. Adds to the counts of `data` and logs each step's own.
Interactions load_interactions(Context& ctx, const InputFiles& files, const DataOptions& options, PreparedData& data);

/// The interactions of a file over the ids of `train`; `name` ("test") is the part's, for the log. The limits to users
/// and items with too few interactions are train's alone.
HeldOut load_held_out(Context& ctx, const InputFiles& files, const char* name, const DataOptions& options,
                      const Interactions& train, PreparedData& data);

}  // namespace kindred
