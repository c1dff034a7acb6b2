// SPDX-License-Identifier: Apache-2.0
// Models of neighbors against the definition of their scores in float64.
#include "engine/recommend/neighbor_scores.hpp"

#include <gmock/gmock.h>

#include <numeric>

#include "engine/core/error.hpp"
#include "tests/engine/recommend/random_models.hpp"

namespace kindred {
namespace {

using test::contains, test::random_csr;
using testing::HasSubstr;
using testing::ThrowsMessage;

constexpr int64_t kUsers = 31, kItems = 43;

struct Shape {
  const char* name;
  NeighborsOf of;
  bool average, center, bias;
  int used;
  Normalize normalize;
};

const Shape kShapes[] = {
    {"items_sum", NeighborsOf::kItems, false, false, false, 0, Normalize::kNone},
    {"items_sum_biased", NeighborsOf::kItems, false, false, true, 0, Normalize::kNone},
    {"items_sum_used", NeighborsOf::kItems, false, false, false, 3, Normalize::kNone},
    {"items_sum_divided", NeighborsOf::kItems, false, false, false, 0, Normalize::kDivideUserMean},
    {"items_average", NeighborsOf::kItems, true, true, false, 0, Normalize::kNone},
    {"items_average_used_zscore", NeighborsOf::kItems, true, true, false, 2, Normalize::kZScore},
    {"users_sum", NeighborsOf::kUsers, false, false, false, 0, Normalize::kNone},
    {"users_average_used", NeighborsOf::kUsers, true, true, false, 2, Normalize::kSubtractUserMean},
};

FittedModel model_of(const Shape& shape, uint32_t seed = 7) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, 1);
  FittedModel out;
  out.model = shape.of == NeighborsOf::kItems ? "item-knn" : "user-knn";
  out.users = test::numbered(kUsers);
  out.items = test::numbered(kItems);
  out.history = random_csr(random, kUsers, kItems, 0.2);
  out.item_count.resize(kItems);
  for (const int32_t item : out.history.indices) ++out.item_count[static_cast<size_t>(item)];
  out.normalization = {shape.normalize, 3, 1.5f, 0, {}};
  out.predicts_values = shape.average;
  if (shape.average && shape.normalize != Normalize::kNone)
    for (int64_t u = 0; u < kUsers; ++u) {
      const UserScale scale = user_scale(out.normalization, out.history.row(u), out.history.row_values(u));
      out.user_offset.push_back(scale.offset);
      out.user_scale.push_back(scale.scale);
    }
  Neighbors scorer;
  scorer.of = shape.of;
  const int64_t rows = shape.of == NeighborsOf::kItems ? kItems : kUsers;
  scorer.weights.cols = rows;
  for (int32_t r = 0; r < rows; ++r) {
    std::vector<std::pair<float, int32_t>> list;  // some weights below 0, as EASE has them
    for (int32_t c = 0; c < rows; ++c)
      if (c != r && random() % 4 == 0) list.emplace_back(-(normal(random) + 1), c);
    std::ranges::sort(list);
    for (const auto& [weight, c] : list) scorer.weights.indices.push_back(c), scorer.weights.values.push_back(-weight);
    scorer.weights.offsets.push_back(scorer.weights.nnz());
  }
  scorer.weighted_average = shape.average;
  scorer.used = shape.used;
  for (int64_t i = 0; i < kItems; ++i) {
    if (shape.center) scorer.center.push_back(3 + normal(random));
    if (shape.bias) scorer.item_bias.push_back(normal(random));
  }
  out.scorer = std::move(scorer);
  out.fold_in = HistoryFoldIn{};
  return out;
}

struct Expected {
  double score = 0, size = 0;  // size: of the terms
  int neighbors = 0;
};

Expected score_of(const FittedModel& model, int64_t user, int32_t item) {
  const auto& n = std::get<Neighbors>(model.scorer);
  const HostCsr& h = model.history;
  const auto c = [&](int32_t i) { return n.center.empty() ? 0. : double{n.center[static_cast<size_t>(i)]}; };
  const auto residual = [&](int64_t u, int32_t i) {
    const auto row = h.row(u);
    const auto at = static_cast<size_t>(std::ranges::lower_bound(row, i) - row.begin());
    const UserScale scale = user_scale(model.normalization, row, h.row_values(u));
    return (h.row_values(u)[at] - double{scale.offset}) / scale.scale - c(i);
  };
  double sum = 0, weights = 0;
  Expected out;
  const int64_t target = n.of == NeighborsOf::kItems ? item : user;
  for (size_t e = 0; e < n.weights.row(target).size() && (n.used == 0 || out.neighbors < n.used); ++e) {
    const int32_t other = n.weights.row(target)[e];
    const double w = n.weights.row_values(target)[e];
    const bool items = n.of == NeighborsOf::kItems;
    if (!contains(h.row(items ? user : other), items ? other : item)) continue;
    const double term = w * (items ? residual(user, other) : residual(other, item));
    sum += term, weights += std::abs(w), out.size += std::abs(term), ++out.neighbors;
  }
  if (n.weighted_average) sum = weights > 0 ? sum / weights : 0, out.size = weights > 0 ? out.size / weights : 0;
  double raw = sum + c(item);
  if (!n.item_bias.empty()) raw += n.item_bias[static_cast<size_t>(item)];
  const auto u = static_cast<size_t>(user);
  const double offset = model.user_offset.empty() ? 0 : model.user_offset[u];
  const double scale = model.user_scale.empty() ? 1 : model.user_scale[u];
  out.score = offset + scale * raw;
  out.size = std::abs(offset) + scale * (out.size + std::abs(raw) + std::abs(c(item)));
  return out;
}

/// Values are rounded a few times on their way, sums are in fp64.
double rounding(const Expected& e) { return 8 * e.size * 0x1p-24 + 1e-30; }

std::vector<int32_t> everybody() {
  std::vector<int32_t> out(kUsers);
  std::iota(out.begin(), out.end(), 0);
  return out;
}

class OfNeighbors : public testing::TestWithParam<Shape> {
 protected:
  FittedModel model = model_of(GetParam());
  bool all_items = GetParam().average || GetParam().center || GetParam().bias;
  Context ctx{{.device = "cpu", .threads = 2}};
};
INSTANTIATE_TEST_SUITE_P(Models, OfNeighbors, testing::ValuesIn(kShapes),
                         [](const auto& tested) { return tested.param.name; });

TEST_P(OfNeighbors, ScoresOfPairs) {
  std::vector<int32_t> users, items;
  for (int32_t e = 0; e < 700; ++e) users.push_back(e / 5 * 7 % kUsers), items.push_back(e * 5 % kItems);
  const auto scores = Recommender(ctx, model).score(users, items);
  for (size_t e = 0; e < scores.size(); ++e) {
    const Expected expected = score_of(model, users[e], items[e]);
    EXPECT_NEAR(scores[e], expected.score, rounding(expected)) << users[e] << " " << items[e];
  }
}

TEST_P(OfNeighbors, ListsUnderFilters) {
  Recommender recommender(ctx, model);
  std::mt19937 random(8);
  for (int round = 0; round < 24; ++round) {
    std::vector<int32_t> users;
    for (int q = 0; q < 20; ++q) users.push_back(static_cast<int32_t>(random() % kUsers));
    const HostCsr refused = random_csr(random, 20, kItems, 0.2), candidates = random_csr(random, 20, kItems, 0.5);
    std::vector<uint8_t> allowed(kItems);
    for (auto& flag : allowed) flag = random() % 4 != 0;
    Filters filters;
    if (round % 2 == 0) filters.excluded = {&model.history};
    if (round % 3 != 0) filters.refused = {&refused};
    if (round % 4 < 2) filters.candidates = &candidates;
    if (round % 5 < 3) filters.allowed = allowed;
    const int k = round % 7 == 0 ? 47 : 6;
    const TopK lists = recommender.for_users(users, k, filters);
    for (int64_t q = 0; q < 20; ++q) {
      const int32_t user = users[static_cast<size_t>(q)];
      std::vector<Expected> expected;
      for (int32_t i = 0; i < kItems; ++i) {
        if ((!filters.excluded.empty() && contains(model.history.row(user), i)) ||
            (!filters.refused.empty() && contains(refused.row(q), i)) ||
            (filters.candidates != nullptr && !contains(candidates.row(q), i)) ||
            (!filters.allowed.empty() && allowed[static_cast<size_t>(i)] == 0))
          continue;
        expected.push_back(score_of(model, user, i));
        if (!all_items && expected.back().neighbors == 0) expected.pop_back();
      }
      std::ranges::sort(expected, std::greater<>(), &Expected::score);
      for (size_t r = 0; r < static_cast<size_t>(k); ++r) {
        const int32_t item = lists.row(q)[r];
        if (r >= expected.size()) {
          ASSERT_EQ(item, -1) << "round " << round << " rank " << r + 1;
          continue;
        }
        ASSERT_GE(item, 0) << "round " << round << " rank " << r + 1;
        const Expected own = score_of(model, user, item);
        EXPECT_NEAR(lists.row_scores(q)[r], own.score, rounding(own));
        EXPECT_NEAR(lists.row_scores(q)[r], expected[r].score, rounding(own) + rounding(expected[r]));
      }
    }
  }
}

TEST_P(OfNeighbors, ReasonsAddUpToTheScore) {
  Recommender recommender(ctx, model);
  const auto& n = std::get<Neighbors>(model.scorer);
  std::vector<int32_t> items(kItems);
  std::iota(items.begin(), items.end(), 0);
  for (int32_t user = 0; user < kUsers; ++user) {
    const auto reasons = recommender.explain(user, items);
    ASSERT_EQ(reasons.size(), items.size());
    for (const int32_t item : items) {
      const Expected expected = score_of(model, user, item);
      const auto& parts = reasons[static_cast<size_t>(item)];
      EXPECT_EQ(static_cast<int>(parts.size()), expected.neighbors);
      const auto i = static_cast<size_t>(item), u = static_cast<size_t>(user);
      double sum = (n.center.empty() ? 0. : double{n.center[i]}) + (n.item_bias.empty() ? 0. : double{n.item_bias[i]});
      if (!model.user_scale.empty()) sum = model.user_offset[u] + model.user_scale[u] * sum;
      for (size_t p = 0; p < parts.size(); ++p) {
        sum += parts[p].part;
        EXPECT_TRUE(p == 0 || parts[p - 1].part >= parts[p].part);
        const bool of_items = n.of == NeighborsOf::kItems;
        EXPECT_TRUE(contains(model.history.row(of_items ? user : parts[p].row), of_items ? parts[p].row : item));
      }
      EXPECT_NEAR(sum, expected.score, 2 * rounding(expected)) << user << " " << item;
    }
  }
}

TEST_P(OfNeighbors, ThreadsDoNotShow) {
  Context one({.device = "cpu", .threads = 1}), seven({.device = "cpu", .threads = 7});
  const auto users = everybody();
  const TopK a = Recommender(one, model).for_users(users, 9, {}), b = Recommender(seven, model).for_users(users, 9, {});
  EXPECT_EQ(a.items, b.items);
  EXPECT_EQ(a.scores, b.scores);
}

/// A history that somebody of the model has, too, gets what he gets.
TEST_P(OfNeighbors, HistoriesAreAnsweredAsUsers) {
  if (GetParam().of == NeighborsOf::kUsers) return;  // these find their neighbors anew: knn_test
  Recommender recommender(ctx, model);
  const TopK users = recommender.for_users(everybody(), 8, {}),
             others = recommender.for_histories(model.history, 8, {});
  EXPECT_EQ(users.items, others.items);
  EXPECT_EQ(users.scores, others.scores);
}

TEST_P(OfNeighbors, KeptSimilaritiesAnswer) {
  auto& n = std::get<Neighbors>(model.scorer);
  for (size_t e = 0; e < n.weights.indices.size(); ++e) n.similarity.push_back(static_cast<float>(e));
  Recommender recommender(ctx, model);
  const std::vector<int32_t> rows{4, 0, 4};
  std::vector<uint8_t> allowed(static_cast<size_t>(n.weights.cols), 1);
  allowed[static_cast<size_t>(n.weights.row(4)[1])] = 0;
  const auto ask = [&](Similarity similarity) {
    return GetParam().of == NeighborsOf::kItems ? recommender.similar_items(rows, 3, similarity, {.allowed = allowed})
                                                : recommender.similar_users(rows, 3, similarity, {.allowed = allowed});
  };
  const TopK lists = ask(Similarity::kModel);
  const auto begin = static_cast<size_t>(n.weights.offsets[4]);
  EXPECT_EQ(lists.row(0)[0], n.weights.row(4)[0]);
  EXPECT_EQ(lists.row_scores(0)[0], n.similarity[begin]);
  EXPECT_EQ(lists.row(0)[1], n.weights.row(4)[2]);
  EXPECT_TRUE(std::ranges::equal(lists.row(0), lists.row(2)));
  EXPECT_THAT([&] { ask(Similarity::kCosine); }, ThrowsMessage<InputError>(HasSubstr("leave --metric out")));
  const auto other_side = [&] {
    GetParam().of == NeighborsOf::kItems ? recommender.similar_users(rows, 3, Similarity::kModel)
                                         : recommender.similar_items(rows, 3, Similarity::kModel);
  };
  EXPECT_THAT(other_side, ThrowsMessage<InputError>(HasSubstr("no neighbors for it")));
}

TEST(NeighborsRecommender, PeopleOfWhomNothingIsKnownGetWhatIsPopular) {
  FittedModel model = model_of(kShapes[0]);
  Context ctx({.device = "cpu", .threads = 2});
  Recommender recommender(ctx, model);
  const HostCsr nothing = [] {
    HostCsr out;
    out.cols = kItems;
    out.offsets = {0, 0};
    return out;
  }();
  for (const TopK& list :
       {recommender.for_users(std::vector<int32_t>{-1}, 5, {}), recommender.for_histories(nothing, 5, {})})
    EXPECT_EQ(list.scores[0], static_cast<float>(*std::ranges::max_element(model.item_count)));
}

TEST(NeighborsRecommender, WithoutAHistoryItSaysWhatToDo) {
  for (const Shape& shape : {kShapes[0], kShapes[6]}) {
    FittedModel model = model_of(shape);
    const HostCsr history = std::move(model.history);
    model.history = {};
    Context ctx({.device = "cpu", .threads = 2});
    Recommender recommender(ctx, model);
    EXPECT_THAT([&] { recommender.for_users(std::vector<int32_t>{1}, 5, {}); },
                ThrowsMessage<InputError>(HasSubstr("keeps no history")));
    // It may lie elsewhere.
    model.history = history;
    const TopK here = Recommender(ctx, model).for_users(everybody(), 5, {});
    model.history = {};
    EXPECT_EQ(Recommender(ctx, model, &history).for_users(everybody(), 5, {}).items, here.items);
  }
}

}  // namespace
}  // namespace kindred
