// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/similarity_launch.hpp"

#include <gtest/gtest.h>

namespace kindred::cuda {
namespace {

constexpr DeviceLimits kA100{108, 166912, 167936}, kH100{132, 232448, 233472};

TEST(SimilarityLaunch, EveryRowHasASlabAndTwoBlocksFitAMultiprocessor) {
  for (const DeviceLimits& limits : {kA100, kH100})
    for (const int64_t rows : {0, 1, 31, 33, 3706, 26744, 138493, 10'000'000})
      for (const int64_t sums : {4, 8, 16, 32, 64})
        for (const int64_t k : {1, 100, 129, 1024}) {
          const SimilarityLaunch launch = similarity_launch(1'000'000, rows, k, sums, limits);
          EXPECT_GE(launch.list, k);
          EXPECT_GE(int64_t{launch.slabs()} * launch.slab_rows, rows);
          EXPECT_EQ(launch.slab_rows % 32, 0);
          EXPECT_LE(2 * (launch.shared_bytes + 1024), limits.shared_bytes_multiprocessor);
          EXPECT_GE(launch.queries, 1);
          EXPECT_LE(launch.keys(), std::max<int64_t>(kTopkMostKeys, int64_t{launch.slabs()} * launch.list));
        }
}

TEST(SimilarityLaunch, CountsOfMovieLensFitOneBlockOfAnH100) {
  EXPECT_EQ(similarity_launch(26744, 26744, 100, 4, kH100).column_blocks, 1);
}

}  // namespace
}  // namespace kindred::cuda
