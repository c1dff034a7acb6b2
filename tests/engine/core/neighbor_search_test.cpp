// SPDX-License-Identifier: Apache-2.0
// Neighbors against similarities and weightings by definition, in float64.
#include "engine/core/neighbor_search.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "engine/core/error.hpp"
#include "tests/reference/similarity.hpp"

namespace kindred {
namespace {

using reference::DenseRow;
using testing::HasSubstr;
using testing::ThrowsMessage;

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
using Dense = std::vector<DenseRow>;

HostCsr sparse(const Dense& dense, int64_t cols) {
  HostCsr out;
  out.cols = cols;
  for (const DenseRow& row : dense) {
    for (size_t c = 0; c < row.size(); ++c)
      if (!std::isnan(row[c]))
        out.indices.push_back(static_cast<int32_t>(c)), out.values.push_back(static_cast<float>(row[c]));
    out.offsets.push_back(out.nnz());
  }
  return out;
}

/// Columns of falling popularity, some rows empty, values 0.5 to 5.
Dense random_rows(std::mt19937& random, int64_t rows, int64_t cols) {
  Dense out;
  std::uniform_real_distribution<double> uniform;
  for (int64_t r = 0; r < rows; ++r) {
    DenseRow& row = out.emplace_back(static_cast<size_t>(cols), kNone);
    for (size_t c = 0; r % 11 != 5 && c < row.size(); ++c)
      if (uniform(random) < 0.7 / (1 + 0.1 * static_cast<double>(c)))
        row[c] = 0.5 * (1 + std::floor(10 * uniform(random)));
  }
  return out;
}

double length(const DenseRow& row) {
  double sum = 0;
  for (const double v : row) sum += std::isnan(v) ? 0 : v;
  return sum;
}

DenseRow column_means(const Dense& rows) {
  DenseRow out;
  for (size_t c = 0; c < rows[0].size(); ++c) {
    double sum = 0, count = 0;
    for (const DenseRow& row : rows)
      if (!std::isnan(row[c])) sum += row[c], count += 1;
    out.push_back(count > 0 ? sum / count : 0);
  }
  return out;
}

/// Values weighed by the formulas of Weighting.
Dense weighed(const Dense& queries, const Dense& rows, const NeighborSearch& search) {
  Dense out = queries;
  const auto n = static_cast<double>(rows.size());
  double mean_length = 0;
  for (const DenseRow& row : rows) mean_length += length(row) / n;
  for (size_t c = 0; c < rows[0].size(); ++c) {
    double entries = 0, sum = 0;
    for (const DenseRow& row : rows)
      if (!std::isnan(row[c])) entries += 1, sum += row[c];
    const double idf = std::max(0.0, std::log(n) - std::log(1 + entries));
    for (size_t q = 0; q < out.size(); ++q) {
      double& v = out[q][c];
      if (std::isnan(v)) continue;
      const double k1 = search.bm25_k1, b = search.bm25_b, alpha = search.rp3_alpha;
      if (search.weighting == Weighting::kTfIdf) v = std::sqrt(v) * idf;
      if (search.weighting == Weighting::kBm25)
        v = v * (k1 + 1) / (k1 * (1 - b + b * length(queries[q]) / mean_length) + v) * idf;
      if (search.weighting == Weighting::kRp3Beta)
        v = sum > 0 ? std::pow(v, alpha) * std::pow(sum, -alpha / 2) * std::pow(length(queries[q]), -alpha) : 0;
    }
  }
  return out;
}

/// Every list's entries are the similarities by definition, in order, and none better is left out.
void check(const NeighborLists& found, const Dense& queries, const Dense& rows, bool same,
           const NeighborSearch& search) {
  const Dense a = weighed(queries, rows, search), b = weighed(rows, rows, search);
  const DenseRow means = column_means(b);
  const bool distance = search.similarity.metric == SimilarityMetric::kEuclidean ||
                        search.similarity.metric == SimilarityMetric::kManhattan;
  ASSERT_EQ(found.weights.rows(), static_cast<int64_t>(queries.size()));
  ASSERT_EQ(found.weights.cols, static_cast<int64_t>(rows.size()));
  for (size_t q = 0; q < queries.size(); ++q) {
    std::vector<double> expected, by_row(rows.size(), kNone);
    for (size_t r = 0; r < rows.size(); ++r) {
      if (same && r == q) continue;
      by_row[r] = reference::similarity(a[q], b[r], means, search.similarity);
      if (!std::isnan(by_row[r]) && (distance || by_row[r] > 1e-7)) expected.push_back(by_row[r]);
    }
    std::ranges::sort(expected, std::greater<>());
    if (search.neighbors > 0 && expected.size() > static_cast<size_t>(search.neighbors))
      expected.resize(static_cast<size_t>(search.neighbors));
    const auto ids = found.weights.row(static_cast<int64_t>(q));
    ASSERT_GE(ids.size(), expected.size()) << q;
    const double scale = search.weighting == Weighting::kRp3Beta
                             ? std::pow(length(queries[q]), double{search.rp3_alpha} - double{search.rp3_beta})
                             : 1;
    double sum = 0;
    for (const int32_t id : ids) {
      const double s = by_row[static_cast<size_t>(id)];
      sum += distance ? 1 / (1 - s) : s * scale;
    }
    for (size_t e = 0; e < ids.size(); ++e) {
      const auto at = static_cast<size_t>(found.weights.offsets[q]) + e;
      const double s = by_row[static_cast<size_t>(ids[e])], size = 1 + std::abs(s);
      if (e < expected.size()) {
        ASSERT_NEAR(s, expected[e], 1e-5 * size) << "row " << q << " rank " << e + 1;
      }
      const double weight = (distance ? 1 / (1 - s) : s * scale) / (search.normalize ? sum : 1);
      ASSERT_NEAR(found.weights.values[at], weight, 1e-5 * (1 + weight)) << "row " << q << " rank " << e + 1;
      if (!found.similarity.empty()) {
        ASSERT_NEAR(found.similarity[at], s, 1e-5 * size);
      }
      ASSERT_TRUE(e == 0 || found.weights.values[at - 1] >= found.weights.values[at]);
    }
  }
}

class FindNeighbors : public testing::Test {
 protected:
  NeighborLists find(const Dense& rows, const NeighborSearch& search) {
    const HostCsr m = sparse(rows, static_cast<int64_t>(rows[0].size()));
    return find_neighbors(ctx, ResidentCsr(ctx, m.offsets, m.indices, m.values, m.cols, "rows").view(), search);
  }
  NeighborLists find(const Dense& queries, const Dense& rows, const NeighborSearch& search) {
    const HostCsr m = sparse(rows, static_cast<int64_t>(rows[0].size())), q = sparse(queries, m.cols);
    const ResidentCsr device_rows(ctx, m.offsets, m.indices, m.values, m.cols, "rows");
    const ResidentCsr device_queries(ctx, q.offsets, q.indices, q.values, q.cols, "queries");
    return find_neighbors(ctx, device_queries.view(), device_rows.view(), search);
  }
  Context ctx{{.device = "cpu", .threads = 2}};
};

TEST_F(FindNeighbors, EverySearchIsItsDefinition) {
  std::mt19937 random(5);
  const Dense rows = random_rows(random, 40, 25), queries = random_rows(random, 9, 25);
  for (int metric = 0; metric <= 6; ++metric)
    for (int missing = 0; missing <= 3; ++missing)
      for (int weighting = 0; weighting <= 3; ++weighting)
        for (const int neighbors : {0, 1, 7, 100}) {
          NeighborSearch search;
          search.similarity.metric = static_cast<SimilarityMetric>(metric);
          search.similarity.missing = static_cast<Missing>(missing);
          search.weighting = static_cast<Weighting>(weighting);
          search.neighbors = neighbors;
          search.normalize = (metric + neighbors) % 2 == 0;
          search.rp3_alpha = 0.75f;
          const bool distance = metric == 4 || metric == 5;
          if (metric == 5 && missing > 1) continue;
          if (weighting == 3 && metric != 0) continue;
          if (!distance && neighbors == 7) search.similarity.shrinkage = 4, search.similarity.min_overlap = 2;
          SCOPED_TRACE(testing::Message() << metric << " " << missing << " " << weighting << " " << neighbors);
          check(find(rows, search), rows, rows, true, search);
          check(find(queries, rows, search), queries, rows, false, search);
          if (HasFatalFailure()) return;
        }
}

/// More rows than a list of the kernel holds.
TEST_F(FindNeighbors, AllAreKept) {
  std::mt19937 random(6);
  const Dense rows = random_rows(random, 2100, 12);
  NeighborSearch search;
  search.neighbors = 0;
  const NeighborLists all = find(rows, search);
  int64_t pairs = 0;
  for (size_t x = 0; x < rows.size(); ++x)
    for (size_t y = 0; y < rows.size(); ++y) {
      bool common = false;
      for (size_t c = 0; c < 12; ++c) common = common || (!std::isnan(rows[x][c]) && !std::isnan(rows[y][c]));
      pairs += x != y && common;
    }
  EXPECT_EQ(all.weights.nnz(), pairs);
  search.neighbors = 20;
  const NeighborLists best = find(rows, search);
  for (int64_t r = 0; r < best.weights.rows(); ++r)
    ASSERT_TRUE(std::ranges::equal(best.weights.row(r), all.weights.row(r).first(best.weights.row(r).size()))) << r;
  search.neighbors = 0;
  search.similarity.missing = Missing::kColumnMean;
  EXPECT_THAT([&] { find(rows, search); }, ThrowsMessage<InputError>(HasSubstr("set model.neighbors to a number")));
}

/// The table of docs/neighbors.md.
TEST_F(FindNeighbors, WhatIsMissingIsAChoice) {
  const Dense rows{{5, 3, kNone, 1}, {4, kNone, 2, 1}};
  NeighborSearch search;
  for (const auto& [missing, expected] : {std::pair{Missing::kZero, 0.775f},
                                          {Missing::kIgnore, 0.999f},
                                          {Missing::kRowMean, 0.997f},
                                          {Missing::kColumnMean, 0.994f}}) {
    search.similarity.missing = missing;
    EXPECT_NEAR(find(rows, search).weights.values[0], expected, 0.0005f);
  }
}

TEST_F(FindNeighbors, WithoutNormVarianceOrCompanyThereIsNobody) {
  NeighborSearch search;
  const auto pairs = [&](const Dense& rows) { return find(rows, search).weights.nnz(); };
  EXPECT_EQ(pairs({{0, 0}, {1, 2}}), 0) << "no norm";
  EXPECT_EQ(pairs({{1, 2}}), 0) << "alone";
  EXPECT_EQ(pairs({{1, kNone}, {kNone, 2}}), 0) << "nothing in common";
  EXPECT_EQ(pairs({{-1, kNone}, {2, kNone}}), 0) << "opposed";
  search.similarity.min_overlap = 3;
  EXPECT_EQ(pairs({{1, 2}, {1, 2}}), 0) << "an overlap that nobody reaches";
  search.similarity = {.metric = SimilarityMetric::kPearson, .missing = Missing::kIgnore};
  EXPECT_EQ(pairs({{3, 3, 3}, {1, 2, 3}}), 0) << "equal values";
  EXPECT_EQ(pairs({{3, kNone}, {1, kNone}}), 0) << "one common column";
  search.neighbors = 1000;
  EXPECT_EQ(pairs({{1, 2, 4}, {1, 2, 3}}), 2) << "more than there are";
}

TEST_F(FindNeighbors, WeightingsTakeNoValuesBelowZero) {
  for (const Weighting weighting : {Weighting::kTfIdf, Weighting::kBm25, Weighting::kRp3Beta}) {
    NeighborSearch search;
    search.weighting = weighting;
    EXPECT_THAT([&] { find({{1, -2}, {2, 1}}, search); }, ThrowsMessage<InputError>(HasSubstr("values below 0 (-2)")));
    for (const float v : find({{0, 0}, {0, 2}, {1, kNone}}, search).weights.values) EXPECT_TRUE(std::isfinite(v));
  }
}

/// Values across the range of floats: sums in fp64, and nothing that is not finite leaves.
TEST_F(FindNeighbors, ExtremeValuesStayFinite) {
  std::mt19937 random(9);
  for (int metric = 0; metric <= 6; ++metric)
    for (int weighting = 0; weighting <= 3; ++weighting) {
      Dense rows = random_rows(random, 30, 10);
      for (DenseRow& row : rows)
        for (double& v : row)
          if (!std::isnan(v)) v = random() % 3 == 0 ? 0 : std::pow(10.0, static_cast<double>(random() % 60) - 30);
      NeighborSearch search;
      search.similarity.metric = static_cast<SimilarityMetric>(metric);
      search.weighting = static_cast<Weighting>(weighting);
      search.normalize = metric % 2 == 0;
      for (const int neighbors : {0, 5}) {
        search.neighbors = neighbors;
        const NeighborLists found = find(rows, search);
        for (const float w : found.weights.values) ASSERT_TRUE(std::isfinite(w) && w >= 0) << metric << weighting;
        for (const float s : found.similarity) ASSERT_TRUE(std::isfinite(s));
      }
    }
}

}  // namespace
}  // namespace kindred
