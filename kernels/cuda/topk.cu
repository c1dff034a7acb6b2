// SPDX-License-Identifier: Apache-2.0
// Exact top-k of a batch of queries over all items: score(q, i) = x_q . y_i + bias_i, ties to the lower item.
//
// What limits it. 2 q n d FLOP against tables that the L2 cache mostly serves: the fp32 units, as long as no score
// reaches memory (q n scores of 4 bytes would cost more than the product) and the selection keeps out of the way. With
// few queries, reading the items once.
//
// Work. A warp owns 8 kQ queries for a whole slab of items and compares 32 items at a time. Items arrive by
// asynchronous copies, 32 factors of a tile at a time, in two buffers; queries stay in shared memory where they fit and
// otherwise come with the items. Blocks of the same slab are neighbors in the grid, so they read the same tile at about
// the same time: one of them fetches it, the L2 serves the others. With group = lane / 4, pair = lane % 4 a lane holds
//     the score of query 8 q + group and item 8 n + 2 pair + e in scores[q][2 n + e], q < kQ, n < 4, e < 2.
// Sums run over the factors in order, with fmaf: the bits of a plain loop, whatever the shape of the launch.
//
// Selection. Each lane keeps, for its kQ rows, a threshold (the k-th score so far) and a count of candidates. A score
// passes if it beats the threshold and its bit in the row's word of excluded items is 0; NaN beats nothing. That word
// is the chunk's bitmap: lane r walks the excluded items of row r once, in step with the items, and a shuffle hands the
// word to the lanes that hold the row. Survivors are placed by ballot: four bits of a vote belong to a row, so the
// place is a count of lower bits and no atomic is needed. When a row's buffer in shared memory might overflow, the warp
// sorts it and merges it into the row's list, which lives where it will be read: in global memory, in the L2, touched
// about k / 36 (1 + ln(slab / k)) times a slab. Shared memory so does not grow with k. Items arrive in ascending order,
// so a score equal to the k-th never displaces it: `>` is exact, ties included.
//
// Slabs help each other. The S lists of a row grow at the same time; each publishes its ceil(k / S)-th best score so
// far. If all have that many at or above t, the row has k of them, so the least of the published scores is a floor for
// every list. It changes which losers are collected, never the result, needs no atomics, and saves two thirds of the
// merges: 135 instead of 428 a row (1 M random scores, S = 5, k = 256, simulated).
#include <climits>

#include "kernels/cuda/device/keys.cuh"
#include "kernels/cuda/device/memory.cuh"
#include "kernels/cuda/device/search.cuh"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/topk_launch.hpp"
#include "kernels/cuda/topk_lists.cuh"
#include "kernels/detail/topk.hpp"
#include "kernels/memory.hpp"

namespace kindred::cuda {
namespace {

constexpr int kChunk = kTopkChunk, kDepth = kTopkDepth, kStride = kTopkStride, kRowBuffer = kTopkRowBuffer;
constexpr int kRefreshItems = 256;  // between two looks at the other lists' scores
constexpr int kMostFloors = 16;     // lists of a row beyond which a look costs more than it saves
static_assert(kRowBuffer >= kChunk && kRowBuffer <= kPending);

struct Problem {
  const float* queries;             // rows x factors
  const float* items;               // n x factors
  const float* bias;                // n, or null
  const int64_t* excluded_offsets;  // rows + 1, or null
  const int32_t* excluded_items;    // ascending in each row
  Key* lists;                       // list_count x padded_rows x kList, each list descending
  unsigned* floors;                 // list_count x padded_rows, what each list has published (0: nothing); or null
  int64_t item_count, slab_items;
  int rows, factors, k, row_blocks, list_count, padded_rows, query_stride;
  bool resident;
  bool packed;  // rows of both tables start at multiples of 16 bytes
};

/// Starts the copy of factors [factor, factor + 32) of `count` table rows from `first`; zeros from row `last` on.
__device__ void stage_rows(const Problem& p, const float* table, int64_t first, int64_t last, int count, int factor,
                           float* to, int stride) {
  const float* const from = table + first * p.factors + factor;
  if (p.packed) {
    for (int at = static_cast<int>(threadIdx.x); at < count * (kDepth / 4); at += kTopkThreads) {
      const int row = at / (kDepth / 4), k = at % (kDepth / 4) * 4;
      copy_async<16>(to + row * stride + k, from + int64_t{row} * p.factors + k,
                     first + row < last && factor + k < p.factors);
    }
  } else {
    for (int at = static_cast<int>(threadIdx.x); at < count * kDepth; at += kTopkThreads) {
      const int row = at / kDepth, k = at % kDepth;
      copy_async<4>(to + row * stride + k, from + int64_t{row} * p.factors + k,
                    first + row < last && factor + k < p.factors);
    }
  }
}

/// scores += products of the warp's queries and 32 items over `depth` factors, a multiple of 4.
template <int kQ>
__device__ __forceinline__ void multiply(const float* queries, int query_stride, const float* items, int depth,
                                         float (&scores)[kQ][8]) {
  const float* const x_row = queries + lane_id() / 4 * query_stride;
  const float* const y_row = items + lane_id() % 4 * (2 * kStride);
#pragma unroll 2
  for (int factor = 0; factor < depth; factor += 4) {
    float4 x[kQ];
#pragma unroll
    for (int q = 0; q < kQ; ++q) x[q] = *reinterpret_cast<const float4*>(x_row + 8 * q * query_stride + factor);
#pragma unroll
    for (int column = 0; column < 8; ++column) {
      const float4 y = *reinterpret_cast<const float4*>(y_row + (column / 2 * 8 + column % 2) * kStride + factor);
#pragma unroll
      for (int q = 0; q < kQ; ++q) {
        float& score = scores[q][column];
        score = __fmaf_rn(x[q].x, y.x, score);
        score = __fmaf_rn(x[q].y, y.y, score);
        score = __fmaf_rn(x[q].z, y.z, score);
        score = __fmaf_rn(x[q].w, y.w, score);
      }
    }
  }
}

/// What a warp knows about its 8 kQ rows.
template <int kQ, int kList>
struct Selection {
  static constexpr int kRows = 8 * kQ;
  Key* pending;      // kRows x kRowBuffer, in shared memory
  Key* lists;        // kRows x kList, in global memory
  unsigned* floors;  // of this warp's rows in the first list, or null
  int k, list, list_count, padded_rows;
  float threshold[kQ];  // of this lane's rows 8 q + group
  int count[kQ];
  int64_t cursor, excluded_end;  // of row `lane`
  int64_t next_excluded;

  __device__ void start(const Problem& p, int row0, int own_list, int64_t first_item, Key* buffers) {
    pending = buffers;
    list = own_list, list_count = p.list_count, padded_rows = p.padded_rows, k = p.k;
    lists = p.lists + (int64_t{list} * padded_rows + row0) * kList;
    floors = p.floors != nullptr ? p.floors + row0 : nullptr;
    const int row = row0 + lane_id();
    cursor = excluded_end = 0;
    if (p.excluded_offsets != nullptr && lane_id() < kRows && row < p.rows) {
      excluded_end = p.excluded_offsets[row + 1];
      cursor = lower_bound(p.excluded_items, p.excluded_offsets[row], excluded_end, static_cast<int32_t>(first_item));
    }
    next_excluded = cursor < excluded_end ? p.excluded_items[cursor] : INT64_MAX;
#pragma unroll
    for (int q = 0; q < kQ; ++q) {
      threshold[q] = row0 + 8 * q + lane_id() / 4 < p.rows ? -INFINITY : INFINITY;
      count[q] = 0;
    }
    for (int at = lane_id(); at < kRows * kList; at += kWarp) lists[at] = kNoKey;
    __syncwarp();
  }

  /// The floor of each row. A tie with it may win by its id, hence the float just below.
  __device__ __forceinline__ void refresh() {
    if (floors == nullptr) return;
#pragma unroll
    for (int q = 0; q < kQ; ++q) {
      unsigned floor = ~0u;
      for (int other = 0; other < list_count; ++other) {
        const unsigned published =
            *const_cast<const volatile unsigned*>(floors + other * padded_rows + 8 * q + lane_id() / 4);
        if (published < floor) floor = published;
      }
      threshold[q] = fmaxf(threshold[q], just_below(floor));
    }
  }

  /// Bit c: row `lane` must not get item0 + c, or the slab ends before it.
  __device__ __forceinline__ unsigned excluded(const int32_t* items, int64_t item0, int64_t last) {
    unsigned word = last - item0 < kChunk ? ~0u << (last - item0) : 0u;
    while (next_excluded < item0 + kChunk) {
      if (next_excluded >= item0) word |= 1u << (next_excluded - item0);  // else another warp's item
      next_excluded = ++cursor < excluded_end ? items[cursor] : INT64_MAX;
    }
    return word;
  }

  /// Collects the chunk's survivors.
  __device__ __forceinline__ void offer(const float (&scores)[kQ][8], unsigned row_word, int item0) {
    const int group = lane_id() / 4, pair = lane_id() % 4;
#pragma unroll
    for (int q = 0; q < kQ; ++q) {
      const unsigned word = __shfl_sync(kAllLanes, row_word, 8 * q + group);
      float best = -INFINITY;
#pragma unroll
      for (int column = 0; column < 8; ++column) best = fmaxf(best, scores[q][column]);
      if (!__any_sync(kAllLanes, best > threshold[q])) continue;
#pragma unroll
      for (int column = 0; column < 8; ++column) {
        const int bit = column / 2 * 8 + 2 * pair + column % 2;
        const bool keep = scores[q][column] > threshold[q] && !(word >> bit & 1);
        const unsigned votes = __ballot_sync(kAllLanes, keep);
        if (votes == 0) continue;
        const unsigned row_votes = votes >> (4 * group) & 15;
        if (keep)
          pending[(8 * q + group) * kRowBuffer + count[q] + __popc(row_votes & ((1u << pair) - 1))] =
              make_key(scores[q][column], item0 + bit);
        count[q] += __popc(row_votes);
      }
    }
  }

  /// Merges every buffer that holds more than `limit` keys into its list, one row after the other, the whole warp on
  /// each.
  __device__ __forceinline__ void drain(int limit) {
    const int group = lane_id() / 4;
    for (;;) {
      int full = -1;
#pragma unroll
      for (int q = 0; q < kQ; ++q)
        if (count[q] > limit) full = 8 * q + group;
      const unsigned votes = __ballot_sync(kAllLanes, full >= 0);
      if (votes == 0) return;
      const int row = __shfl_sync(kAllLanes, full, __ffs(static_cast<int>(votes)) - 1);
      int row_count = 0;
#pragma unroll
      for (int q = 0; q < kQ; ++q) {
        const int other = __shfl_sync(kAllLanes, count[q], row % 8 * 4);
        if (row / 8 == q) row_count = other;
      }
      Key merged[kList / kWarp];
      load_list(merged, lists + row * kList);
      absorb(merged, pending + row * kRowBuffer, row_count);
      store_list(merged, lists + row * kList);
      const float kth = key_score(list_at(merged, k - 1));
      if (floors != nullptr) {
        const float share = key_score(list_at(merged, (k + list_count - 1) / list_count - 1));
        if (lane_id() == 0) *const_cast<volatile unsigned*>(floors + list * padded_rows + row) = to_ordered(share);
      }
#pragma unroll
      for (int q = 0; q < kQ; ++q)
        if (row == 8 * q + group) threshold[q] = fmaxf(threshold[q], kth), count[q] = 0;
    }
  }
};

/// 3 blocks a multiprocessor leave a thread 168 registers; with a list of 1,024 to merge it needs a few more.
template <int kQ, int kList>
__global__ void __launch_bounds__(kTopkThreads, kList < 1024 ? 3 : 2) topk_slabs(Problem p) {
  constexpr TopkShape kShape = kQ == 4 ? TopkShape::kBatch : TopkShape::kFew;
  constexpr bool kOwnItems = kShape == TopkShape::kFew;
  constexpr int kTile = topk_tile(kShape), kBlockRows = topk_block_rows(kShape), kWarpRows = topk_warp_rows(kShape);
  const int slab = static_cast<int>(blockIdx.x) / p.row_blocks;
  const int block_row0 = static_cast<int>(blockIdx.x) % p.row_blocks * kBlockRows;
  const int warp_row0 = kOwnItems ? 0 : warp_id() * kWarpRows, warp_item0 = kOwnItems ? warp_id() * kChunk : 0;
  const int64_t first = slab * p.slab_items;
  const int64_t last = p.item_count - first < p.slab_items ? p.item_count : first + p.slab_items;

  Key* const pending = dynamic_shared<Key>();
  float* const tiles = reinterpret_cast<float*>(pending + kTopkWarps * kWarpRows * kRowBuffer);
  float* const queries = tiles + 2 * kTile * kStride;  // resident, or two stages of 32 factors

  const auto stage = [&](int64_t item0, int factor, int buffer) {
    if (item0 < last) {
      stage_rows(p, p.items, item0, last, kTile, factor, tiles + buffer * kTile * kStride, kStride);
      if (!p.resident)
        stage_rows(p, p.queries, block_row0, p.rows, kBlockRows, factor, queries + buffer * kBlockRows * kStride,
                   kStride);
    }
    commit_copies();
  };
  if (p.resident)
    for (int factor = 0; factor < p.factors; factor += kDepth)
      stage_rows(p, p.queries, block_row0, p.rows, kBlockRows, factor, queries + factor, p.query_stride);
  stage(first, 0, 0);

  Selection<kQ, kList> rows;
  rows.start(p, block_row0 + warp_row0, kOwnItems ? slab * kTopkWarps + warp_id() : slab, first,
             pending + warp_id() * kWarpRows * kRowBuffer);
  int buffer = 0;
  for (int64_t item0 = first; item0 < last; item0 += kTile) {
    if ((item0 - first) % kRefreshItems == 0) rows.refresh();
    float scores[kQ][8] = {};
    for (int factor = 0; factor < p.factors; factor += kDepth, buffer ^= 1) {
      const bool same_tile = factor + kDepth < p.factors;
      stage(same_tile ? item0 : item0 + kTile, same_tile ? factor + kDepth : 0, buffer ^ 1);
      wait_copies<1>();
      __syncthreads();
      const float* const x = p.resident ? queries + warp_row0 * p.query_stride + factor
                                        : queries + (buffer * kBlockRows + warp_row0) * kStride;
      const int depth = p.factors - factor < kDepth ? (p.factors - factor + 3) / 4 * 4 : kDepth;
      multiply<kQ>(x, p.query_stride, tiles + (buffer * kTile + warp_item0) * kStride, depth, scores);
      __syncthreads();
    }
    const int64_t chunk0 = item0 + warp_item0;
    if (chunk0 >= last) continue;
    if (p.bias != nullptr) {
#pragma unroll
      for (int column = 0; column < 8; ++column) {
        const int64_t item = chunk0 + column / 2 * 8 + lane_id() % 4 * 2 + column % 2;
        const float bias = item < last ? __ldg(p.bias + item) : 0.f;
#pragma unroll
        for (int q = 0; q < kQ; ++q) scores[q][column] += bias;
      }
    }
    rows.offer(scores, rows.excluded(p.excluded_items, chunk0, last), static_cast<int>(chunk0));
    rows.drain(kRowBuffer - kChunk);
  }
  rows.drain(0);
}

template <int kList>
void run(Context& ctx, const TopkLaunch& plan, const Problem& problem, int32_t* ids, float* scores) {
  const LaunchConfig slabs{static_cast<unsigned>(plan.slabs * plan.row_blocks), kTopkThreads,
                           static_cast<size_t>(plan.shared_bytes)};
  launch(ctx, plan.shape == TopkShape::kBatch ? topk_slabs<4, kList> : topk_slabs<1, kList>, slabs, problem);
  finish<kList>(ctx, {problem.lists, problem.rows, problem.list_count, problem.padded_rows, problem.k}, ids, scores);
}

bool packed(const float* table, int64_t factors) {
  return factors % 4 == 0 && reinterpret_cast<uintptr_t>(table) % 16 == 0;
}

}  // namespace

void top_k(Context& ctx, MatrixView<const float> queries, MatrixView<const float> items,
           VectorView<const float> item_bias, CsrView excluded, MatrixView<int32_t> ids, MatrixView<float> scores) {
  const TopkLaunch plan = topk_launch(queries.rows, items.rows, items.cols, ids.cols, device_of(ctx).limits);
  Array<Key> lists(ctx, plan.keys(), "top-k lists");
  Array<unsigned> floors(ctx, plan.lists() <= kMostFloors ? int64_t{plan.lists()} * plan.padded_rows() : 0,
                         "top-k floors");
  for (int64_t begin = 0; begin < queries.rows; begin += plan.rows) {
    fill_zero(ctx, floors.view());
    const Problem problem{.queries = queries.row(begin),
                          .items = items.data,
                          .bias = item_bias.empty() ? nullptr : item_bias.data,
                          .excluded_offsets = excluded.rows > 0 ? excluded.offsets + begin : nullptr,
                          .excluded_items = excluded.indices,
                          .lists = lists.data(),
                          .floors = floors.empty() ? nullptr : floors.data(),
                          .item_count = items.rows,
                          .slab_items = plan.slab_items,
                          .rows = static_cast<int>(std::min<int64_t>(plan.rows, queries.rows - begin)),
                          .factors = static_cast<int>(items.cols),
                          .k = static_cast<int>(ids.cols),
                          .row_blocks = plan.row_blocks,
                          .list_count = plan.lists(),
                          .padded_rows = plan.padded_rows(),
                          .query_stride = plan.query_stride,
                          .resident = plan.resident,
                          .packed = packed(queries.row(begin), items.cols) && packed(items.data, items.cols)};
    const auto go = plan.list == 64 ? run<64> : plan.list == 128 ? run<128> : plan.list == 256 ? run<256> : run<1024>;
    go(ctx, plan, problem, ids.row(begin), scores.row(begin));
  }
}

}  // namespace kindred::cuda
