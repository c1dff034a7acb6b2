// SPDX-License-Identifier: Apache-2.0
// The backends of kernels/random.hpp. Both draw element e from lane e % 4 of Philox(seed, stage)(e / 4).
#pragma once
#include "kernels/random.hpp"

namespace kindred::cpu {
void fill_normal(Context& ctx, VectorView<float> out, float mean, float deviation, uint64_t seed, uint32_t stage);
void fill_uniform(Context& ctx, VectorView<float> out, float low, float high, uint64_t seed, uint32_t stage);
}  // namespace kindred::cpu

namespace kindred::cuda {
void fill_normal(Context& ctx, VectorView<float> out, float mean, float deviation, uint64_t seed, uint32_t stage);
void fill_uniform(Context& ctx, VectorView<float> out, float low, float high, uint64_t seed, uint32_t stage);
}  // namespace kindred::cuda
