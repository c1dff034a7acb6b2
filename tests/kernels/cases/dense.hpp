// SPDX-License-Identifier: Apache-2.0
// Random matrices for the tests of dense ops and of top-k.
#pragma once
#include <cstdint>
#include <random>
#include <vector>

namespace kindred::cases {

inline std::vector<float> random_floats(int64_t count, uint32_t seed, float scale = 1) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, scale);
  std::vector<float> out(static_cast<size_t>(count));
  for (float& v : out) v = normal(random);
  return out;
}

struct Shape {
  int64_t m, n, k;
};
/// One element, odd widths, a long inner side, more rows than a block.
inline const std::vector<Shape> kProducts{{1, 1, 1},     {3, 5, 7},    {17, 33, 2}, {64, 64, 64},
                                          {300, 40, 65}, {2, 3, 1000}, {1, 2100, 3}};

}  // namespace kindred::cases
