// SPDX-License-Identifier: Apache-2.0
// Layouts and launch configurations of the ALS solvers, for devices that are not here.
#include "kernels/cuda/als_launch.hpp"

#include <gtest/gtest.h>

namespace kindred::cuda {
namespace {

constexpr DeviceLimits kH200{132, 227 * 1024, 228 * 1024}, kA100{108, 163 * 1024, 164 * 1024};
constexpr DeviceLimits kSmall{20, 99 * 1024, 100 * 1024};  // consumer cards of compute capability 8.6
constexpr DeviceLimits kDevices[] = {kH200, kA100, kSmall};

void expect_fits(const AlsGrid& grid, int64_t rows, const DeviceLimits& device) {
  EXPECT_GE(grid.blocks, 1u);
  EXPECT_LE(grid.blocks, rows);
  EXPECT_LE(grid.shared_bytes, static_cast<unsigned>(device.shared_bytes_block));
  // All blocks are on the device at a time: a block that waits for another's end would draw no row.
  const int64_t blocks = (grid.blocks + device.multiprocessors - 1) / device.multiprocessors;
  EXPECT_LE(blocks * (grid.shared_bytes + 1024), device.shared_bytes_multiprocessor);
}

TEST(AlsLaunch, SystemsHoldTheirUnknowns) {
  for (int64_t unknowns = 1; unknowns <= kAlsWidestSystem; ++unknowns) {
    EXPECT_GE(als_system_size(unknowns), unknowns);
    with_als_layout(unknowns, [&]<int d>(AlsLayout<d>) { EXPECT_EQ(d, als_system_size(unknowns)); });
  }
}

// Strides that keep the lanes of a fragment in different banks; see load_fragment.
TEST(AlsLaunch, StagesAvoidBankConflicts) {
  for (const int size : {32, 64, 128})
    with_als_layout(size, [](auto layout) {
      EXPECT_EQ(layout.kPitch % 32, 8);
      EXPECT_EQ(layout.kDualPitch % 32, 4);
      EXPECT_EQ(layout.kTilePitch % 32, 20);
    });
}

TEST(AlsLaunch, GridsFitTheDevice) {
  for (const DeviceLimits& device : kDevices)
    for (const int64_t rows : {int64_t{1}, int64_t{100}, int64_t{138'493}, int64_t{100'000'000}})
      for (const int64_t width : {16, 64, 128, 256, 512, 1040}) {
        SCOPED_TRACE(testing::Message() << rows << " rows, width " << width);
        for (const int size : {32, 64, 128})
          with_als_layout(size, [&](auto layout) {
            expect_fits(als_system_grid(layout, rows, layout.kMinBlocks, 2 * (size + width), device), rows, device);
          });
        const AlsCgShape shape = als_cg_shape(width);
        EXPECT_GE(shape.width(), width);
        EXPECT_EQ(shape.components % 4, 0);
        for (const int64_t mean : {1, 100, 1'000'000}) {
          const AlsCgLaunch cg = als_cg_launch(rows, rows * mean, width, device);
          expect_fits(cg.grid, rows, device);
          EXPECT_GE(cg.kept, 0);
        }
      }
}

TEST(AlsLaunch, CgKeepsTheMeanRowWhereItFits) {
  EXPECT_GE(als_cg_launch(138'493, 20'000'263, 64, kH200).kept, 144);
  EXPECT_EQ(als_cg_launch(1000, 1000, 64, kH200).kept, 32);
}

}  // namespace
}  // namespace kindred::cuda
