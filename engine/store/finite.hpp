// SPDX-License-Identifier: Apache-2.0
// Floats are looked at on their way into a file and out of it, at memory speed.
#pragma once
#include <algorithm>
#include <bit>
#include <cstdint>
#include <span>

namespace kindred {

/// Index of the first value that is infinite or NaN, -1 where there is none.
inline int64_t first_not_finite(std::span<const float> values) {
  constexpr uint32_t kExponent = 0x7f800000;
  const auto bad = [](float v) { return (std::bit_cast<uint32_t>(v) & kExponent) == kExponent; };
  uint32_t count = 0;  // a loop without an early exit is one that compilers vectorize
  for (const float v : values) count |= static_cast<uint32_t>(bad(v));
  return count == 0 ? -1 : std::find_if(values.begin(), values.end(), bad) - values.begin();
}

}  // namespace kindred
