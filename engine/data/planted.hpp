// SPDX-License-Identifier: Apache-2.0
// What a synthetic data set is drawn from: tastes, popularity, activity. docs/synthetic-data.md has the formulas.
#pragma once
#include <cmath>
#include <cstdint>
#include <numbers>
#include <span>
#include <vector>

#include "engine/data/synth.hpp"
#include "kernels/philox.hpp"

namespace kindred {

/// Which draws of the seed a part of the data set uses.
enum class SynthStage : uint32_t {
  kTag = 0x53590000,
  kItem,
  kItemOrder,
  kCommunity,
  kUser,
  kActivity,
  kChoice,
  kRace,
  kRating,
  kEvent,
  kFriend,
  kTitle,
  kProfile,
};

/// The draws of one row, one after the other.
class Draws {
 public:
  Draws(uint64_t seed, SynthStage stage, int64_t row)
      : philox_{seed, static_cast<uint32_t>(stage)}, row_(static_cast<uint64_t>(row)) {}

  uint32_t bits() {
    if (next_ == 4) {
      block_ = philox_(row_, turn_++);
      next_ = 0;
    }
    return block_[next_++];
  }
  /// In [0, 1).
  float unit() { return to_unit_float(bits()); }
  double unit_double() {
    const uint32_t high = bits();
    return to_unit_double(high, bits());
  }
  /// In [0, n).
  int64_t below(int64_t n) { return static_cast<int64_t>(unit_double() * static_cast<double>(n)); }
  /// N(0, 1), by Box and Muller.
  float normal() {
    if (spare_) {
      spare_ = false;
      return spare_value_;
    }
    const float radius = std::sqrt(-2.f * std::log(1.f - unit()));
    const float angle = 2.f * std::numbers::pi_v<float> * unit();
    spare_value_ = radius * std::sin(angle);
    spare_ = true;
    return radius * std::cos(angle);
  }

 private:
  Philox philox_;
  uint64_t row_;
  uint32_t turn_ = 0, next_ = 4;
  std::array<uint32_t, 4> block_{};
  float spare_value_ = 0;
  bool spare_ = false;
};

/// A user's planted side. `taste` has options.factors entries.
struct PlantedUser {
  std::vector<float> taste;
  float bias = 0;
};

class Planted {
 public:
  explicit Planted(const SynthOptions& options);

  static constexpr float kMeanRating = 3.3f, kTasteOnRating = 0.5f;
  static constexpr double kNoise = 0.6;           ///< standard deviation of a rating around the expected one
  static constexpr int64_t kCommunityUsers = 50;  ///< users of a community are similar and know each other
  static constexpr int kMostTags = 3;

  int64_t communities() const;
  int64_t community(int64_t user) const { return user % communities(); }
  PlantedUser user(int64_t row) const;

  /// How much a user's taste and an item agree: about N(0, 1) over all pairs.
  float affinity(const PlantedUser& user, int64_t item) const {
    const float* x = item_taste_.data() + item * factors_;
    float dot = 0;
    for (int64_t f = 0; f < factors_; ++f) dot += user.taste[static_cast<size_t>(f)] * x[f];
    return dot * affinity_scale_;
  }
  /// The rating that is expected before noise and rounding, in [0.5, 5].
  float expected_rating(const PlantedUser& user, int64_t item, float affinity) const;
  /// The chance that a user takes up an item that he comes across.
  static float acceptance(float affinity) { return 1.f / (1.f + std::exp(1.f - 2.f * affinity)); }

  /// How often users come across the item of a popularity rank (0: the most popular), up to a factor.
  double exposure(int64_t rank) const {
    const double x = static_cast<double>(rank) + popularity_shift_;
    return 1 / (x * (x + 1));
  }
  /// A rank drawn by exposure, by inversion of its distribution.
  int64_t draw_rank(Draws& draws) const;
  int64_t item_of_rank(int64_t rank) const { return item_of_rank_[static_cast<size_t>(rank)]; }
  /// The tags of an item, distinct, in the order drawn.
  std::span<const uint8_t> tags(int64_t item) const;

 private:
  SynthOptions options_;
  int64_t factors_;
  float affinity_scale_;
  double popularity_shift_;
  std::vector<float> item_taste_, item_bias_;
  std::vector<uint8_t> item_tags_;  // kMostTags an item
  std::vector<uint8_t> item_tag_count_;
  std::vector<int32_t> item_of_rank_;
};

/// Interactions of each user: a common minimum plus a log-normal part, at most 35 % of the items where the total
/// allows; the sum is options.interactions exactly.
std::vector<int32_t> planted_activity(const SynthOptions& options);

}  // namespace kindred
