// SPDX-License-Identifier: Apache-2.0
// Fills with random numbers: a thread makes four elements from one draw of Philox, as the CPU does. Sums and products
// are kept apart by intrinsics, because a fused multiply-add would round otherwise than the CPU.
#include <cmath>

#include "kernels/cuda/launch.cuh"
#include "kernels/detail/random.hpp"
#include "kernels/philox.hpp"

namespace kindred::cuda {
namespace {

/// Stores what of four elements, starting at element 4 * group, lies within the array.
__device__ void store_four(float* out, int64_t size, int64_t group, const float (&four)[4]) {
  for (int l = 0; l < 4; ++l)
    if (4 * group + l < size) out[4 * group + l] = four[l];
}

__global__ void draw_normal(float* out, int64_t size, float mean, float deviation, Philox philox) {
  for (int64_t group = grid_thread(); 4 * group < size; group += grid_threads()) {
    const auto draws = philox(static_cast<uint64_t>(group));
    float four[4];
    to_normals(draws[0], draws[1], four[0], four[1]);
    to_normals(draws[2], draws[3], four[2], four[3]);
    for (float& v : four) v = __fadd_rn(mean, __fmul_rn(deviation, v));
    store_four(out, size, group, four);
  }
}

__global__ void draw_uniform(float* out, int64_t size, float low, float range, float highest, Philox philox) {
  for (int64_t group = grid_thread(); 4 * group < size; group += grid_threads()) {
    const auto draws = philox(static_cast<uint64_t>(group));
    float four[4];
    for (int l = 0; l < 4; ++l)
      four[l] = fminf(__fadd_rn(low, __fmul_rn(range, to_unit_float(draws[static_cast<size_t>(l)]))), highest);
    store_four(out, size, group, four);
  }
}

}  // namespace

void fill_normal(Context& ctx, VectorView<float> out, float mean, float deviation, uint64_t seed, uint32_t stage) {
  launch(ctx, draw_normal, over_items(device_of(ctx).limits, (out.size + 3) / 4), out.data, out.size, mean, deviation,
         Philox{seed, stage});
}

void fill_uniform(Context& ctx, VectorView<float> out, float low, float high, uint64_t seed, uint32_t stage) {
  const float highest = std::max(low, std::nextafter(high, low));  // rounding may reach `high`, which is outside
  launch(ctx, draw_uniform, over_items(device_of(ctx).limits, (out.size + 3) / 4), out.data, out.size, low, high - low,
         highest, Philox{seed, stage});
}

}  // namespace kindred::cuda
