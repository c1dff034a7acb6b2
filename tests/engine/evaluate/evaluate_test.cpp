// SPDX-License-Identifier: Apache-2.0
// Whole evaluations against a reference that ranks every item by its definition: with ties, unknown items, samples.
#include "engine/evaluate/evaluate.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <numeric>

#include "kernels/topk.hpp"
#include "tests/engine/recommend/random_models.hpp"

namespace kindred {
namespace {

using test::contains, test::random_csr;

std::vector<MetricSpec> specs(std::initializer_list<const char*> names) {
  std::vector<MetricSpec> out;
  for (const char* name : names) out.push_back(parse_metric(name));
  return out;
}

/// A model whose scores are small whole numbers, exact in fp32 and full of ties. Nobody's row is all zeros.
FittedModel tied_model(std::mt19937& random, int64_t users, int64_t items, int levels) {
  FittedModel out = test::random_factors(1, users, items, 2, true);
  auto& f = std::get<Factors>(out.scorer);
  const auto draw = [&] { return static_cast<float>(static_cast<int>(random() % static_cast<unsigned>(levels))); };
  for (float& v : f.items.data) v = draw();
  for (float& v : f.users.data) v = 1 + draw();
  for (float& v : f.user_bias) v = draw();
  for (float& v : f.item_bias) v = draw();
  return out;
}

/// What is to be held out: some pairs that are not in the history.
HeldOut held_out_of(std::mt19937& random, const FittedModel& model, double density, bool unknown) {
  const HostCsr drawn = random_csr(random, model.num_users(), model.num_items(), density);
  HeldOut out;
  out.matrix.cols = drawn.cols;
  for (int64_t u = 0; u < drawn.rows(); ++u) {
    for (size_t e = 0; e < drawn.row(u).size(); ++e)
      if (!contains(model.history.row(u), drawn.row(u)[e])) {
        out.matrix.indices.push_back(drawn.row(u)[e]);
        out.matrix.values.push_back(drawn.row_values(u)[e]);
      }
    out.matrix.offsets.push_back(out.matrix.nnz());
    if (unknown) out.unknown.push_back(static_cast<int32_t>(random() % 3));
  }
  return out;
}

struct Expected {
  std::vector<int32_t> users;
  std::map<std::string, std::vector<double>> per_user;
  std::map<std::string, double> mean;
};

/// Ranks all candidates of a user by (score descending, not relevant first) and applies each metric's formula.
Expected expected_of(const FittedModel& model, const HeldOut& held_out, const EvaluateOptions& options) {
  Expected out;
  double squares = 0, distances = 0, pairs = 0;
  for (int64_t u = 0; u < model.num_users(); ++u) {
    std::map<int32_t, double> gain;
    for (size_t e = 0; e < held_out.matrix.row(u).size(); ++e) {
      const float value = held_out.matrix.row_values(u)[e];
      if (value >= options.relevant_min) gain[held_out.matrix.row(u)[e]] = options.gain_by_value ? value : 1;
    }
    const auto unknown = held_out.unknown.empty() ? 0u : static_cast<size_t>(held_out.unknown[static_cast<size_t>(u)]);
    const size_t relevant = gain.size() + unknown;
    if (relevant == 0) continue;
    out.users.push_back(static_cast<int32_t>(u));
    std::vector<std::pair<double, double>> ranked;  // -score, gain: of equal scores the smaller gain comes first
    for (int32_t i = 0; i < model.num_items(); ++i)
      if (!options.filter_seen || !contains(model.history.row(u), i))
        ranked.emplace_back(-test::score_of(model, u, i), gain.contains(i) ? gain[i] : 0);
    std::ranges::sort(ranked);
    std::vector<double> ideal;
    for (const auto& [item, g] : gain) ideal.push_back(g);
    if (!options.gain_by_value) ideal.resize(relevant, 1.0);
    std::ranges::sort(ideal, std::greater<>());
    double user_squares = 0, user_distances = 0;
    const auto count = static_cast<double>(held_out.matrix.row(u).size());
    for (size_t e = 0; e < held_out.matrix.row(u).size(); ++e) {
      const double miss = test::score_of(model, u, held_out.matrix.row(u)[e]) - held_out.matrix.row_values(u)[e];
      user_squares += miss * miss, user_distances += std::abs(miss);
    }
    squares += user_squares, distances += user_distances, pairs += count;
    for (const auto& spec : options.metrics) {
      const auto k = static_cast<size_t>(spec.k);
      double hits = 0, first = 0, precisions = 0, gains = 0, best = 0;
      for (size_t r = 0; r < std::min(k, ranked.size()); ++r) {
        if (ranked[r].second > 0) {
          precisions += ++hits / static_cast<double>(r + 1);
          if (first == 0) first = static_cast<double>(r + 1);
        }
        gains += ranked[r].second / std::log2(static_cast<double>(r + 2));
      }
      for (size_t r = 0; r < std::min(k, ideal.size()); ++r) best += ideal[r] / std::log2(static_cast<double>(r + 2));
      double value = 0;
      switch (spec.kind) {
        case MetricKind::kRecall:
          value = hits / static_cast<double>(relevant);
          break;
        case MetricKind::kPrecision:
          value = hits / spec.k;
          break;
        case MetricKind::kHit:
          value = hits > 0;
          break;
        case MetricKind::kNdcg:
          value = best > 0 ? gains / best : 0;
          break;
        case MetricKind::kMap:
          value = precisions / static_cast<double>(std::min(k, relevant));
          break;
        case MetricKind::kMrr:
          value = first > 0 ? 1 / first : 0;
          break;
        case MetricKind::kRmse:
          value = std::sqrt(user_squares / std::max(1.0, count));
          break;
        case MetricKind::kMae:
          value = user_distances / std::max(1.0, count);
          break;
      }
      out.per_user[spec.name()].push_back(value);
    }
  }
  for (const auto& [name, values] : out.per_user)
    out.mean[name] = std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
  out.mean["rmse"] = std::sqrt(squares / pairs);
  out.mean["mae"] = distances / pairs;
  return out;
}

void expect_agreement(const Evaluation& found, const Expected& expected) {
  EXPECT_EQ(found.users, expected.users);
  for (size_t m = 0; m < found.metrics.size(); ++m) {
    const std::string name = found.metrics[m].name();
    EXPECT_NEAR(found.values[m].mean, expected.mean.at(name), 1e-9) << name;
    for (size_t u = 0; u < found.users.size(); ++u)
      EXPECT_NEAR(found.per_user[m][u], expected.per_user.at(name)[u], 1e-9) << name << ", user " << found.users[u];
  }
}

Evaluation evaluated(const FittedModel& model, const HeldOut& held_out, const EvaluateOptions& options,
                     int threads = 2) {
  Context ctx({.device = "cpu", .threads = threads});
  return evaluate(ctx, model, {&model.history}, held_out, options);
}

TEST(Evaluate, AgreesWithRankingEverything) {
  std::mt19937 random(4);
  for (int round = 0; round < 24; ++round) {
    const FittedModel model = tied_model(random, 1 + round * 3, 2 + round * 5 % 60, 1 + round % 4);
    EvaluateOptions options;
    options.metrics = specs({"recall@3", "precision@7", "hit@1", "ndcg@5", "map@4", "mrr@50", "rmse", "mae"});
    options.filter_seen = round % 2 == 0;
    options.gain_by_value = round % 3 == 0;
    options.intervals = false;
    if (round % 4 == 1) options.relevant_min = 3;
    const HeldOut held_out = held_out_of(random, model, 0.3, round % 5 == 2);
    if (held_out.empty()) continue;
    expect_agreement(evaluated(model, held_out, options), expected_of(model, held_out, options));
  }
}

TEST(Evaluate, TiesAcrossTheLongestListAreDecided) {
  // 2,600 items of one score: the relevant ones come last of all, however many equals have to be asked for.
  std::mt19937 random(4);
  FittedModel model = tied_model(random, 3, 2600, 1);
  model.history = HostCsr{{0, 0, 0, 0}, {}, {}, 2600};
  HeldOut held_out;
  held_out.matrix.cols = 2600;
  for (int32_t i = 0; i < 1700; ++i) held_out.matrix.indices.push_back(i);
  for (int32_t i = 0; i < 2600; ++i) held_out.matrix.indices.push_back(i);  // everything is relevant
  held_out.matrix.indices.push_back(5);
  held_out.matrix.offsets = {0, 1700, 4300, 4301};
  held_out.matrix.values.assign(4301, 1.f);
  EvaluateOptions options;
  options.metrics = specs({"recall@1024", "hit@10", "ndcg@1000"});
  options.intervals = false;
  const Evaluation found = evaluated(model, held_out, options);
  expect_agreement(found, expected_of(model, held_out, options));
  EXPECT_DOUBLE_EQ(found.per_user[0][0], 124.0 / 1700);  // 900 others, then 124 of the 1,700
  EXPECT_DOUBLE_EQ(found.per_user[0][1], 1024.0 / 2600);
  EXPECT_DOUBLE_EQ(found.per_user[1][2], 0);
}

TEST(Evaluate, SamplesUsersBySeed) {
  std::mt19937 random(4);
  const FittedModel model = tied_model(random, 400, 30, 3);
  const HeldOut held_out = held_out_of(random, model, 0.2, false);
  EvaluateOptions options;
  options.metrics = specs({"ndcg@5"});
  options.users = 50;
  const auto first = evaluated(model, held_out, options), again = evaluated(model, held_out, options, 1);
  ASSERT_EQ(first.users.size(), 50u);
  EXPECT_TRUE(std::ranges::is_sorted(first.users));
  EXPECT_EQ(std::ranges::adjacent_find(first.users), first.users.end());
  EXPECT_EQ(first.users, again.users);
  EXPECT_EQ(first.values[0].mean, again.values[0].mean);
  EXPECT_EQ(first.values[0].low, again.values[0].low);
  options.seed = 43;
  EXPECT_NE(evaluated(model, held_out, options).users, first.users);
  options.users = 100000;
  EXPECT_EQ(evaluated(model, held_out, options).users, expected_of(model, held_out, options).users);
}

TEST(Evaluate, IntervalsAreThoseOfTheMean) {
  // Of a mean over n users the bootstrap interval is near mean +- 1.96 s / sqrt(n); 1,000 draws place its ends within a
  // few per cent.
  std::mt19937 random(9);
  const FittedModel model = tied_model(random, 3000, 30, 4);
  const HeldOut held_out = held_out_of(random, model, 0.2, false);
  EvaluateOptions options;
  options.metrics = specs({"ndcg@5", "mae"});
  const auto found = evaluated(model, held_out, options);
  const auto& values = found.per_user[0];
  const auto n = static_cast<double>(values.size());
  double squares = 0;
  for (const double v : values) squares += (v - found.values[0].mean) * (v - found.values[0].mean);
  const double half = 1.96 * std::sqrt(squares / (n - 1) / n);
  EXPECT_NEAR(found.values[0].low, found.values[0].mean - half, 0.2 * half);
  EXPECT_NEAR(found.values[0].high, found.values[0].mean + half, 0.2 * half);
  EXPECT_LT(found.values[1].low, found.values[1].mean);
  EXPECT_GT(found.values[1].high, found.values[1].mean);
}

TEST(Evaluate, NobodyToEvaluateIsZeroNotNaN) {
  std::mt19937 random(2);
  const FittedModel model = tied_model(random, 5, 7, 3);
  HeldOut nothing;
  nothing.matrix = HostCsr{{0, 0, 0, 0, 0, 0}, {}, {}, 7};
  EvaluateOptions options;
  options.metrics = specs({"recall@3", "rmse"});
  const auto none = evaluated(model, nothing, options);
  EXPECT_TRUE(none.users.empty());
  for (const auto& value : none.values) EXPECT_EQ(value.mean, 0);
  nothing.unknown = {0, 2, 0, 0, 0};  // only items that nobody knows
  const auto unknown = evaluated(model, nothing, options);
  EXPECT_EQ(unknown.users, (std::vector<int32_t>{1}));
  for (const auto& value : unknown.values) EXPECT_EQ(value.mean, 0);
}

}  // namespace
}  // namespace kindred
