// SPDX-License-Identifier: Apache-2.0
#include "kernels/detail/random.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/cpu/threads.hpp"
#include "kernels/philox.hpp"

namespace kindred::cpu {
namespace {

/// Calls make(draws, four floats) for each group of four elements, in chunks.
template <class Make>
void fill_by_fours(Context& ctx, VectorView<float> out, const Philox& philox, Make&& make) {
  constexpr int64_t kChunk = 1 << 14;
  parallel_for(ctx, (out.size + 3) / 4, kChunk, [&](int64_t begin, int64_t end, int) {
    for (int64_t group = begin; group < end; ++group) {
      float four[4];
      make(philox(static_cast<uint64_t>(group)), four);
      std::copy_n(four, std::min<int64_t>(4, out.size - 4 * group), out.data + 4 * group);
    }
  });
}

}  // namespace

void fill_normal(Context& ctx, VectorView<float> out, float mean, float deviation, uint64_t seed, uint32_t stage) {
  fill_by_fours(ctx, out, Philox{seed, stage}, [&](const std::array<uint32_t, 4>& draws, float* four) {
    to_normals(draws[0], draws[1], four[0], four[1]);
    to_normals(draws[2], draws[3], four[2], four[3]);
    for (int l = 0; l < 4; ++l) four[l] = mean + deviation * four[l];
  });
}

void fill_uniform(Context& ctx, VectorView<float> out, float low, float high, uint64_t seed, uint32_t stage) {
  fill_by_fours(ctx, out, Philox{seed, stage}, [&](const std::array<uint32_t, 4>& draws, float* four) {
    // Rounding may reach `high`, which is outside of the range.
    for (size_t l = 0; l < 4; ++l)
      four[l] = std::min(low + (high - low) * to_unit_float(draws[l]), std::max(low, std::nextafter(high, low)));
  });
}

}  // namespace kindred::cpu
