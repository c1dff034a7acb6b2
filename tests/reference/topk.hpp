// SPDX-License-Identifier: Apache-2.0
// Top-k in float64: score everything, sort everything.
#pragma once
#include <algorithm>
#include <cstdint>
#include <set>
#include <vector>

namespace kindred::reference {

struct Scored {
  double score;
  int32_t item;
};

/// All items that query q may get, by (score descending, item ascending).
inline std::vector<Scored> ranking(const float* query, const std::vector<float>& items, const std::vector<float>& bias,
                                   const std::set<int32_t>& excluded, int64_t n, int64_t d) {
  std::vector<Scored> out;
  for (int64_t i = 0; i < n; ++i) {
    double score = bias.empty() ? 0 : bias[static_cast<size_t>(i)];
    for (int64_t k = 0; k < d; ++k) score += double{query[k]} * items[static_cast<size_t>(i * d + k)];
    if (score == score && !excluded.contains(static_cast<int32_t>(i))) out.push_back({score, static_cast<int32_t>(i)});
  }
  std::ranges::sort(out, [](const Scored& a, const Scored& b) {
    return a.score > b.score || (a.score == b.score && a.item < b.item);
  });
  return out;
}

}  // namespace kindred::reference
