// SPDX-License-Identifier: Apache-2.0
#include "engine/core/normalization.hpp"

#include <cmath>

namespace kindred {
namespace {

double value_at(std::span<const float> values, size_t e) { return values.empty() ? 1. : double{values[e]}; }

double mean_of(std::span<const float> values, size_t count) {
  double sum = 0;
  for (size_t e = 0; e < count; ++e) sum += value_at(values, e);
  return sum / static_cast<double>(count);
}

double deviation_of(std::span<const float> values, size_t count, double mean) {
  double squares = 0;
  for (size_t e = 0; e < count; ++e) squares += (value_at(values, e) - mean) * (value_at(values, e) - mean);
  return std::sqrt(squares / static_cast<double>(count));
}

}  // namespace

UserScale user_scale(const Normalization& n, std::span<const int32_t> items, std::span<const float> values) {
  const size_t count = items.size();
  const auto mean = static_cast<float>(count > 0 ? mean_of(values, count) : double{n.mean});
  switch (n.method) {
    case Normalize::kNone:
    case Normalize::kSubtractItemMean:
      return {};
    case Normalize::kDivideUserMean:
      return {.offset = 0, .scale = mean};
    case Normalize::kSubtractUserMean:
      return {.offset = mean};
    case Normalize::kZScore: {
      const auto own = static_cast<float>(count > 0 ? deviation_of(values, count, mean) : 0.);
      return {.offset = mean, .scale = own > 0 ? own : n.deviation};
    }
    case Normalize::kBaseline: {
      double sum = 0;
      for (size_t e = 0; e < count; ++e) sum += value_at(values, e) - n.mean - n.item(items[e]);
      const double bias = count > 0 ? sum / (n.damping + static_cast<double>(count)) : 0;
      return {.offset = static_cast<float>(n.mean + bias)};
    }
  }
  return {};
}

}  // namespace kindred
