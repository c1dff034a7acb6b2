// SPDX-License-Identifier: Apache-2.0
#include "kernels/similarity.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <random>

#include "kernels/detail/similarity.hpp"
#include "kernels/topk.hpp"
#include "tests/kernels/backends.hpp"
#include "tests/kernels/cases/als.hpp"
#include "tests/reference/similarity.hpp"

namespace kindred {
namespace {

using cases::HostCsr;
using reference::DenseRow;
using testing::HasSubstr;
using testing::ThrowsMessage;

constexpr Missing kAllMissing[] = {Missing::kZero, Missing::kIgnore, Missing::kRowMean, Missing::kColumnMean};
constexpr SimilarityMetric kAllMetrics[] = {
    SimilarityMetric::kDot,       SimilarityMetric::kCosine,    SimilarityMetric::kPearson, SimilarityMetric::kMsd,
    SimilarityMetric::kEuclidean, SimilarityMetric::kManhattan, SimilarityMetric::kJaccard};

bool possible(const SimilarityParams& params) {
  const bool means = params.missing == Missing::kRowMean || params.missing == Missing::kColumnMean;
  return params.metric != SimilarityMetric::kManhattan || !means;
}

/// Degrees by a skewed law, from none to all columns.
HostCsr skewed(int64_t rows, int64_t cols, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<int64_t> degrees;
  for (int64_t r = 0; r < rows; ++r)
    degrees.push_back(r % 7 == 3    ? 0
                      : r % 11 == 5 ? cols
                                    : 1 + static_cast<int64_t>(random() % 100 * random() % 100) * (cols - 1) / 10000);
  return cases::random_csr(degrees, cols, seed + 1);
}

std::vector<DenseRow> dense(const HostCsr& matrix) {
  std::vector<DenseRow> out(static_cast<size_t>(matrix.rows()),
                            DenseRow(static_cast<size_t>(matrix.cols), std::numeric_limits<double>::quiet_NaN()));
  for (size_t r = 0; r < out.size(); ++r)
    for (auto e = static_cast<size_t>(matrix.offsets[r]); e < static_cast<size_t>(matrix.offsets[r + 1]); ++e)
      out[r][static_cast<size_t>(matrix.indices[e])] = matrix.values.empty() ? 1 : double{matrix.values[e]};
  return out;
}

DenseRow column_means(const HostCsr& matrix) {
  DenseRow sums(static_cast<size_t>(matrix.cols), 0), counts = sums;
  for (size_t e = 0; e < matrix.indices.size(); ++e) {
    sums[static_cast<size_t>(matrix.indices[e])] += matrix.values.empty() ? 1 : double{matrix.values[e]};
    counts[static_cast<size_t>(matrix.indices[e])] += 1;
  }
  for (size_t c = 0; c < sums.size(); ++c)
    if (counts[c] > 0) sums[c] /= counts[c];
  return sums;
}

struct Neighbors {
  std::vector<int32_t> ids;
  std::vector<float> similarities;
  bool operator==(const Neighbors&) const = default;
};

class Similarity : public OpTest {
 protected:
  ResidentCsr resident(Context& context, const HostCsr& matrix) {
    return {context, matrix.offsets, matrix.indices, matrix.values, matrix.cols, "test matrix"};
  }
  /// forced: the way that the CPU is to take.
  Neighbors within(Context& context, const HostCsr& matrix, int64_t k, const SimilarityParams& params,
                   const SimilarityPlan* forced = nullptr) {
    const ResidentCsr rows = resident(context, matrix);
    Matrix<int32_t> ids(context, matrix.rows(), k, "test ids");
    Matrix<float> similarities(context, matrix.rows(), k, "test similarities");
    forced == nullptr ? similar_rows(context, rows.view(), params, ids.view(), similarities.view())
                      : cpu::similar_rows(context, rows.view(), params, forced, ids.view(), similarities.view());
    return read(context, ids, similarities);
  }
  Neighbors among(Context& context, const HostCsr& asked, const std::vector<int32_t>& self, const HostCsr& matrix,
                  int64_t k, const SimilarityParams& params, const SimilarityPlan* forced = nullptr) {
    const ResidentCsr queries = resident(context, asked), rows = resident(context, matrix);
    const Resident<int32_t> own(context, self, "test self");
    Matrix<int32_t> ids(context, asked.rows(), k, "test ids");
    Matrix<float> similarities(context, asked.rows(), k, "test similarities");
    forced == nullptr
        ? similar_rows(context, queries.view(), own.view(), rows.view(), params, ids.view(), similarities.view())
        : cpu::similar_rows(context, queries.view(), own.view(), rows.view(), params, forced, ids.view(),
                            similarities.view());
    return read(context, ids, similarities);
  }
  static Neighbors read(Context& context, Matrix<int32_t>& ids, Matrix<float>& similarities) {
    Neighbors out;
    out.ids.resize(static_cast<size_t>(ids.view().size()));
    out.similarities.resize(out.ids.size());
    download<int32_t>(context, ids.view().flat(), out.ids);
    download<float>(context, similarities.view().flat(), out.similarities);
    context.wait();
    return out;
  }

  /// Every list is what the definition gives: each similarity right, in order, and nothing better left out.
  void expect_right(const Neighbors& found, const HostCsr& asked, const std::vector<int32_t>& self,
                    const HostCsr& matrix, int64_t k, const SimilarityParams& params) {
    const auto rows = dense(matrix), queries = dense(asked);
    const DenseRow means = column_means(matrix);
    for (size_t q = 0; q < queries.size(); ++q) {
      std::vector<double> all;
      for (size_t r = 0; r < rows.size(); ++r) {
        const bool own = !self.empty() && self[q] == static_cast<int32_t>(r);
        all.push_back(own ? std::numeric_limits<double>::quiet_NaN()
                          : reference::similarity(queries[q], rows[r], means, params));
      }
      const auto tolerance = [](double value) { return 1e-5 * std::max(1.0, std::abs(value)); };
      int64_t length = std::ranges::count_if(all, [](double s) { return !std::isnan(s); });
      length = std::min(length, k);
      double worst = std::numeric_limits<double>::infinity();
      std::vector<bool> listed(rows.size());
      for (int64_t place = 0; place < k; ++place) {
        const size_t at = q * static_cast<size_t>(k) + static_cast<size_t>(place);
        if (place >= length) {
          ASSERT_EQ(found.ids[at], -1) << "query " << q << " place " << place;
          ASSERT_EQ(found.similarities[at], kNoScore);
          continue;
        }
        ASSERT_GE(found.ids[at], 0) << "query " << q << " place " << place;
        const auto id = static_cast<size_t>(found.ids[at]);
        ASSERT_FALSE(listed[id]) << "row " << id << " twice";
        listed[id] = true;
        ASSERT_NEAR(double{found.similarities[at]}, all[id], tolerance(all[id])) << "query " << q << " row " << id;
        if (place > 0) {
          ASSERT_GE(found.similarities[at - 1], found.similarities[at]);
          if (found.similarities[at - 1] == found.similarities[at]) {
            ASSERT_LT(found.ids[at - 1], found.ids[at]);
          }
        }
        worst = double{found.similarities[at]};
      }
      for (size_t r = 0; r < rows.size(); ++r)
        if (length == k && !listed[r] && !std::isnan(all[r])) {
          ASSERT_LE(all[r], worst + tolerance(worst)) << "query " << q << " row " << r;
        }
    }
  }

  static std::vector<int32_t> own_rows(const HostCsr& matrix) {
    std::vector<int32_t> self(static_cast<size_t>(matrix.rows()));
    std::iota(self.begin(), self.end(), 0);
    return self;
  }
};

TEST_P(Similarity, EveryMetricIsItsDefinition) {
  for (const bool values : {true, false})
    for (const SimilarityMetric metric : kAllMetrics)
      for (const Missing missing : kAllMissing)
        for (const int64_t overlap : {1, 0, 3}) {
          SimilarityParams params{.metric = metric, .missing = missing, .min_overlap = overlap};
          if (!possible(params)) continue;
          SCOPED_TRACE(testing::Message() << "metric " << int(metric) << " missing " << int(missing) << " overlap "
                                          << overlap << (values ? " values" : ""));
          HostCsr matrix = skewed(emulated() ? 24 : 90, 31, 5 + static_cast<uint32_t>(overlap));
          if (!values) matrix.values.clear();
          expect_right(within(ctx, matrix, 7, params), matrix, own_rows(matrix), matrix, 7, params);
          if (HasFatalFailure()) return;
          HostCsr asked = skewed(emulated() ? 6 : 20, 31, 77);
          if (!values) asked.values.clear();
          std::vector<int32_t> self{3, -1, static_cast<int32_t>(matrix.rows()) - 2, 0, -1};
          self.resize(static_cast<size_t>(asked.rows()), 5);
          expect_right(among(ctx, asked, self, matrix, 12, params), asked, self, matrix, 12, params);
          if (HasFatalFailure()) return;
        }
}

TEST_P(Similarity, EveryWayOfTheCpuGivesTheSameLists) {
  if (ctx.on_cuda()) GTEST_SKIP() << "one way";
  HostCsr matrix = skewed(700, 60, 4), asked = skewed(70, 60, 8);
  for (HostCsr* m : {&matrix, &asked})
    for (size_t e = 0; e < m->values.size(); ++e) m->values[e] = static_cast<float>(1 + e % 5);
  std::vector<int32_t> self;
  for (int32_t q = 0; q < 70; ++q) self.push_back(q % 3 == 0 ? -1 : 9 * q);
  constexpr SimilarityPlan kRows{SimilarityMethod::kRows}, kHalves{SimilarityMethod::kHalves},
      kBits{SimilarityMethod::kBits}, kProducts{SimilarityMethod::kProducts};
  // Of sums that are rounded: the same similarities place by place. tolerance: of the largest magnitude and of 1.
  const auto expect_near = [](const Neighbors& found, const Neighbors& expected, float tolerance) {
    for (size_t at = 0; at < expected.ids.size(); ++at) {
      ASSERT_EQ(found.ids[at] == -1, expected.ids[at] == -1);
      if (expected.ids[at] != -1) {
        ASSERT_NEAR(found.similarities[at], expected.similarities[at],
                    tolerance * std::max(1.f, std::abs(expected.similarities[at])));
      }
    }
  };
  for (const bool values : {true, false}) {
    if (!values) matrix.values.clear(), asked.values.clear();
    for (const SimilarityMetric metric : kAllMetrics)
      for (const Missing missing : kAllMissing)
        for (const int64_t overlap : {0, 1, 2}) {
          const SimilarityParams params{.metric = metric, .missing = missing, .min_overlap = overlap};
          if (!possible(params)) continue;
          SCOPED_TRACE(testing::Message() << "metric " << int(metric) << " missing " << int(missing) << " overlap "
                                          << overlap << (values ? " values" : ""));
          const Neighbors rows = within(ctx, matrix, 30, params, &kRows);
          const detail::PairPlan plan = detail::pair_plan(params, values, true);
          const bool bits = plan.sums == detail::PairSums::kCount;
          // Values are small whole numbers: sums are exact, whatever their order; centered ones are not.
          if (missing == Missing::kZero || missing == Missing::kIgnore) {
            ASSERT_EQ(within(ctx, matrix, 30, params, &kHalves), rows);
          } else {
            expect_near(within(ctx, matrix, 30, params, &kHalves), rows, 1e-6f);
            if (HasFatalFailure()) return;
          }
          if (plan.formula == detail::PairFormula::kNormalized && !bits) {
            expect_near(within(ctx, matrix, 30, params, &kProducts), rows, 1e-5f);
            if (HasFatalFailure()) return;
          }
          if (!bits) continue;
          ASSERT_EQ(within(ctx, matrix, 30, params, &kBits), rows);
          ASSERT_EQ(among(ctx, asked, self, matrix, 30, params, &kBits),
                    among(ctx, asked, self, matrix, 30, params, &kRows));
        }
  }
}

TEST_P(Similarity, BitsCountForEveryInstructionSet) {
  if (ctx.on_cuda()) GTEST_SKIP() << "not vectors";
  constexpr SimilarityPlan kBits{SimilarityMethod::kBits}, kRows{SimilarityMethod::kRows};
  std::vector<int64_t> degrees;  // around each power of 2: every plane is carried into
  for (int64_t r = 0; r < 600; ++r) degrees.push_back(r % 70 * (r % 3) + r % 2 * 500);
  HostCsr matrix = cases::random_csr(degrees, 700, 12);
  matrix.values.clear();
  const Neighbors expected = within(ctx, matrix, 40, {}, &kRows);
  for_each_instruction_set([&] {
    const Neighbors found = within(ctx, matrix, 40, {}, &kBits);
    for (size_t at = 0; at < found.ids.size(); ++at) {
      ASSERT_EQ(found.ids[at], expected.ids[at]) << at << found.similarities[at] << " " << expected.similarities[at];
      ASSERT_EQ(found.similarities[at], expected.similarities[at]);
    }
  });
}

TEST_P(Similarity, TheCpuTakesTheWayOfFewestSteps) {
  if (ctx.on_cuda()) GTEST_SKIP() << "one way";
  const auto way = [&](const HostCsr& matrix) {
    const ResidentCsr rows = resident(ctx, matrix);
    Matrix<int32_t> ids(ctx, matrix.rows(), 5, "test ids");
    Matrix<float> similarities(ctx, matrix.rows(), 5, "test similarities");
    return similar_rows(ctx, rows.view(), {}, ids.view(), similarities.view()).method;
  };
  HostCsr few = cases::random_csr(std::vector<int64_t>(4000, 3), 4000, 1);  // nearly no pair has a column in common
  EXPECT_EQ(way(few), SimilarityMethod::kRows);
  few.values.clear();
  EXPECT_EQ(way(few), SimilarityMethod::kRows);
  HostCsr many = cases::random_csr(std::vector<int64_t>(600, 60), 400, 1);
  EXPECT_EQ(way(many), SimilarityMethod::kHalves);
  EXPECT_EQ(way(cases::random_csr(std::vector<int64_t>(200, 1500), 3000, 1)), SimilarityMethod::kProducts);
  many.values.clear();
  EXPECT_EQ(way(many), SimilarityMethod::kBits);
}

TEST_P(Similarity, ShrinkageAndSupport) {
  const HostCsr matrix = skewed(emulated() ? 25 : 120, 40, 9);
  for (const SimilarityMetric metric : {SimilarityMetric::kDot, SimilarityMetric::kCosine, SimilarityMetric::kPearson,
                                        SimilarityMetric::kMsd, SimilarityMetric::kJaccard})
    for (const Missing missing : kAllMissing) {
      const SimilarityParams params{
          .metric = metric, .missing = missing, .shrinkage = 12.5f, .shrink_from = 1, .min_overlap = 2};
      expect_right(within(ctx, matrix, 10, params), matrix, own_rows(matrix), matrix, 10, params);
      if (HasFatalFailure()) return;
    }
}

TEST_P(Similarity, NegativeAndZeroValues) {
  HostCsr matrix = skewed(emulated() ? 30 : 80, 25, 21);
  for (size_t e = 0; e < matrix.values.size(); ++e) matrix.values[e] = e % 5 == 0 ? 0.f : matrix.values[e] - 3;
  for (const Missing missing : kAllMissing) {
    const SimilarityParams params{.missing = missing};
    expect_right(within(ctx, matrix, 9, params), matrix, own_rows(matrix), matrix, 9, params);
    if (HasFatalFailure()) return;
  }
}

TEST_P(Similarity, LongRowsManyTilesAndMoreNeighborsThanRows) {
  if (emulated()) GTEST_SKIP() << "too many rows for the emulator";
  std::vector<int64_t> degrees(3000, 2);
  for (size_t r = 0; r < degrees.size(); r += 50) degrees[r] = 400;
  const HostCsr matrix = cases::random_csr(degrees, 500, 3);
  const SimilarityParams params{};
  const Neighbors found = within(ctx, matrix, 20, params);
  HostCsr some;
  some.cols = matrix.cols;
  std::vector<int32_t> self;
  for (int32_t r = 0; r < 3000; r += 151) {
    const auto begin = matrix.offsets[static_cast<size_t>(r)], end = matrix.offsets[static_cast<size_t>(r) + 1];
    some.indices.insert(some.indices.end(), matrix.indices.begin() + begin, matrix.indices.begin() + end);
    some.values.insert(some.values.end(), matrix.values.begin() + begin, matrix.values.begin() + end);
    some.offsets.push_back(some.nnz());
    self.push_back(r);
  }
  Neighbors part;
  for (const int32_t r : self) {
    part.ids.insert(part.ids.end(), found.ids.begin() + r * 20, found.ids.begin() + r * 20 + 20);
    part.similarities.insert(part.similarities.end(), found.similarities.begin() + r * 20,
                             found.similarities.begin() + r * 20 + 20);
  }
  expect_right(part, some, self, matrix, 20, params);
  EXPECT_EQ(among(ctx, some, self, matrix, 20, params).ids, part.ids);
  const HostCsr few = skewed(5, 10, 2);
  expect_right(within(ctx, few, 100, params), few, own_rows(few), few, 100, params);
}

TEST_P(Similarity, MoreRowsThanABlockHolds) {
  std::vector<int64_t> degrees(4000, 2);
  for (size_t r = 0; r < degrees.size(); r += 9) degrees[r] = 12;
  const HostCsr matrix = cases::random_csr(degrees, 40, 17), asked = cases::random_csr({40, 7, 20}, 40, 18);
  const SimilarityParams params{.metric = SimilarityMetric::kPearson, .missing = Missing::kIgnore, .min_overlap = 2};
  expect_right(among(ctx, asked, {7, -1, 3999}, matrix, 30, params), asked, {7, -1, 3999}, matrix, 30, params);
}

TEST_P(Similarity, EqualSimilaritiesGoByRow) {
  HostCsr matrix;  // forty equal rows
  matrix.cols = 3;
  for (int r = 0; r < 40; ++r) {
    matrix.indices.insert(matrix.indices.end(), {0, 2});
    matrix.offsets.push_back(matrix.nnz());
  }
  const Neighbors found = within(ctx, matrix, 5, {});
  for (int32_t r = 0; r < 40; ++r)
    for (int32_t place = 0; place < 5; ++place)
      EXPECT_EQ(found.ids[static_cast<size_t>(r * 5 + place)], place < r ? place : place + 1);
}

TEST_P(Similarity, UndefinedIsZeroAndNothingIsNan) {
  HostCsr matrix;  // rows of zeros, of one entry, of equal entries
  matrix.cols = 4;
  const std::vector<std::vector<float>> rows{{0, 0, 0, 0}, {3, 3, 3, 3}, {1, 2, 3, 4}, {1e30f, -1e30f, 1e30f, 0}, {5}};
  for (const auto& row : rows) {
    for (size_t c = 0; c < row.size(); ++c)
      matrix.indices.push_back(static_cast<int32_t>(c)), matrix.values.push_back(row[c]);
    matrix.offsets.push_back(matrix.nnz());
  }
  for (const SimilarityMetric metric : kAllMetrics)
    for (const Missing missing : kAllMissing) {
      const SimilarityParams params{.metric = metric, .missing = missing};
      if (!possible(params)) continue;
      for (const float s : within(ctx, matrix, 4, params).similarities) EXPECT_FALSE(std::isnan(s));
    }
  const Neighbors pearson = within(ctx, matrix, 4, {.metric = SimilarityMetric::kPearson, .missing = Missing::kIgnore});
  for (const size_t row : {0, 1, 4})
    for (size_t place = 0; place < 4; ++place) EXPECT_EQ(pearson.similarities[row * 4 + place], 0) << row;
}

TEST_P(Similarity, NothingIsNanWhateverTheValues) {
  constexpr float kValues[] = {0, 0, 1, 1, -1, 3, 1e-30f, -1e-30f, 1e30f, -1e30f, 1e-45f, 2.5f};
  std::mt19937 random(3);
  for (int turn = 0; turn < (emulated() ? 2 : 12); ++turn) {
    HostCsr matrix;
    matrix.cols = 1 + turn % 5;
    for (int r = 0; r < 5 + 2 * turn; ++r) {
      const float constant = kValues[random() % std::size(kValues)];
      const bool equal = random() % 3 == 0;  // all values of the row
      for (int32_t c = 0; c < matrix.cols; ++c)
        if (random() % 3 != 0) {
          matrix.indices.push_back(c);
          matrix.values.push_back(equal ? constant : kValues[random() % std::size(kValues)]);
        }
      matrix.offsets.push_back(matrix.nnz());
    }
    for (const SimilarityMetric metric : kAllMetrics)
      for (const Missing missing : kAllMissing)
        for (const int64_t overlap : {0, 1, 2}) {
          const bool distance = metric == SimilarityMetric::kEuclidean || metric == SimilarityMetric::kManhattan;
          const SimilarityParams params{.metric = metric,
                                        .missing = missing,
                                        .shrinkage = distance ? 0.f : static_cast<float>(turn % 3),
                                        .shrink_from = turn % 2,
                                        .min_overlap = overlap};
          if (!possible(params)) continue;
          const Neighbors found = within(ctx, matrix, 40, params);  // more than there are rows
          for (size_t at = 0; at < found.ids.size(); ++at) {
            ASSERT_FALSE(std::isnan(found.similarities[at])) << int(metric) << " " << int(missing) << " " << overlap;
            ASSERT_LT(found.ids[at], matrix.rows());
            if (at % 40 > 0) {
              ASSERT_GE(found.similarities[at - 1], found.similarities[at]);
            }
          }
        }
  }
  HostCsr refused = cases::random_csr({2}, 4, 1);
  refused.values[1] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THROW(within(ctx, refused, 1, {}), InvalidArgument);
}

TEST_P(Similarity, SameBitsForAnyNumberOfThreads) {
  const HostCsr matrix = skewed(emulated() ? 40 : 1200, 60, 31);
  for (const Missing missing : kAllMissing) {
    const SimilarityParams params{.missing = missing};
    const Neighbors two = within(ctx, matrix, 15, params);
    for (const int threads : {1, 5}) {
      Context other({.device = GetParam(), .threads = threads, .seed = 1});
      EXPECT_EQ(within(other, matrix, 15, params), two);
    }
  }
}

TEST_P(Similarity, DenseRowsAreTheirDefinition) {
  const int64_t n = emulated() ? 70 : 400, d = 19, k = 12;
  std::mt19937 random(6);
  std::normal_distribution<float> normal;
  std::vector<float> rows(static_cast<size_t>(n * d));
  for (float& v : rows) v = normal(random);
  std::fill_n(rows.begin() + 3 * d, d, 0.f);                   // no norm
  std::copy_n(rows.begin() + 5 * d, d, rows.begin() + 9 * d);  // two equal rows, and one near them
  for (int64_t c = 0; c < d; ++c)
    rows[static_cast<size_t>(11 * d + c)] = rows[static_cast<size_t>(5 * d + c)] * 1.0001f;
  std::vector<int64_t> offsets;
  std::vector<int32_t> columns;
  for (int64_t r = 0; r <= n; ++r) offsets.push_back(r * d);
  for (int64_t e = 0; e < n * d; ++e) columns.push_back(static_cast<int32_t>(e % d));
  const HostCsr sparse{.offsets = offsets, .indices = columns, .values = rows, .cols = d};
  const auto table = put(rows, n, d);
  for (const SimilarityMetric metric :
       {SimilarityMetric::kDot, SimilarityMetric::kCosine, SimilarityMetric::kEuclidean}) {
    const SimilarityParams params{.metric = metric, .min_overlap = 0};
    for (const auto& [first, count] : {std::pair<int64_t, int64_t>{0, n}, {2, 30}, {7, 1}}) {
      SCOPED_TRACE(testing::Message() << "metric " << int(metric) << " from " << first);
      HostCsr asked;
      asked.cols = d;
      std::vector<int32_t> self;
      for (int64_t q = first; q < first + count; ++q) {
        self.push_back(static_cast<int32_t>(q));
        asked.offsets.push_back((q - first + 1) * d);
      }
      asked.indices.assign(columns.begin(), columns.begin() + count * d);
      asked.values.assign(rows.begin() + first * d, rows.begin() + (first + count) * d);
      Matrix<int32_t> ids(ctx, count, k, "test ids");
      Matrix<float> similarities(ctx, count, k, "test similarities");
      similar_rows(ctx, table.view(), first, metric, ids.view(), similarities.view());
      expect_right(read(ctx, ids, similarities), asked, self, sparse, k, params);
      if (HasFatalFailure()) return;
    }
  }
  Matrix<int32_t> ids(ctx, 3, k, "test ids");
  Matrix<float> similarities(ctx, 3, k, "test similarities");
  EXPECT_THAT([&] { similar_rows(ctx, table.view(), n - 2, SimilarityMetric::kDot, ids.view(), similarities.view()); },
              ThrowsMessage<InvalidArgument>(HasSubstr("rows are " + std::to_string(n) + " x 19")));
  EXPECT_THAT([&] { similar_rows(ctx, table.view(), 0, SimilarityMetric::kMsd, ids.view(), similarities.view()); },
              ThrowsMessage<InvalidArgument>(HasSubstr("dot, cosine and Euclidean")));
}

TEST_P(Similarity, NothingToCompare) {
  HostCsr empty;
  empty.cols = 4;
  EXPECT_TRUE(within(ctx, empty, 3, {}).ids.empty());
  const HostCsr one = cases::random_csr({2}, 4, 1);
  EXPECT_EQ(within(ctx, one, 2, {}).ids, (std::vector<int32_t>{-1, -1}));
  EXPECT_EQ(among(ctx, one, {}, one, 2, {}).ids, (std::vector<int32_t>{0, -1}));
  EXPECT_EQ(among(ctx, one, {}, empty, 2, {}).ids, (std::vector<int32_t>{-1, -1}));
  HostCsr bare;  // rows without entries
  bare.cols = 0;
  bare.offsets = {0, 0, 0};
  EXPECT_EQ(within(ctx, bare, 1, {}).ids, (std::vector<int32_t>{-1, -1}));
}

TEST_P(Similarity, WrongArguments) {
  const HostCsr matrix = cases::random_csr({2, 3}, 4, 1), other = cases::random_csr({2}, 5, 1);
  EXPECT_THAT([&] { within(ctx, matrix, 0, {}); }, ThrowsMessage<InvalidArgument>(HasSubstr("k is 0")));
  EXPECT_THAT([&] { within(ctx, matrix, 2000, {}); }, ThrowsMessage<InvalidArgument>(HasSubstr("from 1 to 1024")));
  EXPECT_THAT([&] { among(ctx, other, {}, matrix, 1, {}); },
              ThrowsMessage<InvalidArgument>(HasSubstr("as many columns")));
  EXPECT_THAT([&] { among(ctx, matrix, {1}, matrix, 1, {}); }, ThrowsMessage<InvalidArgument>(HasSubstr("self has 1")));
  EXPECT_THAT([&] { within(ctx, matrix, 1, {.shrinkage = -1}); },
              ThrowsMessage<InvalidArgument>(HasSubstr("shrinkage")));
  EXPECT_THAT([&] { within(ctx, matrix, 1, {.metric = SimilarityMetric::kEuclidean, .shrinkage = 1}); },
              ThrowsMessage<InvalidArgument>(HasSubstr("of a distance")));
  EXPECT_THAT([&] { within(ctx, matrix, 1, {.metric = SimilarityMetric::kManhattan, .missing = Missing::kRowMean}); },
              ThrowsMessage<InvalidArgument>(HasSubstr("Manhattan")));
  EXPECT_THAT([&] { within(ctx, matrix, 1, {.min_overlap = -1}); },
              ThrowsMessage<InvalidArgument>(HasSubstr("min_overlap")));
}

KINDRED_FOR_EACH_BACKEND(Similarity);

TEST(SimilarityTargets, AgreeOnEveryInstructionSet) {
  if (emulated()) GTEST_SKIP() << "the CPU's loops";
  Context ctx({.device = "cpu", .threads = 2});
  const HostCsr matrix = skewed(300, 50, 13);
  const ResidentCsr rows(ctx, matrix.offsets, matrix.indices, matrix.values, matrix.cols, "test matrix");
  std::vector<int32_t> first;
  const int tested = for_each_instruction_set([&] {
    Matrix<int32_t> ids(ctx, matrix.rows(), 10, "test ids");
    Matrix<float> similarities(ctx, matrix.rows(), 10, "test similarities");
    similar_rows(ctx, rows.view(), {}, ids.view(), similarities.view());
    std::vector<int32_t> found(static_cast<size_t>(ids.view().size()));
    download<int32_t>(ctx, ids.view().flat(), found);
    ctx.wait();
    if (first.empty()) first = found;
    EXPECT_EQ(found, first);
  });
  EXPECT_GE(tested, 2);
}

}  // namespace
}  // namespace kindred
