// SPDX-License-Identifier: Apache-2.0
// What a run is told to cost: memory over its phases, advice where it does not fit, the evaluation's work.
#include "engine/experiment/cost.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/core/file.hpp"
#include "tests/engine/support.hpp"

namespace kindred {
namespace {

using testing::HasSubstr;
using testing::Not;

/// One user with three interactions; of the items there may be any number, none is in memory.
PreparedData few_users(int64_t items) {
  PreparedData data;
  for (HostCsr* matrix : {&data.train.matrix, &data.validation.matrix, &data.test.matrix}) {
    matrix->cols = items;
    matrix->indices = {0, 1, 2};
    matrix->offsets = {0, 3};
  }
  return data;
}

RunCost cost_of(const Config& config, int64_t items) {
  Context ctx({.device = "cpu", .threads = 1});
  return run_cost(config, ctx, few_users(items));
}

TEST(RunCost, GrowsWithTheModel) {
  Config config;
  config.als.factors = 64;
  const int64_t small = cost_of(config, 1'000'000).host;
  config.als.factors = 128;
  const int64_t large = cost_of(config, 1'000'000).host;
  // The table, its copy in the eigenbasis and a snapshot.
  EXPECT_NEAR(static_cast<double>(large - small), 3.0 * 64 * 4 * 1e6, 0.15 * 3 * 64 * 4 * 1e6);
  config.early_stopping.metric = "ndcg@10";
  EXPECT_GE(cost_of(config, 1'000'000).host, large + 128 * 4 * 1'000'000ll);
}

TEST(RunCost, SaysHowManyFactorsWouldFit) {
  Config config;
  config.als.factors = 1024;
  const RunCost none = cost_of(config, 2'000'000'000);
  EXPECT_FALSE(none.fits());
  EXPECT_EQ(none.fitting_factors, 0);
  EXPECT_THAT(cost_text(none), HasSubstr("use less data"));
  const RunCost some = cost_of(config, 40'000'000);
  ASSERT_FALSE(some.fits()) << "this machine has " << some.host_free << " bytes";
  EXPECT_THAT(cost_text(some), HasSubstr("model.factors = " + std::to_string(some.fitting_factors) + " would fit"));
  config.als.factors = some.fitting_factors;
  EXPECT_TRUE(cost_of(config, 40'000'000).fits());
  config.als.factors = 2 * some.fitting_factors;
  EXPECT_FALSE(cost_of(config, 40'000'000).fits());
}

// Later rows are longer: the beginning alone would tell a third too many.
TEST(ReadingEstimate, LooksAtTheWholeFile) {
  const test::TemporaryFolder folder;
  std::string text = "user,item\n";
  constexpr int kRows = 400'000;
  for (int row = 0; row < kRows; ++row) text += std::to_string(int64_t{row} * row) + ",7\n";
  write_file(folder / "r.csv", text);
  Config config;
  config.data.interactions = folder / "r.csv";
  const ReadingEstimate told = estimate_reading(config);
  EXPECT_NEAR(static_cast<double>(told.rows), kRows, 0.03 * kRows);
  EXPECT_GT(told.host, 12 * told.rows);
  EXPECT_THAT(told.text(), HasSubstr(" k interactions, reading takes "));
  config.data.interactions = folder / "absent.csv";
  EXPECT_EQ(estimate_reading(config).rows, 0);
}

TEST(RunCost, CountsTheEvaluationsWork) {
  Config config;
  config.als.factors = 10;
  config.als.epochs = 7;
  config.every = 3;
  const RunCost cost = cost_of(config, 1000);
  EXPECT_EQ(cost.validation_flop, 2 * 1000 * 10);
  EXPECT_EQ(cost.test_flop, 2 * 1000 * 10);
  EXPECT_EQ(cost.validations, 4);  // after epochs 3, 6 and 7, and once more for the intervals
  EXPECT_EQ(cost.seconds, 0);
  EXPECT_THAT(cost_text(cost), HasSubstr("4 validations"));
  EXPECT_THAT(cost_text(cost), Not(HasSubstr("advice")));
  config.model = "popularity";
  EXPECT_EQ(cost_of(config, 1000).validations, 1);
  EXPECT_EQ(cost_of(config, 1000).validation_flop, 2 * 1000);
}

}  // namespace
}  // namespace kindred
