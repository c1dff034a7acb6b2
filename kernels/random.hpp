// SPDX-License-Identifier: Apache-2.0
// Counter-based random numbers: Philox 4x32-10 (Salmon et al. 2011, Parallel random numbers: as easy as 1, 2, 3).
// Element e of a fill depends on (seed, stage, e) alone: the same draws on every backend and thread count (normal
// draws up to the last bits of log and cos), and a resumed run draws what an uninterrupted one would.
#pragma once
#include "kernels/context.hpp"

namespace kindred {

/// out[e] = mean + deviation * N(0, 1), by Box and Muller from draws (seed, stage, e / 4).
void fill_normal(Context& ctx, VectorView<float> out, float mean, float deviation, uint64_t seed, uint32_t stage);

/// out[e] uniform in [low, high).
void fill_uniform(Context& ctx, VectorView<float> out, float low, float high, uint64_t seed, uint32_t stage);

}  // namespace kindred
