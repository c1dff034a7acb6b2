// SPDX-License-Identifier: Apache-2.0
// Exact top-k without writing scores. A block holds eight queries, a warp each, and walks over a slab of the items, 32
// at a time: a tile of 32 items x 32 factors is staged in shared memory, coalesced, and shared by the block's queries;
// lane l of every warp scores item l. A score that beats its query's k-th so far and is not excluded goes to the warp's
// buffer by ballot; a full buffer is sorted and merged into the warp's list, which lives in registers
// (device/keys.cuh). Items come in ascending order and keys are a total order, so ties and the order of arrival cannot
// change a list. Each slab leaves its list in global memory; a last kernel merges them.
#include <algorithm>
#include <climits>

#include "kernels/cuda/device/keys.cuh"
#include "kernels/cuda/device/reduce.cuh"
#include "kernels/cuda/launch.cuh"
#include "kernels/detail/topk.hpp"
#include "kernels/memory.hpp"

namespace kindred::cuda {
namespace {

constexpr int kWarps = 8, kThreads = kWarps * kWarp;
constexpr int kTileStride = kWarp + 1;  // so that a column of the tile lies in 32 banks
constexpr int64_t kLeastSlab = 4096;    // items; shorter slabs collect too many losers
constexpr int64_t kMostListBytes = 128 << 20;

struct Problem {
  const float* queries;
  const float* items;
  const float* bias;                // null: 0
  const int64_t* excluded_offsets;  // null: nothing is excluded
  const int32_t* excluded_items;
  int64_t query_count, item_count, factors, slab_items;
  int slabs, k;
};

__device__ bool contains(const int32_t* sorted, int64_t begin, int64_t end, int32_t item) {
  const int64_t last = end;
  while (begin < end) {
    const int64_t middle = (begin + end) / 2;
    if (sorted[middle] < item)
      begin = middle + 1;
    else
      end = middle;
  }
  return begin < last && sorted[begin] == item;
}

/// lists: queries x slabs x kList keys, each list descending.
template <int kList>
__global__ void __launch_bounds__(kThreads) scan_slabs(Problem p, Key* __restrict__ lists) {
  __shared__ Shared<float, kWarp * kTileStride> tile_memory;
  __shared__ Shared<Key, kWarps * kPending> pending_memory;
  float* const tile = tile_memory;
  Key* const pending = static_cast<Key*>(pending_memory) + warp_id() * kPending;
  const int64_t query = int64_t{blockIdx.x} * kWarps + warp_id();
  const bool valid = query < p.query_count;
  const float* const x = p.queries + (valid ? query : 0) * p.factors;
  const int64_t first = blockIdx.y * p.slab_items;
  const int64_t last = first + p.slab_items < p.item_count ? first + p.slab_items : p.item_count;
  int64_t excluded_begin = 0, excluded_end = 0;
  if (p.excluded_offsets != nullptr && valid)
    excluded_begin = p.excluded_offsets[query], excluded_end = p.excluded_offsets[query + 1];

  Key list[kList / kWarp];
#pragma unroll
  for (Key& key : list) key = kNoKey;
  float threshold = -INFINITY;
  int count = 0;
  for (int64_t item0 = first; item0 < last; item0 += kWarp) {
    const int64_t item = item0 + lane_id();
    float score = p.bias != nullptr && item < last ? p.bias[item] : 0.f;
    for (int64_t factor0 = 0; factor0 < p.factors; factor0 += kWarp) {
      __syncthreads();
      for (int row = warp_id(); row < kWarp; row += kWarps) {
        const bool there = item0 + row < last && factor0 + lane_id() < p.factors;
        tile[row * kTileStride + lane_id()] = there ? p.items[(item0 + row) * p.factors + factor0 + lane_id()] : 0.f;
      }
      const float mine = factor0 + lane_id() < p.factors ? x[factor0 + lane_id()] : 0.f;
      __syncthreads();
#pragma unroll
      for (int f = 0; f < kWarp; ++f)
        score = __fmaf_rn(__shfl_sync(kAllLanes, mine, f), tile[lane_id() * kTileStride + f], score);
    }
    bool keep = valid && item < last && score > threshold;  // false for NaN
    if (keep) keep = !contains(p.excluded_items, excluded_begin, excluded_end, static_cast<int32_t>(item));
    const unsigned votes = __ballot_sync(kAllLanes, keep);
    if (votes == 0) continue;
    if (keep) pending[count + __popc(votes & lanes_below())] = make_key(score, static_cast<int>(item));
    count += __popc(votes);
    if (count > kPending - kWarp) {
      absorb(list, pending, count);
      count = 0;
      threshold = key_score(list_at(list, p.k - 1));
    }
  }
  absorb(list, pending, count);
  if (valid) store_list(list, lists + (query * p.slabs + blockIdx.y) * kList);
}

/// The lists of a query's slabs become its answer; a warp a query.
template <int kList>
__global__ void __launch_bounds__(kThreads)
    merge_slabs(Problem p, const Key* __restrict__ lists, int32_t* ids, float* scores) {
  const int64_t query = grid_warp();
  if (query >= p.query_count) return;
  const Key* const mine = lists + query * p.slabs * kList;
  Key best[kList / kWarp];
  load_list(best, mine);
  for (int slab = 1; slab < p.slabs; ++slab) {
    Key more[kList / kWarp];
    load_list_ascending(more, mine + int64_t{slab} * kList);
    merge_into(best, more);
  }
#pragma unroll
  for (int r = 0; r < kList / kWarp; ++r) {
    const int rank = r * kWarp + lane_id();
    if (rank >= p.k) continue;
    ids[query * p.k + rank] = key_id(best[r]);
    scores[query * p.k + rank] = key_score(best[r]);
  }
}

__global__ void __launch_bounds__(kThreads)
    score_pairs(const float* x, const float* y, int64_t x_rows, int64_t y_rows, int64_t factors, const int32_t* row,
                const int32_t* col, int64_t count, float* out, FailureSink failures) {
  for (int64_t e = grid_warp(); e < count; e += grid_warps()) {
    const int64_t i = row[e], j = col[e];
    const bool row_fits = i >= 0 && i < x_rows, col_fits = j >= 0 && j < y_rows;
    if (lane_id() == 0 && !row_fits) failures.report(Failure::kPairRow, e);
    if (lane_id() == 0 && !col_fits) failures.report(Failure::kPairColumn, e);
    if (!row_fits || !col_fits) continue;
    float sum = 0;
    for (int64_t k = lane_id(); k < factors; k += kWarp) sum = __fmaf_rn(x[i * factors + k], y[j * factors + k], sum);
    sum = warp_sum(sum);
    if (lane_id() == 0) out[e] = sum;
  }
}

__global__ void __launch_bounds__(kThreads) expand_rows(const int64_t* offsets, int64_t rows, int32_t* row) {
  for (int64_t r = grid_warp(); r < rows; r += grid_warps())
    for (int64_t e = offsets[r] + lane_id(); e < offsets[r + 1]; e += kWarp)
      row[e - offsets[0]] = static_cast<int32_t>(r);
}

template <int kList>
void run(Context& ctx, Problem p, int32_t* ids, float* scores) {
  const auto& limits = device_of(ctx).limits;
  const auto blocks = static_cast<unsigned>((p.query_count + kWarps - 1) / kWarps);
  const int64_t wanted = std::max<int64_t>(1, int64_t{limits.multiprocessors} * 4 / blocks);
  const int64_t affordable = std::max<int64_t>(1, kMostListBytes / (p.query_count * kList * int64_t{sizeof(Key)}));
  const int64_t useful = std::max<int64_t>(1, p.item_count / kLeastSlab);
  const int64_t slabs = std::min({wanted, affordable, useful});
  p.slab_items = std::max<int64_t>(kWarp, ((p.item_count + slabs - 1) / slabs + kWarp - 1) / kWarp * kWarp);
  p.slabs = static_cast<int>(std::max<int64_t>(1, (p.item_count + p.slab_items - 1) / p.slab_items));
  Array<Key> lists(ctx, p.query_count * p.slabs * kList, "top-k lists");
  launch(ctx, scan_slabs<kList>, {dim3(blocks, static_cast<unsigned>(p.slabs)), kThreads}, p, lists.data());
  launch(ctx, merge_slabs<kList>, {blocks, kThreads}, p, lists.data(), ids, scores);
}

}  // namespace

void top_k(Context& ctx, MatrixView<const float> queries, MatrixView<const float> items,
           VectorView<const float> item_bias, CsrView excluded, MatrixView<int32_t> ids, MatrixView<float> scores) {
  const int64_t at_once = std::min<int64_t>(1 << 16, kMostListBytes / (ids.cols * 2 * int64_t{sizeof(Key)}));
  for (int64_t begin = 0; begin < queries.rows; begin += at_once) {
    const int64_t count = std::min(at_once, queries.rows - begin);
    const Problem p{queries.row(begin),
                    items.data,
                    item_bias.empty() ? nullptr : item_bias.data,
                    excluded.rows > 0 ? excluded.offsets + begin : nullptr,
                    excluded.indices,
                    count,
                    items.rows,
                    items.cols,
                    0,
                    1,
                    static_cast<int>(ids.cols)};
    int32_t* const out_ids = ids.row(begin);
    float* const out_scores = scores.row(begin);
    if (p.k <= 64)
      run<64>(ctx, p, out_ids, out_scores);
    else if (p.k <= 128)
      run<128>(ctx, p, out_ids, out_scores);
    else if (p.k <= 256)
      run<256>(ctx, p, out_ids, out_scores);
    else
      run<1024>(ctx, p, out_ids, out_scores);
  }
}

void pair_scores(Context& ctx, MatrixView<const float> x, MatrixView<const float> y, VectorView<const int32_t> row,
                 VectorView<const int32_t> col, VectorView<float> out) {
  launch(ctx, score_pairs, over_warps(device_of(ctx).limits, row.size), x.data, y.data, x.rows, y.rows, x.cols,
         row.data, col.data, row.size, out.data, failures_of(ctx));
}

void pair_scores(Context& ctx, MatrixView<const float> x, MatrixView<const float> y, CsrView pairs,
                 VectorView<float> out) {
  Array<int32_t> row(ctx, pairs.nnz, "pair rows");
  launch(ctx, expand_rows, over_warps(device_of(ctx).limits, pairs.rows), pairs.offsets, pairs.rows, row.data());
  // offsets[0] lives on the device; a part of a matrix starts there.
  int64_t first = 0;
  download(ctx, VectorView<const int64_t>{pairs.offsets, 1, DeviceType::kCuda}, std::span<int64_t>(&first, 1));
  ctx.wait();
  launch(ctx, score_pairs, over_warps(device_of(ctx).limits, pairs.nnz), x.data, y.data, x.rows, y.rows, x.cols,
         row.data(), pairs.indices + first, pairs.nnz, out.data, failures_of(ctx));
}

}  // namespace kindred::cuda
