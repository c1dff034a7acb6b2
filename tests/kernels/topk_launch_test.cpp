// SPDX-License-Identifier: Apache-2.0
// How a top-k search is cut into blocks, for devices that are not here.
#include "kernels/cuda/topk_launch.hpp"

#include <gtest/gtest.h>

#include <tuple>

#include "kernels/topk.hpp"

namespace kindred::cuda {
namespace {

constexpr DeviceLimits kH200{132, 227 * 1024, 228 * 1024}, kA100{108, 163 * 1024, 164 * 1024};
constexpr DeviceLimits kSmall{20, 99 * 1024, 100 * 1024};  // consumer cards of compute capability 8.6

TEST(TopkLaunch, CoversAllQueriesAndItemsWithinTheDevice) {
  for (const DeviceLimits& device : {kH200, kA100, kSmall})
    for (const int64_t queries : {1, 8, 9, 32, 33, 128, 129, 10'000, 1'000'000})
      for (const int64_t items : {int64_t{0}, int64_t{1}, int64_t{4096}, int64_t{26'744}, int64_t{2'147'483'647}})
        for (const int64_t factors : {1, 31, 64, 128, 256, 1025})
          for (const int64_t k : {1, 65, 100, 256, kMaxTopK}) {
            SCOPED_TRACE(testing::Message()
                         << queries << " queries, " << items << " items, " << factors << " factors, k = " << k);
            const TopkLaunch launch = topk_launch(queries, items, factors, k, device);
            EXPECT_GE(launch.list, k);
            EXPECT_LE(launch.shared_bytes, device.shared_bytes_block);
            EXPECT_GE(launch.rows, 1);
            EXPECT_LE(launch.rows, queries);
            EXPECT_GE(launch.padded_rows(), launch.rows);
            EXPECT_LT(launch.padded_rows() - launch.rows, topk_block_rows(launch.shape));
            EXPECT_EQ(launch.slab_items % topk_tile(launch.shape), 0);
            EXPECT_GE(launch.slabs, 1);
            EXPECT_GE(launch.slabs * launch.slab_items, items);
            EXPECT_LT((launch.slabs - 1) * launch.slab_items, std::max<int64_t>(items, 1));
            EXPECT_LE(launch.keys(), kTopkMostKeys);
            EXPECT_EQ(launch.query_stride % 32, 4);
          }
}

TEST(TopkLaunch, FewQueriesSpreadOverTheDevice) {
  const TopkLaunch launch = topk_launch(1, 1'000'000, 64, 10, kH200);
  EXPECT_EQ(launch.shape, TopkShape::kFew);
  EXPECT_GE(launch.slabs, kH200.multiprocessors);
  EXPECT_EQ(launch.lists(), launch.slabs * kTopkWarps);
}

TEST(TopkLaunch, ABatchFillsTheDeviceAndKeepsItsQueries) {
  for (const int64_t factors : {32, 64}) {
    const TopkLaunch launch = topk_launch(10'000, 1'000'000, factors, 100, kH200);
    EXPECT_EQ(launch.shape, TopkShape::kBatch);
    EXPECT_TRUE(launch.resident);
    EXPECT_EQ(launch.rows, 10'000);
    EXPECT_GE(launch.slabs * launch.row_blocks, kH200.multiprocessors);
  }
  EXPECT_FALSE(topk_launch(10'000, 1'000'000, 1025, 100, kH200).resident);
}

TEST(TopkLaunch, ShortTablesAreNotCut) { EXPECT_EQ(topk_launch(100, 5000, 64, 10, kH200).slabs, 1); }

}  // namespace
}  // namespace kindred::cuda
