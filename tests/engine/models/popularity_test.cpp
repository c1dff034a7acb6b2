// SPDX-License-Identifier: Apache-2.0
#include "engine/models/popularity.hpp"

#include <gtest/gtest.h>

namespace kindred {
namespace {

Interactions three_users(std::vector<float> values) {
  Interactions out;
  out.users = std::make_shared<Ids>(Ids::integers({1, 2, 3}));
  out.items = std::make_shared<Ids>(Ids::integers({7, 8, 9, 10}));
  out.matrix.cols = 4;
  out.matrix.offsets = {0, 3, 3, 5};
  out.matrix.indices = {0, 1, 2, 0, 1};
  out.matrix.values = std::move(values);
  return out;
}

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
