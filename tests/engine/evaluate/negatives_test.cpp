// SPDX-License-Identifier: Apache-2.0
#include "engine/evaluate/negatives.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <random>

namespace kindred {
namespace {

using testing::ElementsAre;

TEST(Negatives, AreDistinctAscendingAndNeverHad) {
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    const auto items = static_cast<int64_t>(1 + random() % 50);
    std::vector<int32_t> had;
    for (int32_t i = 0; i < items; ++i)
      if (random() % 3 == 0) had.push_back(i);
    const int count = 1 + static_cast<int>(random() % 40);
    const auto drawn = draw_negatives(had, items, count, 42, round);
    EXPECT_EQ(std::ssize(drawn), std::min<int64_t>(count, items - std::ssize(had)));
    EXPECT_TRUE(std::ranges::is_sorted(drawn));
    EXPECT_EQ(std::ranges::adjacent_find(drawn), drawn.end());
    for (const int32_t item : drawn) {
      EXPECT_TRUE(item >= 0 && item < items);
      EXPECT_FALSE(std::ranges::binary_search(had, item));
    }
    EXPECT_EQ(drawn, draw_negatives(had, items, count, 42, round));
  }
}

TEST(Negatives, AllThatIsLeftWhereThereIsNoMore) {
  EXPECT_THAT(draw_negatives(std::vector<int32_t>{0, 2, 5}, 6, 100, 1, 7), ElementsAre(1, 3, 4));
  EXPECT_THAT(draw_negatives(std::vector<int32_t>{0, 1}, 2, 100, 1, 7), ElementsAre());
  EXPECT_THAT(draw_negatives({}, 0, 100, 1, 7), ElementsAre());
}

TEST(Negatives, EverySetIsEquallyLikely) {
  // 2 of the 5 items 1, 2, 4, 6, 7: ten sets. Of 20,000 draws each has 2,000 +- 42 (one standard deviation).
  const std::vector<int32_t> had{0, 3, 5};
  std::map<std::vector<int32_t>, int> times;
  for (int32_t user = 0; user < 20000; ++user) ++times[draw_negatives(had, 8, 2, 3, user)];
  EXPECT_EQ(times.size(), 10u);
  for (const auto& [set, count] : times) EXPECT_NEAR(count, 2000, 5 * 42);
}

TEST(Negatives, DependOnSeedAndUser) {
  const auto drawn = draw_negatives({}, 1000, 20, 1, 1);
  EXPECT_NE(drawn, draw_negatives({}, 1000, 20, 2, 1));
  EXPECT_NE(drawn, draw_negatives({}, 1000, 20, 1, 2));
}

}  // namespace
}  // namespace kindred
