// SPDX-License-Identifier: Apache-2.0
#include "engine/models/bayesian_average.hpp"

#include <gtest/gtest.h>

#include "tests/engine/models/three_users.hpp"

namespace kindred {
namespace {

using test::three_users;

TEST(BayesianAverage, ByHand) {
  // Five ratings of three items: C = 5/3. Means 4.5, 2 and 1: m = 2.5, C m = 25/6. The fourth item has no rating.
  const FittedModel model = fit_bayesian_average(three_users({5, 3, 1, 4, 1}));
  const auto& scores = std::get<Constant>(model.scorer).items;
  ASSERT_EQ(scores.size(), 4u);
  EXPECT_FLOAT_EQ(scores[0], static_cast<float>((25.0 / 6 + 9) / (5.0 / 3 + 2)));
  EXPECT_FLOAT_EQ(scores[1], static_cast<float>((25.0 / 6 + 4) / (5.0 / 3 + 2)));
  EXPECT_FLOAT_EQ(scores[2], static_cast<float>((25.0 / 6 + 1) / (5.0 / 3 + 1)));
  EXPECT_FLOAT_EQ(scores[3], 2.5f);
  EXPECT_EQ(model.model, "bayesian-average");
  EXPECT_TRUE(model.predicts_values);
  EXPECT_TRUE(std::holds_alternative<NoFoldIn>(model.fold_in));
}

TEST(BayesianAverage, WithoutValuesEveryMeanIsOne) {
  const FittedModel model = fit_bayesian_average(three_users({}));
  for (const float score : std::get<Constant>(model.scorer).items) EXPECT_FLOAT_EQ(score, 1);
}

TEST(BayesianAverage, NothingToLearnFromIsZero) {
  Interactions none = three_users({});
  none.matrix.offsets = {0, 0, 0, 0};
  none.matrix.indices.clear();
  const FittedModel model = fit_bayesian_average(none);
  for (const float score : std::get<Constant>(model.scorer).items) EXPECT_EQ(score, 0);
}

}  // namespace
}  // namespace kindred
