// SPDX-License-Identifier: Apache-2.0
// What the ALS solvers share: a half-sweep's problem as a device sees it, the queues that blocks draw rows from, and
// the launchers of the solvers, each in a file of its own.
#pragma once
#include <span>

#include "kernels/cuda/als_launch.hpp"
#include "kernels/cuda/launch.cuh"
#include "kernels/detail/als.hpp"

namespace kindred::cuda {

/// detail::AlsProblem without its views; a kernel takes it by value.
struct AlsRows {
  const int64_t* offsets;
  const int32_t* indices;
  const float* values;    // null: 1
  const float* fixed;     // n x width
  const float* offset;    // n, or null
  float* solved;          // m x factors
  const float* gram;      // factors x factors, or null
  const float* spectrum;  // factors, or null
  float base_weight, slope, shift, mean;
  double regularization, ridge_shift, exponent;
  int width, factors;

  __device__ float weight(float value) const { return slope * value + shift; }
  __device__ float target(float value, float off) const { return value - mean - off; }
  __device__ float value(int64_t e) const { return values != nullptr ? __ldg(values + e) : 1.f; }
  __device__ float offset_of(int64_t e) const { return offset != nullptr ? __ldg(offset + __ldg(indices + e)) : 0.f; }
  __device__ const float* row(int64_t e) const { return fixed + int64_t{__ldg(indices + e)} * width; }
  __device__ double ridge(int64_t degree) const {
    return regularization * pow(static_cast<double>(degree) + ridge_shift, exponent);
  }
  /// The base matrix's diagonal where it is diagonal; the padding is a unit matrix. Computed eigenvalues of a Gram
  /// matrix may be below 0.
  __device__ float diagonal(int k) const { return k < factors ? base_weight * fmaxf(0.f, __ldg(spectrum + k)) : 1.f; }
  __device__ float base(int i, int k) const {
    if (gram != nullptr && i < factors && k < factors) return base_weight * __ldg(gram + i * factors + k);
    return i != k ? 0.f : gram != nullptr ? 1.f : diagonal(k);
  }
};

/// Entries [begin, begin + count) of one row.
struct AlsEntries {
  int64_t begin;
  int count;
};

__device__ inline AlsEntries entries_of(const AlsRows& p, int row) {
  const int64_t begin = p.offsets[row];
  return {begin, static_cast<int>(p.offsets[row + 1] - begin)};
}

/// Rows that a solver could not finish in fp32; they are solved again in fp64.
struct AlsRetries {
  int32_t* rows;
  int* count;  // 0 before the sweep

  __device__ void add(int row) const { rows[atomicAdd(count, 1)] = row; }
};

/// Rows that blocks draw one after the other: who solves a row does not change its bits.
struct AlsQueue {
  const int32_t* rows;
  const int* count;  // null: all of `most`
  int most;
  int* next;  // 0 before the launch
};

/// A drawn row, in shared memory.
struct AlsTicket {
  int row;
  float ridge;
  int failed;
};

/// The next row for this block, the same for all its threads; false when none is left.
__device__ inline bool draw_row(const AlsRows& p, const AlsQueue& queue, AlsTicket& ticket) {
  __syncthreads();  // all have read the last ticket
  if (threadIdx.x == 0) {
    const int place = atomicAdd(queue.next, 1), count = queue.count != nullptr ? *queue.count : queue.most;
    const int row = place < count ? queue.rows[place] : -1;
    ticket = {row, row >= 0 ? static_cast<float>(p.ridge(p.offsets[row + 1] - p.offsets[row])) : 0.f, 0};
  }
  __syncthreads();
  return ticket.row >= 0;
}

// The solvers. Those in fp32 hand the rows that they cannot finish to `retries`.

/// Cholesky on tensor cores, of systems of up to kAlsWidestSystem unknowns, a block a row.
void als_exact(Context& ctx, const AlsRows& p, AlsQueue queue, AlsPrecision precision, AlsRetries retries);
/// The same for rows of more than kAlsSegment entries, several blocks a row. degrees: of `rows`, on the host, falling.
void als_exact_long(Context& ctx, const AlsRows& p, const int32_t* rows, std::span<const int64_t> degrees,
                    AlsPrecision precision, AlsRetries retries);
int64_t als_long_bytes();  ///< scratch of that, at most, for rows of ordinary length
/// Woodbury's dual systems, of rows of up to `size` entries: 32, 64 or 128.
void als_dual(Context& ctx, const AlsRows& p, AlsQueue queue, int size, AlsRetries retries);
/// Conjugate gradients in the eigenbasis. entries: of all rows of the queue.
void als_cg(Context& ctx, const AlsRows& p, AlsQueue queue, int64_t entries, int steps, AlsRetries retries);
/// One pass over blocks of factors in the eigenbasis. entries: of all rows of the matrix.
void als_block(Context& ctx, const AlsRows& p, AlsQueue queue, int64_t entries, int block_size, AlsPrecision precision,
               AlsRetries retries);
/// Cholesky in fp64, of systems of any size in global memory; reports what fails here too.
void als_double(Context& ctx, const AlsRows& p, AlsQueue queue);
int64_t als_double_bytes(int64_t width,
                         bool all_rows);  ///< scratch of that, at most: of a sweep, or of its few retries

}  // namespace kindred::cuda
