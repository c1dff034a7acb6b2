// SPDX-License-Identifier: Apache-2.0
// Normalized values and their way back, against the definitions in float64.
#include "engine/data/normalize.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "data_files.hpp"

namespace kindred {
namespace {

constexpr Normalize kMethods[] = {Normalize::kDivideUserMean, Normalize::kSubtractUserMean,
                                  Normalize::kSubtractItemMean, Normalize::kZScore, Normalize::kBaseline};

Interactions random_ratings(uint32_t seed, int64_t users, int64_t items, double density) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> uniform(0, 1);
  Interactions all;
  std::vector<int64_t> user_ids, item_ids;
  all.matrix.cols = items;
  for (int64_t i = 0; i < items; ++i) item_ids.push_back(i);
  for (int64_t u = 0; u < users; ++u) {
    user_ids.push_back(u);
    for (int32_t i = 0; i < items; ++i) {
      if (u % 10 == 9 || i % 10 == 9 || uniform(random) >= density) continue;  // some users and items have nothing
      all.matrix.indices.push_back(i);
      const double value = 1 + std::floor(9 * uniform(random)) / 2;
      all.matrix.values.push_back(u % 10 == 8 ? 4 : static_cast<float>(value));  // and some always say the same
    }
    all.matrix.offsets.push_back(all.matrix.nnz());
  }
  all.users = std::make_shared<const Ids>(Ids::integers(user_ids));
  all.items = std::make_shared<const Ids>(Ids::integers(item_ids));
  return all;
}

/// The definitions, with dense loops.
struct Reference {
  std::vector<std::vector<std::pair<int64_t, double>>> of_user, of_item;
  double mean = 0, deviation = 0;
  std::vector<double> user_mean, user_deviation, item_mean, user_bias, item_bias;

  explicit Reference(const HostCsr& m) : of_user(static_cast<size_t>(m.rows())), of_item(static_cast<size_t>(m.cols)) {
    std::vector<double> values;
    for (int64_t u = 0; u < m.rows(); ++u)
      for (size_t e = 0; e < m.row(u).size(); ++e) {
        const int32_t i = m.row(u)[e];
        const double value = m.row_values(u)[e];
        of_user[static_cast<size_t>(u)].emplace_back(i, value);
        of_item[static_cast<size_t>(i)].emplace_back(u, value);
        values.push_back(value);
      }
    mean = mean_of(values);
    deviation = deviation_of(values, mean);
    for (const auto& row : of_user) {
      user_mean.push_back(row.empty() ? mean : mean_of(seconds(row)));
      const double own = row.empty() ? 0 : deviation_of(seconds(row), user_mean.back());
      user_deviation.push_back(own > 0 ? own : deviation);
    }
    for (const auto& row : of_item) item_mean.push_back(row.empty() ? mean : mean_of(seconds(row)));
    user_bias.resize(of_user.size());
    item_bias.resize(of_item.size());
    for (int round = 0; round < 10; ++round) {
      for (size_t i = 0; i < of_item.size(); ++i) {
        double sum = 0;
        for (const auto& [u, value] : of_item[i]) sum += value - mean - user_bias[static_cast<size_t>(u)];
        item_bias[i] = sum / (10 + static_cast<double>(of_item[i].size()));
      }
      for (size_t u = 0; u < of_user.size(); ++u) {
        double sum = 0;
        for (const auto& [i, value] : of_user[u]) sum += value - mean - item_bias[static_cast<size_t>(i)];
        user_bias[u] = sum / (15 + static_cast<double>(of_user[u].size()));
      }
    }
  }
  static std::vector<double> seconds(const std::vector<std::pair<int64_t, double>>& row) {
    std::vector<double> out;
    for (const auto& [other, value] : row) out.push_back(value);
    return out;
  }
  static double mean_of(const std::vector<double>& values) {
    double sum = 0;
    for (const double v : values) sum += v;
    return sum / static_cast<double>(values.size());
  }
  static double deviation_of(const std::vector<double>& values, double mean) {
    double sum = 0;
    for (const double v : values) sum += (v - mean) * (v - mean);
    return std::sqrt(sum / static_cast<double>(values.size()));
  }
  /// The value that a normalized one stands for.
  double value(Normalize method, size_t u, size_t i, double normal) const {
    switch (method) {
      case Normalize::kNone:
        break;
      case Normalize::kDivideUserMean:
        return user_mean[u] * normal;
      case Normalize::kSubtractUserMean:
        return user_mean[u] + normal;
      case Normalize::kSubtractItemMean:
        return item_mean[i] + normal;
      case Normalize::kZScore:
        return user_mean[u] + user_deviation[u] * normal;
      case Normalize::kBaseline:
        return mean + user_bias[u] + item_bias[i] + normal;
    }
    return normal;
  }
};

FittedModel constant_model(const Interactions& train, float score) {
  FittedModel model;
  model.users = train.users;
  model.items = train.items;
  model.scorer = Constant{std::vector<float>(static_cast<size_t>(train.num_items()), score)};
  model.predicts_values = true;
  return model;
}

double predicted(const FittedModel& model, size_t u, size_t i) {
  return model.user_offset[u] + double{model.user_scale[u]} * std::get<Constant>(model.scorer).items[i];
}

// A value of 5 and a mean of 3 in float: differences keep 2^-22 or better, scales multiply that by at most 10.
constexpr double kTolerance = 1e-5;

TEST(Normalize, ByItsDefinitionAndBackAgain) {
  Context ctx({.device = "cpu", .threads = 2});
  for (const Normalize method : kMethods) {
    Interactions train = random_ratings(31, 60, 40, 0.3);
    const HostCsr before = train.matrix;
    const Reference reference(before);
    FittedModel zero = constant_model(train, 0), one = constant_model(train, 1);
    {
      const NormalizedTrain normalized(ctx, train, method);
      normalized.undo(zero);
      normalized.undo(one);
      EXPECT_NE(train.matrix.values, before.values);
      for (size_t u = 0, e = 0; u < 60; ++u)
        for (; e < static_cast<size_t>(before.offsets[u + 1]); ++e)
          EXPECT_NEAR(reference.value(method, u, static_cast<size_t>(before.indices[e]), train.matrix.values[e]),
                      before.values[e], kTolerance)
              << static_cast<int>(method);
    }
    EXPECT_EQ(train.matrix.values, before.values);  // the very same
    // A model that always says 0, or 1, on the normalized scale: the means themselves.
    for (size_t u = 0; u < 60; ++u)
      for (size_t i = 0; i < 40; ++i) {
        EXPECT_NEAR(predicted(zero, u, i), reference.value(method, u, i, 0), kTolerance);
        EXPECT_NEAR(predicted(one, u, i), reference.value(method, u, i, 1), kTolerance);
      }
    for (size_t i = 0; i < 40; ++i)
      EXPECT_NEAR(zero.item_mean[i], reference.of_item[i].empty() ? 0 : reference.item_mean[i], kTolerance);
  }
}

// A new history gets what a training user with the same history got.
TEST(Normalize, HistoriesAsTheUsersOfTraining) {
  Context ctx({.device = "cpu", .threads = 2});
  for (const Normalize method : kMethods) {
    Interactions train = random_ratings(32, 50, 50, 0.3);
    FittedModel model = constant_model(train, 0);
    NormalizedTrain(ctx, train, method).undo(model);
    EXPECT_EQ(model.normalization.method, method);
    for (int64_t u = 0; u < 50; ++u) {
      const UserScale scale = user_scale(model.normalization, train.matrix.row(u), train.matrix.row_values(u));
      EXPECT_EQ(scale.offset, model.user_offset[static_cast<size_t>(u)]);
      EXPECT_EQ(scale.scale, model.user_scale[static_cast<size_t>(u)]);
    }
  }
}

TEST(Normalize, ScoresThatAreNoValuesStay) {
  Context ctx({.device = "cpu", .threads = 1});
  Interactions train = random_ratings(33, 20, 20, 0.5);
  FittedModel model = constant_model(train, 3);
  model.predicts_values = false;
  NormalizedTrain(ctx, train, Normalize::kDivideUserMean).undo(model);
  EXPECT_TRUE(model.user_scale.empty() && model.user_offset.empty());
  EXPECT_EQ(std::get<Constant>(model.scorer).items, std::vector<float>(20, 3));
  EXPECT_EQ(model.normalization.method, Normalize::kDivideUserMean);
}

TEST(Normalize, NoneAndThreadsDoNotShow) {
  const Interactions ratings = random_ratings(34, 2000, 300, 0.05);
  Context ctx({.device = "cpu", .threads = 1});
  for (const Normalize method : kMethods) {
    std::vector<float> first;
    for (const int threads : {1, 2, 5}) {
      Context many({.device = "cpu", .threads = threads});
      Interactions train = ratings;
      const NormalizedTrain normalized(many, train, method);
      if (first.empty()) first = train.matrix.values;
      EXPECT_EQ(train.matrix.values, first);
    }
  }
  Interactions train = ratings;
  FittedModel model = constant_model(train, 2);
  const NormalizedTrain none(ctx, train, Normalize::kNone);
  none.undo(model);
  EXPECT_EQ(train.matrix.values, ratings.matrix.values);
  EXPECT_TRUE(model.user_offset.empty());
}

TEST(Normalize, ValuesThatDoNotAllowIt) {
  Context ctx({.device = "cpu", .threads = 1});
  const auto error = [&](std::vector<float> values, Normalize method) {
    Interactions train = random_ratings(35, 2, 2, 0);
    train.matrix = {{0, 1, 2}, {0, 1}, std::move(values), 2};
    return test::input_error([&] { NormalizedTrain(ctx, train, method); });
  };
  EXPECT_EQ(
      error({}, Normalize::kZScore),
      "data.normalize: the interactions have no values, each counts 1; set data.columns.value, or remove the key");
  EXPECT_EQ(error({3, -1}, Normalize::kDivideUserMean),
            "data.normalize = \"divide-user-mean\": user '1' has the mean -1; expected means above 0, which "
            "data.min_value or \"subtract-user-mean\" may give");
  EXPECT_EQ(error({3, -1}, Normalize::kSubtractUserMean), "no InputError");
}

}  // namespace
}  // namespace kindred
