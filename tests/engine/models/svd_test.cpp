// SPDX-License-Identifier: Apache-2.0
#include "engine/models/svd.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <memory>

#include "engine/core/error.hpp"
#include "tests/engine/models/three_users.hpp"
#include "tests/reference/svd.hpp"

namespace kindred {
namespace {

Interactions random_ratings(int users, int items, bool equal = false) {
  Interactions out;
  out.users = test::numbered(users);
  out.items = test::numbered(items);
  out.matrix.cols = items;
  uint32_t state = 1;
  for (int u = 0; u < users; ++u) {
    for (int i = 0; i < items; ++i) {
      state = state * 1664525 + 1013904223;
      if (!equal && (state >> 16) % 3 != 0) continue;
      out.matrix.indices.push_back(i);
      out.matrix.values.push_back(equal ? 3 : static_cast<float>((state >> 24) % 5 + 1));
    }
    out.matrix.offsets.push_back(out.matrix.nnz());
  }
  return out;
}

TEST(SvdModel, ScoresAreTheBestApproximationAndUsersAreProjections) {
  Context ctx{{.device = "cpu", .threads = 2}};
  const Interactions train = random_ratings(30, 20);
  const FittedModel model = fit_svd(ctx, train, {.factors = 5, .params = {.power_iterations = 20}});
  std::vector<double> dense(600);
  for (int64_t u = 0; u < 30; ++u)
    for (size_t e = 0; e < train.matrix.row(u).size(); ++e)
      dense[static_cast<size_t>(u * 20 + train.matrix.row(u)[e])] = double{train.matrix.row_values(u)[e]};
  const reference::Svd truth = reference::svd(dense, 30, 20);
  const auto& factors = std::get<Factors>(model.scorer);
  EXPECT_TRUE(std::holds_alternative<SvdFoldIn>(model.fold_in));
  for (int64_t u = 0; u < 30; ++u) {
    for (int64_t i = 0; i < 20; ++i) {
      double expected = 0, found = 0;
      for (size_t f = 0; f < 5; ++f) {
        expected += truth.values[f] * truth.left[f * 30 + static_cast<size_t>(u)] *
                    truth.right[f * 20 + static_cast<size_t>(i)];
        found += double{factors.users.row(u)[f]} * double{factors.items.row(i)[f]};
      }
      EXPECT_NEAR(found, expected, 1e-4 * truth.values[0]);
    }
    // What the recipe promises: a user's history, projected on the items, is his row.
    for (size_t f = 0; f < 5; ++f) {
      double sum = 0, square = 0;
      for (int64_t i = 0; i < 20; ++i) {
        const double y = double{factors.items.row(i)[f]};
        sum += dense[static_cast<size_t>(u * 20 + i)] * y, square += y * y;
      }
      EXPECT_NEAR(factors.users.row(u)[f], sum / square, 1e-4);
    }
  }
}

TEST(SvdModel, EqualRatingsHaveRankOne) {
  Context ctx{{.device = "cpu", .threads = 2}};
  const FittedModel model = fit_svd(ctx, random_ratings(12, 9, true), {.factors = 4, .params = {}});
  const auto& factors = std::get<Factors>(model.scorer);
  for (int64_t u = 0; u < 12; ++u)
    for (int64_t i = 0; i < 9; ++i) {
      double score = 0;
      for (size_t f = 0; f < 4; ++f) score += double{factors.users.row(u)[f]} * double{factors.items.row(i)[f]};
      EXPECT_NEAR(score, 3, 1e-4);
    }
  for (const float v : factors.items.data) EXPECT_TRUE(std::isfinite(v));
}

TEST(SvdModel, MoreFactorsThanItemsAreRefused) {
  Context ctx{{.device = "cpu", .threads = 1}};
  EXPECT_THAT([&] { fit_svd(ctx, random_ratings(12, 9), {.factors = 10, .params = {}}); },
              testing::ThrowsMessage<InputError>(testing::HasSubstr(
                  "model.factors is 10, a matrix of 12 users and 9 items has at most 9; lower model.factors")));
}

}  // namespace
}  // namespace kindred
