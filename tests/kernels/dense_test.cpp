// SPDX-License-Identifier: Apache-2.0
#include "kernels/dense.hpp"

#include <gmock/gmock.h>

#include <cmath>

#include "tests/kernels/backends.hpp"
#include "tests/kernels/cases/dense.hpp"
#include "tests/reference/dense.hpp"

namespace kindred {
namespace {

using cases::random_floats;
using testing::HasSubstr;
using testing::ThrowsMessage;

/// A sum of k products of normal draws in fp32: each rounding is at most 2^-24 of a partial sum, of order sqrt(k).
double bound(int64_t k) { return 4e-7 * static_cast<double>(k) + 1e-6; }

class Dense : public OpTest {};

TEST_P(Dense, GemmIsTheProductInEveryTransposition) {
  for (const auto& [m, n, k] : cases::kProducts)
    for (const auto ta : {Transpose::kNo, Transpose::kYes})
      for (const auto tb : {Transpose::kNo, Transpose::kYes}) {
        const bool a_t = ta == Transpose::kYes, b_t = tb == Transpose::kYes;
        const auto a = random_floats(m * k, 1), b = random_floats(k * n, 2), c = random_floats(m * n, 3);
        auto da = put(a, a_t ? k : m, a_t ? m : k), db = put(b, b_t ? n : k, b_t ? k : n), dc = put(c, m, n);
        gemm(ctx, 0.5f, da.view(), ta, db.view(), tb, 2, dc.view());
        const auto found = get(dc.view().flat());
        const auto want = reference::product(a, a_t ? 1 : k, a_t ? m : 1, b, b_t ? 1 : n, b_t ? k : 1, m, n, k);
        for (size_t e = 0; e < found.size(); ++e)
          ASSERT_NEAR(found[e], 0.5 * want[e] + 2.0 * c[e], bound(k)) << m << " " << n << " " << k << " " << e;
      }
}

TEST_P(Dense, GemmWithoutInnerSideScalesTheTarget) {
  Matrix<float> a(ctx, 3, 0, "a"), b(ctx, 0, 2, "b");
  auto c = put({1, 2, 3, 4, 5, 6}, 3, 2);
  gemm(ctx, 1, a.view(), Transpose::kNo, b.view(), Transpose::kNo, 2, c.view());
  EXPECT_EQ(get(c.view().flat()), (std::vector<float>{2, 4, 6, 8, 10, 12}));
}

TEST_P(Dense, GemmDoesNotReadTheTargetWhereBetaIsZero) {
  auto a = put({1}, 1, 1), c = put({NAN}, 1, 1);
  gemm(ctx, 3, a.view(), Transpose::kNo, a.view(), Transpose::kNo, 0, c.view());
  EXPECT_EQ(get(c.view().flat()), std::vector<float>{3});
}

TEST_P(Dense, GramOfFewAndManyRows) {
  for (const auto& [rows, d] : {std::pair<int64_t, int64_t>{0, 4}, {1, 1}, {7, 3}, {5000, 17}, {9000, 33}}) {
    const auto a = random_floats(rows * d, 4);
    auto da = put(a, rows, d);
    Matrix<float> g(ctx, d, d, "g");
    gram(ctx, da.view(), g.view());
    const auto found = get(g.view().flat());
    const auto want = reference::product(a, 1, d, a, d, 1, d, d, rows);
    for (int64_t i = 0; i < d; ++i)
      for (int64_t j = 0; j < d; ++j) {
        const double scale = std::sqrt(want[static_cast<size_t>(i * d + i)] * want[static_cast<size_t>(j * d + j)]);
        // fp32 within a block of 4,096 rows: sqrt(4096) roundings of 2^-24, as if random.
        ASSERT_NEAR(found[static_cast<size_t>(i * d + j)], want[static_cast<size_t>(i * d + j)], 4e-6 * scale + 1e-30);
      }
  }
}

TEST_P(Dense, RowOps) {
  const int64_t rows = 1030, d = 37;
  auto host = random_floats(rows * d, 5);
  std::fill_n(host.begin() + 3 * d, d, 0.f);  // a row of zeros
  auto a = put(host, rows, d);
  Array<float> squares(ctx, rows, "squares"), norms(ctx, rows, "norms");
  row_squares(ctx, a.view(), squares.view());
  row_norms(ctx, a.view(), norms.view());
  const auto found_squares = get(squares.view()), found_norms = get(norms.view());
  scale_rows(ctx, a.view(), norms.view());
  const auto scaled = get(a.view().flat());
  normalize_rows(ctx, a.view());
  const auto unit = get(a.view().flat());
  for (int64_t r = 0; r < rows; ++r) {
    double want = 0;
    for (int64_t k = 0; k < d; ++k)
      want += double{host[static_cast<size_t>(r * d + k)]} * host[static_cast<size_t>(r * d + k)];
    ASSERT_NEAR(found_squares[static_cast<size_t>(r)], want, 1e-6 * want);
    ASSERT_NEAR(found_norms[static_cast<size_t>(r)], std::sqrt(want), 1e-6 * std::sqrt(want));
    for (int64_t k = 0; k < d; ++k) {
      const auto e = static_cast<size_t>(r * d + k);
      ASSERT_FLOAT_EQ(scaled[e], host[e] * found_norms[static_cast<size_t>(r)]);
      ASSERT_NEAR(unit[e], want > 0 ? host[e] / std::sqrt(want) : 0, 1e-6);
    }
  }
}

TEST_P(Dense, EigenvectorsRebuildTheMatrix) {
  for (const int64_t d : {1, 2, 16, 45}) {
    const auto a = random_floats(3 * d * d, 6);
    auto da = put(a, 3 * d, d);
    Matrix<float> g(ctx, d, d, "g"), vectors(ctx, d, d, "vectors");
    Array<float> values(ctx, d, "values");
    gram(ctx, da.view(), g.view());
    symmetric_eigen(ctx, g.view(), values.view(), vectors.view());
    const auto want = get(g.view().flat()), v = get(vectors.view().flat()), w = get(values.view());
    for (int64_t i = 0; i < d; ++i) {
      ASSERT_LE(w[static_cast<size_t>(i > 0 ? i - 1 : 0)], w[static_cast<size_t>(i)]);
      float largest = 0;
      for (int64_t j = 0; j < d; ++j) {
        const float entry = v[static_cast<size_t>(i * d + j)];
        if (std::abs(entry) > std::abs(largest)) largest = entry;
        double sum = 0;
        for (int64_t k = 0; k < d; ++k)
          sum +=
              double{w[static_cast<size_t>(k)]} * v[static_cast<size_t>(k * d + i)] * v[static_cast<size_t>(k * d + j)];
        ASSERT_NEAR(sum, want[static_cast<size_t>(i * d + j)], 1e-5 * w.back());
      }
      ASSERT_GT(largest, 0);
    }
  }
}

TEST_P(Dense, SameBitsForAnyNumberOfThreads) {
  if (GetParam() != "cpu") GTEST_SKIP() << "threads are the CPU's";
  const auto a = random_floats(9000 * 20, 7);
  std::vector<float> first;
  for (const int threads : {1, 2, 7}) {
    Context mine({.device = "cpu", .threads = threads});
    Matrix<float> x(mine, 9000, 20, "x"), g(mine, 20, 20, "g"), y(mine, 9000, 20, "y");
    upload<float>(mine, a, x.view().flat());
    gram(mine, x.view(), g.view());
    gemm(mine, 1, x.view(), Transpose::kNo, g.view(), Transpose::kNo, 0, y.view());
    std::vector<float> out(9000 * 20);
    download<float>(mine, y.view().flat(), out);
    mine.wait();
    if (first.empty()) first = out;
    EXPECT_EQ(out, first) << threads << " threads";
  }
}

TEST_P(Dense, WrongShapesSayBoth) {
  Matrix<float> a(ctx, 2, 3, "a"), b(ctx, 4, 5, "b"), c(ctx, 2, 5, "c");
  Array<float> out(ctx, 3, "out");
  EXPECT_THAT([&] { gemm(ctx, 1, a.view(), Transpose::kNo, b.view(), Transpose::kNo, 0, c.view()); },
              ThrowsMessage<InvalidArgument>(HasSubstr("gemm: a is 2 x 3, b 4 x 5, c 2 x 5")));
  EXPECT_THAT([&] { gram(ctx, a.view(), c.view()); },
              ThrowsMessage<InvalidArgument>(HasSubstr("gram: a is 2 x 3, out 2 x 5")));
  EXPECT_THAT([&] { row_norms(ctx, a.view(), out.view()); },
              ThrowsMessage<InvalidArgument>(HasSubstr("row_norms: out has 3 elements; a row each needs 2")));
}

KINDRED_FOR_EACH_BACKEND(Dense);

}  // namespace
}  // namespace kindred
