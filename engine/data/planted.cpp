// SPDX-License-Identifier: Apache-2.0
#include "engine/data/planted.hpp"

#include <algorithm>
#include <numeric>

#include "engine/data/synth_text.hpp"

namespace kindred {
namespace {

constexpr float kTagShare = 0.6f;        // of an item's taste: what its tags say
constexpr float kCommunityShare = 0.7f;  // of a user's taste: what his community says
constexpr float kItemBias = 0.4f, kUserBias = 0.35f;
// Fitted to MovieLens-20M: the most popular film has 0.34 % of all ratings, the median one 9e-5 %.
constexpr double kPopularityShift = 0.007;
// Likewise: 20 ratings at least with 144 in the mean, median 68, the most active user rated 35 % of the films.
constexpr int64_t kMeanOverMinimum = 7;
constexpr double kActivityDeviation = 1.38, kMostActiveShare = 0.35;

void fill_normal(Draws& draws, float* out, int64_t count) {
  for (int64_t f = 0; f < count; ++f) out[f] = draws.normal();
}

}  // namespace

Planted::Planted(const SynthOptions& options)
    : options_(options),
      factors_(options.factors),
      affinity_scale_(1.f / std::sqrt(static_cast<float>(options.factors))),
      popularity_shift_(1 + kPopularityShift * static_cast<double>(options.items)) {
  const auto items = static_cast<size_t>(options.items), factors = static_cast<size_t>(factors_);
  const auto tag_count = static_cast<int64_t>(synth_tags().size());
  std::vector<float> tag_taste(static_cast<size_t>(tag_count) * factors);
  for (int64_t tag = 0; tag < tag_count; ++tag) {
    Draws draws(options.seed, SynthStage::kTag, tag);
    fill_normal(draws, tag_taste.data() + tag * factors_, factors_);
  }

  item_taste_.resize(items * factors);
  item_bias_.resize(items);
  item_tags_.resize(items * kMostTags);
  item_tag_count_.resize(items);
  for (int64_t item = 0; item < options.items; ++item) {
    Draws draws(options.seed, SynthStage::kItem, item);
    uint8_t* const tags = item_tags_.data() + item * kMostTags;
    const int64_t wanted = 1 + draws.below(kMostTags);
    int64_t count = 0;
    while (count < wanted) {
      const float u = draws.unit();
      const auto tag =
          static_cast<uint8_t>(u * u * static_cast<float>(tag_count));  // the first tags are the usual ones
      if (std::find(tags, tags + count, tag) == tags + count) tags[count++] = tag;
    }
    item_tag_count_[static_cast<size_t>(item)] = static_cast<uint8_t>(count);
    item_bias_[static_cast<size_t>(item)] = kItemBias * draws.normal();
    float* const taste = item_taste_.data() + item * factors_;
    const float of_tags = std::sqrt(kTagShare / static_cast<float>(count)), own = std::sqrt(1 - kTagShare);
    for (int64_t f = 0; f < factors_; ++f) {
      float sum = 0;
      for (int64_t t = 0; t < count; ++t) sum += tag_taste[static_cast<size_t>(tags[t] * factors_ + f)];
      taste[f] = of_tags * sum + own * draws.normal();
    }
  }

  item_of_rank_.resize(items);
  std::iota(item_of_rank_.begin(), item_of_rank_.end(), 0);
  Draws order(options.seed, SynthStage::kItemOrder, 0);
  for (int64_t i = options.items - 1; i > 0; --i) {
    std::swap(item_of_rank_[static_cast<size_t>(i)], item_of_rank_[static_cast<size_t>(order.below(i + 1))]);
  }
}

int64_t Planted::communities() const { return std::max<int64_t>(1, options_.users / kCommunityUsers); }

PlantedUser Planted::user(int64_t row) const {
  PlantedUser user;
  user.taste.resize(static_cast<size_t>(factors_));
  Draws center(options_.seed, SynthStage::kCommunity, community(row));
  fill_normal(center, user.taste.data(), factors_);
  Draws own(options_.seed, SynthStage::kUser, row);
  const float shared = std::sqrt(kCommunityShare), rest = std::sqrt(1 - kCommunityShare);
  for (float& x : user.taste) x = shared * x + rest * own.normal();
  user.bias = kUserBias * own.normal();
  return user;
}

float Planted::expected_rating(const PlantedUser& user, int64_t item, float affinity) const {
  const float rating = kMeanRating + user.bias + item_bias_[static_cast<size_t>(item)] + kTasteOnRating * affinity;
  return std::clamp(rating, 0.5f, 5.f);
}

// The sum of exposure(0 … r-1) is 1/shift - 1/(shift + r).
int64_t Planted::draw_rank(Draws& draws) const {
  const double first = 1 / popularity_shift_, last = 1 / (popularity_shift_ + static_cast<double>(options_.items));
  const double x = 1 / (first - draws.unit_double() * (first - last)) - popularity_shift_;
  return std::clamp<int64_t>(static_cast<int64_t>(x), 0, options_.items - 1);
}

std::span<const uint8_t> Planted::tags(int64_t item) const {
  return std::span(item_tags_)
      .subspan(static_cast<size_t>(item) * kMostTags, item_tag_count_[static_cast<size_t>(item)]);
}

std::vector<int32_t> planted_activity(const SynthOptions& options) {
  const auto users = static_cast<size_t>(options.users);
  std::vector<float> weight(users);
  for (size_t u = 0; u < users; ++u) {
    Draws draws(options.seed, SynthStage::kActivity, static_cast<int64_t>(u));
    weight[u] = static_cast<float>(std::exp(kActivityDeviation * draws.normal()));
  }
  const int64_t mean = options.interactions / options.users;
  const int64_t least = mean == 0 ? 0 : std::max<int64_t>(1, mean / kMeanOverMinimum);
  const auto share = static_cast<int64_t>(kMostActiveShare * static_cast<double>(options.items));
  const int64_t most = std::min(options.items, std::max(share, 2 * mean + 1));
  const auto activity = [&](size_t u, double scale) {
    return static_cast<int32_t>(std::min(static_cast<double>(most), static_cast<double>(least) + scale * weight[u]));
  };
  const auto total = [&](double scale) {
    int64_t sum = 0;
    for (size_t u = 0; u < users; ++u) sum += activity(u, scale);
    return sum;
  };
  double low = 0, high = 1;
  while (total(high) < options.interactions && high < 1e18) high *= 2;
  for (int step = 0; step < 60 && high - low > 1e-9 * high; ++step) {
    const double middle = (low + high) / 2;
    (total(middle) <= options.interactions ? low : high) = middle;
  }
  std::vector<int32_t> activities(users);
  for (size_t u = 0; u < users; ++u) activities[u] = activity(u, low);
  // What rounding left over: one more for each user in turn.
  int64_t left = options.interactions - std::accumulate(activities.begin(), activities.end(), int64_t{0});
  for (size_t u = 0; left > 0; u = (u + 1) % users) {
    if (activities[u] < most) {
      ++activities[u];
      --left;
    }
  }
  return activities;
}

}  // namespace kindred
