// SPDX-License-Identifier: Apache-2.0
// Small enough to count by hand.
#include "engine/models/knn.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/recommend/recommender.hpp"
#include "tests/engine/models/three_users.hpp"

namespace kindred {
namespace {

using testing::ElementsAre;
using testing::FloatNear;

Interactions few() {
  Interactions out;
  out.users = std::make_shared<Ids>(Ids::integers({1, 2, 3, 4}));
  out.items = std::make_shared<Ids>(Ids::integers({7, 8, 9}));
  out.matrix.cols = 3;
  //      7  8  9
  // 1    5  3  .
  // 2    4  .  .
  // 3    1  1  5
  // 4    .  .  4
  out.matrix.offsets = {0, 2, 3, 6, 7};
  out.matrix.indices = {0, 1, 0, 0, 1, 2, 2};
  out.matrix.values = {5, 3, 4, 1, 1, 5, 4};
  return out;
}

TEST(ItemKnn, NeighborsBySimilarity) {
  Context ctx({.device = "cpu", .threads = 2});
  const FittedModel model = fit_item_knn(ctx, few(), {});
  const auto& n = std::get<Neighbors>(model.scorer);
  EXPECT_EQ(model.model, "item-knn");
  EXPECT_TRUE(n.of == NeighborsOf::kItems && std::holds_alternative<HistoryFoldIn>(model.fold_in));
  EXPECT_THAT(n.weights.offsets, ElementsAre(0, 2, 4, 6));
  EXPECT_THAT(n.weights.indices, ElementsAre(1, 2, 0, 2, 1, 0));
  const float s78 = 16 / std::sqrt(42.f * 10), s79 = 5 / std::sqrt(42.f * 41), s89 = 5 / std::sqrt(10.f * 41);
  const auto near = [](float v) { return FloatNear(v, 1e-6f); };
  EXPECT_THAT(n.weights.values, ElementsAre(near(s78), near(s79), near(s78), near(s89), near(s89), near(s79)));
  EXPECT_FALSE(model.predicts_values);
}

/// W (r - mean) + mean over whole rows.
TEST(ItemKnn, ItemMeansOfSumsCountZeros) {
  Context ctx({.device = "cpu", .threads = 2});
  KnnOptions options;
  options.search.normalize = true;
  options.center = Normalize::kSubtractItemMean;
  FittedModel model = fit_item_knn(ctx, few(), options);
  const auto& n = std::get<Neighbors>(model.scorer);
  const double mean[] = {10 / 4., 4 / 4., 9 / 4.}, user[] = {5, 3, 0};
  model.history = few().matrix;
  const auto scores = Recommender(ctx, model).score(std::vector<int32_t>{0, 0, 0}, std::vector<int32_t>{0, 1, 2});
  for (int64_t i = 0; i < 3; ++i) {
    double expected = mean[i], sum = 0;
    for (size_t e = 0; e < 2; ++e) {
      const auto j = static_cast<size_t>(n.weights.row(i)[e]);
      expected += double{n.weights.row_values(i)[e]} * (user[j] - mean[j]), sum += double{n.weights.row_values(i)[e]};
    }
    EXPECT_NEAR(sum, 1, 1e-6);
    EXPECT_NEAR(scores[static_cast<size_t>(i)], expected, 1e-5);
  }
}

TEST(ItemKnn, WithoutANeighborTheMeanRemains) {
  Context ctx({.device = "cpu", .threads = 2});
  KnnOptions options;
  options.weighted_average = true;
  FittedModel model = fit_item_knn(ctx, test::three_users({5, 3, 4, 2, 1}), options);
  model.history = test::three_users({5, 3, 4, 2, 1}).matrix;
  const auto scores =
      Recommender(ctx, model).score(std::vector<int32_t>{0, 1, -1, 2}, std::vector<int32_t>{3, 0, 1, -1});
  for (const float score : scores) EXPECT_FLOAT_EQ(score, 3);
  EXPECT_TRUE(model.predicts_values);
}

TEST(UserKnn, SomebodyNewIsAnsweredByThoseLikeThem) {
  Context ctx({.device = "cpu", .threads = 2});
  KnnOptions options;
  options.weighted_average = true;
  options.search.neighbors = 2;
  FittedModel model = fit_user_knn(ctx, few(), options);
  const auto& n = std::get<Neighbors>(model.scorer);
  EXPECT_TRUE(n.of == NeighborsOf::kUsers);
  EXPECT_THAT(n.weights.row(0), ElementsAre(1, 2));
  EXPECT_NEAR(n.weights.values[0], 20 / std::sqrt(34. * 16), 1e-6);
  model.history = few().matrix;
  // As user 1: nearest are user 1 and user 2, of whom user 1 alone has item 8; nobody near has item 9.
  HostCsr like;
  like.cols = 3;
  like.offsets = {0, 2};
  like.indices = {0, 1};
  like.values = {5, 3};
  const TopK list = Recommender(ctx, model).for_histories(like, 3, {});
  EXPECT_THAT(list.items, ElementsAre(0, 2, 1));
  const double w0 = 1, w1 = 20 / std::sqrt(34. * 16);
  EXPECT_NEAR(list.scores[0], (5 * w0 + 4 * w1) / (w0 + w1), 1e-5);
  EXPECT_NEAR(list.scores[1], 23 / 7., 1e-5);  // the mean of all
  EXPECT_NEAR(list.scores[2], 3, 1e-5);
}

TEST(Knn, ThreadsDoNotShow) {
  Interactions train;
  train.users = test::numbered(300, 0);
  train.items = test::numbered(40, 0);
  train.matrix.cols = 40;
  for (int32_t u = 0; u < 300; ++u) {
    for (int32_t i = 0; i < 40; ++i)
      if ((u * 7919 + i * 104729) % 11 < 3)
        train.matrix.indices.push_back(i), train.matrix.values.push_back(static_cast<float>((u + i) % 5 + 1));
    train.matrix.offsets.push_back(train.matrix.nnz());
  }
  KnnOptions options;
  options.search.weighting = Weighting::kBm25;
  Context one({.device = "cpu", .threads = 1}), seven({.device = "cpu", .threads = 7});
  for (const auto fit : {+[](Context&c, const Interactions&t, const KnnOptions&o) { return fit_item_knn(c, t, o); },
                         +[](Context&c, const Interactions&t, const KnnOptions&o) { return fit_user_knn(c, t, o); }}) {
    const FittedModel a = fit(one, train, options), b = fit(seven, train, options);
    EXPECT_EQ(std::get<Neighbors>(a.scorer).weights.indices, std::get<Neighbors>(b.scorer).weights.indices);
    EXPECT_EQ(std::get<Neighbors>(a.scorer).weights.values, std::get<Neighbors>(b.scorer).weights.values);
  }
}

}  // namespace
}  // namespace kindred
