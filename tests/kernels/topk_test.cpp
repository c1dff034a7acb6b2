// SPDX-License-Identifier: Apache-2.0
// Values are small integers where ids are compared: their scores are exact in fp32 in any order of summing, and ties
// are plenty. Real values are compared by score.
#include "kernels/topk.hpp"

#include <gmock/gmock.h>
#include <sys/mman.h>

#include <cmath>
#include <random>
#include <span>

#include "tests/kernels/backends.hpp"
#include "tests/kernels/cases/dense.hpp"
#include "tests/reference/topk.hpp"

namespace kindred {
namespace {

using cases::random_floats;
using testing::HasSubstr;
using testing::ThrowsMessage;

struct Case {
  int64_t queries, items, d;
  int k;
  bool bias, exclude;
};
const std::vector<Case> kCases{
    {1, 1, 1, 1, false, false},    {3, 10, 2, 20, true, false},    {9, 500, 7, 10, true, true},
    {2, 5000, 16, 3, false, true}, {70, 300, 33, 100, true, true}, {1, 9000, 5, 1024, true, true},
    {5, 60, 64, 60, false, true},  {40, 8500, 9, 30, false, true}, {33, 100, 300, 5, true, false}};

std::vector<float> small_integers(int64_t count, int range, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<float> out(static_cast<size_t>(count));
  for (float& v : out)
    v = static_cast<float>(static_cast<int>(random() % static_cast<unsigned>(2 * range + 1)) - range);
  return out;
}

class TopK : public OpTest {
 protected:
  struct Lists {
    std::vector<int32_t> ids;
    std::vector<float> scores;
    bool operator==(const Lists&) const = default;
  };
  Lists run(const std::vector<float>& queries, const std::vector<float>& items, const std::vector<float>& bias,
            const std::vector<std::set<int32_t>>& excluded, int64_t q, int64_t n, int64_t d, int k) {
    std::vector<int64_t> offsets{0};
    std::vector<int32_t> indices;
    for (const auto& row : excluded) {
      indices.insert(indices.end(), row.begin(), row.end());
      offsets.push_back(static_cast<int64_t>(indices.size()));
    }
    const ResidentCsr csr(ctx, offsets, indices, {}, n, "excluded");
    auto x = put(queries, q, d), y = put(items, n, d);
    auto b = put(bias);
    Matrix<int32_t> ids(ctx, q, k, "ids");
    Matrix<float> scores(ctx, q, k, "scores");
    top_k(ctx, x.view(), y.view(), b.view(), excluded.empty() ? CsrView{} : csr.view(), ids.view(), scores.view());
    return {get(ids.view().flat()), get(scores.view().flat())};
  }
  static std::vector<std::set<int32_t>> random_sets(int64_t q, int64_t n, uint32_t seed) {
    std::mt19937 random(seed);
    std::vector<std::set<int32_t>> out(static_cast<size_t>(q));
    for (size_t i = 0; i < out.size(); ++i)
      if (i % 3 != 1)
        for (int64_t e = 0; e < n / 3; ++e) out[i].insert(static_cast<int32_t>(random() % static_cast<unsigned>(n)));
    return out;
  }
};

TEST_P(TopK, IsTheSortedRankingTiesIncluded) {
  for (const auto& c : kCases) {
    const auto x = small_integers(c.queries * c.d, 3, 1), y = small_integers(c.items * c.d, 3, 2);
    const auto bias = c.bias ? small_integers(c.items, 5, 3) : std::vector<float>{};
    const auto excluded = c.exclude ? random_sets(c.queries, c.items, 4) : std::vector<std::set<int32_t>>{};
    const Lists found = run(x, y, bias, excluded, c.queries, c.items, c.d, c.k);
    for (int64_t q = 0; q < c.queries; ++q) {
      const auto want =
          reference::ranking(&x[static_cast<size_t>(q * c.d)], y, bias,
                             c.exclude ? excluded[static_cast<size_t>(q)] : std::set<int32_t>{}, c.items, c.d);
      for (int r = 0; r < c.k; ++r) {
        const auto at = static_cast<size_t>(q * c.k + r);
        const bool there = static_cast<size_t>(r) < want.size();
        ASSERT_EQ(found.ids[at], there ? want[static_cast<size_t>(r)].item : -1)
            << c.items << " items, query " << q << ", rank " << r;
        ASSERT_EQ(found.scores[at], there ? static_cast<float>(want[static_cast<size_t>(r)].score) : kNoScore);
      }
    }
  }
}

TEST_P(TopK, ScoresOfRealValues) {
  const int64_t q = 20, n = 3000, d = 50;
  const auto x = random_floats(q * d, 5), y = random_floats(n * d, 6);
  const Lists found = run(x, y, {}, {}, q, n, d, 40);
  for (int64_t u = 0; u < q; ++u) {
    const auto want = reference::ranking(&x[static_cast<size_t>(u * d)], y, {}, {}, n, d);
    for (int r = 0; r < 40; ++r)
      ASSERT_NEAR(found.scores[static_cast<size_t>(u * 40 + r)], want[static_cast<size_t>(r)].score,
                  1e-7 * static_cast<double>(d) * 10);
  }
}

TEST_P(TopK, NanAndMinusInfinityAreNeverReturned) {
  const std::vector<float> x{1}, y{NAN, 2, -INFINITY, 1, NAN};
  const Lists found = run(x, y, {}, {}, 1, 5, 1, 4);
  EXPECT_EQ(found.ids, (std::vector<int32_t>{1, 3, -1, -1}));
  EXPECT_EQ(found.scores, (std::vector<float>{2, 1, kNoScore, kNoScore}));
}

TEST_P(TopK, NanHidesNoOtherItem) {
  std::vector<float> y(100, NAN);
  for (size_t i = 0; i < y.size(); i += 7) y[i] = static_cast<float>(i);
  const Lists found = run({1}, y, {}, {}, 1, 100, 1, 15);
  for (int32_t r = 0; r < 15; ++r) EXPECT_EQ(found.ids[static_cast<size_t>(r)], 98 - 7 * r);
}

TEST_P(TopK, AQueryThatMustGetNothingGetsNothing) {
  std::set<int32_t> all;
  for (int32_t i = 0; i < 100; ++i) all.insert(i);
  const Lists found = run({1, 1}, small_integers(200, 3, 7), {}, {all}, 1, 100, 2, 3);
  EXPECT_EQ(found.ids, (std::vector<int32_t>{-1, -1, -1}));
}

TEST_P(TopK, EqualScoresComeInTheOrderOfItems) {
  const Lists found = run({0}, std::vector<float>(5000, 1.f), {}, {}, 1, 5000, 1, 700);
  for (int32_t r = 0; r < 700; ++r) ASSERT_EQ(found.ids[static_cast<size_t>(r)], r);
}

// Parts of the table that tell each other their best scores must not lose an item that ties with them, however they
// take turns: hence several runs.
TEST_P(TopK, TiesAcrossPartsOfTheTableGoToTheLowerItem) {
  const int64_t q = 300, n = 8500;
  std::vector<float> y(static_cast<size_t>(n));
  for (size_t i = 0; i < y.size(); ++i) y[i] = -1 - static_cast<float>(i % 97) / 128;
  const std::vector<int32_t> best{10, 20, 30, 31, 4000, 4010, 4020, 4030};
  for (const int32_t i : best) y[static_cast<size_t>(i)] = 0;
  for (const size_t i : {5000, 5010, 5020, 5030, 8400}) y[i] = 0;
  for (int turn = 0; turn < 3; ++turn) {
    const Lists found = run(std::vector<float>(static_cast<size_t>(q), 1.f), y, {}, {}, q, n, 1, 8);
    for (int64_t u = 0; u < q; ++u)
      ASSERT_EQ(std::vector<int32_t>(found.ids.begin() + u * 8, found.ids.begin() + (u + 1) * 8), best);
  }
}

// Many queries are first compared in 8 bits; a query alone never is. Near ties, magnitudes far apart, zeros, biases and
// rows that are not finite must not make a difference, in any bit.
TEST_P(TopK, AQueryGetsTheSameListAloneAndAmongOthers) {
  const int64_t q = 50, n = emulated() ? 400 : 9000;
  for (const int64_t d : {1, 7, 64, 130}) {
    auto x = random_floats(q * d, 21), y = random_floats(n * d, 22), bias = random_floats(n, 23);
    std::mt19937 random(24);
    const auto scale = [&](std::vector<float>& values, int64_t row, float factor) {
      for (int64_t k = 0; k < d; ++k) values[static_cast<size_t>(row * d + k)] *= factor;
    };
    for (int64_t i = 0; i < n; ++i) {
      if (i % 3 == 0)  // near ties: far closer than a step of 8 bits
        for (int64_t k = 0; k < d; ++k)
          y[static_cast<size_t>(i * d + k)] =
              y[static_cast<size_t>(k)] * (1 + 1e-6f * static_cast<float>(random() % 64));
      if (i % 50 == 7) scale(y, i, std::pow(10.f, static_cast<float>(random() % 36) - 20));
      if (i % 500 == 3) scale(y, i, 0);
    }
    y[static_cast<size_t>(11 * d)] = NAN, y[static_cast<size_t>(12 * d)] = INFINITY, bias[13] = NAN,
                               bias[14] = -INFINITY;
    scale(x, 5, 1e-25f), scale(x, 6, 1e20f), scale(x, 7, 0), x[static_cast<size_t>(8 * d)] = NAN;
    x[static_cast<size_t>(9 * d)] = -INFINITY;
    for (const bool with_bias : {false, true}) {
      const auto b = with_bias ? bias : std::vector<float>{};
      const auto excluded = random_sets(q, n, 25);
      const Lists together = run(x, y, b, excluded, q, n, d, 20);
      for (int64_t u = 0; u < q; ++u) {
        const auto at = [&](auto& all, int64_t width) { return all.begin() + u * width; };
        const Lists alone = run({at(x, d), at(x, d) + d}, y, b, {excluded[static_cast<size_t>(u)]}, 1, n, d, 20);
        ASSERT_EQ(std::vector<int32_t>(at(together.ids, 20), at(together.ids, 20) + 20), alone.ids)
            << "query " << u << ", d " << d;
        ASSERT_EQ(std::vector<float>(at(together.scores, 20), at(together.scores, 20) + 20), alone.scores);
      }
    }
  }
}

// 50,000 x 50,000 pairs exceed 32 bits: the last query must read the last rows, not wrapped ones.
TEST_P(TopK, PairsBeyond32Bits) {
  if (GetParam() != "cpu") GTEST_SKIP() << "the emulator would take minutes";
  const int64_t n = 50000;
  std::vector<float> x(static_cast<size_t>(n)), y(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i)
    x[static_cast<size_t>(i)] = i % 2 ? 1.f : -1.f, y[static_cast<size_t>(i)] = static_cast<float>(i);
  const Lists found = run(x, y, {}, {}, n, n, 1, 2);
  for (const int64_t q : {int64_t{0}, int64_t{1}, n - 2, n - 1}) {
    const int32_t best = q % 2 ? static_cast<int32_t>(n) - 1 : 0;
    EXPECT_EQ(found.ids[static_cast<size_t>(2 * q)], best);
    EXPECT_EQ(found.ids[static_cast<size_t>(2 * q + 1)], q % 2 ? best - 1 : best + 1);
  }
}

TEST_P(TopK, PairScoresOfListsAndMatrices) {
  const int64_t m = 40, n = 70, d = 19;
  const auto x = random_floats(m * d, 8), y = random_floats(n * d, 9);
  std::vector<int32_t> row, col;
  std::vector<int64_t> offsets{0};
  for (int32_t r = 0; r < m; ++r) {
    for (int32_t c = r % 5; c < n; c += 1 + r % 7) row.push_back(r), col.push_back(c);
    if (r == 3)
      while (row.size() > static_cast<size_t>(offsets.back())) row.pop_back(), col.pop_back();  // an empty row
    offsets.push_back(static_cast<int64_t>(row.size()));
  }
  auto dx = put(x, m, d), dy = put(y, n, d);
  auto rows = put(row), cols = put(col);
  const ResidentCsr csr(ctx, offsets, col, {}, n, "pairs");
  Array<float> by_list(ctx, static_cast<int64_t>(row.size()), "out"),
      by_matrix(ctx, static_cast<int64_t>(row.size()), "out");
  pair_scores(ctx, dx.view(), dy.view(), rows.view(), cols.view(), by_list.view());
  pair_scores(ctx, dx.view(), dy.view(), csr.view(), by_matrix.view());
  const auto a = get(by_list.view()), b = get(by_matrix.view());
  EXPECT_EQ(a, b);
  for (size_t e = 0; e < a.size(); ++e) {
    double want = 0;
    for (int64_t k = 0; k < d; ++k)
      want += double{x[static_cast<size_t>(row[e] * d + k)]} * y[static_cast<size_t>(col[e] * d + k)];
    ASSERT_NEAR(a[e], want, 1e-7 * 10 * static_cast<double>(d));
  }
}

// The last row starts at element 2^32, where 32-bit arithmetic would find row 0. Pages that are not touched cost
// nothing.
TEST(PairScores, ReadsRowsBeyond32BitsOfElements) {
  const int64_t rows = (int64_t{1} << 22) + 1, d = 1024;
  const size_t bytes = static_cast<size_t>(rows * d) * sizeof(float);
  void* const memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) GTEST_SKIP() << "this machine grants no 16 GiB of addresses";
  const MatrixView<float> table{static_cast<float*>(memory), rows, d};
  table.row(0)[3] = 2, table.row(rows - 1)[3] = 5;
  const std::vector<int32_t> row{0, 0, static_cast<int32_t>(rows - 1)},
      col{0, static_cast<int32_t>(rows - 1), static_cast<int32_t>(rows - 1)};
  std::vector<float> out(3);
  Context ctx({.device = "cpu", .threads = 1});
  pair_scores(ctx, table, table, host_view(std::span(row)), host_view(std::span(col)), host_view(std::span(out)));
  munmap(memory, bytes);
  EXPECT_EQ(out, (std::vector<float>{4, 10, 25}));
}

TEST_P(TopK, PairsOutOfRangeAreRefused) {
  auto x = put({1, 2}, 2, 1), y = put({1, 2, 3}, 3, 1);
  auto row = put(std::vector<int32_t>{0, 1}), col = put(std::vector<int32_t>{0, 3});
  Array<float> out(ctx, 2, "out");
  EXPECT_THROW(
      {
        pair_scores(ctx, x.view(), y.view(), row.view(), col.view(), out.view());
        ctx.wait();
      },
      InvalidArgument);
}

TEST_P(TopK, WrongArgumentsAreRefused) {
  Matrix<float> x(ctx, 2, 3, "x"), y(ctx, 4, 5, "y"), z(ctx, 4, 3, "z"), scores(ctx, 2, 2, "s");
  Matrix<int32_t> ids(ctx, 2, 2, "i"), none(ctx, 2, 0, "i");
  Matrix<float> no_scores(ctx, 2, 0, "s");
  EXPECT_THAT([&] { top_k(ctx, x.view(), y.view(), {}, {}, ids.view(), scores.view()); },
              ThrowsMessage<InvalidArgument>(HasSubstr("top_k: queries are 2 x 3, items 4 x 5")));
  EXPECT_THAT([&] { top_k(ctx, x.view(), z.view(), {}, {}, none.view(), no_scores.view()); },
              ThrowsMessage<InvalidArgument>(HasSubstr("k is 0; from 1 to 1024")));
}

KINDRED_FOR_EACH_BACKEND(TopK);

// The same lists by every set of vector instructions that this processor has, and for any number of threads.
TEST(TopKTargets, AgreeOnEveryInstructionSetAndNumberOfThreads) {
  if (emulated()) GTEST_SKIP() << "instruction sets are the CPU's";
  const int64_t q = 40, n = 9000, d = 24;
  const auto x = small_integers(q * d, 4, 11), y = small_integers(n * d, 4, 12);
  std::vector<int32_t> first;
  const int tested = for_each_instruction_set([&] {
    for (const int threads : {1, 3}) {
      Context ctx({.device = "cpu", .threads = threads});
      Matrix<int32_t> ids(ctx, q, 50, "ids");
      Matrix<float> scores(ctx, q, 50, "scores");
      top_k(ctx, {x.data(), q, d}, {y.data(), n, d}, {}, {}, ids.view(), scores.view());
      const std::vector<int32_t> found(ids.view().data, ids.view().data + q * 50);
      if (first.empty()) first = found;
      EXPECT_EQ(found, first) << threads << " threads";
    }
  });
  EXPECT_GE(tested, 2);
}

}  // namespace
}  // namespace kindred
