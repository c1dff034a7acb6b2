// SPDX-License-Identifier: Apache-2.0
#include "engine/data/split.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace kindred {
namespace {

HostCsr random_matrix(std::mt19937& random, int64_t users, int64_t items, double density) {
  std::bernoulli_distribution taken(density);
  HostCsr matrix;
  matrix.cols = items;
  for (int64_t u = 0; u < users; ++u) {
    for (int64_t i = 0; i < items; ++i) {
      if (!taken(random)) continue;
      matrix.indices.push_back(static_cast<int32_t>(i));
      matrix.values.push_back(static_cast<float>(matrix.nnz() - 1));  // tells entries apart
    }
    matrix.offsets.push_back(matrix.nnz());
  }
  return matrix;
}

std::vector<Part> parts_of(const HostCsr& matrix, double test, double validation, bool per_user, uint64_t seed,
                           int threads = 2) {
  Context ctx({.device = "cpu", .threads = threads});
  return draw_parts(ctx, matrix,
                    {.test = test, .validation = validation, .one = false, .per_user = per_user, .times = {}}, seed);
}

int64_t count(const std::vector<Part>& parts, Part part, int64_t begin, int64_t end) {
  return std::count(parts.begin() + begin, parts.begin() + end, part);
}

// Rounded down, at least 1 where asked for, train keeps 1; worked by hand.
TEST(Split, SharesOfAUser) {
  struct Case {
    int64_t entries;
    double test, validation;
    int64_t of_test, of_validation;
  };
  const Case cases[] = {{0, .1, .1, 0, 0},    {1, .1, .1, 0, 0},       {2, .1, .1, 1, 0},  {3, .1, .1, 1, 1},
                        {10, .1, .1, 1, 1},   {19, .1, .1, 1, 1},      {20, .1, .1, 2, 2}, {30, .1, 0, 3, 0},
                        {100, .29, 0, 29, 0}, {100, 0, .2, 0, 20},     {2, 0, .5, 0, 1},   {10, .5, .49, 5, 4},
                        {3, .9, .05, 2, 0},   {1000, .001, .001, 1, 1}};
  for (const Case& c : cases) {
    for (const bool per_user : {true, false}) {  // one user: the same
      HostCsr matrix;
      matrix.cols = c.entries;
      for (int64_t i = 0; i < c.entries; ++i) matrix.indices.push_back(static_cast<int32_t>(i));
      matrix.offsets.push_back(c.entries);
      const auto parts = parts_of(matrix, c.test, c.validation, per_user, 9);
      EXPECT_EQ(count(parts, Part::kTest, 0, c.entries), c.of_test) << c.entries << " " << c.test;
      EXPECT_EQ(count(parts, Part::kValidation, 0, c.entries), c.of_validation) << c.entries << " " << c.validation;
    }
  }
}

TEST(Split, EachEntryIsInOnePart) {
  std::mt19937 random(7);
  for (int round = 0; round < 60; ++round) {
    const HostCsr matrix = random_matrix(random, round % 9 * 40, 1 + round % 50, round % 5 * 0.2);
    const auto parts = parts_of(matrix, 0.2, 0.1, round % 2, static_cast<uint64_t>(round));
    const HostCsr train = take_part(matrix, parts, Part::kTrain),
                  validation = take_part(matrix, parts, Part::kValidation),
                  test = take_part(matrix, parts, Part::kTest);
    ASSERT_EQ(train.nnz() + validation.nnz() + test.nnz(), matrix.nnz());
    std::vector<int> seen(static_cast<size_t>(matrix.nnz()));
    for (const HostCsr* part : {&train, &validation, &test}) {
      ASSERT_EQ(part->rows(), matrix.rows());
      ASSERT_EQ(part->cols, matrix.cols);
      for (int64_t u = 0; u < part->rows(); ++u) {
        for (auto e = part->offsets[static_cast<size_t>(u)]; e < part->offsets[static_cast<size_t>(u) + 1]; ++e) {
          const auto original = static_cast<size_t>(part->value(e));
          ASSERT_EQ(matrix.indices[original], part->indices[static_cast<size_t>(e)]);
          ASSERT_LE(matrix.offsets[static_cast<size_t>(u)], static_cast<int64_t>(original));
          ASSERT_GT(matrix.offsets[static_cast<size_t>(u) + 1], static_cast<int64_t>(original));
          ++seen[original];
        }
      }
    }
    for (const int times : seen) ASSERT_EQ(times, 1);
  }
}

TEST(Split, TheSeedAloneDecides) {
  std::mt19937 random(8);
  const HostCsr matrix = random_matrix(random, 2000, 60, 0.3);
  for (const bool per_user : {true, false}) {
    const auto parts = parts_of(matrix, 0.1, 0.1, per_user, 5, 1);
    EXPECT_EQ(parts, parts_of(matrix, 0.1, 0.1, per_user, 5, 1));
    EXPECT_EQ(parts, parts_of(matrix, 0.1, 0.1, per_user, 5, 3));
    EXPECT_NE(parts, parts_of(matrix, 0.1, 0.1, per_user, 6, 1));
  }
}

// The draws of a user do not depend on who else is in the data.
TEST(Split, UsersAreDrawnApart) {
  std::mt19937 random(9);
  HostCsr matrix = random_matrix(random, 50, 40, 0.5);
  const auto parts = parts_of(matrix, 0.2, 0.2, true, 1);
  const auto kept = static_cast<size_t>(matrix.offsets[20]);
  matrix.offsets.resize(21);
  matrix.indices.resize(kept);
  matrix.values.resize(kept);
  EXPECT_EQ(parts_of(matrix, 0.2, 0.2, true, 1), std::vector<Part>(parts.begin(), parts.begin() + matrix.offsets[20]));
}

// Of 10 entries each goes to test with chance 1/10 and to validation with chance 1/5: counts over n users are binomial,
// here within 5 standard deviations (a false alarm in 87,000 runs for all 20 counts, and the seed is fixed).
TEST(Split, EveryEntryHasTheSameChance) {
  constexpr int64_t kUsers = 40000, kEntries = 10;
  HostCsr matrix;
  matrix.cols = kEntries;
  for (int64_t u = 0; u < kUsers; ++u) {
    for (int32_t i = 0; i < kEntries; ++i) matrix.indices.push_back(i);
    matrix.offsets.push_back(matrix.nnz());
  }
  for (const bool per_user : {true, false}) {
    const auto parts = parts_of(matrix, 0.1, 0.2, per_user, 3);
    for (const auto& [part, chance] : {std::pair(Part::kTest, 0.1), std::pair(Part::kValidation, 0.2)}) {
      for (int64_t i = 0; i < kEntries; ++i) {
        int64_t hits = 0;
        for (int64_t u = 0; u < kUsers; ++u) hits += parts[static_cast<size_t>(u * kEntries + i)] == part;
        EXPECT_NEAR(static_cast<double>(hits), kUsers * chance, 5 * std::sqrt(kUsers * chance * (1 - chance)));
      }
    }
  }
}

// --- by time ---

std::vector<int64_t> random_times(std::mt19937& random, const HostCsr& matrix, int distinct) {
  std::vector<int64_t> times(static_cast<size_t>(matrix.nnz()));
  for (int64_t& time : times) time = static_cast<int64_t>(random() % static_cast<unsigned>(distinct)) - distinct / 2;
  return times;
}

std::vector<Part> parts_by_time(const HostCsr& matrix, std::span<const int64_t> times, const Draw& shares,
                                uint64_t seed, int threads = 2) {
  Context ctx({.device = "cpu", .threads = threads});
  Draw draw = shares;
  draw.times = times;
  return draw_parts(ctx, matrix, draw, seed);
}

/// No entry of [begin, end) is later than one of a part behind its own.
void expect_in_order(const std::vector<Part>& parts, std::span<const int64_t> times, int64_t begin, int64_t end) {
  int64_t last_of_train = INT64_MIN, last_of_validation = INT64_MIN;
  int64_t first_of_validation = INT64_MAX, first_of_test = INT64_MAX;
  for (auto e = static_cast<size_t>(begin); e < static_cast<size_t>(end); ++e) {
    if (parts[e] == Part::kTrain) last_of_train = std::max(last_of_train, times[e]);
    if (parts[e] == Part::kTest) first_of_test = std::min(first_of_test, times[e]);
    if (parts[e] != Part::kValidation) continue;
    last_of_validation = std::max(last_of_validation, times[e]);
    first_of_validation = std::min(first_of_validation, times[e]);
  }
  ASSERT_LE(last_of_train, first_of_test);
  ASSERT_LE(last_of_train, first_of_validation);
  ASSERT_LE(last_of_validation, first_of_test);
}

// Many and few equal times, below 0 too. Sizes are those of a random split: the rule is the same.
TEST(SplitByTime, NothingInTrainIsLaterThanTheTest) {
  std::mt19937 random(17);
  for (int round = 0; round < 60; ++round) {
    const HostCsr matrix = random_matrix(random, 1 + round % 9 * 40, 1 + round % 50, 0.1 + round % 5 * 0.2);
    const auto times = random_times(random, matrix, round % 3 == 0 ? 3 : 100'000);
    const bool per_user = round % 2;
    const Draw shares{.test = 0.2, .validation = 0.1, .one = false, .per_user = per_user, .times = {}};
    const auto parts = parts_by_time(matrix, times, shares, 3);
    const auto drawn = parts_of(matrix, 0.2, 0.1, per_user, 3);
    if (!per_user) expect_in_order(parts, times, 0, matrix.nnz());
    for (size_t u = 0; u < static_cast<size_t>(matrix.rows()); ++u) {
      const int64_t begin = matrix.offsets[u], end = matrix.offsets[u + 1];
      expect_in_order(parts, times, begin, end);
      for (const Part part : {Part::kTest, Part::kValidation})
        ASSERT_TRUE(!per_user || count(parts, part, begin, end) == count(drawn, part, begin, end));
    }
    for (const Part part : {Part::kTest, Part::kValidation})
      ASSERT_EQ(count(parts, part, 0, matrix.nnz()), count(drawn, part, 0, matrix.nnz()));
  }
}

// Equal times alone are a random split, the same as by the seed; threads have no say.
TEST(SplitByTime, EqualTimesAreDrawn) {
  std::mt19937 random(18);
  const HostCsr matrix = random_matrix(random, 600, 60, 0.3);
  const std::vector<int64_t> same(static_cast<size_t>(matrix.nnz()), 77);
  const auto mixed = random_times(random, matrix, 4);
  for (const bool per_user : {true, false}) {
    const Draw shares{.test = 0.1, .validation = 0.1, .one = false, .per_user = per_user, .times = {}};
    EXPECT_EQ(parts_by_time(matrix, same, shares, 5), parts_of(matrix, 0.1, 0.1, per_user, 5));
    EXPECT_EQ(parts_by_time(matrix, mixed, shares, 5, 1), parts_by_time(matrix, mixed, shares, 5, 3));
    EXPECT_NE(parts_by_time(matrix, mixed, shares, 5), parts_by_time(matrix, mixed, shares, 6));
  }
}

TEST(SplitLeaveOneOut, TheLastGoesToTestTheOneBeforeToValidation) {
  // Users of 0, 1, 2, 3 and 5 entries; times in no order.
  const HostCsr matrix{{0, 0, 1, 3, 6, 11}, {0, 0, 1, 0, 1, 2, 0, 1, 2, 3, 4}, {}, 5};
  const std::vector<int64_t> times{9, 5, 4, 2, 8, 3, 1, 5, 4, 3, 2};
  const Part a = Part::kTrain, b = Part::kValidation, c = Part::kTest;
  EXPECT_EQ(parts_by_time(matrix, times, {.test = 1, .validation = .1, .one = true}, 1),
            (std::vector<Part>{a, c, a, a, c, b, a, c, b, a, a}));
  EXPECT_EQ(parts_by_time(matrix, times, {.test = 1, .validation = 0, .one = true}, 1),
            (std::vector<Part>{a, c, a, a, c, a, a, c, a, a, a}));
}

TEST(SplitLeaveOneOut, WithoutTimesOneIsDrawn) {
  std::mt19937 random(19);
  const HostCsr matrix = random_matrix(random, 500, 30, 0.2);
  const auto parts = parts_by_time(matrix, {}, {.test = 1, .validation = 1, .one = true}, 4);
  for (size_t u = 0; u < 500; ++u) {
    const int64_t begin = matrix.offsets[u], end = matrix.offsets[u + 1];
    ASSERT_EQ(count(parts, Part::kTest, begin, end), end - begin > 1);
    ASSERT_EQ(count(parts, Part::kValidation, begin, end), end - begin > 2);
  }
  EXPECT_NE(parts, parts_by_time(matrix, {}, {.test = 1, .validation = 1, .one = true}, 5));
}

// --- whole users ---

TEST(SplitUsers, AUserIsInOnePartAlone) {
  std::mt19937 random(20);
  for (int round = 0; round < 40; ++round) {
    const HostCsr matrix = random_matrix(random, 1 + round * 7, 1 + round % 20, 0.02 + round % 4 * 0.2);
    const double test = round % 3 * 0.1, validation = round % 4 * 0.1, fold_in = 0.1 + round % 5 * 0.2;
    Context ctx({.device = "cpu", .threads = 2});
    const auto parts = draw_users(ctx, matrix, test, validation, fold_in, static_cast<uint64_t>(round));
    int64_t eligible = 0, tested = 0, validated = 0;
    for (size_t u = 0; u < static_cast<size_t>(matrix.rows()); ++u) {
      const int64_t begin = matrix.offsets[u], end = matrix.offsets[u + 1], n = end - begin;
      const auto of = [&](Part part) { return count(parts, part, begin, end); };
      const int64_t in_test = of(Part::kTest) + of(Part::kGivenTest),
                    in_validation = of(Part::kValidation) + of(Part::kGivenValidation);
      ASSERT_EQ((of(Part::kTrain) > 0) + (in_test > 0) + (in_validation > 0), n > 0);
      eligible += n > 1, tested += in_test > 0, validated += in_validation > 0;
      if (in_test + in_validation == 0) continue;
      ASSERT_GT(n, 1);
      const auto found = static_cast<int64_t>((1 - fold_in) * static_cast<double>(n) + 1e-9);
      ASSERT_EQ(of(Part::kTest) + of(Part::kValidation), std::clamp<int64_t>(found, 1, n - 1));
    }
    const auto share = [](double of, int64_t most, int64_t all) {
      return of > 0 && most > 0
                 ? std::clamp<int64_t>(static_cast<int64_t>(of * static_cast<double>(all) + 1e-9), 1, most)
                 : 0;
    };
    ASSERT_EQ(tested, share(test, eligible - 1, eligible));
    ASSERT_EQ(validated, share(validation, eligible - 1 - tested, eligible));
  }
}

TEST(SplitUsers, TheSeedAloneDecides) {
  std::mt19937 random(21);
  const HostCsr matrix = random_matrix(random, 900, 40, 0.3);
  const auto draw = [&](uint64_t seed, int threads) {
    Context ctx({.device = "cpu", .threads = threads});
    return draw_users(ctx, matrix, 0.1, 0.1, 0.8, seed);
  };
  EXPECT_EQ(draw(1, 1), draw(1, 3));
  EXPECT_NE(draw(1, 1), draw(2, 1));
}

// --- folds ---

TEST(SplitFolds, SizesDifferByOneAtMost) {
  std::mt19937 random(22);
  for (int round = 0; round < 40; ++round) {
    const HostCsr matrix = random_matrix(random, 1 + round * 7, 1 + round % 40, 0.5);
    const int folds = 2 + round % 9;
    for (const bool per_user : {true, false}) {
      Context ctx({.device = "cpu", .threads = 2});
      const auto fold_of = draw_folds(ctx, matrix, folds, per_user, 1);
      ASSERT_EQ(fold_of.size(), static_cast<size_t>(matrix.nnz()));
      const auto even = [&](int64_t begin, int64_t end) {
        for (int fold = 0; fold < folds; ++fold) {
          const auto size = std::count(fold_of.begin() + begin, fold_of.begin() + end, fold);
          ASSERT_GE(size, (end - begin) / folds);
          ASSERT_LE(size, (end - begin + folds - 1) / folds);
        }
      };
      if (!per_user) even(0, matrix.nnz());
      for (size_t u = 0; per_user && u < static_cast<size_t>(matrix.rows()); ++u)
        even(matrix.offsets[u], matrix.offsets[u + 1]);
    }
  }
}

// 40,000 users of 7 entries in 5 folds: each fold has 56,000, within 5 standard deviations. A user gives every fold one
// entry and two folds a second one: its number in a fold has variance 2/5 * 3/5.
TEST(SplitFolds, UsersDoNotAllBeginWithTheSameFold) {
  constexpr int64_t kUsers = 40000, kEntries = 7;
  HostCsr matrix;
  matrix.cols = kEntries;
  for (int64_t u = 0; u < kUsers; ++u) {
    for (int32_t i = 0; i < kEntries; ++i) matrix.indices.push_back(i);
    matrix.offsets.push_back(matrix.nnz());
  }
  Context ctx({.device = "cpu", .threads = 2});
  const auto fold_of = draw_folds(ctx, matrix, 5, true, 1);
  for (int fold = 0; fold < 5; ++fold)
    EXPECT_NEAR(static_cast<double>(std::count(fold_of.begin(), fold_of.end(), fold)), 56000,
                5 * std::sqrt(kUsers * 0.4 * 0.6));
  for (const int threads : {1, 3}) {
    Context other({.device = "cpu", .threads = threads});
    EXPECT_EQ(draw_folds(other, matrix, 5, true, 1), fold_of);
  }
  EXPECT_NE(draw_folds(ctx, matrix, 5, true, 2), fold_of);
}

TEST(Split, TimesAndKindsGoAlong) {
  Interactions all;
  all.users = std::make_shared<const Ids>(Ids::integers({1, 2}));
  all.items = std::make_shared<const Ids>(Ids::integers({7, 8, 9}));
  all.matrix = {{0, 2, 4}, {0, 2, 1, 2}, {1, 2, 3, 4}, 3};
  all.times = {10, 20, 30, 40};
  all.kinds = {0, 1, 0, 1};
  all.kind_names = {"view", "buy"};
  const std::vector<Part> parts{Part::kTrain, Part::kTest, Part::kTest, Part::kTrain};
  const Interactions test = take_part(all, parts, Part::kTest);
  EXPECT_EQ(test.matrix.offsets, (std::vector<int64_t>{0, 1, 2}));
  EXPECT_EQ(test.matrix.indices, (std::vector<int32_t>{2, 1}));
  EXPECT_EQ(test.matrix.values, (std::vector<float>{2, 3}));
  EXPECT_EQ(test.times, (std::vector<int64_t>{20, 30}));
  EXPECT_EQ(test.kinds, (std::vector<uint8_t>{1, 0}));
  EXPECT_EQ(test.kind_names, all.kind_names);
}

}  // namespace
}  // namespace kindred
