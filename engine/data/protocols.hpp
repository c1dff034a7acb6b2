// SPDX-License-Identifier: Apache-2.0
// The split protocols: from all interactions to parts. What may be asked and what it means: docs/splitting.md.
#pragma once
#include "engine/data/dataset.hpp"
#include "kernels/context.hpp"

namespace kindred {

/// Moves the held-out parts of `all` into data.validation and data.test, the rest into data.train (all but "files").
/// Throws InputError where the protocol does not fit the data: no times, too many folds, shares of 1.
void split_up(Context& ctx, Interactions all, const SplitOptions& split, uint64_t seed, PreparedData& data);

/// Moves a random share of data.train into data.validation.
void draw_validation(Context& ctx, const SplitOptions& split, uint64_t seed, PreparedData& data);

}  // namespace kindred
