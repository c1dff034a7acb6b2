// SPDX-License-Identifier: Apache-2.0
// How a top-k search is cut into blocks: a pure function of the problem and the device, testable without one.
#pragma once
#include <algorithm>
#include <cstdint>

#include "kernels/cuda/limits.hpp"

namespace kindred::cuda {

/// The two shapes of a block of 4 warps. A warp always compares 32 items at a time with its rows' thresholds.
///   kBatch  each warp has 32 rows of its own; all share the staged items
///   kFew    all warps share 8 rows and take 32 of the staged items each: the table is read once for 8 queries
enum class TopkShape : uint8_t { kBatch, kFew };

inline constexpr int kTopkWarps = 4, kTopkThreads = 32 * kTopkWarps;
inline constexpr int kTopkChunk = 32;                // items of a warp's step
inline constexpr int kTopkDepth = 32;                // factors of a stage
inline constexpr int kTopkStride = kTopkDepth + 4;   // floats; 4 modulo 32, so that 8 rows start in 8 bank groups
inline constexpr int kTopkRowBuffer = 52;            // keys that a row collects before they are merged into its list
inline constexpr int64_t kTopkFew = 32;              // queries up to which kFew is taken
inline constexpr int64_t kTopkLeastSlab = 4096;      // items; shorter slabs collect too many losers
inline constexpr int64_t kTopkMostKeys = 1ll << 24;  // of all lists: 128 MiB

constexpr int topk_warp_rows(TopkShape shape) { return shape == TopkShape::kBatch ? 32 : 8; }
constexpr int topk_block_rows(TopkShape shape) { return shape == TopkShape::kBatch ? 32 * kTopkWarps : 8; }
/// Items that a block stages at a time.
constexpr int topk_tile(TopkShape shape) { return shape == TopkShape::kBatch ? kTopkChunk : kTopkChunk * kTopkWarps; }
/// Keys of a list: k rounded up to a size that is compiled.
constexpr int topk_list(int64_t k) { return k <= 64 ? 64 : k <= 128 ? 128 : k <= 256 ? 256 : 1024; }

struct TopkLaunch {
  TopkShape shape = TopkShape::kBatch;
  int list = 0;
  int rows = 0;            // queries of a launch; more follow in launches of the same size
  int row_blocks = 0;      // of a launch
  int slabs = 0;           // parts of the items; a block for each and each block of rows
  int64_t slab_items = 0;  // a multiple of the tile
  bool resident = false;   // the block's queries stay in shared memory; else they come with the items
  int query_stride = 0;    // floats from one query to the next in shared memory
  int shared_bytes = 0;

  int padded_rows() const { return row_blocks * topk_block_rows(shape); }
  /// Lists of a row: in a kFew block each warp has its own.
  int lists() const { return slabs * (shape == TopkShape::kFew ? kTopkWarps : 1); }
  int64_t keys() const { return int64_t{lists()} * padded_rows() * list; }
};

/// Enough slabs to give every slot of the device a block, none short, within the memory for lists.
inline TopkLaunch topk_launch(int64_t queries, int64_t items, int64_t factors, int64_t k, const DeviceLimits& limits) {
  TopkLaunch launch;
  launch.shape = queries <= kTopkFew ? TopkShape::kFew : TopkShape::kBatch;
  launch.list = topk_list(k);
  const int64_t block_rows = topk_block_rows(launch.shape), tile = topk_tile(launch.shape);

  const int64_t depth = (factors + kTopkDepth - 1) / kTopkDepth * kTopkDepth;
  const int64_t pending = int64_t{kTopkWarps} * topk_warp_rows(launch.shape) * kTopkRowBuffer * 8;
  const int64_t items_bytes = 2 * tile * kTopkStride * 4;
  const int64_t resident = block_rows * (depth + 4) * 4, staged = 2 * block_rows * kTopkStride * 4;
  // Two blocks a multiprocessor are worth more than queries that stay.
  launch.resident = 2 * (pending + items_bytes + resident + 1024) <= limits.shared_bytes_multiprocessor;
  launch.query_stride = launch.resident ? static_cast<int>(depth) + 4 : kTopkStride;
  launch.shared_bytes = static_cast<int>(pending + items_bytes + (launch.resident ? resident : staged));

  const int64_t lists_of_a_slab = launch.shape == TopkShape::kFew ? kTopkWarps : 1;
  const int64_t keys_of_a_block = block_rows * launch.list * lists_of_a_slab;
  launch.rows = static_cast<int>(std::min(queries, std::max<int64_t>(kTopkMostKeys / keys_of_a_block, 1) * block_rows));
  launch.row_blocks = static_cast<int>((launch.rows + block_rows - 1) / block_rows);
  const int64_t slots = int64_t{limits.multiprocessors} *
                        std::clamp<int64_t>(limits.shared_bytes_multiprocessor / (launch.shared_bytes + 1024), 1, 4);
  const int64_t slabs = std::max<int64_t>(std::min({slots / launch.row_blocks, items / kTopkLeastSlab,
                                                    kTopkMostKeys / (keys_of_a_block * launch.row_blocks)}),
                                          1);
  launch.slab_items = std::max<int64_t>((items + slabs * tile - 1) / (slabs * tile), 1) * tile;
  launch.slabs = static_cast<int>(std::max<int64_t>((items + launch.slab_items - 1) / launch.slab_items, 1));
  return launch;
}

}  // namespace kindred::cuda
