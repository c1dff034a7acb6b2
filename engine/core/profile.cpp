// SPDX-License-Identifier: Apache-2.0
#include "engine/core/profile.hpp"

#include <cmath>

namespace kindred {

void profile_of(const HostMatrix& items, std::span<const int32_t> history, std::span<const float> values,
                std::span<float> profile) {
  std::vector<double> sums(profile.size());
  double weight = 0;
  for (size_t e = 0; e < history.size(); ++e) {
    const double value = values.empty() ? 1 : values[e];
    const auto row = items.row(history[e]);
    weight += std::abs(value);
    for (size_t k = 0; k < sums.size(); ++k) sums[k] += value * row[k];
  }
  for (size_t k = 0; k < sums.size(); ++k) profile[k] = weight > 0 ? static_cast<float>(sums[k] / weight) : 0;
}

}  // namespace kindred
