// SPDX-License-Identifier: Apache-2.0
// The k most similar rows of each query, from the columns of the matrix.
//
// What limits it. One read-add-write in shared memory for each pair of entries of a column, behind a gathered load of
// the entry: neither FLOP nor bytes of device memory (columns of popular rows stay in the L2), but the latency of the
// gather and the banks of shared memory.
//
// Work. A block is a query and a block of rows; its 8 warps own a slab of rows each, with the slab's sums in shared
// memory. A warp walks the query's entries in order and adds, 32 at a time, the part of the entry's column that falls
// into its slab. Rows of a column are unique, so the lanes of one step never meet, and a row has one warp, so every sum
// has one order: no atomics, the same bits always. Where a column enters each slab is found once (`split`). Lanes hold
// the bounds of 32 columns at a time, and the first entries of kAhead columns are loaded before any of them is added:
// the gathers overlap.
//
// Selection. Each warp turns its slab's sums into similarities against the running k-th, votes survivors into a buffer
// and merges that into a list in registers; the lists of all slabs become one at the end (topk_lists.cuh).
#include <algorithm>
#include <vector>

#include "kernels/cuda/device/reduce.cuh"
#include "kernels/cuda/device/search.cuh"
#include "kernels/cuda/similarity_launch.hpp"
#include "kernels/cuda/topk_lists.cuh"
#include "kernels/detail/similarity.hpp"
#include "kernels/detail/sparse.hpp"
#include "kernels/memory.hpp"

namespace kindred::cuda {
namespace {

using kindred::detail::PairFormula, kindred::detail::PairPlan, kindred::detail::PairSums, kindred::detail::PairTerms,
    kindred::detail::RowTerms, kindred::detail::Sums;

constexpr int kAhead = 4;  // columns whose first entries are on their way
constexpr int kThreads = 256;

struct Problem {
  CsrView queries;  // values as they enter the sums
  const RowTerms* query_terms;
  const int32_t* self;  // null: none
  bool within;          // query q is row q
  CsrView columns;      // of the matrix: columns x rows, values as they enter the sums
  const RowTerms* row_terms;
  const int32_t* split;  // columns x (slabs + 1): where each slab starts in a column, from the column's start
  PairTerms terms;
  Key* lists;
  int64_t first;  // query of block 0
  int rows, padded, slabs, slab_rows, k;
};

__global__ void __launch_bounds__(kThreads) find_negatives(const float* values, int64_t count, int* found) {
  bool any = false;
  for (int64_t e = grid_thread(); e < count; e += grid_threads()) any = any || !(values[e] > 0);
  if (any) atomicAdd(found, 1);
}

/// A warp a column: the mean of its entries, 0 for none.
__global__ void __launch_bounds__(kThreads) mean_columns(CsrView columns, double* means) {
  for (int64_t c = grid_warp(); c < columns.rows; c += grid_warps()) {
    const int64_t begin = columns.offsets[c], end = columns.offsets[c + 1];
    double sum = 0;
    for (int64_t e = begin + lane_id(); e < end; e += kWarp)
      sum += columns.values != nullptr ? double{columns.values[e]} : 1;
    sum = warp_sum(sum);
    if (lane_id() == 0) means[c] = end > begin ? sum / static_cast<double>(end - begin) : 0;
  }
}

/// A warp a row: its terms, and its centered values where there are to be any.
__global__ void __launch_bounds__(kThreads)
    prepare_rows(CsrView rows, SimilarityMetric metric, Missing missing, PairFormula formula, const double* means,
                 double mean_sum, double mean_squares, float* centered, RowTerms* terms) {
  for (int64_t r = grid_warp(); r < rows.rows; r += grid_warps()) {
    const int64_t begin = rows.offsets[r], end = rows.offsets[r + 1];
    const auto value = [&](int64_t e) { return rows.values != nullptr ? double{rows.values[e]} : 1.0; };
    kindred::detail::RowSums s;
    if (centered != nullptr && missing == Missing::kRowMean && end > begin) {
      for (int64_t e = begin + lane_id(); e < end; e += kWarp) s.mean += value(e);
      s.mean = warp_sum(s.mean) / static_cast<double>(end - begin);
    }
    for (int64_t e = begin + lane_id(); e < end; e += kWarp) {
      double v = value(e);
      if (centered != nullptr) {
        const double column = means != nullptr ? means[rows.indices[e]] : 0;
        centered[e] = static_cast<float>(v - (means != nullptr ? column : s.mean));
        v = double{centered[e]};
        s.along += v * column;
      }
      s.sum += v, s.squares += v * v, s.absolute += fabs(v);
    }
    s.count = static_cast<double>(end - begin);
    s.sum = warp_sum(s.sum), s.squares = warp_sum(s.squares), s.absolute = warp_sum(s.absolute);
    s.along = warp_sum(s.along);
    if (lane_id() == 0)
      terms[r] = kindred::detail::row_terms(s, metric, missing, formula, static_cast<double>(rows.cols), mean_sum,
                                            mean_squares);
  }
}

__global__ void __launch_bounds__(kThreads) split_columns(CsrView columns, int slabs, int slab_rows, int32_t* split) {
  for (int64_t at = grid_thread(); at < columns.rows * (slabs + 1); at += grid_threads()) {
    const int64_t column = at / (slabs + 1), row = at % (slabs + 1) * slab_rows;
    const int64_t begin = columns.offsets[column], end = columns.offsets[column + 1];
    split[at] = static_cast<int32_t>(row >= columns.cols
                                         ? end - begin
                                         : lower_bound(columns.indices, begin, end, static_cast<int32_t>(row)) - begin);
  }
}

/// The value of an entry of a column.
__device__ __forceinline__ float value_of(const CsrView& columns, int64_t at) {
  return columns.values != nullptr ? __ldg(columns.values + at) : 1.f;
}

/// Adds what the query shares with the rows of `slab` to the warp's sums.
template <PairSums kind>
__device__ __forceinline__ void add_slab(const Problem& p, int64_t query, int slab, typename Sums<kind>::Value* sums) {
  constexpr int kWidth = Sums<kind>::kWidth;
  typename Sums<kind>::Value* const slab_sums = sums - int64_t{slab} * p.slab_rows * kWidth;  // by row
  const int64_t end = p.queries.offsets[query + 1];
#pragma unroll 1
  for (int64_t base = p.queries.offsets[query]; base < end; base += kWarp) {
    const int here = end - base < kWarp ? static_cast<int>(end - base) : kWarp;
    float lane_value = 0;
    int64_t lane_first = 0, lane_last = 0;
    if (lane_id() < here) {
      const int64_t column = __ldg(p.queries.indices + base + lane_id());
      const int32_t* const part = p.split + column * (p.slabs + 1) + slab;
      lane_first = p.columns.offsets[column] + __ldg(part);
      lane_last = p.columns.offsets[column] + __ldg(part + 1);
      lane_value = p.queries.values != nullptr ? __ldg(p.queries.values + base + lane_id()) : 1.f;
    }
#pragma unroll 1
    for (int first = 0; first < here; first += kAhead) {
      int row[kAhead];
      float other[kAhead];
#pragma unroll
      for (int a = 0; a < kAhead; ++a) {  // beyond `here` columns are empty
        const int64_t at = __shfl_sync(kAllLanes, lane_first, first + a) + lane_id();
        const bool there = at < __shfl_sync(kAllLanes, lane_last, first + a);
        row[a] = there ? __ldg(p.columns.indices + at) : -1;
        other[a] = there ? value_of(p.columns, at) : 0.f;
      }
#pragma unroll
      for (int a = 0; a < kAhead; ++a) {
        const float x = __shfl_sync(kAllLanes, lane_value, first + a);
        const int64_t at = __shfl_sync(kAllLanes, lane_first, first + a) + lane_id(),
                      last = __shfl_sync(kAllLanes, lane_last, first + a);
        if (row[a] >= 0) Sums<kind>::add(slab_sums + row[a] * kWidth, x, other[a], p.terms.minus_parts);
        for (int64_t more = at + kWarp; more < last; more += kWarp)
          Sums<kind>::add(slab_sums + __ldg(p.columns.indices + more) * kWidth, x, value_of(p.columns, more),
                          p.terms.minus_parts);
        __syncwarp();  // the next column may add to the same row from another lane
      }
    }
  }
}

/// grid: queries x column blocks.
template <PairSums kind, int kList>
__global__ void __launch_bounds__(kSimilarityThreads, kList > 128 ? 1 : 2) similar_slabs(Problem p) {
  using Value = typename Sums<kind>::Value;
  constexpr int kWidth = Sums<kind>::kWidth;
  const int64_t query = p.first + blockIdx.x;
  const int slab = static_cast<int>(blockIdx.y) * kSimilarityWarps + warp_id(), row0 = slab * p.slab_rows;
  const int left = p.rows - row0, width = left < 0 ? 0 : left < p.slab_rows ? left : p.slab_rows;
  Key* const pending = dynamic_shared<Key>() + warp_id() * kSimilarityPending;
  Value* const sums = reinterpret_cast<Value*>(dynamic_shared<Key>() + kSimilarityWarps * kSimilarityPending) +
                      int64_t{warp_id()} * p.slab_rows * kWidth;
  for (int at = lane_id(); at < width * kWidth; at += kWarp) sums[at] = 0;
  __syncwarp();
  if (width > 0) add_slab<kind>(p, query, slab, sums);

  const RowTerms own = p.query_terms[query];
  const int64_t self = p.within ? query : p.self != nullptr ? p.self[query] : -1;
  Key list[kList / kWarp];
#pragma unroll
  for (int r = 0; r < kList / kWarp; ++r) list[r] = kNoKey;
  float threshold = -INFINITY;
  int count = 0;
#pragma unroll 1
  for (int at = lane_id(); at - lane_id() < width + kWarp; at += kWarp) {  // an empty step more empties the buffer
    const float similarity = at < width
                                 ? kindred::detail::pair_similarity<kind>(p.terms.plan.formula, p.terms, own,
                                                                          p.row_terms[row0 + at], sums + at * kWidth)
                                 : NAN;
    const bool keep = similarity > threshold && row0 + at != self;  // rows ascend: an equal one later loses
    const unsigned votes = __ballot_sync(kAllLanes, keep);
    if (keep) pending[count + __popc(votes & lanes_below())] = make_key(similarity, row0 + at);
    count += __popc(votes);
    if (count > kSimilarityPending - kWarp || (at - lane_id() >= width && count > 0)) {
      absorb(list, pending, count);
      threshold = key_score(list_at(list, p.k - 1));
      count = 0;
    }
  }
  store_list(list, p.lists + (int64_t{slab} * p.padded + blockIdx.x) * kList);
}

/// A matrix as it enters the sums.
struct Prepared {
  CsrView rows;
  Array<float> centered;
  Array<RowTerms> terms;
};

struct Means {
  Array<double> means;
  double sum = 0, squares = 0;

  const double* data() const { return means.empty() ? nullptr : means.data(); }
};

template <class T>
std::vector<T> read(Context& ctx, VectorView<const T> view) {
  std::vector<T> out(static_cast<size_t>(view.size));
  download<const T>(ctx, view, out);
  kindred::cuda::check(cudaStreamSynchronize(device_of(ctx).stream), "similar_rows");
  return out;
}

int64_t first_entry(Context& ctx, CsrView rows) {
  return read<int64_t>(ctx, VectorView<const int64_t>{rows.offsets, 1, rows.device})[0];
}

bool all_positive(Context& ctx, CsrView rows) {
  if (rows.values == nullptr || rows.nnz == 0) return true;
  Array<int> found(ctx, 1, "similarity signs");
  fill_zero(ctx, found.view());
  launch(ctx, find_negatives, over_items(device_of(ctx).limits, rows.nnz), rows.values + first_entry(ctx, rows),
         rows.nnz, found.data());
  return read<int>(ctx, found.view())[0] == 0;
}

Means column_means(Context& ctx, CsrView rows) {
  const Csr columns = cuda::transpose(ctx, rows);
  Means out;
  out.means = Array<double>(ctx, rows.cols, "similarity means");
  launch(ctx, mean_columns, over_warps(device_of(ctx).limits, rows.cols), columns.view(), out.means.data());
  for (const double mean : read<double>(ctx, out.means.view())) out.sum += mean, out.squares += mean * mean;
  return out;
}

Prepared prepare(Context& ctx, CsrView rows, const SimilarityParams& params, const PairPlan& plan, const Means& means) {
  Prepared out;
  out.rows = rows;
  out.terms = Array<RowTerms>(ctx, rows.rows, "similarity terms");
  float* centered = nullptr;
  if (plan.centered && rows.nnz > 0) {
    out.centered = Array<float>(ctx, rows.nnz, "similarity values");
    centered = out.centered.data() - first_entry(ctx, rows);
  }
  launch(ctx, prepare_rows, over_warps(device_of(ctx).limits, rows.rows), rows, params.metric, params.missing,
         plan.formula, means.data(), means.sum, means.squares, centered, out.terms.data());
  if (plan.centered) out.rows.values = centered;
  return out;
}

void search(Context& ctx, CsrView queries, VectorView<const int32_t> self, bool within, CsrView matrix,
            const SimilarityParams& params, MatrixView<int32_t> ids, MatrixView<float> similarities) {
  const DeviceLimits& limits = device_of(ctx).limits;
  const PairPlan plan = kindred::detail::pair_plan(params, matrix.values != nullptr || queries.values != nullptr,
                                                   all_positive(ctx, matrix) && (within || all_positive(ctx, queries)));
  const Means means = plan.centered && params.missing == Missing::kColumnMean ? column_means(ctx, matrix) : Means{};
  const Prepared rows = prepare(ctx, matrix, params, plan, means);
  const Prepared asked = within ? Prepared{} : prepare(ctx, queries, params, plan, means);
  const Csr columns = cuda::transpose(ctx, rows.rows);
  const SimilarityLaunch shape =
      similarity_launch(queries.rows, matrix.rows, ids.cols, kindred::detail::sums_bytes(plan.sums), limits);
  Array<int32_t> split(ctx, matrix.cols * (shape.slabs() + 1), "similarity slabs");
  launch(ctx, split_columns, over_items(limits, split.size()), columns.view(), shape.slabs(), shape.slab_rows,
         split.data());
  Array<Key> lists(ctx, shape.keys(), "similarity lists");
  const PairTerms terms(params, plan, matrix.cols, means.sum, means.squares);
  for (int64_t first = 0; first < queries.rows; first += shape.queries) {
    const int here = static_cast<int>(std::min<int64_t>(shape.queries, queries.rows - first));
    const Problem problem{.queries = within ? rows.rows : asked.rows,
                          .query_terms = within ? rows.terms.data() : asked.terms.data(),
                          .self = self.empty() ? nullptr : self.data,
                          .within = within,
                          .columns = columns.view(),
                          .row_terms = rows.terms.data(),
                          .split = split.data(),
                          .terms = terms,
                          .lists = lists.data(),
                          .first = first,
                          .rows = static_cast<int>(matrix.rows),
                          .padded = shape.queries,
                          .slabs = shape.slabs(),
                          .slab_rows = shape.slab_rows,
                          .k = static_cast<int>(ids.cols)};
    const LaunchConfig config{dim3(static_cast<unsigned>(here), static_cast<unsigned>(shape.column_blocks)),
                              kSimilarityThreads, static_cast<size_t>(shape.shared_bytes)};
    kindred::detail::with_sums(plan.sums, [&]<PairSums kind>() {
      const auto go = [&]<int kList>() {
        launch(ctx, similar_slabs<kind, kList>, config, problem);
        finish<kList>(ctx, {problem.lists, here, shape.slabs(), shape.queries, problem.k}, ids.row(first),
                      similarities.row(first));
      };
      shape.list == 128 ? go.template operator()<128>() : go.template operator()<1024>();
    });
  }
}

}  // namespace

void similar_rows(Context& ctx, CsrView rows, const SimilarityParams& params, MatrixView<int32_t> ids,
                  MatrixView<float> similarities) {
  search(ctx, rows, {}, true, rows, params, ids, similarities);
}

void similar_rows(Context& ctx, CsrView queries, VectorView<const int32_t> self, CsrView rows,
                  const SimilarityParams& params, MatrixView<int32_t> ids, MatrixView<float> similarities) {
  search(ctx, queries, self, false, rows, params, ids, similarities);
}

}  // namespace kindred::cuda
