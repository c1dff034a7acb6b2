// SPDX-License-Identifier: Apache-2.0
// Several sorted lists of candidates a row, as blocks leave them, become one: the end of every search for the k best.
#pragma once
#include "kernels/cuda/device/keys.cuh"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/topk_launch.hpp"

namespace kindred::cuda {

/// list_count x padded_rows x kList keys; each list descending.
struct TopkLists {
  Key* keys;
  int rows, list_count, padded_rows, k;
};

/// A warp a row. 32 lists at a time are asked for their best, and those that can still contribute are merged. ids,
/// scores: rows x k; -1 and -infinity where a row has fewer than k candidates.
template <int kList>
__global__ void __launch_bounds__(kTopkThreads) finish_lists(TopkLists p, int32_t* ids, float* scores) {
  const int row = static_cast<int>(grid_warp());
  if (row >= p.rows) return;
  const auto list_of = [&](int list) { return p.keys + (int64_t{list} * p.padded_rows + row) * kList; };
  Key best[kList / kWarp];
  load_list(best, list_of(0));
  for (int first = 1; first < p.list_count; first += kWarp) {
    Key top = first + lane_id() < p.list_count ? *list_of(first + lane_id()) : kNoKey;
    for (;;) {
      const unsigned votes = __ballot_sync(kAllLanes, top > list_at(best, p.k - 1));
      if (votes == 0) break;
      const int winner = __ffs(static_cast<int>(votes)) - 1;
      Key more[kList / kWarp];
      load_list_ascending(more, list_of(first + winner));
      merge_into(best, more);
      if (lane_id() == winner) top = kNoKey;
    }
  }
#pragma unroll
  for (int r = 0; r < kList / kWarp; ++r) {
    const int rank = r * kWarp + lane_id();
    if (rank >= p.k) continue;
    ids[int64_t{row} * p.k + rank] = key_id(best[r]);
    scores[int64_t{row} * p.k + rank] = key_score(best[r]);
  }
}

template <int kList>
void finish(Context& ctx, const TopkLists& lists, int32_t* ids, float* scores) {
  launch(ctx, finish_lists<kList>, {static_cast<unsigned>((lists.rows + kTopkWarps - 1) / kTopkWarps), kTopkThreads},
         lists, ids, scores);
}

}  // namespace kindred::cuda
