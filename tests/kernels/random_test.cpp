// SPDX-License-Identifier: Apache-2.0
#include "kernels/random.hpp"

#include <gmock/gmock.h>

#include <cmath>

#include "kernels/philox.hpp"
#include "tests/kernels/backends.hpp"

namespace kindred {
namespace {

class Random : public OpTest {
 protected:
  std::vector<float> normal(int64_t count, uint64_t seed, uint32_t stage) {
    Array<float> out(ctx, count, "draws");
    fill_normal(ctx, out.view(), 1, 2, seed, stage);
    return get(out.view());
  }
};

// Published test vectors of Philox 4x32-10 (Random123, kat_vectors).
TEST(Philox, MatchesPublishedVectors) {
  EXPECT_EQ((Philox{0, 0}(0, 0)), (std::array<uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ((Philox{~0ull, ~0u}(~0ull, ~0u)),
            (std::array<uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
}

TEST_P(Random, NormalDrawsHaveTheirMoments) {
  const int64_t n = 200000;
  const auto x = normal(n, 3, 1);
  double mean = 0, square = 0, fourth = 0;
  for (const float v : x) {
    const double z = (v - 1.0) / 2;
    mean += z, square += z * z, fourth += z * z * z * z;
  }
  // Five standard errors of the mean of z, z^2 (variance 2) and z^4 (variance 96).
  EXPECT_NEAR(mean / n, 0, 5 / std::sqrt(n));
  EXPECT_NEAR(square / n, 1, 5 * std::sqrt(2.0 / n));
  EXPECT_NEAR(fourth / n, 3, 5 * std::sqrt(96.0 / n));
}

TEST_P(Random, UniformDrawsFillTheRange) {
  Array<float> out(ctx, 64000, "draws");
  fill_uniform(ctx, out.view(), -1, 3, 5, 2);
  std::vector<int> bins(16);
  for (const float v : get(out.view())) {
    ASSERT_GE(v, -1);
    ASSERT_LT(v, 3);
    ++bins[static_cast<size_t>((v + 1) * 4)];
  }
  double chi_square = 0;
  for (const int count : bins) chi_square += (count - 4000.0) * (count - 4000.0) / 4000;
  EXPECT_LT(chi_square, 44.3);  // 15 degrees of freedom, p = 1e-4
}

TEST_P(Random, ADrawDependsOnSeedStageAndPlaceAlone) {
  const auto x = normal(1001, 7, 1);
  const auto shorter = normal(10, 7, 1);
  EXPECT_TRUE(std::equal(shorter.begin(), shorter.end(), x.begin()));
  EXPECT_NE(normal(1001, 8, 1), x);
  EXPECT_NE(normal(1001, 7, 2), x);
  EXPECT_EQ(normal(1001, 7, 1), x);
}

TEST_P(Random, DrawsAreEqualOnEveryBackend) {
  Context cpu({.device = "cpu"});
  Array<float> out(cpu, 777, "draws"), uniform(cpu, 777, "draws"), mine(ctx, 777, "draws");
  fill_normal(cpu, out.view(), 1, 2, 9, 4);
  const auto x = normal(777, 9, 4);
  for (size_t e = 0; e < x.size(); ++e) ASSERT_NEAR(x[e], out.data()[e], 1e-5);
  fill_uniform(cpu, uniform.view(), 0, 1, 9, 4);
  fill_uniform(ctx, mine.view(), 0, 1, 9, 4);
  const auto y = get(mine.view());
  for (size_t e = 0; e < y.size(); ++e) ASSERT_EQ(y[e], uniform.data()[e]);
}

KINDRED_FOR_EACH_BACKEND(Random);

}  // namespace
}  // namespace kindred
