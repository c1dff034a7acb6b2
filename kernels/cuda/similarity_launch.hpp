// SPDX-License-Identifier: Apache-2.0
// How a search for similar rows is cut into blocks: a pure function of the problem and the device.
#pragma once
#include <algorithm>
#include <cstdint>

#include "kernels/cuda/topk_launch.hpp"

namespace kindred::cuda {

inline constexpr int kSimilarityWarps = 8, kSimilarityThreads = 32 * kSimilarityWarps;
inline constexpr int kSimilarityPending = 64;  // candidates of a warp before they are merged into its list

struct SimilarityLaunch {
  int list = 0;           // keys of a list: k rounded up to a size that is compiled, 128 or 1,024
  int column_blocks = 0;  // blocks of a query, 8 slabs of rows each
  int slab_rows = 0;      // rows whose sums a warp holds; a multiple of 32
  int queries = 0;        // of a launch; more follow in launches of the same size
  int shared_bytes = 0;

  int slabs() const { return column_blocks * kSimilarityWarps; }
  int64_t keys() const { return int64_t{slabs()} * queries * list; }
};

/// As few column blocks as half a multiprocessor's memory allows, evenly cut. sums_bytes: of one pair.
inline SimilarityLaunch similarity_launch(int64_t queries, int64_t rows, int64_t k, int64_t sums_bytes,
                                          const DeviceLimits& limits) {
  SimilarityLaunch launch;
  launch.list = k <= 128 ? 128 : 1024;
  const int64_t pending = int64_t{kSimilarityWarps} * kSimilarityPending * 8;
  const int64_t budget =
      std::min<int64_t>(limits.shared_bytes_multiprocessor / 2 - 1024, limits.shared_bytes_block) - pending;
  const int64_t most = std::max<int64_t>(budget / (kSimilarityWarps * sums_bytes) / 32, 1) * 32;
  const int64_t blocks = std::max<int64_t>((rows + most * kSimilarityWarps - 1) / (most * kSimilarityWarps), 1);
  const int64_t slabs = blocks * kSimilarityWarps;
  launch.column_blocks = static_cast<int>(blocks);
  launch.slab_rows = static_cast<int>(std::max<int64_t>(((rows + slabs - 1) / slabs + 31) / 32, 1) * 32);
  launch.shared_bytes = static_cast<int>(pending + kSimilarityWarps * launch.slab_rows * sums_bytes);
  launch.queries = static_cast<int>(std::min(queries, std::max<int64_t>(kTopkMostKeys / (slabs * launch.list), 1)));
  return launch;
}

}  // namespace kindred::cuda
