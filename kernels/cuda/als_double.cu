// SPDX-License-Identifier: Apache-2.0
// ALS rows by Cholesky in fp64, a block a row: rows that were not positive definite in fp32, and the exact solutions of
// more than kAlsWidestSystem unknowns. The lower triangle lies in the block's slice of global memory (the L2 holds the
// slices of small widths) as 64 x 64 tiles. Each tile is summed up in registers, 16 values a thread, over the base, the
// row's entries and the columns of the factor to its left, and written once, finished (left-looking). Cost: the entries
// are gathered once for each tile, which the L2 serves.
#include <cfloat>

#include "kernels/cuda/als.cuh"
#include "kernels/memory.hpp"

namespace kindred::cuda {
namespace {

constexpr int kThreads = 256, kTile = 64, kSide = 16, kPer = kTile / kSide;  // a thread: 4 x 4 of a tile, 16 apart
constexpr int kDepth = 16;                                                   // terms staged at a time
constexpr int kPitch = kTile + 1;
constexpr int kSharedBytes = 8 * (2 * kDepth * kTile + kDepth + 2 * kTile * kPitch) + 16;
constexpr int64_t kScratchBytes = 256 << 20;  // of all blocks' systems; of retries', which are few, an eighth

/// A block's shared memory.
struct Work {
  double *left, *right;  // kDepth x kTile: staged terms
  double* weight;        // kDepth
  double *pivot, *tile;  // kTile x kPitch: the factor of the column's diagonal tile, and the tile at hand
  AlsTicket* ticket;

  __device__ explicit Work(double* shared)
      : left(shared),
        right(left + kDepth * kTile),
        weight(right + kDepth * kTile),
        pivot(weight + kDepth),
        tile(pivot + kTile * kPitch),
        ticket(reinterpret_cast<AlsTicket*>(tile + kTile * kPitch)) {}
};

struct Accumulator {
  double v[kPer][kPer];
  __device__ static int row(int i) { return static_cast<int>(threadIdx.x) / kSide + kSide * i; }
  __device__ static int column(int j) { return static_cast<int>(threadIdx.x) % kSide + kSide * j; }

  template <class Visit>
  __device__ __forceinline__ void for_each(Visit&& visit) {
#pragma unroll
    for (int i = 0; i < kPer; ++i)
#pragma unroll
      for (int j = 0; j < kPer; ++j) visit(row(i), column(j), v[i][j]);
  }
  /// += sum of w_k left_k right_kT over the staged terms.
  __device__ __forceinline__ void add(const Work& work) {
    __syncthreads();
#pragma unroll 2
    for (int k = 0; k < kDepth; ++k) {
      double left[kPer], right[kPer];
#pragma unroll
      for (int i = 0; i < kPer; ++i) {
        left[i] = work.weight[k] * work.left[k * kTile + row(i)];
        right[i] = work.right[k * kTile + column(i)];
      }
#pragma unroll
      for (int i = 0; i < kPer; ++i)
#pragma unroll
        for (int j = 0; j < kPer; ++j) v[i][j] += left[i] * right[j];
    }
    __syncthreads();
  }
};

/// Adds the row's entries: columns from `row0` and from `column0` of the fixed table.
__device__ void add_entries(Accumulator& sum, const AlsRows& p, const AlsEntries& entries, int row0, int column0,
                            const Work& work) {
  for (int first = 0; first < entries.count; first += kDepth) {
    for (int at = static_cast<int>(threadIdx.x); at < kDepth * kTile; at += kThreads) {
      const int e = first + at / kTile, k = at % kTile;
      const float* const y = e < entries.count ? p.row(entries.begin + e) : nullptr;
      work.left[at] = y != nullptr && row0 + k < p.width ? __ldg(y + row0 + k) : 0.f;
      work.right[at] = y != nullptr && column0 + k < p.width ? __ldg(y + column0 + k) : 0.f;
    }
    if (threadIdx.x < kDepth) {
      const int e = first + static_cast<int>(threadIdx.x);
      work.weight[threadIdx.x] = e < entries.count ? p.weight(p.value(entries.begin + e)) : 0.f;
    }
    sum.add(work);
  }
}

/// Subtracts the products of two rows of tiles of the factor over columns [0, columns).
__device__ void subtract_products(Accumulator& sum, const double* a, int n, int row0, int column0, int columns,
                                  const Work& work) {
  if (threadIdx.x < kDepth) work.weight[threadIdx.x] = -1;
  for (int first = 0; first < columns; first += kDepth) {
    for (int at = static_cast<int>(threadIdx.x); at < kDepth * kTile; at += kThreads) {
      const int k = first + at % kDepth, i = at / kDepth;  // neighboring threads read neighboring columns
      work.left[at % kDepth * kTile + i] = a[int64_t{row0 + i} * n + k];
      work.right[at % kDepth * kTile + i] = a[int64_t{column0 + i} * n + k];
    }
    sum.add(work);
  }
}

/// Factorizes work.tile in place (lower triangle). False, for all threads, where a pivot has lost its digits.
__device__ bool factorize(const Work& work, const double* limits) {
  double* const a = work.tile;
  for (int k = 0; k < kTile; ++k) {
    const double pivot = a[k * kPitch + k];
    if (!(pivot > limits[k])) return false;
    __syncthreads();  // all have read the pivot
    const double scale = 1 / sqrt(pivot);
    for (int i = k + static_cast<int>(threadIdx.x); i < kTile; i += kThreads) a[i * kPitch + k] *= scale;
    __syncthreads();
    const int rest = kTile - k - 1;
    for (int at = static_cast<int>(threadIdx.x); at < rest * rest; at += kThreads) {
      const int i = k + 1 + at / rest, j = k + 1 + at % rest;
      if (j <= i) a[i * kPitch + j] -= a[i * kPitch + k] * a[j * kPitch + k];
    }
    __syncthreads();
  }
  return true;
}

/// work.tile *= work.pivot^-T.
__device__ void divide(const Work& work) {
  double* const a = work.tile;
  for (int k = 0; k < kTile; ++k) {
    if (threadIdx.x < kTile) a[threadIdx.x * kPitch + k] /= work.pivot[k * kPitch + k];
    __syncthreads();
    const int rest = kTile - k - 1;
    for (int at = static_cast<int>(threadIdx.x); at < kTile * rest; at += kThreads) {
      const int i = at / rest, j = k + 1 + at % rest;
      a[i * kPitch + j] -= a[i * kPitch + k] * work.pivot[j * kPitch + k];
    }
    __syncthreads();
  }
}

/// The factor of the row's system (n x n, n a multiple of 64) into `a`. False where it is not positive definite.
__device__ bool factorize_system(const AlsRows& p, const AlsEntries& entries, double ridge, double* a, int n,
                                 const Work& work) {
  __shared__ Shared<double, kTile> limits;
  for (int column0 = 0; column0 < n; column0 += kTile)
    for (int row0 = column0; row0 < n; row0 += kTile) {
      Accumulator sum;
      sum.for_each(
          [&](int i, int j, double& v) { v = p.base(row0 + i, column0 + j) + (row0 + i == column0 + j ? ridge : 0); });
      add_entries(sum, p, entries, row0, column0, work);
      if (row0 == column0)
        sum.for_each([&](int i, int j, const double& v) {
          if (i == j) limits[i] = 4 * DBL_EPSILON * v;
        });
      subtract_products(sum, a, n, row0, column0, column0, work);
      sum.for_each([&](int i, int j, const double& v) { work.tile[i * kPitch + j] = v; });
      __syncthreads();
      if (row0 > column0)
        divide(work);
      else if (!factorize(work, limits))
        return false;
      for (int at = static_cast<int>(threadIdx.x); at < kTile * kTile; at += kThreads) {
        const double v = work.tile[at / kTile * kPitch + at % kTile];
        a[int64_t{row0 + at / kTile} * n + column0 + at % kTile] = v;
        if (row0 == column0) work.pivot[at / kTile * kPitch + at % kTile] = v;
      }
      __syncthreads();
    }
  return true;
}

/// b becomes the solution of L LT x = b.
__device__ void substitute(const double* a, int n, double* b) {
  const auto step = [&](int k, int from, int to, int64_t row_stride, int64_t column_stride) {
    const double x = b[k] / a[k * (int64_t{n} + 1)];
    __syncthreads();  // all have read b_k
    for (int i = from + static_cast<int>(threadIdx.x); i < to; i += kThreads)
      b[i] -= a[i * row_stride + k * column_stride] * x;
    if (threadIdx.x == 0) b[k] = x;
    __syncthreads();
  };
  for (int k = 0; k < n; ++k) step(k, k + 1, n, n, 1);
  for (int k = n; k-- > 0;) step(k, 0, k, 1, n);
}

__global__ void __launch_bounds__(kThreads)
    double_rows(AlsRows p, AlsQueue queue, double* scratch, int n, FailureSink failures) {
  const Work work(dynamic_shared<double>());
  double* const a = scratch + int64_t{blockIdx.x} * (int64_t{n} * n + n);
  double* const b = a + int64_t{n} * n;
  while (draw_row(p, queue, *work.ticket)) {
    const int row = work.ticket->row;
    const AlsEntries entries = entries_of(p, row);
    for (int k = static_cast<int>(threadIdx.x); k < n; k += kThreads) {
      double sum = 0;
      for (int64_t e = entries.begin; k < p.width && e < entries.begin + entries.count; ++e)
        sum += static_cast<double>(p.target(p.value(e), p.offset_of(e))) * __ldg(p.row(e) + k);
      b[k] = sum;
    }
    const bool positive = factorize_system(p, entries, p.ridge(entries.count), a, n, work);
    if (positive) substitute(a, n, b);
    for (int k = static_cast<int>(threadIdx.x); k < p.factors; k += kThreads) {
      const float x = positive ? static_cast<float>(b[k]) : 0.f;
      if (!isfinite(x)) failures.report(Failure::kAlsNotFinite, row);
      p.solved[int64_t{row} * p.factors + k] = isfinite(x) ? x : 0.f;
    }
    if (!positive && threadIdx.x == 0) failures.report(Failure::kAlsNotPositiveDefinite, row);
  }
}

}  // namespace

int64_t als_double_bytes(int64_t width, bool all_rows) {
  const int64_t n = (width + kTile - 1) / kTile * kTile, system = 8 * (n * n + n);
  return all_rows ? std::max(kScratchBytes, system) : std::clamp(kScratchBytes / 8, system, 16 * system);
}

void als_double(Context& ctx, const AlsRows& p, AlsQueue queue) {
  if (queue.most == 0) return;
  const int n = (p.width + kTile - 1) / kTile * kTile;
  const int64_t doubles = int64_t{n} * n + n, bytes = queue.count != nullptr ? kScratchBytes / 8 : kScratchBytes;
  const int64_t blocks = std::clamp<int64_t>(bytes / (8 * doubles), 1, queue.count != nullptr ? 16 : queue.most);
  const AlsGrid grid =
      als_persistent(std::min<int64_t>(blocks, queue.most), kThreads, kSharedBytes, 2, device_of(ctx).limits);
  Array<double> scratch(ctx, grid.blocks * doubles, "als fp64 systems");
  launch(ctx, double_rows, {grid.blocks, grid.threads, grid.shared_bytes}, p, queue, scratch.data(), n,
         failures_of(ctx));
}

}  // namespace kindred::cuda
