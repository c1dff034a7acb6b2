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
  return draw_parts(ctx, matrix, test, validation, per_user, seed);
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
