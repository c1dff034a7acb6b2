// SPDX-License-Identifier: Apache-2.0
#include "kernels/detail/random.hpp"

#include <cmath>

#include "kernels/detail/check.hpp"

namespace kindred {

void fill_normal(Context& ctx, VectorView<float> out, float mean, float deviation, uint64_t seed, uint32_t stage) {
  detail::check_device(ctx, "fill_normal", "out", out);
  if (!std::isfinite(mean) || !(deviation >= 0) || !std::isfinite(deviation))
    detail::bad_argument("fill_normal", "mean and deviation must be finite, deviation not below 0");
  if (out.empty()) return;
  ctx.on_cuda() ? cuda::fill_normal(ctx, out, mean, deviation, seed, stage)
                : cpu::fill_normal(ctx, out, mean, deviation, seed, stage);
}

void fill_uniform(Context& ctx, VectorView<float> out, float low, float high, uint64_t seed, uint32_t stage) {
  detail::check_device(ctx, "fill_uniform", "out", out);
  if (!std::isfinite(low) || !std::isfinite(high) || !(low <= high))
    detail::bad_argument("fill_uniform", "low and high must be finite, low not above high");
  if (out.empty()) return;
  ctx.on_cuda() ? cuda::fill_uniform(ctx, out, low, high, seed, stage)
                : cpu::fill_uniform(ctx, out, low, high, seed, stage);
}

}  // namespace kindred
