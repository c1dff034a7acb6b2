// SPDX-License-Identifier: Apache-2.0
#include "engine/models/popularity.hpp"

#include <gtest/gtest.h>

#include "tests/engine/models/three_users.hpp"

namespace kindred {
namespace {

using test::three_users;

TEST(Popularity, ScoresAreCounts) {
  const FittedModel model = fit_popularity(three_users({5, 3, 1, 4, 1}));
  EXPECT_EQ(std::get<Constant>(model.scorer).items, (std::vector<float>{2, 2, 1, 0}));
  EXPECT_EQ(model.item_count, (std::vector<int64_t>{2, 2, 1, 0}));
  EXPECT_EQ(model.item_mean, (std::vector<float>{4.5f, 2, 1, 0}));
  EXPECT_EQ(model.model, "popularity");
  EXPECT_FALSE(model.predicts_values);
  EXPECT_TRUE(std::holds_alternative<NoFoldIn>(model.fold_in));
}

TEST(Popularity, ValuesMayBeAbsent) {
  EXPECT_EQ(fit_popularity(three_users({})).item_mean, (std::vector<float>{1, 1, 1, 0}));
}

}  // namespace
}  // namespace kindred
