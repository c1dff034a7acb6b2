// SPDX-License-Identifier: Apache-2.0
// Rows for histories and the split of a score: the same row problem as in training, against its float64 definition.
#include "engine/recommend/fold_in.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/core/error.hpp"
#include "kernels/memory.hpp"
#include "tests/engine/recommend/random_models.hpp"
#include "tests/reference/als.hpp"

namespace kindred {
namespace {

using test::random_csr, test::random_factors;
using testing::HasSubstr;

struct Recipe {
  const char* name;
  AlsObjective objective;
  float alpha;
  bool log_confidence, biases;
};

const Recipe kRecipes[] = {
    {"ials", AlsObjective::kIals, 0, false, false},
    {"ials_weighted", AlsObjective::kIals, 2, true, false},
    {"hu_koren", AlsObjective::kHuKoren, 1.5f, false, false},
    {"explicit_plain", AlsObjective::kExplicit, 0, false, false},
    {"explicit_biases", AlsObjective::kExplicit, 0, false, true},
};

constexpr int64_t kItems = 60, kFactors = 8;

FittedModel model_of(const Recipe& recipe) {
  FittedModel model = random_factors(21, 30, kItems, kFactors, recipe.biases);
  AlsFoldIn fold_in;
  fold_in.params.objective = recipe.objective;
  fold_in.params.solver = AlsSolver::kCg;  // a new row is solved exactly all the same
  fold_in.params.regularization = 0.1f;
  fold_in.params.unobserved_weight = 0.2f;
  fold_in.params.biases = recipe.biases;
  if (recipe.objective == AlsObjective::kExplicit) fold_in.params.mean = model.global_mean = 2.75f;
  fold_in.alpha = recipe.alpha;
  fold_in.log_confidence = recipe.log_confidence;
  model.fold_in = fold_in;
  return model;
}

std::vector<float> solver_values(const Recipe& recipe, std::span<const float> ratings) {
  std::vector<float> out(ratings.begin(), ratings.end());
  if (recipe.objective != AlsObjective::kExplicit)
    for (float& v : out) v = 1 + recipe.alpha * (recipe.log_confidence ? std::log1p(v) : v);
  return out;
}

/// The item table with the biases as its last column where there are any.
std::vector<float> fixed_table(const FittedModel& model) {
  const auto& f = std::get<Factors>(model.scorer);
  std::vector<float> out;
  for (int64_t i = 0; i < f.items.rows; ++i) {
    out.insert(out.end(), f.items.row(i).begin(), f.items.row(i).end());
    if (!f.item_bias.empty()) out.push_back(f.item_bias[static_cast<size_t>(i)]);
  }
  return out;
}

const AlsParams& params(const FittedModel& model) { return std::get<AlsFoldIn>(model.fold_in).params; }

class FoldIn : public testing::TestWithParam<Recipe> {};

INSTANTIATE_TEST_SUITE_P(Recipes, FoldIn, testing::ValuesIn(kRecipes),
                         [](const auto& tested) { return tested.param.name; });

TEST_P(FoldIn, IsAHalfSweepOfTraining) {
  const FittedModel model = model_of(GetParam());
  Context ctx({.device = "cpu", .threads = 2});
  const FoldedIn folded = fold_in_rows(ctx, model, model.history);

  AlsParams exact = params(model);
  exact.solver = AlsSolver::kCholesky;
  const std::vector<float> fixed = fixed_table(model), values = solver_values(GetParam(), model.history.values);
  const int64_t width = kFactors + exact.biases;
  const ResidentCsr rows(ctx, model.history.offsets, model.history.indices, values, kItems, "history");
  Matrix<float> solved(ctx, 30, width, "users");
  als_half_sweep(ctx, rows.view(), Resident<float>(ctx, fixed, "items").matrix(width), solved.view(), exact);
  ctx.wait();
  for (int64_t u = 0; u < 30; ++u) {
    const auto row = std::span(solved.view().row(u), static_cast<size_t>(width));
    EXPECT_TRUE(std::ranges::equal(folded.factors.row(u), row.first(kFactors))) << "user " << u;
    if (exact.biases) {
      EXPECT_EQ(folded.bias[static_cast<size_t>(u)], row.back());
    }

    // And it solves the system of the definition: a backward error of one rounding an addition.
    const auto system = reference::als_system(
        model.history.row(u),
        std::span(values).subspan(static_cast<size_t>(model.history.offsets[static_cast<size_t>(u)]),
                                  model.history.row(u).size()),
        fixed, static_cast<size_t>(width), exact);
    const reference::Vector x(row.begin(), row.end());
    auto residual = reference::multiply(system.a, x);
    for (size_t k = 0; k < residual.size(); ++k) residual[k] -= system.b[k];
    const double size = std::sqrt(reference::dot(system.a, system.a) * reference::dot(x, x)) +
                        std::sqrt(reference::dot(system.b, system.b));
    EXPECT_LE(std::sqrt(reference::dot(residual, residual)), static_cast<double>(2 * kItems) * 0x1p-24 * size);
  }
}

TEST_P(FoldIn, OfOneIsAsOfMany) {
  const FittedModel model = model_of(GetParam());
  Context ctx({.device = "cpu", .threads = 2});
  const FoldedIn all = fold_in_rows(ctx, model, model.history);
  for (const int64_t user : {0, 7, 29}) {
    const auto row = model.history.row(user);
    const auto values = model.history.row_values(user);
    const HostCsr alone{
        {0, static_cast<int64_t>(row.size())}, {row.begin(), row.end()}, {values.begin(), values.end()}, kItems};
    EXPECT_TRUE(std::ranges::equal(fold_in_rows(ctx, model, alone).factors.row(0), all.factors.row(user)));
  }
}

TEST_P(FoldIn, PartsAddUpToTheScore) {
  const FittedModel model = model_of(GetParam());
  const auto& f = std::get<Factors>(model.scorer);
  Context ctx({.device = "cpu", .threads = 2});
  Recommender recommender(ctx, model);
  std::vector<int32_t> items(kItems);
  for (int32_t i = 0; i < kItems; ++i) items[static_cast<size_t>(i)] = i;
  for (int32_t user = 0; user < 30; ++user) {
    const auto history = model.history.row(user);
    const auto reasons = recommender.explain(user, items);
    if (history.empty()) {
      EXPECT_TRUE(reasons.empty());
      continue;
    }
    ASSERT_EQ(reasons.size(), items.size());
    const auto values = solver_values(GetParam(), model.history.row_values(user));
    const auto x = reference::solve(
        reference::als_system(history, values, fixed_table(model), kFactors + GetParam().biases, params(model)));
    for (const int32_t item : items) {
      double expected = 0, magnitude = 0, sum = 0;
      for (size_t k = 0; k < kFactors; ++k) expected += x[k] * f.items.row(item)[k];
      if (GetParam().biases) expected += x[kFactors];  // the user's bias came from the history too
      const auto& parts = reasons[static_cast<size_t>(item)];
      ASSERT_EQ(parts.size(), history.size());
      std::vector<int32_t> named;
      for (size_t e = 0; e < parts.size(); ++e) {
        EXPECT_LE(parts[e].part, parts[e == 0 ? 0 : e - 1].part);
        named.push_back(parts[e].row);
        sum += parts[e].part;
        magnitude += std::abs(parts[e].part);
      }
      std::ranges::sort(named);
      EXPECT_TRUE(std::ranges::equal(named, history));
      EXPECT_NEAR(sum, expected, 1e-4 * magnitude);
    }
  }
}

TEST_P(FoldIn, ListsForAHistoryAreThoseOfItsRow) {
  FittedModel model = model_of(GetParam());
  Context ctx({.device = "cpu", .threads = 2});
  const FoldedIn folded = fold_in_rows(ctx, model, model.history);
  const TopK lists = Recommender(ctx, model).for_histories(model.history, 12, {.refused = {&model.history}});
  auto& f = std::get<Factors>(model.scorer);
  f.users = folded.factors;  // as if everybody had been in the model with that row
  f.user_bias = folded.bias;
  const TopK expected = Recommender(ctx, model)
                            .for_users(
                                [] {
                                  std::vector<int32_t> rows;
                                  for (int32_t u = 0; u < 30; ++u) rows.push_back(u);
                                  return rows;
                                }(),
                                12, {{&model.history}});
  EXPECT_EQ(lists.items, expected.items);
  EXPECT_EQ(lists.scores, expected.scores);
}

/// Multiples of 2^-8 below 2, which add and subtract without rounding.
void coarsen(std::vector<float>& values) {
  for (float& v : values) v = std::round(std::clamp(v, -2.f, 2.f) * 256) / 256;
}

// A model that was fitted on normalized values answers a history as the plain model answers its normalized values, on
// the scale of the history.
TEST_P(FoldIn, NormalizesAHistoryAndPutsItBack) {
  const Recipe& recipe = GetParam();
  const bool values = recipe.objective == AlsObjective::kExplicit;
  Context ctx({.device = "cpu", .threads = 2});
  for (const Normalize method : {Normalize::kDivideUserMean, Normalize::kSubtractUserMean, Normalize::kSubtractItemMean,
                                 Normalize::kZScore, Normalize::kBaseline}) {
    if (!values && method != Normalize::kDivideUserMean) continue;  // the others give values below 0
    FittedModel plain = model_of(recipe);
    plain.predicts_values = values;
    auto& bias = std::get<Factors>(plain.scorer).item_bias;
    coarsen(bias);
    FittedModel model = plain;
    model.normalization = {.method = method, .mean = 3, .deviation = 1.25f, .damping = 15, .items = {}};
    if (method == Normalize::kSubtractItemMean || method == Normalize::kBaseline) {
      for (int64_t i = 0; i < kItems; ++i) model.normalization.items.push_back(static_cast<float>(i % 7) / 4 - 0.5f);
      auto& both = std::get<Factors>(model.scorer).item_bias;
      both.resize(kItems);
      for (size_t i = 0; i < kItems; ++i) both[i] += model.normalization.items[i];
    }
    HostCsr normal = plain.history;
    std::vector<UserScale> scales;
    for (int64_t u = 0; u < normal.rows(); ++u) {
      scales.push_back(user_scale(model.normalization, normal.row(u), normal.row_values(u)));
      for (auto e = static_cast<size_t>(normal.offsets[static_cast<size_t>(u)]);
           e < static_cast<size_t>(normal.offsets[static_cast<size_t>(u) + 1]); ++e)
        normal.values[e] = normalized(model.normalization, scales.back(), normal.indices[e], normal.values[e]);
    }
    const FoldedIn found = fold_in_rows(ctx, model, model.history), expected = fold_in_rows(ctx, plain, normal);
    EXPECT_EQ(found.factors.data, expected.factors.data) << static_cast<int>(method);
    EXPECT_EQ(found.bias, expected.bias);

    Recommender with(ctx, model), without(ctx, plain);
    const TopK lists = with.for_histories(model.history, kItems, {});
    const TopK raw = without.for_histories(normal, kItems, {});
    std::vector<int32_t> items(kItems);
    for (int32_t i = 0; i < kItems; ++i) items[static_cast<size_t>(i)] = i;
    for (int64_t u = 0; u < normal.rows(); ++u) {
      if (normal.row(u).empty()) continue;
      const UserScale scale = values ? scales[static_cast<size_t>(u)] : UserScale{};
      std::vector<double> scores(kItems);
      for (size_t r = 0; r < kItems; ++r) scores[static_cast<size_t>(raw.row(u)[r])] = raw.row_scores(u)[r];
      for (size_t r = 0; r < kItems; ++r) {
        const int32_t item = lists.row(u)[r];
        const double score =
            scale.offset + scale.scale * (scores[static_cast<size_t>(item)] + double{model.normalization.item(item)});
        EXPECT_NEAR(lists.row_scores(u)[r], score, 1e-5 * (1 + std::abs(score)));
      }
      const auto parts = with.explain_history(model.history.row(u), model.history.row_values(u), items);
      const auto plain_parts = without.explain_history(normal.row(u), normal.row_values(u), items);
      for (size_t i = 0; i < kItems; ++i) {
        double sum = 0, plain_sum = 0, size = 0;
        for (const Reason& part : parts[i]) sum += part.part, size += std::abs(part.part);
        for (const Reason& part : plain_parts[i]) plain_sum += part.part;
        EXPECT_NEAR(sum, scale.scale * plain_sum, 1e-5 * (1 + size));
      }
    }
  }
}

// Items are 2 e1, 3 e2 and e1 (of three columns, the last of zeros): each column's share of the history over its
// square.
TEST(SvdFoldIn, ProjectsAHistoryAndTakesItsScoresApart) {
  FittedModel model = model_of(kRecipes[0]);
  Factors factors{HostMatrix(1, 3), HostMatrix(3, 3), {}, {}};
  factors.items.data = {2, 0, 0, 0, 3, 0, 1, 0, 0};
  model.scorer = factors;
  model.fold_in = SvdFoldIn{};
  Context ctx({.device = "cpu", .threads = 1});
  const HostCsr history{{0, 2, 2}, {0, 1}, {5.f, 4.f}, 3};
  const FoldedIn found = fold_in_rows(ctx, model, history);
  EXPECT_EQ(found.factors.data, (std::vector<float>{2, 4 / 3.f, 0, 0, 0, 0}));
  const auto reasons =
      explain_row(model, shared_part(ctx, model), history.row(0), history.row_values(0), std::vector<int32_t>{0, 1, 2});
  ASSERT_EQ(reasons.size(), 3u);
  EXPECT_EQ(reasons[2][0].row, 0);
  EXPECT_FLOAT_EQ(reasons[2][0].part, 2);
  EXPECT_FLOAT_EQ(reasons[2][1].part, 0);
  EXPECT_FLOAT_EQ(reasons[1][0].part, 4);
}

TEST(FoldInErrors, AMeanThatCannotDivide) {
  FittedModel model = model_of(kRecipes[3]);
  model.normalization = {.method = Normalize::kDivideUserMean, .mean = 3, .deviation = 1, .damping = 0, .items = {}};
  Context ctx({.device = "cpu", .threads = 1});
  const HostCsr history{{0, 2}, {4, 5}, {-1.5f, 1.f}, kItems};
  try {
    fold_in_rows(ctx, model, history);
    FAIL();
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("history: the mean of its values is -0.25; the model divides by it"));
  }
}

TEST(FoldInErrors, NegativeValuesAndModelsWithoutARecipe) {
  FittedModel model = model_of(kRecipes[0]);
  Context ctx({.device = "cpu", .threads = 1});
  const HostCsr history{{0, 1}, {4}, {-1.5f}, kItems};
  try {
    fold_in_rows(ctx, model, history);
    FAIL();
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("the value -1.5 is below 0"));
  }
  model.fold_in = NoFoldIn{};
  try {
    fold_in_rows(ctx, model, history);
    FAIL();
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("cannot fold in a history"));
  }
  EXPECT_TRUE(Recommender(ctx, model).explain(0, std::vector<int32_t>{1}).empty());
}

}  // namespace
}  // namespace kindred
