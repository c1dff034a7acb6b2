// SPDX-License-Identifier: Apache-2.0
// Metrics of single lists, computed by hand.
#include "engine/evaluate/metrics.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "engine/core/error.hpp"

namespace kindred {
namespace {

using testing::HasSubstr;

/// `gains` of a list in order.
double value(const char* metric, std::vector<float> gains, std::vector<float> ideal, int64_t relevant) {
  std::vector<Hit> hits;
  for (size_t r = 0; r < gains.size(); ++r)
    if (gains[r] > 0) hits.push_back({static_cast<int>(r) + 1, gains[r]});
  return list_metric(parse_metric(metric), hits, ideal, relevant);
}

TEST(ListMetric, ByHand) {
  // Ranks 2 and 3 of five hold relevant items; three are relevant.
  const std::vector<float> hits{0, 1, 1, 0, 0}, ideal{1, 1, 1};
  EXPECT_DOUBLE_EQ(value("recall@5", hits, ideal, 3), 2.0 / 3);
  EXPECT_DOUBLE_EQ(value("precision@5", hits, ideal, 3), 2.0 / 5);
  EXPECT_DOUBLE_EQ(value("hit@5", hits, ideal, 3), 1);
  EXPECT_DOUBLE_EQ(value("mrr@5", hits, ideal, 3), 1.0 / 2);
  EXPECT_DOUBLE_EQ(value("map@5", hits, ideal, 3), (1.0 / 2 + 2.0 / 3) / 3);
  EXPECT_DOUBLE_EQ(value("ndcg@5", hits, ideal, 3),
                   (1 / std::log2(3.0) + 1 / std::log2(4.0)) / (1 + 1 / std::log2(3.0) + 1 / std::log2(4.0)));
}

TEST(ListMetric, ShorterListsThanAskedCountAsMisses) {
  EXPECT_DOUBLE_EQ(value("precision@10", {1, 0}, {1}, 1), 0.1);
  EXPECT_DOUBLE_EQ(value("recall@10", {}, {1}, 1), 0);
  EXPECT_DOUBLE_EQ(value("mrr@10", {}, {1}, 1), 0);
}

TEST(ListMetric, OnlyTheFirstKCount) {
  const std::vector<float> hits{0, 0, 1, 1}, ideal{1, 1};
  EXPECT_DOUBLE_EQ(value("recall@2", hits, ideal, 2), 0);
  EXPECT_DOUBLE_EQ(value("hit@2", hits, ideal, 2), 0);
  EXPECT_DOUBLE_EQ(value("mrr@3", hits, ideal, 2), 1.0 / 3);
  EXPECT_DOUBLE_EQ(value("map@3", hits, ideal, 2), (1.0 / 3) / 2);
}

TEST(ListMetric, IdealsAreCutAtK) {
  const std::vector<float> all(30, 1.f);
  EXPECT_DOUBLE_EQ(value("ndcg@10", std::vector<float>(10, 1.f), all, 30), 1);
  EXPECT_DOUBLE_EQ(value("map@10", std::vector<float>(10, 1.f), all, 30), 1);
  EXPECT_DOUBLE_EQ(value("recall@10", std::vector<float>(10, 1.f), all, 30), 1.0 / 3);
}

TEST(ListMetric, GainsByValue) {
  EXPECT_DOUBLE_EQ(value("ndcg@3", {2, 0, 5}, {5, 2}, 2), (2 + 5 / 2.0) / (5 + 2 / std::log2(3.0)));
  EXPECT_DOUBLE_EQ(value("recall@3", {2, 0, 5}, {5, 2}, 2), 1);
}

TEST(ListMetric, UnknownItemsStayInTheDenominator) {
  EXPECT_DOUBLE_EQ(value("recall@2", {1, 0}, {1, 1, 1, 1}, 4), 0.25);
  EXPECT_DOUBLE_EQ(value("ndcg@2", {1, 0}, {1, 1, 1, 1}, 4), 1 / (1 + 1 / std::log2(3.0)));
}

std::string failure(const char* text) {
  try {
    parse_metric(text);
  } catch (const InputError& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST(ParseMetric, NamesPrintAsTheyRead) {
  for (const char* name : {"recall@20", "precision@1", "hit@5", "ndcg@10", "map@100", "mrr@1024", "coverage@10",
                           "novelty@10", "diversity@10", "auc", "auc_global", "rmse", "mae", "logloss"})
    EXPECT_EQ(parse_metric(name).name(), name);
  EXPECT_FALSE(parse_metric("rmse").larger_is_better());
  EXPECT_FALSE(parse_metric("logloss").larger_is_better());
  EXPECT_TRUE(parse_metric("mrr@3").larger_is_better());
  EXPECT_TRUE(parse_metric("auc").larger_is_better());
}

TEST(ParseMetric, SaysWhatIsWrong) {
  EXPECT_THAT(failure("ndgc@10"), HasSubstr("'ndgc@10' is unknown; did you mean 'ndcg'?"));
  EXPECT_THAT(failure("recall"), HasSubstr("expected recall@K, for example recall@20"));
  EXPECT_THAT(failure("auc@10"), HasSubstr("expected auc without a list length"));
  EXPECT_THAT(failure("coverage"), HasSubstr("expected coverage@K, for example coverage@20"));
  EXPECT_THAT(failure("rmse@10"), HasSubstr("expected rmse without a list length"));
  for (const char* text : {"recall@0", "recall@1025", "recall@-1", "recall@", "recall@5x", "recall@99999999999"})
    EXPECT_THAT(failure(text), HasSubstr("from 1 to 1024")) << text;
}

TEST(Objection, SaysWhatAMetricNeeds) {
  const auto reason = [](const char* name, bool values, bool probabilities, bool likeness) {
    return objection(parse_metric(name), values, probabilities, likeness);
  };
  EXPECT_EQ(reason("rmse", false, true, true), "rmse needs a model that predicts values");
  EXPECT_EQ(reason("mae", true, false, false), "");
  EXPECT_EQ(reason("logloss", true, false, true), "logloss needs a model whose scores are probabilities");
  EXPECT_EQ(reason("logloss", false, true, false), "");
  EXPECT_EQ(reason("diversity@5", true, true, false), "diversity@5 needs vectors or tags of the items");
  EXPECT_EQ(reason("ndcg@5", false, false, false), "");
}

}  // namespace
}  // namespace kindred
