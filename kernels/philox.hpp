// SPDX-License-Identifier: Apache-2.0
// Philox 4x32-10 for host and device code: four 32-bit draws from (key, counter).
#pragma once
#include <Random123/philox.h>
#include <math.h>

#include <array>
#include <cstdint>

#include "kernels/host_device.hpp"

namespace kindred {

/// Names a stream of draws: `seed` of the run, `stage` (which use; see each caller's list), then a 64-bit index.
struct Philox {
  uint64_t seed = 0;
  uint32_t stage = 0;

  /// Four independent 32-bit draws of (seed, stage, index, turn).
  KINDRED_HOST_DEVICE std::array<uint32_t, 4> operator()(uint64_t index, uint32_t turn = 0) const {
    const r123::Philox4x32::key_type key = {{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)}};
    const r123::Philox4x32::ctr_type counter = {
        {static_cast<uint32_t>(index), static_cast<uint32_t>(index >> 32), stage, turn}};
    const auto draw = r123::Philox4x32{}(counter, key);
    return {draw.v[0], draw.v[1], draw.v[2], draw.v[3]};
  }
};

/// Uniform in [0, 1), 24 bits.
KINDRED_HOST_DEVICE inline float to_unit_float(uint32_t bits) { return static_cast<float>(bits >> 8) * 0x1p-24f; }
/// Uniform in [0, 1), 53 bits.
KINDRED_HOST_DEVICE inline double to_unit_double(uint32_t high, uint32_t low) {
  return static_cast<double>((uint64_t{high} << 32 | low) >> 11) * 0x1p-53;
}

/// Two standard normal draws from two 32-bit draws (Box and Muller 1958).
KINDRED_HOST_DEVICE inline void to_normals(uint32_t a, uint32_t b, float& x, float& y) {
  const float radius = sqrtf(-2 * logf((static_cast<float>(a >> 8) + 1) * 0x1p-24f));
  const float angle = 6.283185307179586f * to_unit_float(b);
  x = radius * cosf(angle);
  y = radius * sinf(angle);
}

}  // namespace kindred
