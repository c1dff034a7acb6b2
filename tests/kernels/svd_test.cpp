// SPDX-License-Identifier: Apache-2.0
// Truncated SVD against LAPACK: values, the approximation's error, subspaces; ill-conditioned and deficient matrices.
#include "kernels/svd.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <random>

#include "kernels/sparse.hpp"
#include "tests/kernels/backends.hpp"
#include "tests/reference/svd.hpp"

namespace kindred {
namespace {

class TruncatedSvd : public OpTest {
 protected:
  struct Found {
    std::vector<float> left, values, right;
  };
  Found decompose(Context& on, const std::vector<double>& dense, int64_t rows, int64_t cols, int64_t k,
                  const SvdParams& params) {
    std::vector<int64_t> offsets{0};
    std::vector<int32_t> indices;
    std::vector<float> entries;
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < cols; ++c)
        if (const double v = dense[static_cast<size_t>(r * cols + c)]; v != 0)
          indices.push_back(static_cast<int32_t>(c)), entries.push_back(static_cast<float>(v));
      offsets.push_back(static_cast<int64_t>(indices.size()));
    }
    const ResidentCsr a(on, offsets, indices, entries, cols, "a");
    on.wait();  // what follows may throw, and the host's arrays go
    const Csr t = transpose(on, a.view());
    Matrix<float> left(on, rows, k, "left"), right(on, cols, k, "right");
    Array<float> values(on, k, "values");
    truncated_svd(on, a.view(), t.view(), params, left.view(), values.view(), right.view());
    Found out{std::vector<float>(static_cast<size_t>(rows * k)), std::vector<float>(static_cast<size_t>(k)),
              std::vector<float>(static_cast<size_t>(cols * k))};
    download<float>(on, left.view().flat(), out.left);
    download<float>(on, values.view(), out.values);
    download<float>(on, right.view().flat(), out.right);
    on.wait();
    return out;
  }

  /// columns' products are those of unit vectors
  static void expect_orthonormal(const std::vector<float>& table, int64_t k, int64_t rank) {
    for (int64_t c = 0; c < rank; ++c)
      for (int64_t d = 0; d <= c; ++d) {
        double sum = 0;
        for (size_t r = 0; r < table.size() / static_cast<size_t>(k); ++r)
          sum += double{table[r * static_cast<size_t>(k) + static_cast<size_t>(c)]} *
                 table[r * static_cast<size_t>(k) + static_cast<size_t>(d)];
        ASSERT_NEAR(sum, c == d ? 1 : 0, 2e-5) << c << ", " << d;
      }
  }

  static std::vector<double> random_sparse(int64_t rows, int64_t cols, uint32_t seed) {
    std::mt19937 random(seed);
    std::normal_distribution<double> normal;
    std::vector<double> out(static_cast<size_t>(rows * cols));
    for (double& v : out)
      if (random() % 5 == 0) v = double(static_cast<float>(normal(random)));
    return out;
  }
};

TEST_P(TruncatedSvd, ValuesAndErrorAreLapacks) {
  const std::pair<int64_t, int64_t> shapes[] = {{60, 40}, {40, 90}, {1, 7}, {9, 1}, {130, 30}};
  for (const auto& [rows, cols] : shapes) {
    const auto dense = random_sparse(rows, cols, 5);
    const reference::Svd truth = reference::svd(dense, static_cast<int>(rows), static_cast<int>(cols));
    const int64_t k = std::min<int64_t>(8, std::min(rows, cols));
    const Found found = decompose(ctx, dense, rows, cols, k, {.power_iterations = 8, .seed = 3});
    expect_orthonormal(found.left, k, k);
    expect_orthonormal(found.right, k, k);
    double rest = 0, error = 0;
    for (size_t c = 0; c < truth.values.size(); ++c) {
      if (c >= static_cast<size_t>(k))
        rest += truth.values[c] * truth.values[c];
      else
        EXPECT_NEAR(found.values[c], truth.values[c], 1e-3 * truth.values[c]);
    }
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < cols; ++c) {
        double v = dense[static_cast<size_t>(r * cols + c)];
        for (int64_t f = 0; f < k; ++f)
          v -= double{found.left[static_cast<size_t>(r * k + f)]} * found.values[static_cast<size_t>(f)] *
               found.right[static_cast<size_t>(c * k + f)];
        error += v * v;
      }
    EXPECT_LT(std::sqrt(error), 1.001 * std::sqrt(rest) + 1e-5 * truth.values[0]);
  }
}

// Values that fall by four orders of magnitude: each is found to a thousandth, and so is the space of its vectors.
TEST_P(TruncatedSvd, IllConditionedMatrices) {
  const int64_t rows = 80, cols = 50, k = 10;
  const reference::Svd bases = reference::svd(random_sparse(rows, cols, 9), 80, 50);
  std::vector<double> dense(static_cast<size_t>(rows * cols));
  std::vector<double> values;
  for (int f = 0; f < 50; ++f) values.push_back(100 * std::pow(10., -4. * f / (k - 1)));
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < cols; ++c)
      for (size_t f = 0; f < 50; ++f)
        dense[static_cast<size_t>(r * cols + c)] +=
            bases.left[f * 80 + static_cast<size_t>(r)] * values[f] * bases.right[f * 50 + static_cast<size_t>(c)];
  const Found found = decompose(ctx, dense, rows, cols, k, {.seed = 1});
  for (size_t f = 0; f < static_cast<size_t>(k); ++f) {
    EXPECT_NEAR(found.values[f], values[f], 1e-3 * values[f] + 2e-6 * values[0]);
    double cosine = 0;
    for (size_t c = 0; c < static_cast<size_t>(cols); ++c)
      cosine += double{found.right[c * static_cast<size_t>(k) + f]} * bases.right[f * 50 + c];
    if (values[f] > 1e-3 * values[0]) {
      EXPECT_NEAR(std::abs(cosine), 1, 1e-3) << f;
    }
  }
}

TEST_P(TruncatedSvd, ColumnsBeyondTheRankAreZero) {
  const int64_t rows = 40, cols = 30;
  const reference::Svd bases = reference::svd(random_sparse(rows, cols, 4), 40, 30);
  std::vector<double> dense(static_cast<size_t>(rows * cols));
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < cols; ++c)
      for (size_t f = 0; f < 3; ++f)
        dense[static_cast<size_t>(r * cols + c)] += bases.left[f * 40 + static_cast<size_t>(r)] * (3. - double(f)) *
                                                    bases.right[f * 30 + static_cast<size_t>(c)];
  for (float v : decompose(ctx, std::vector<double>(dense.size()), rows, cols, 2, {}).right) EXPECT_EQ(v, 0);
  const Found found = decompose(ctx, dense, rows, cols, 6, {});
  for (size_t f = 0; f < 3; ++f) EXPECT_NEAR(found.values[f], 3. - double(f), 1e-4);
  for (size_t f = 3; f < 6; ++f) EXPECT_LT(found.values[f], 1e-5);
  expect_orthonormal(found.right, 6, 3);
  for (const float v : found.left) EXPECT_TRUE(std::isfinite(v));
  double largest = 0;  // the sign is settled
  for (size_t c = 0; c < 30; ++c)
    if (std::abs(found.right[c * 6]) > std::abs(largest)) largest = found.right[c * 6];
  EXPECT_GT(largest, 0);
}

TEST_P(TruncatedSvd, TheSameBitsForAnyNumberOfThreads) {
  const auto dense = random_sparse(300, 200, 2);
  std::vector<float> first;
  for (const int threads : {1, 2, 7}) {
    Context other{{.device = GetParam(), .threads = threads}};
    const Found found = decompose(other, dense, 300, 200, 5, {.seed = 7});
    if (first.empty()) first = found.left;
    ASSERT_EQ(found.left, first) << threads << " threads";
  }
}

TEST_P(TruncatedSvd, RefusesMoreValuesThanThereAre) {
  EXPECT_THAT(
      [&] { decompose(ctx, random_sparse(6, 4, 1), 6, 4, 5, {}); },
      testing::ThrowsMessage<InvalidArgument>(testing::HasSubstr("5 values of a 6 x 4 matrix; there are 1 to 4")));
}

KINDRED_FOR_EACH_BACKEND(TruncatedSvd);

}  // namespace
}  // namespace kindred
