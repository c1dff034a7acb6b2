// SPDX-License-Identifier: Apache-2.0
// Fits on data with a planted structure: every half-sweep against its float64 definition, the loss, resuming, errors.
#include "engine/models/als.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "engine/core/error.hpp"
#include "tests/engine/models/three_users.hpp"
#include "tests/reference/als.hpp"

namespace kindred {
namespace {

using testing::AllOf;
using testing::HasSubstr;

/// Users and items of three tastes: users have mostly items of their taste. One user has nothing, one item nobody; one
/// user has every other item.
Interactions planted(int32_t users, int32_t items, bool stars, uint32_t seed = 7) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(0, 1);
  Interactions out;
  out.users = test::numbered(users, 100);
  out.items = test::numbered(items, 1000);
  out.matrix.cols = items;
  for (int32_t u = 0; u < users; ++u) {
    for (int32_t i = 0; i + 1 < items && u != 2; ++i) {
      const bool same = u % 3 == i % 3;
      if (u != 5 && uniform(random) > (same ? 0.4f : 0.05f)) continue;
      out.matrix.indices.push_back(i);
      out.matrix.values.push_back(stars ? (same ? 4.f : 2.f) + uniform(random) : 1 + std::floor(3 * uniform(random)));
    }
    out.matrix.offsets.push_back(out.matrix.nnz());
  }
  return out;
}

struct Case {
  std::string name;
  AlsObjective objective;
  std::string feedback;
  float alpha;
  bool log_confidence, biases;
  float exponent;
};

AlsOptions options_of(const Case& c, int epochs, AlsSolver solver = AlsSolver::kCholesky) {
  AlsOptions out;
  out.feedback = c.feedback;
  out.factors = 6;
  out.params.objective = c.objective;
  out.params.solver = solver;
  out.params.regularization = 0.05f;
  out.params.exponent = c.exponent;
  out.params.unobserved_weight = 0.1f;
  out.alpha = c.alpha;
  out.log_confidence = c.log_confidence;
  out.biases = c.biases;
  out.epochs = epochs;
  return out;
}

const Case kCases[] = {
    {"ials", AlsObjective::kIals, "implicit", 0, false, false, 1},
    {"ials weighted", AlsObjective::kIals, "implicit", 0.5f, true, false, 0.5f},
    {"hu-koren", AlsObjective::kHuKoren, "implicit", 2, false, false, 0},
    {"explicit", AlsObjective::kExplicit, "explicit", 0, false, false, 1},
    {"explicit with biases", AlsObjective::kExplicit, "explicit", 0, false, true, 1},
};

/// What the fit should have made of the values: c = 1 + alpha f(r), or the rating itself.
std::vector<float> solver_values(const Case& c, const HostCsr& r) {
  std::vector<float> out = r.values;
  if (c.feedback == "implicit")
    for (float& v : out) v = 1 + c.alpha * (c.log_confidence ? std::log1p(v) : v);
  return out;
}

/// What the parameters are once the fit knows the data.
AlsParams fitted_params(const Case& c, const HostCsr& r) {
  AlsParams out = options_of(c, 1).params;
  if (c.feedback == "explicit") {
    double sum = 0;
    for (const float v : r.values) sum += v;
    out.mean = static_cast<float>(sum / static_cast<double>(r.nnz()));
    out.biases = c.biases;
  }
  return out;
}

HostCsr transposed(const HostCsr& a, std::vector<float> values) {
  std::vector<std::vector<std::pair<int32_t, float>>> columns(static_cast<size_t>(a.cols));
  for (int64_t r = 0; r < a.rows(); ++r)
    for (int64_t e = a.offsets[static_cast<size_t>(r)]; e < a.offsets[static_cast<size_t>(r) + 1]; ++e)
      columns[static_cast<size_t>(a.indices[static_cast<size_t>(e)])].emplace_back(r, values[static_cast<size_t>(e)]);
  HostCsr out;
  out.cols = a.rows();
  for (const auto& column : columns) {
    for (const auto& [row, value] : column) out.indices.push_back(row), out.values.push_back(value);
    out.offsets.push_back(out.nnz());
  }
  return out;
}

/// Each row of `solved` has a small backward error in its float64 system: |A x - b| <= c eps (|A| |x| + |b|), with c
/// the number of additions that go into one element of the system or of its factorization, bounded by n + nnz + d.
void expect_solved(const HostCsr& rows, const HostMatrix& fixed, const HostMatrix& solved, const AlsParams& params,
                   const std::string& what) {
  const auto d = static_cast<size_t>(fixed.cols);
  for (int64_t r = 0; r < rows.rows(); ++r) {
    const auto row = rows.row(r);
    if (row.empty()) {
      for (const float v : solved.row(r)) EXPECT_EQ(v, 0) << what << " row " << r << " has no entries";
      continue;
    }
    const auto system = reference::als_system(row, rows.row_values(r), fixed.data, d, params);
    const reference::Vector x(solved.row(r).begin(), solved.row(r).end());
    const auto ax = reference::multiply(system.a, x);
    double residual = 0, scale = 0;
    for (size_t k = 0; k < d; ++k) {
      residual += (ax[k] - system.b[k]) * (ax[k] - system.b[k]);
      scale += system.b[k] * system.b[k];
    }
    const double a = std::sqrt(reference::dot(system.a, system.a)), norm = std::sqrt(reference::dot(x, x));
    const double additions = static_cast<double>(row.size() + d) + static_cast<double>(fixed.rows);
    EXPECT_LE(std::sqrt(residual), additions * 0x1p-24 * (a * norm + std::sqrt(scale))) << what << " row " << r;
  }
}

const HostMatrix& table(const FitState& state, const std::string& name) {
  for (const auto& [found, matrix] : state.tables)
    if (found == name) return matrix;
  throw std::runtime_error("no table " + name);
}

struct Course {
  FittedModel model;
  std::vector<FitState> states;
  std::vector<double> losses;
};

Course fit(const Interactions& train, const AlsOptions& options, int threads = 2, const FitState* resume = nullptr) {
  Context ctx({.device = "cpu", .threads = threads, .seed = 3});
  Course out;
  FitHooks hooks;
  hooks.resume = resume;
  hooks.after_epoch = [&](const EpochReport& report, const auto&, const auto& state) {
    out.states.push_back(state());
    if (report.loss) out.losses.push_back(*report.loss);
    return true;
  };
  out.model = fit_als(ctx, train, options, hooks);
  return out;
}

const Factors& factors(const FittedModel& model) { return std::get<Factors>(model.scorer); }

void expect_same_bits(const FittedModel& a, const FittedModel& b) {
  EXPECT_EQ(factors(a).users.data, factors(b).users.data);
  EXPECT_EQ(factors(a).items.data, factors(b).items.data);
  EXPECT_EQ(factors(a).user_bias, factors(b).user_bias);
  EXPECT_EQ(factors(a).item_bias, factors(b).item_bias);
}

class Als : public testing::TestWithParam<Case> {};

INSTANTIATE_TEST_SUITE_P(Objectives, Als, testing::ValuesIn(kCases), [](const auto& tested) {
  std::string name = tested.param.name;
  std::erase_if(name, [](char c) { return c == ' ' || c == '-'; });
  return name;
});

TEST_P(Als, SolvesUsersAgainstTheLastItemsAndItemsAgainstTheseUsers) {
  const auto train = planted(40, 31, GetParam().feedback == "explicit");
  const auto course = fit(train, options_of(GetParam(), 3));
  const auto params = fitted_params(GetParam(), train.matrix);
  HostCsr rows = train.matrix;
  rows.values = solver_values(GetParam(), train.matrix);
  const HostCsr columns = transposed(train.matrix, rows.values);
  for (size_t e = 0; e < 3; ++e) {
    if (e > 0)
      expect_solved(rows, table(course.states[e - 1], "items"), table(course.states[e], "users"), params, "user");
    expect_solved(columns, table(course.states[e], "users"), table(course.states[e], "items"), params, "item");
  }
}

TEST_P(Als, LossFallsAndIsTheObjective) {
  const auto train = planted(40, 31, GetParam().feedback == "explicit");
  const auto course = fit(train, options_of(GetParam(), 8));
  ASSERT_EQ(course.losses.size(), 8u);
  // A solution in fp32 misses the minimum by the square of its error: far below one part in 10^7.
  for (size_t e = 1; e < 8; ++e) EXPECT_LE(course.losses[e], course.losses[e - 1] * (1 + 1e-7)) << "epoch " << e + 1;
  EXPECT_LT(course.losses.back(), 0.95 * course.losses.front());
  const auto& last = course.states.back();
  const auto d = static_cast<size_t>(table(last, "users").cols);
  const double expected = reference::als_loss(train.matrix.offsets, train.matrix.indices,
                                              solver_values(GetParam(), train.matrix), table(last, "users").data,
                                              table(last, "items").data, d, fitted_params(GetParam(), train.matrix));
  // Scores are sums of d products in fp32, and the loss is at least quadratic in what they miss.
  EXPECT_NEAR(course.losses.back(), expected, 1e-5 * expected);
}

TEST_P(Als, GoesOnFromACheckpointWithTheSameBits) {
  const auto train = planted(40, 31, GetParam().feedback == "explicit");
  for (const AlsSolver solver : {AlsSolver::kCholesky, AlsSolver::kCg}) {
    const auto options = options_of(GetParam(), 5, solver);
    const auto whole = fit(train, options);
    for (size_t stop : {0u, 2u, 4u}) {
      const auto rest = fit(train, options, 2, &whole.states[stop]);
      expect_same_bits(rest.model, whole.model);
      EXPECT_EQ(rest.states.size(), 4 - stop);
    }
  }
}

TEST_P(Als, AnyNumberOfThreadsGivesTheSameBits) {
  const auto train = planted(300, 120, GetParam().feedback == "explicit");
  for (const AlsSolver solver : {AlsSolver::kAuto, AlsSolver::kCg, AlsSolver::kBlock}) {
    const auto options = options_of(GetParam(), 2, solver);
    const auto one = fit(train, options, 1);
    for (const int threads : {2, 3, 7}) {
      const auto many = fit(train, options, threads);
      expect_same_bits(many.model, one.model);
      EXPECT_EQ(many.losses, one.losses);
    }
  }
}

TEST_P(Als, DescribesTheDataAndTheFoldIn) {
  const auto train = planted(40, 31, GetParam().feedback == "explicit");
  const auto model = fit(train, options_of(GetParam(), 1)).model;
  EXPECT_EQ(model.model, "als");
  EXPECT_EQ(model.users, train.users);
  EXPECT_EQ(model.predicts_values, GetParam().feedback == "explicit");
  EXPECT_EQ(factors(model).users.cols, 6);
  EXPECT_EQ(factors(model).items.data.size(), 31u * 6);
  EXPECT_EQ(factors(model).user_bias.size(), GetParam().biases ? 40u : 0u);
  const auto& fold_in = std::get<AlsFoldIn>(model.fold_in);
  EXPECT_EQ(fold_in.alpha, GetParam().alpha);
  EXPECT_EQ(fold_in.params.objective, GetParam().objective);
  EXPECT_EQ(fold_in.params.mean, fitted_params(GetParam(), train.matrix).mean);
  EXPECT_EQ(model.global_mean, fold_in.params.mean);
  EXPECT_EQ(model.item_count.back(), 0);
}

TEST(AlsFit, FindsWhatWasPlanted) {
  // Ratings that are exactly mean + biases + a product of rank 2, three quarters of them seen: the rest is predicted.
  std::mt19937 random(5);
  std::normal_distribution<float> normal(0, 1);
  const int32_t m = 150, n = 80;
  std::vector<float> p(2 * m), q(2 * n), a(m), b(n);
  for (auto* table : {&p, &q, &a, &b})
    for (float& v : *table) v = normal(random);
  const auto truth = [&](int32_t u, int32_t i) {
    const auto r = static_cast<size_t>(u), c = static_cast<size_t>(i);
    return 3 + a[r] + b[c] + p[2 * r] * q[2 * c] + p[2 * r + 1] * q[2 * c + 1];
  };
  auto train = planted(m, n, true);
  train.matrix.indices.clear(), train.matrix.values.clear(), train.matrix.offsets = {0};
  for (int32_t u = 0; u < m; ++u) {
    for (int32_t i = 0; i < n; ++i)
      if ((u * 7 + i * 3) % 4 != 0) train.matrix.indices.push_back(i), train.matrix.values.push_back(truth(u, i));
    train.matrix.offsets.push_back(train.matrix.nnz());
  }
  AlsOptions options = options_of(kCases[4], 40);
  options.factors = 2;
  options.params.regularization = 1e-4f;
  const auto model = fit(train, options).model;
  double squares = 0, variance = 0;
  for (int32_t u = 0; u < m; ++u)
    for (int32_t i = 0; i < n; ++i) {
      if ((u * 7 + i * 3) % 4 != 0) continue;
      const auto x = factors(model).users.row(u), y = factors(model).items.row(i);
      const double score = double{model.global_mean} + factors(model).user_bias[static_cast<size_t>(u)] +
                           factors(model).item_bias[static_cast<size_t>(i)] + x[0] * y[0] + x[1] * y[1];
      squares += (score - truth(u, i)) * (score - truth(u, i));
      variance += (truth(u, i) - 3.0) * (truth(u, i) - 3.0);
    }
  EXPECT_LT(squares, 1e-4 * variance);
}

TEST(AlsFit, StopsWhenTold) {
  const auto train = planted(20, 12, false);
  Context ctx({.device = "cpu", .threads = 1, .seed = 3});
  std::vector<float> seen;
  FitHooks hooks;
  hooks.after_epoch = [&](const EpochReport& report, const auto& model, const auto&) {
    seen = factors(model()).items.data;
    return report.epoch < 2;
  };
  const auto model = fit_als(ctx, train, options_of(kCases[0], 9), hooks);
  EXPECT_EQ(factors(model).items.data, seen);
  EXPECT_EQ(seen, factors(fit(train, options_of(kCases[0], 2), 1).model).items.data);
}

TEST(AlsFit, LossAfterTheLastEpochOnlyWhereAsked) {
  auto options = options_of(kCases[0], 4);
  options.loss_every_epoch = false;
  EXPECT_EQ(fit(planted(20, 12, false), options).losses.size(), 1u);
}

TEST(AlsFit, TrainsOnTheSmallestData) {
  for (const Case& c : kCases) {
    auto train = planted(1, 2, false);  // one user, one item with an interaction, one without
    train.matrix.indices = {0}, train.matrix.values = {2}, train.matrix.offsets = {0, 1};
    const auto model = fit(train, options_of(c, 2)).model;
    for (const float v : factors(model).users.data) EXPECT_TRUE(std::isfinite(v)) << c.name;
    train.matrix.values.clear();  // each value is 1
    const auto plain = fit(train, options_of(c, 2)).model;
    for (const float v : factors(plain).items.data) EXPECT_TRUE(std::isfinite(v)) << c.name;
  }
}

template <class Error>
std::string message_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST(AlsFit, MemoryIsWhatWasTold) {
  const auto train = planted(2000, 600, true);
  for (const Case& c : kCases) {
    AlsOptions options = options_of(c, 2, AlsSolver::kAuto);
    options.factors = 64;
    Context ctx({.device = "cpu", .threads = 2});
    fit_als(ctx, train, options);
    const FitShape shape{train.num_users(), train.num_items(), train.size(), true};
    const FitMemory told = als_memory(ctx, shape, options);
    const int64_t confidences = c.alpha != 0 ? 4 * train.size() : 0;  // in host memory of the model's own
    const auto taken = static_cast<double>(ctx.memory().peak + confidences);
    EXPECT_GE(static_cast<double>(told.host), taken) << c.name;
    // Blocks that are kept for the next epoch are told too, but are not in the peak; threads' scratch weighs much here.
    EXPECT_LE(static_cast<double>(told.host), 2 * taken) << c.name;
    EXPECT_EQ(told.device, 0);
    const int64_t width = 64 + (c.biases ? 1 : 0);
    EXPECT_EQ(told.snapshot, 4 * (2000 + 600) * width + 12 * 600);
  }
}

TEST(AlsFit, NamesTheNegativeValue) {
  auto train = planted(20, 12, false);
  train.matrix.values[0] = -2.5f;
  EXPECT_THAT(message_of<InputError>([&] { fit(train, options_of(kCases[0], 1)); }),
              AllOf(HasSubstr("user 100, item 1"), HasSubstr("the value is -2.5;"), HasSubstr("explicit")));
}

TEST(AlsFit, NamesEpochAndRowWhereNumbersEnd) {
  auto train = planted(20, 12, true);
  train.matrix.values.assign(train.matrix.values.size(), 0.f);
  for (int64_t e = train.matrix.offsets[7]; e < train.matrix.offsets[8]; ++e)
    train.matrix.values[static_cast<size_t>(e)] = std::numeric_limits<float>::max();
  // With the mean removed every user's factors are huge but finite; the squares in the items' systems are not.
  const auto message = message_of<NumericError>([&] { fit(train, options_of(kCases[4], 3)); });
  EXPECT_THAT(message, AllOf(HasSubstr("als: epoch 1, item 1000: "), HasSubstr("model.regularization")));
}

TEST(AlsFit, RefusesACheckpointOfAnotherShape) {
  const auto train = planted(20, 12, false);
  auto state = fit(train, options_of(kCases[0], 1)).states[0];
  auto options = options_of(kCases[0], 3);
  options.factors = 7;
  EXPECT_THAT(message_of<InputError>([&] { fit(train, options, 1, &state); }),
              AllOf(HasSubstr("20 x 6"), HasSubstr("20 x 7"), HasSubstr("--force")));
  state.tables.pop_back();
  options.factors = 6;
  EXPECT_THAT(message_of<InputError>([&] { fit(train, options, 1, &state); }), HasSubstr("no table 'items'"));
}

}  // namespace
}  // namespace kindred
