// SPDX-License-Identifier: Apache-2.0
#include "engine/data/item_choice.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

namespace kindred {
namespace {

// The first item drawn is item i with chance weight_i / sum: counts over n draws are binomial, here within 5 standard
// deviations, for the race (few items) and for rejection (many).
TEST(ItemChoice, FollowsExposureTimesAcceptance) {
  constexpr int64_t kDraws = 60000;
  for (const int64_t items : {1, 2, 12, 16, 17, 60}) {
    SynthOptions options;
    options.users = kDraws;
    options.items = items;
    options.interactions = items - 1;  // fewer than items: none is placed
    const Planted planted(options);
    const PlantedUser user = planted.user(3);
    std::vector<double> weight(static_cast<size_t>(items));
    for (int64_t rank = 0; rank < items; ++rank) {
      const int64_t item = planted.item_of_rank(rank);
      weight[static_cast<size_t>(item)] =
          planted.exposure(rank) * static_cast<double>(Planted::acceptance(planted.affinity(user, item)));
    }
    const double sum = std::accumulate(weight.begin(), weight.end(), 0.);
    ItemChoice choice(options, planted);
    std::vector<int64_t> drawn(static_cast<size_t>(items));
    for (int64_t row = 0; row < kDraws; ++row) {
      const auto chosen = choice.draw(row, user, 0, 1);
      ASSERT_EQ(chosen.size(), 1u);
      ++drawn[static_cast<size_t>(chosen[0])];
    }
    for (size_t i = 0; i < drawn.size(); ++i) {
      const double chance = weight[i] / sum;
      EXPECT_NEAR(static_cast<double>(drawn[i]), kDraws * chance, 5 * std::sqrt(kDraws * chance * (1 - chance)) + 1e-6)
          << items << " items, item " << i;
    }
  }
}

TEST(ItemChoice, ItemsAreDistinctAndAscending) {
  SynthOptions options;
  options.users = 200;
  options.items = 300;
  options.interactions = 20'000;
  const Planted planted(options);
  ItemChoice choice(options, planted);
  for (int64_t row = 0, first = 0; row < 200; ++row) {
    const int64_t count = row < 100 ? row % 18 : row;
    const auto chosen = choice.draw(row, planted.user(row), first, count);
    ASSERT_EQ(static_cast<int64_t>(chosen.size()), count);
    for (size_t i = 1; i < chosen.size(); ++i) ASSERT_LT(chosen[i - 1], chosen[i]);
    first += count;
  }
}

}  // namespace
}  // namespace kindred
