// SPDX-License-Identifier: Apache-2.0
// What data.normalize took off the training values: with it predictions go back to their scale, and the history of
// somebody new is normalized as the users of training were.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace kindred {

enum class Normalize : uint8_t {
  kNone,
  kDivideUserMean,
  kSubtractUserMean,
  kSubtractItemMean,
  kZScore,    ///< (value - user's mean) / user's standard deviation
  kBaseline,  ///< value - (mean of all + user's bias + item's bias); Koren 2010
};

/// A user's part: value = offset + scale (normalized value + item's part).
struct UserScale {
  float offset = 0, scale = 1;
};

struct Normalization {
  Normalize method = Normalize::kNone;
  float mean = 0;       ///< of all training values
  float deviation = 1;  ///< kZScore: of all training values, for users whose own values are all equal
  float damping = 0;    ///< kBaseline: a user's bias is sum (value - mean - item's bias) / (damping + number of values)
  std::vector<float> items;  ///< kSubtractItemMean, kBaseline: each item's part; else empty

  float item(int32_t i) const { return items.empty() ? 0 : items[static_cast<size_t>(i)]; }
};

/// The part of a user with this history; of one without, what is expected of anybody. No `values`: each is 1.
UserScale user_scale(const Normalization& normalization, std::span<const int32_t> items, std::span<const float> values);

/// A value as a model was fitted on it.
inline float normalized(const Normalization& normalization, UserScale user, int32_t item, float value) {
  return (value - user.offset) / user.scale - normalization.item(item);
}

}  // namespace kindred
