// SPDX-License-Identifier: Apache-2.0
// Whole evaluations against a reference that ranks every item by its definition: with ties, unknown items, samples.
#include "engine/evaluate/evaluate.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <map>
#include <numeric>
#include <set>

#include "engine/core/error.hpp"
#include "kernels/topk.hpp"
#include "tests/engine/recommend/random_models.hpp"

namespace kindred {
namespace {

using test::contains, test::random_csr;
using testing::ThrowsMessage;

std::vector<MetricSpec> specs(std::initializer_list<const char*> names) {
  std::vector<MetricSpec> out;
  for (const char* name : names) out.push_back(parse_metric(name));
  return out;
}

/// A model whose scores are small whole numbers, exact in fp32 and full of ties. Nobody's row is all zeros.
FittedModel tied_model(std::mt19937& random, int64_t users, int64_t items, int levels) {
  FittedModel out = test::random_factors(1, users, items, 2, true);
  out.predicts_values = true;
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
  std::vector<int32_t> users;  ///< with something relevant
  std::map<std::string, std::map<int32_t, double>> per_user;
  std::map<std::string, double> mean;
};

/// What an item's candidates are in the reference: all of them, or held-out ones and given negatives.
using Candidates = std::function<bool(int64_t user, int32_t item)>;

double cosine(std::span<const float> x, std::span<const float> y) {
  const auto dot = [](auto a, auto b) { return std::inner_product(a.begin(), a.end(), b.begin(), 0.0); };
  const double lengths = std::sqrt(dot(x, x) * dot(y, y));
  return lengths > 0 ? dot(x, y) / lengths : 0;
}

/// One pair of a relevant and another candidate: 1 in order, half where they tie.
double in_order(double positive, double negative) { return positive > negative ? 1 : positive == negative ? 0.5 : 0; }

/// Ranks all candidates of a user by (score descending, not relevant first) and applies each metric's formula.
Expected expected_of(
    const FittedModel& model, const HeldOut& held_out, const EvaluateOptions& options,
    const Candidates& is_candidate = [](int64_t, int32_t) { return true; }) {
  Expected out;
  double squares = 0, distances = 0, surprise = 0, pairs = 0, unfound = 0;
  std::vector<double> positives, negatives;  // of all users
  std::map<std::string, std::set<int32_t>> covered;
  std::set<int32_t> catalogue;
  for (int64_t u = 0; u < model.num_users(); ++u) {
    const auto row = static_cast<int32_t>(u);
    std::map<int32_t, double> gain;
    double user_squares = 0, user_distances = 0, user_surprise = 0;
    const auto count = static_cast<double>(held_out.matrix.row(u).size());
    for (size_t e = 0; e < held_out.matrix.row(u).size(); ++e) {
      const float value = held_out.matrix.row_values(u)[e];
      const double score = test::score_of(model, u, held_out.matrix.row(u)[e]);
      if (value >= options.relevant_min) gain[held_out.matrix.row(u)[e]] = options.gain_by_value ? value : 1;
      user_squares += (score - value) * (score - value), user_distances += std::abs(score - value);
      user_surprise -= std::log(value >= options.relevant_min ? score : 1 - score);
    }
    squares += user_squares, distances += user_distances, surprise += user_surprise, pairs += count;
    if (count > 0) {
      out.per_user["rmse"][row] = std::sqrt(user_squares / count);
      out.per_user["mae"][row] = user_distances / count;
      out.per_user["logloss"][row] = user_surprise / count;
    }
    const auto unknown = held_out.unknown.empty() ? 0u : static_cast<size_t>(held_out.unknown[static_cast<size_t>(u)]);
    const size_t relevant = gain.size() + unknown;
    if (relevant == 0) continue;
    out.users.push_back(row);
    struct Candidate {
      double negative_score, gain;
      int32_t item;
      auto operator<=>(const Candidate&) const = default;
    };
    std::vector<Candidate> ranked;  // of equal scores the smaller gain comes first
    for (int32_t i = 0; i < model.num_items(); ++i) {
      if ((options.filter_seen && contains(model.history.row(u), i)) || !is_candidate(u, i)) continue;
      ranked.push_back({-test::score_of(model, u, i), gain.contains(i) ? gain[i] : 0, i});
      catalogue.insert(i);
    }
    std::ranges::sort(ranked);
    std::vector<Candidate> listed = ranked;  // as people get it: ties go to the lower row
    std::ranges::sort(listed, {}, [](const Candidate& c) { return std::pair(c.negative_score, c.item); });
    std::vector<double> ideal;
    for (const auto& [item, g] : gain) ideal.push_back(g);
    if (!options.gain_by_value) ideal.resize(relevant, 1.0);
    std::ranges::sort(ideal, std::greater<>());
    double ordered = 0, others = 0, found = 0;
    for (const auto& c : ranked) {
      (c.gain > 0 ? positives : negatives).push_back(-c.negative_score);
      (c.gain > 0 ? found : others) += 1;
      if (c.gain > 0)
        for (const auto& other : ranked)
          if (other.gain == 0) ordered += in_order(-c.negative_score, -other.negative_score);
    }
    unfound += static_cast<double>(relevant) - found;
    if (others > 0) out.per_user["auc"][row] = ordered / (static_cast<double>(relevant) * others);
    for (const auto& spec : options.metrics) {
      const auto k = static_cast<size_t>(spec.k);
      const size_t length = std::min(k, ranked.size());
      double hits = 0, first = 0, precisions = 0, gains = 0, best = 0, novelty = 0, cosines = 0;
      for (size_t r = 0; r < length; ++r) {
        if (ranked[r].gain > 0) {
          precisions += ++hits / static_cast<double>(r + 1);
          if (first == 0) first = static_cast<double>(r + 1);
        }
        gains += ranked[r].gain / std::log2(static_cast<double>(r + 2));
        const auto had_by =
            static_cast<double>(std::max<int64_t>(1, model.item_count[static_cast<size_t>(listed[r].item)]));
        novelty -= std::log2(had_by / static_cast<double>(model.num_users()));
        covered[spec.name()].insert(listed[r].item);
        const auto& vectors = std::get<Factors>(model.scorer).items;
        for (size_t s = 0; s < r; ++s) cosines += cosine(vectors.row(listed[r].item), vectors.row(listed[s].item));
      }
      for (size_t r = 0; r < std::min(k, ideal.size()); ++r) best += ideal[r] / std::log2(static_cast<double>(r + 2));
      const auto n = static_cast<double>(length);
      const auto set = [&](double value) { out.per_user[spec.name()][row] = value; };
      if (spec.kind == MetricKind::kRecall) set(hits / static_cast<double>(relevant));
      if (spec.kind == MetricKind::kPrecision) set(hits / spec.k);
      if (spec.kind == MetricKind::kHit) set(hits > 0);
      if (spec.kind == MetricKind::kNdcg) set(best > 0 ? gains / best : 0);
      if (spec.kind == MetricKind::kMap) set(precisions / static_cast<double>(std::min(k, relevant)));
      if (spec.kind == MetricKind::kMrr) set(first > 0 ? 1 / first : 0);
      if (spec.kind == MetricKind::kNovelty && length > 0) set(novelty / n);
      if (spec.kind == MetricKind::kDiversity && length > 1) set(1 - cosines / (n * (n - 1) / 2));
    }
  }
  for (const auto& [name, values] : out.per_user) {
    for (const auto& [user, value] : values) out.mean[name] += value / static_cast<double>(values.size());
  }
  for (const auto& [name, items] : covered)
    out.mean["coverage" + name.substr(name.find('@'))] =
        static_cast<double>(items.size()) / static_cast<double>(catalogue.size());
  double ordered = 0;
  for (const double positive : positives)
    for (const double negative : negatives) ordered += in_order(positive, negative);
  const double compared = (static_cast<double>(positives.size()) + unfound) * static_cast<double>(negatives.size());
  out.mean["auc_global"] = compared > 0 ? ordered / compared : 0;
  out.mean["rmse"] = std::sqrt(squares / pairs);
  out.mean["mae"] = distances / pairs;
  out.mean["logloss"] = surprise / pairs;
  return out;
}

/// `tolerance`: 1e-9 where scores are exact, so that sums in another order are all that differs.
void expect_agreement(const Evaluation& found, const Expected& expected, double tolerance = 1e-9) {
  EXPECT_EQ(found.users_with_relevant, std::ssize(expected.users));
  for (size_t m = 0; m < found.metrics.size(); ++m) {
    const std::string name = found.metrics[m].name();
    const auto mean = expected.mean.find(name);
    EXPECT_NEAR(found.values[m].mean, mean == expected.mean.end() ? 0 : mean->second, tolerance) << name;
    if (!found.metrics[m].of_users()) continue;
    const auto values = expected.per_user.find(name);
    for (size_t u = 0; u < found.users.size(); ++u) {
      const double own = found.of_user(m, u);
      const bool defined = values != expected.per_user.end() && values->second.contains(found.users[u]);
      EXPECT_EQ(!std::isnan(own), defined) << name << ", user " << found.users[u];
      if (defined && !std::isnan(own)) {
        EXPECT_NEAR(own, values->second.at(found.users[u]), tolerance) << name << ", user " << found.users[u];
      }
    }
  }
}

Evaluation evaluated(const FittedModel& model, const HeldOut& held_out, const EvaluateOptions& options, int threads = 2,
                     const HostCsr* negatives = nullptr) {
  Context ctx({.device = "cpu", .threads = threads});
  return evaluate(
      ctx, model,
      {.held_out = held_out, .seen = {&model.history}, .negatives = negatives, .catalogue = &model.catalogue}, options);
}

/// All metrics of exact scores but logloss.
std::vector<MetricSpec> all_metrics() {
  return specs({"recall@3", "precision@7", "hit@1", "ndcg@5", "map@4", "mrr@50", "coverage@3", "coverage@7",
                "novelty@3", "auc", "auc_global", "rmse", "mae"});
}

TEST(Evaluate, AgreesWithRankingEverything) {
  std::mt19937 random(4);
  for (int round = 0; round < 24; ++round) {
    const FittedModel model = tied_model(random, 1 + round * 3, 2 + round * 5 % 60, 1 + round % 4);
    EvaluateOptions options;
    options.metrics = all_metrics();
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
  EXPECT_DOUBLE_EQ(found.of_user(0, 0), 124.0 / 1700);  // 900 others, then 124 of the 1,700
  EXPECT_DOUBLE_EQ(found.of_user(0, 1), 1024.0 / 2600);
  EXPECT_DOUBLE_EQ(found.of_user(1, 2), 0);
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
  EXPECT_EQ(first.users_with_relevant, 50);
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
  const auto& values = found.sums[0];
  const auto n = static_cast<double>(values.size());
  double squares = 0;
  for (const double v : values) squares += (v - found.values[0].mean) * (v - found.values[0].mean);
  const double half = 1.96 * std::sqrt(squares / (n - 1) / n);
  EXPECT_NEAR(found.values[0].low, found.values[0].mean - half, 0.2 * half);
  EXPECT_NEAR(found.values[0].high, found.values[0].mean + half, 0.2 * half);
  EXPECT_LT(found.values[1].low, found.values[1].mean);
  EXPECT_GT(found.values[1].high, found.values[1].mean);
}

TEST(Evaluate, PairsOfUsersWithoutARelevantItemCountToo) {
  std::mt19937 random(5);
  const FittedModel model = tied_model(random, 2, 6, 3);
  HeldOut held_out;
  held_out.matrix = HostCsr{{0, 1, 2}, {1, 2}, {5, 1}, 6};
  EvaluateOptions options;
  options.metrics = specs({"mae", "recall@6"});
  options.filter_seen = false;
  options.relevant_min = 4;
  const Evaluation found = evaluated(model, held_out, options);
  EXPECT_EQ(found.users, (std::vector<int32_t>{0, 1}));
  EXPECT_EQ(found.users_with_relevant, 1);
  EXPECT_DOUBLE_EQ(found.values[0].mean,
                   (std::abs(test::score_of(model, 0, 1) - 5) + std::abs(test::score_of(model, 1, 2) - 1)) / 2);
  EXPECT_DOUBLE_EQ(found.values[1].mean, 1);
  EXPECT_TRUE(std::isnan(found.of_user(1, 1)));
  options.metrics = specs({"recall@6"});  // who has nothing relevant is then not among the users
  EXPECT_EQ(evaluated(model, held_out, options).users, (std::vector<int32_t>{0}));
}

TEST(Evaluate, AmongNegativesOfAFile) {
  std::mt19937 random(6);
  for (int round = 0; round < 16; ++round) {
    const FittedModel model = tied_model(random, 2 + round * 3, 3 + round * 5 % 60, 1 + round % 4);
    const HeldOut held_out = held_out_of(random, model, 0.2, round % 5 == 2);
    const HostCsr negatives = random_csr(random, model.num_users(), model.num_items(), 0.3);
    if (held_out.empty()) continue;
    EvaluateOptions options;
    options.metrics = all_metrics();
    options.only_negatives = true;
    options.filter_seen = round % 2 == 0;
    options.gain_by_value = round % 3 == 0;
    const Evaluation found = evaluated(model, held_out, options, 2, &negatives);
    expect_agreement(found, expected_of(model, held_out, options, [&](int64_t u, int32_t i) {
                       return contains(negatives.row(u), i) || contains(held_out.matrix.row(u), i);
                     }));
    EXPECT_EQ(found.name(0), "recall@3/neg");
  }
}

TEST(Evaluate, AmongDrawnNegatives) {
  std::mt19937 random(7);
  const FittedModel model = tied_model(random, 60, 80, 4);
  const HeldOut held_out = held_out_of(random, model, 0.1, false);
  EvaluateOptions options;
  options.metrics = all_metrics();
  options.only_negatives = true;
  options.negatives = 20;
  const Evaluation found = evaluated(model, held_out, options), again = evaluated(model, held_out, options, 1);
  EXPECT_EQ(found.name(3), "ndcg@5/20neg");
  EXPECT_EQ(found.sums, again.sums);
  // With more negatives than there are items nothing is left out: the same as among all.
  options.negatives = 1000;
  expect_agreement(evaluated(model, held_out, options), expected_of(model, held_out, options));
}

TEST(Evaluate, DiversityOfVectors) {
  std::mt19937 random(8);
  for (int round = 0; round < 6; ++round) {
    const FittedModel model = test::random_factors(static_cast<uint32_t>(round), 20, 30, 1 + round * 3, false);
    const HeldOut held_out = held_out_of(random, model, 0.2, false);
    EvaluateOptions options;
    options.metrics = specs({"diversity@2", "diversity@7", "diversity@1", "novelty@10"});
    // Unit vectors are rounded to fp32: each product of d terms is off by at most 2^-22 or so.
    expect_agreement(evaluated(model, held_out, options), expected_of(model, held_out, options), 1e-6);
  }
}

TEST(Evaluate, DiversityOfTags) {
  FittedModel model;
  model.model = "popularity";
  model.users = test::numbered(1);
  model.items = test::numbered(4);
  model.item_count = {9, 8, 7, 6};
  model.scorer = Constant{{4, 3, 2, 1}};
  model.history = HostCsr{{0, 0}, {}, {}, 4};
  HeldOut held_out;
  held_out.matrix = HostCsr{{0, 1}, {0}, {}, 4};
  EvaluateOptions options;
  options.metrics = specs({"diversity@3"});
  EXPECT_THAT([&] { evaluated(model, held_out, options); },
              ThrowsMessage<InputError>("diversity@3 needs vectors or tags of the items; 'popularity' is none"));
  model.catalogue.tags = HostCsr{{0, 2, 3, 3, 4}, {0, 1, 1, 0}, {}, 2};  // {a, b}, {b}, {}, {a}
  // Cosines: 1/sqrt 2, 0 and 0 with the item that has no tag.
  EXPECT_NEAR(evaluated(model, held_out, options).values[0].mean, 1 - std::sqrt(0.5) / 3, 1e-12);
}

TEST(Evaluate, LoglossOfProbabilities) {
  std::mt19937 random(9);
  FittedModel model = test::random_factors(3, 30, 20, 4, true);
  HeldOut held_out = held_out_of(random, model, 0.3, false);
  EvaluateOptions options;
  options.metrics = specs({"logloss", "auc"});
  options.relevant_min = 3;
  EXPECT_THAT([&] { evaluated(model, held_out, options); },
              ThrowsMessage<InputError>("logloss needs a model whose scores are probabilities; 'als' is none"));
  model.link = Link::kSigmoid;
  // Scores are fp32 sums of 4 products: their logarithms agree to about 1e-5 where no probability is extreme.
  const auto expected = expected_of(model, held_out, options);
  EXPECT_NEAR(evaluated(model, held_out, options).values[0].mean, expected.mean.at("logloss"), 1e-4);
  // One wrong certainty costs the logarithm of the smallest difference, not infinity.
  std::get<Factors>(model.scorer).user_bias.assign(30, 1000);
  held_out.matrix.values.assign(held_out.matrix.values.size(), 1);
  EXPECT_NEAR(evaluated(model, held_out, options).values[0].mean, -std::log(0x1p-23), 1e-6);
}

TEST(Evaluate, RmseOfAModelThatRanksIsRefused) {
  std::mt19937 random(2);
  FittedModel model = tied_model(random, 5, 7, 3);
  model.predicts_values = false;
  EvaluateOptions options;
  options.metrics = specs({"rmse"});
  EXPECT_THAT([&] { evaluated(model, held_out_of(random, model, 0.5, false), options); },
              ThrowsMessage<InputError>("rmse needs a model that predicts values; 'als' is none"));
}

TEST(Evaluate, ResultsDoNotDependOnThreads) {
  std::mt19937 random(11);
  const FittedModel model = test::random_factors(5, 300, 70, 6, true);
  const HeldOut held_out = held_out_of(random, model, 0.2, false);
  EvaluateOptions options;
  options.metrics = specs({"ndcg@5", "coverage@5", "novelty@5", "diversity@5", "auc", "auc_global"});
  const Evaluation one = evaluated(model, held_out, options, 1), three = evaluated(model, held_out, options, 3);
  EXPECT_EQ(one.sums, three.sums);
  for (size_t m = 0; m < one.values.size(); ++m) {
    EXPECT_EQ(one.values[m].mean, three.values[m].mean);
    if (one.metrics[m].kind == MetricKind::kCoverage)
      EXPECT_TRUE(std::isnan(one.values[m].low));
    else
      EXPECT_EQ(one.values[m].low, three.values[m].low);
  }
}

TEST(Evaluate, GivenHistoriesAreFoldedInAndSeen) {
  std::mt19937 random(13);
  FittedModel model = test::random_factors(4, 40, 30, 5, false);
  model.fold_in = AlsFoldIn{};
  HeldOut held_out = held_out_of(random, model, 0.2, false);
  held_out.given = random_csr(random, 40, 30, 0.2);
  // The same model with its rows already solved, and what was given among what was seen.
  FittedModel solved = model;
  Context ctx({.device = "cpu"});
  const HostMatrix rows = Recommender(ctx, model).fold_in(held_out.given);
  for (int64_t u = 0; u < 40; ++u)
    if (!held_out.given.row(u).empty())
      std::ranges::copy(rows.row(u), std::get<Factors>(solved.scorer).users.row(u).begin());
  EvaluateOptions options;
  options.metrics = specs({"ndcg@5", "recall@10", "auc", "novelty@5"});
  const Evaluation found = evaluate(ctx, model, {held_out, {&model.history}}, options);
  const HostCsr given = std::move(held_out.given);
  held_out.given = {};
  const Evaluation expected = evaluate(ctx, solved, {held_out, {&model.history, &given}}, options);
  EXPECT_EQ(found.sums, expected.sums);
  EXPECT_EQ(found.weights, expected.weights);
}

TEST(Evaluate, TheIntervalOfThePooledAucIsThatOfResampledUsers) {
  // Held against the exact pooled AUC of resampled users: the effects add up to first order, so that ends agree within
  // a few per cent of the interval's width, beside what 1,000 draws leave open.
  std::mt19937 random(12);
  const FittedModel model = test::random_factors(5, 120, 40, 3, false);
  const HeldOut held_out = held_out_of(random, model, 0.15, false);
  EvaluateOptions options;
  options.metrics = specs({"auc_global"});
  const Evaluation found = evaluated(model, held_out, options);
  std::vector<std::vector<double>> positives, negatives;
  for (const int32_t u : found.users) {
    positives.emplace_back(), negatives.emplace_back();
    for (int32_t i = 0; i < 40; ++i)
      if (contains(held_out.matrix.row(u), i))
        positives.back().push_back(test::score_of(model, u, i));
      else if (!contains(model.history.row(u), i))
        negatives.back().push_back(test::score_of(model, u, i));
  }
  const size_t n = found.users.size();
  std::vector<std::vector<double>> ordered(n, std::vector<double>(n));  // [whose positives][whose negatives]
  for (size_t a = 0; a < n; ++a)
    for (size_t b = 0; b < n; ++b)
      for (const double p : positives[a])
        for (const double q : negatives[b]) ordered[a][b] += in_order(p, q);
  std::vector<double> draws;
  for (int draw = 0; draw < 400; ++draw) {
    std::vector<size_t> who(n);
    for (size_t& w : who) w = random() % n;
    double in = 0, p = 0, q = 0;
    for (const size_t a : who) {
      p += static_cast<double>(positives[a].size()), q += static_cast<double>(negatives[a].size());
      for (const size_t b : who) in += ordered[a][b];
    }
    draws.push_back(in / (p * q));
  }
  std::ranges::sort(draws);
  const double width = draws[389] - draws[10];
  EXPECT_NEAR(found.values[0].low, draws[10], 0.15 * width);
  EXPECT_NEAR(found.values[0].high, draws[389], 0.15 * width);
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
