// SPDX-License-Identifier: Apache-2.0
// Lists, similar rows and pair scores against the scores' definition in float64.
#include "engine/recommend/recommender.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <set>

#include "engine/core/error.hpp"
#include "engine/recommend/rank.hpp"
#include "tests/engine/recommend/random_models.hpp"

namespace kindred {
namespace {

using test::contains, test::random_csr, test::random_factors, test::score_of;
using testing::HasSubstr;

std::vector<int32_t> everybody(const FittedModel& model) {
  std::vector<int32_t> rows(static_cast<size_t>(model.num_users()));
  std::iota(rows.begin(), rows.end(), 0);
  return rows;
}

/// Rounding of a score in fp32: d + 4 operations on values whose sum of magnitudes these models keep below 64.
constexpr double kRounding = 64 * 20 * 0x1p-24;

struct Shape {
  const char* name;
  bool biases;
  Metric metric;
  Link link;
  bool offsets;
};

const Shape kShapes[] = {
    {"plain", false, Metric::kInnerProduct, Link::kIdentity, false},
    {"biases", true, Metric::kInnerProduct, Link::kIdentity, false},
    {"cosine", false, Metric::kCosine, Link::kIdentity, false},
    {"sigmoid", true, Metric::kInnerProduct, Link::kSigmoid, false},
    {"scaled", true, Metric::kInnerProduct, Link::kRelu, true},
};

FittedModel model_of(const Shape& shape, int64_t users = 33, int64_t items = 47) {
  FittedModel out = random_factors(11, users, items, 7, shape.biases);
  out.metric = shape.metric;
  out.link = shape.link;
  out.global_mean = 0.5f;
  if (shape.offsets)
    for (int64_t u = 0; u < users; ++u) {
      out.user_scale.push_back(0.5f + 0.1f * static_cast<float>(u % 5));
      out.user_offset.push_back(0.3f * static_cast<float>(u % 3));
    }
  return out;
}

class Scores : public testing::TestWithParam<Shape> {};

INSTANTIATE_TEST_SUITE_P(Models, Scores, testing::ValuesIn(kShapes),
                         [](const auto& tested) { return tested.param.name; });

TEST_P(Scores, ListsHoldTheBestOfWhatIsAllowed) {
  const FittedModel model = model_of(GetParam());
  std::mt19937 random(1);
  const HostCsr more = random_csr(random, 33, 47, 0.1);
  Context ctx({.device = "cpu", .threads = 2});
  Recommender recommender(ctx, model);
  const auto users = everybody(model);
  for (const int k : {1, 5, 47, 60}) {
    const TopK lists = recommender.for_users(users, k, {{&model.history, nullptr, &more}});
    ASSERT_EQ(lists.rows(), 33);
    for (const int32_t user : users) {
      std::vector<double> allowed;
      for (int32_t i = 0; i < 47; ++i)
        if (!contains(model.history.row(user), i) && !contains(more.row(user), i))
          allowed.push_back(score_of(model, user, i));
      std::ranges::sort(allowed, std::greater<>());
      std::set<int32_t> repeated;
      for (size_t r = 0; r < static_cast<size_t>(k); ++r) {
        const int32_t item = lists.row(user)[r];
        if (r >= allowed.size()) {
          EXPECT_EQ(item, -1);
          continue;
        }
        ASSERT_GE(item, 0) << "rank " << r + 1;
        EXPECT_TRUE(repeated.insert(item).second);
        EXPECT_FALSE(contains(model.history.row(user), item) || contains(more.row(user), item));
        EXPECT_NEAR(lists.row_scores(user)[r], score_of(model, user, item), kRounding);
        EXPECT_NEAR(lists.row_scores(user)[r], allowed[r], kRounding) << "rank " << r + 1;
      }
    }
  }
}

/// All filters at once, against the score of every pair.
TEST_P(Scores, FiltersHoldTogether) {
  const FittedModel model = model_of(GetParam());
  std::mt19937 random(8);
  Context ctx({.device = "cpu", .threads = 2});
  Recommender recommender(ctx, model);
  for (int round = 0; round < 24; ++round) {
    std::vector<int32_t> users;  // some twice, in any order
    for (int q = 0; q < 20; ++q) users.push_back(static_cast<int32_t>(random() % 33));
    const HostCsr excluded = random_csr(random, 33, 47, 0.2), refused = random_csr(random, 20, 47, 0.2);
    const HostCsr candidates = random_csr(random, 20, 47, 0.5);
    std::vector<uint8_t> allowed(47);
    for (auto& flag : allowed) flag = random() % 4 != 0;
    Filters filters;
    if (round % 2 == 0) filters.excluded = {&excluded};
    if (round % 3 != 0) filters.refused = {&refused};
    if (round % 4 < 2) filters.candidates = &candidates;
    if (round % 5 < 3) filters.allowed = allowed;
    if (round % 6 < 3) filters.min_score = 1;
    const int k = round % 7 == 0 ? 47 : 6;
    const TopK lists = recommender.for_users(users, k, filters);
    double lowest = std::numeric_limits<double>::infinity(), highest = -lowest;
    for (int64_t q = 0; q < 20; ++q) {
      const int32_t user = users[static_cast<size_t>(q)];
      std::vector<double> expected;
      for (int32_t i = 0; i < 47; ++i) {
        if ((!filters.excluded.empty() && contains(excluded.row(user), i)) ||
            (!filters.refused.empty() && contains(refused.row(q), i)) ||
            (filters.candidates != nullptr && !contains(candidates.row(q), i)) ||
            (!filters.allowed.empty() && allowed[static_cast<size_t>(i)] == 0))
          continue;
        expected.push_back(score_of(model, user, i));
      }
      std::ranges::sort(expected, std::greater<>());
      expected.resize(std::min(expected.size(), static_cast<size_t>(k)));
      if (!expected.empty()) lowest = std::min(lowest, expected.back()), highest = std::max(highest, expected.front());
      std::erase_if(expected, [&](double score) { return score < filters.min_score; });
      for (size_t r = 0; r < static_cast<size_t>(k); ++r) {
        const int32_t item = lists.row(q)[r];
        if (r >= expected.size()) {
          EXPECT_EQ(item, -1) << "round " << round << " rank " << r + 1;
          EXPECT_EQ(lists.row_scores(q)[r], kNoScore);
          continue;
        }
        ASSERT_GE(item, 0) << "round " << round << " rank " << r + 1;
        EXPECT_NEAR(lists.row_scores(q)[r], score_of(model, user, item), kRounding);
        EXPECT_NEAR(lists.row_scores(q)[r], expected[r], kRounding) << "round " << round << " rank " << r + 1;
      }
    }
    EXPECT_NEAR(lists.lowest, lowest, kRounding);
    EXPECT_NEAR(lists.highest, highest, kRounding);
  }
}

TEST_P(Scores, OfPairs) {
  const FittedModel model = model_of(GetParam());
  Context ctx({.device = "cpu", .threads = 2});
  Recommender recommender(ctx, model);
  std::vector<int32_t> users, items;
  for (int32_t e = 0; e < 200; ++e) users.push_back(e * 7 % 33), items.push_back(e * 5 % 47);
  const auto scores = recommender.score(users, items);
  for (size_t e = 0; e < scores.size(); ++e) EXPECT_NEAR(scores[e], score_of(model, users[e], items[e]), kRounding);
}

TEST_P(Scores, OfAllItems) {
  const FittedModel model = model_of(GetParam());
  Context ctx({.device = "cpu", .threads = 2});
  const std::vector<int32_t> users{4, 0, 32, 4};
  const HostMatrix scores = Recommender(ctx, model).score_all(users);
  ASSERT_EQ(scores.rows, 4);
  ASSERT_EQ(scores.cols, 47);
  for (int64_t q = 0; q < scores.rows; ++q)
    for (int32_t i = 0; i < 47; ++i)
      EXPECT_NEAR(scores.row(q)[static_cast<size_t>(i)], score_of(model, users[static_cast<size_t>(q)], i), kRounding);
}

TEST(Recommender, NothingExcludedGivesAll) {
  const FittedModel model = model_of(kShapes[0]);
  Context ctx({.device = "cpu", .threads = 2});
  const TopK lists = Recommender(ctx, model).for_users(everybody(model), 47, {});
  for (const int32_t item : lists.items) EXPECT_GE(item, 0);
}

TEST(Recommender, BatchesAndThreadsDoNotShow) {
  const FittedModel model = model_of(kShapes[1], 4100, 50);  // more than one batch
  Context one({.device = "cpu", .threads = 1}), three({.device = "cpu", .threads = 3});
  Recommender first(one, model), second(three, model);
  const auto users = everybody(model);
  const TopK all = first.for_users(users, 6, {{&model.history}});
  const TopK same = second.for_users(users, 6, {{&model.history}});
  EXPECT_EQ(all.items, same.items);
  EXPECT_EQ(all.scores, same.scores);
  for (const int32_t user : {0, 4095, 4096, 4099}) {
    const TopK alone = first.for_users(std::vector<int32_t>{user}, 6, {{&model.history}});
    EXPECT_TRUE(std::ranges::equal(alone.row(0), all.row(user))) << user;
    EXPECT_TRUE(std::ranges::equal(alone.row_scores(0), all.row_scores(user))) << user;
  }
}

TEST(Recommender, PeopleOfWhomNothingIsKnownGetWhatIsPopular) {
  FittedModel model = random_factors(3, 20, 30, 4, false);
  auto& users = std::get<Factors>(model.scorer).users;
  std::ranges::fill(users.row(6), 0.f);
  Context ctx({.device = "cpu", .threads = 2});
  Recommender recommender(ctx, model);
  const TopK lists = recommender.for_users(std::vector<int32_t>{5, 6, 7}, 30, {{&model.history}});
  int64_t before = INT64_MAX;
  size_t length = 0;
  for (const int32_t item : lists.row(1)) {
    if (item < 0) break;
    EXPECT_FALSE(contains(model.history.row(6), item));
    EXPECT_LE(model.item_count[static_cast<size_t>(item)], before);
    before = model.item_count[static_cast<size_t>(item)];
    ++length;
  }
  EXPECT_EQ(length, 30 - model.history.row(6).size());
  EXPECT_NEAR(lists.row_scores(0)[0], score_of(model, 5, lists.row(0)[0]), kRounding);
  EXPECT_NEAR(lists.row_scores(2)[0], score_of(model, 7, lists.row(2)[0]), kRounding);

  // Where values are predicted the same items come with what is predicted for them, the mean.
  model.predicts_values = true;
  model.global_mean = 3.5f;
  const TopK predicted = Recommender(ctx, model).for_users(std::vector<int32_t>{6}, 30, {{&model.history}});
  EXPECT_TRUE(std::ranges::equal(predicted.row(0), lists.row(1)));
  for (size_t r = 0; r < length; ++r) EXPECT_EQ(predicted.scores[r], 3.5f);
}

/// With biases it has something to say of everybody: mean and item bias.
TEST(Recommender, BiasesAreKnownForPeopleOfWhomNothingIs) {
  FittedModel model = random_factors(3, 4, 6, 4, true);
  model.predicts_values = true;
  model.global_mean = 3.5f;
  const auto& bias = std::get<Factors>(model.scorer).item_bias;
  Context ctx({.device = "cpu", .threads = 1});
  const TopK list = Recommender(ctx, model).for_users(std::vector<int32_t>{-1}, 1, {});
  const auto best = std::ranges::max_element(bias);
  EXPECT_EQ(list.items[0], best - bias.begin());
  EXPECT_FLOAT_EQ(list.scores[0], 3.5f + *best);
}

TEST(Recommender, HistoriesInBatchesAreHistoriesAlone) {
  FittedModel model = random_factors(5, 6, 30, 4, false);
  AlsFoldIn recipe;
  recipe.params.objective = AlsObjective::kIals;
  recipe.params.regularization = 0.1f;
  recipe.alpha = 1;
  model.fold_in = recipe;
  std::mt19937 random(2);
  const HostCsr histories = random_csr(random, 4099, 30, 0.1);  // more than one batch
  Context ctx({.device = "cpu", .threads = 2});
  Recommender recommender(ctx, model);
  const TopK all = recommender.for_histories(histories, 5, {.refused = {&histories}});
  for (const int64_t q : {0, 4095, 4096, 4098}) {
    const HostCsr own = slice_rows(histories, q, 1);
    const TopK alone = recommender.for_histories(own, 5, {.refused = {&own}});
    EXPECT_TRUE(std::ranges::equal(alone.row(0), all.row(q))) << q;
    EXPECT_TRUE(std::ranges::equal(alone.row_scores(0), all.row_scores(q))) << q;
  }
}

TEST(Recommender, ConstantModelsRankAllAlike) {
  FittedModel model;
  model.model = "popularity";
  model.users = test::numbered(3);
  model.items = test::numbered(5);
  model.scorer = Constant{{4, 9, 1, 9, 0}};
  model.item_count = {4, 9, 1, 9, 0};
  model.history = {{0, 1, 1, 3}, {1, 0, 3}, {}, 5};
  Context ctx({.device = "cpu", .threads = 1});
  Recommender recommender(ctx, model);
  const TopK lists = recommender.for_users(std::vector<int32_t>{0, 1, 2}, 3, {{&model.history}});
  EXPECT_EQ(lists.items, (std::vector<int32_t>{3, 0, 2, 1, 3, 0, 1, 2, 4}));
  const HostCsr own{{0, 1}, {1}, {1}, 5};
  EXPECT_EQ(recommender.for_histories(own, 2, {.refused = {&own}}).items, (std::vector<int32_t>{3, 0}));
  EXPECT_EQ(recommender.for_histories(own, 2, {}).items, (std::vector<int32_t>{1, 3}));
  EXPECT_EQ(recommender.score(std::vector<int32_t>{0, -1, 2}, std::vector<int32_t>{2, 1, -1}),
            (std::vector<float>{1, 9, 0}));
  try {
    recommender.similar_items(std::vector<int32_t>{0}, 3, Similarity::kDot);
    FAIL() << "popularity has no vectors";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("'popularity' has no factors"));
  }
}

TEST(Recommender, PairsOfWhichOneSideIsUnknownKeepTheOther) {
  FittedModel model = random_factors(3, 4, 6, 3, true);
  model.global_mean = 3;
  const auto& f = std::get<Factors>(model.scorer);
  Context ctx({.device = "cpu", .threads = 1});
  const auto scores = Recommender(ctx, model).score(std::vector<int32_t>{-1, 2, -1}, std::vector<int32_t>{4, -1, -1});
  EXPECT_FLOAT_EQ(scores[0], 3 + f.item_bias[4]);
  EXPECT_FLOAT_EQ(scores[1], 3 + f.user_bias[2]);
  EXPECT_FLOAT_EQ(scores[2], 3);
}

TEST(Recommender, SimilarItemsKeepToWhatIsAllowed) {
  const FittedModel model = model_of(kShapes[0]);
  std::vector<uint8_t> allowed(47, 0);
  allowed[4] = allowed[9] = allowed[20] = 1;
  Context ctx({.device = "cpu", .threads = 1});
  Recommender recommender(ctx, model);
  for (const Similarity similarity : {Similarity::kDot, Similarity::kCosine, Similarity::kEuclidean}) {
    const TopK list = recommender.similar_items(std::vector<int32_t>{9}, 5, similarity, {.allowed = allowed});
    std::vector<int32_t> found(list.items.begin(), list.items.begin() + 2);
    std::ranges::sort(found);
    EXPECT_EQ(found, (std::vector<int32_t>{4, 20}));
    EXPECT_EQ(list.items[2], -1);
    const float middle = (list.scores[0] + list.scores[1]) / 2;
    const TopK best =
        recommender.similar_items(std::vector<int32_t>{9}, 5, similarity, {.allowed = allowed, .min_score = middle});
    EXPECT_EQ(best.items, (std::vector<int32_t>{list.items[0], -1, -1, -1, -1}));
  }
}

double similarity_of(std::span<const float> x, std::span<const float> y, Similarity similarity) {
  double dot = 0, xx = 0, yy = 0, gap = 0;
  for (size_t k = 0; k < x.size(); ++k) {
    dot += double{x[k]} * y[k], xx += double{x[k]} * x[k], yy += double{y[k]} * y[k];
    gap += (double{x[k]} - y[k]) * (double{x[k]} - y[k]);
  }
  if (similarity == Similarity::kCosine) return xx > 0 && yy > 0 ? dot / std::sqrt(xx * yy) : 0;
  return similarity == Similarity::kEuclidean ? -std::sqrt(gap) : dot;
}

TEST(Recommender, SimilarRowsAreTheNearestButNotThemselves) {
  FittedModel model = random_factors(9, 25, 40, 5, true);
  auto& items = std::get<Factors>(model.scorer).items;
  std::ranges::copy(items.row(3), items.row(17).begin());  // twins
  std::ranges::fill(items.row(8), 0.f);                    // no direction
  Context ctx({.device = "cpu", .threads = 2});
  Recommender recommender(ctx, model);
  for (const bool of_users : {false, true}) {
    const auto& table = of_users ? std::get<Factors>(model.scorer).users : items;
    const std::vector<int32_t> rows{3, 8, 0, 3};
    for (const Similarity similarity : {Similarity::kDot, Similarity::kCosine, Similarity::kEuclidean}) {
      const int k = 45;  // more than there are
      const TopK lists =
          of_users ? recommender.similar_users(rows, k, similarity) : recommender.similar_items(rows, k, similarity);
      for (size_t q = 0; q < rows.size(); ++q) {
        std::vector<double> expected;
        for (int64_t r = 0; r < table.rows; ++r)
          if (r != rows[q]) expected.push_back(similarity_of(table.row(rows[q]), table.row(r), similarity));
        std::ranges::sort(expected, std::greater<>());
        const auto list = lists.row(static_cast<int64_t>(q));
        for (size_t r = 0; r < list.size(); ++r) {
          if (r >= expected.size()) {
            EXPECT_EQ(list[r], -1);
            continue;
          }
          ASSERT_GE(list[r], 0);
          EXPECT_NE(list[r], rows[q]);
          const float score = lists.row_scores(static_cast<int64_t>(q))[r];
          EXPECT_NEAR(score, expected[r], kRounding);
          EXPECT_NEAR(score, similarity_of(table.row(rows[q]), table.row(list[r]), similarity), kRounding);
        }
      }
      if (!of_users && similarity == Similarity::kEuclidean) {
        EXPECT_EQ(lists.row(0)[0], 17);
        EXPECT_EQ(lists.row_scores(0)[0], 0);
      }
    }
  }
}

}  // namespace
}  // namespace kindred
