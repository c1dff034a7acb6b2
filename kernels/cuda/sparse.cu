// SPDX-License-Identifier: Apache-2.0
// Sparse matrices are built and transposed by stable radix sorts (CUB's, one pass over memory a byte of the key); what
// a row holds is then found by binary search in the sorted keys. Nothing depends on the order of threads.
#include <algorithm>
#include <bit>
#include <cub/device/device_radix_sort.cuh>

#include "kernels/cuda/device/reduce.cuh"
#include "kernels/cuda/device/search.cuh"
#include "kernels/cuda/launch.cuh"
#include "kernels/detail/sparse.hpp"

namespace kindred::cuda {
namespace {

/// A value to sort by a key: what the entries of a matrix carry. Those without values carry the row alone.
struct RowValue {
  int32_t row;
  float value;
};

int bits_of(int64_t indices) { return std::bit_width(static_cast<uint64_t>(std::max<int64_t>(1, indices - 1))); }

/// Keys and what they carry, each with a spare buffer for the sort.
template <class Key, class Value>
struct SortBuffers {
  Array<Key> keys[2];
  Array<Value> values[2];

  SortBuffers(Context& ctx, int64_t count, bool with_values)
      : keys{{ctx, count, "sort keys"}, {ctx, count, "sort keys"}} {
    for (auto& array : values) array = Array<Value>(ctx, with_values ? count : 0, "sort values");
  }
};

/// Sorts by the lowest `bits` of the keys, stably; the result is where `current` says.
template <class Key, class Value>
int sort(Context& ctx, SortBuffers<Key, Value>& buffers, int bits) {
  cub::DoubleBuffer<Key> keys(buffers.keys[0].data(), buffers.keys[1].data());
  cub::DoubleBuffer<Value> values(buffers.values[0].data(), buffers.values[1].data());
  const int64_t count = buffers.keys[0].size();
  const cudaStream_t stream = device_of(ctx).stream;
  const bool with_values = !buffers.values[0].empty();
  const auto run = [&](void* temporary, size_t& bytes) {
    check(with_values ? cub::DeviceRadixSort::SortPairs(temporary, bytes, keys, values, count, 0, bits, stream)
                      : cub::DeviceRadixSort::SortKeys(temporary, bytes, keys, count, 0, bits, stream),
          "sort");
  };
  select(device_of(ctx));
  size_t bytes = 0;
  run(nullptr, bytes);
  Array<unsigned char> temporary(ctx, static_cast<int64_t>(bytes), "sort workspace");
  run(temporary.data(), bytes);
  return keys.selector;
}

// ------------------------------------------------------------------------------------------------ from pairs

__global__ void pack_pairs(const int32_t* __restrict__ row, const int32_t* __restrict__ col, int64_t count,
                           int64_t rows, int64_t cols, int col_bits, uint64_t* __restrict__ keys,
                           FailureSink failures) {
  for (int64_t e = grid_thread(); e < count; e += grid_threads()) {
    const bool row_fits = row[e] >= 0 && row[e] < rows, col_fits = col[e] >= 0 && col[e] < cols;
    if (!row_fits) failures.report(Failure::kCsrRow, e);
    if (!col_fits) failures.report(Failure::kCsrColumn, e);
    const uint64_t r = row_fits ? static_cast<uint64_t>(row[e]) : 0, c = col_fits ? static_cast<uint64_t>(col[e]) : 0;
    keys[e] = r << col_bits | c;
  }
}

__global__ void unpack_columns(const uint64_t* __restrict__ keys, int64_t count, int col_bits,
                               int32_t* __restrict__ indices) {
  for (int64_t e = grid_thread(); e < count; e += grid_threads())
    indices[e] = static_cast<int32_t>(keys[e] & ((uint64_t{1} << col_bits) - 1));
}

/// offsets[r] = the first of the ascending keys that belongs to row r or a later one.
template <class Key>
__global__ void find_offsets(const Key* __restrict__ keys, int64_t count, int shift, int64_t rows,
                             int64_t* __restrict__ offsets) {
  for (int64_t r = grid_thread(); r <= rows; r += grid_threads())
    offsets[r] = r == rows ? count : lower_bound(keys, int64_t{0}, count, static_cast<Key>(r) << shift);
}

// ------------------------------------------------------------------------------------------------ transpose

/// The row that holds entry e, given offsets[0] <= e < offsets[rows].
__device__ inline int64_t row_of(const int64_t* __restrict__ offsets, int64_t rows, int64_t e) {
  return lower_bound(offsets, int64_t{0}, rows + 1, e + 1) - 1;
}

__device__ inline void set(RowValue& to, int64_t row, float value) { to = {static_cast<int32_t>(row), value}; }
__device__ inline void set(int32_t& to, int64_t row, float) { to = static_cast<int32_t>(row); }

template <class Carried>
__global__ void pack_entries(CsrView a, uint32_t* __restrict__ keys, Carried* __restrict__ carried) {
  const int64_t first = a.offsets[0];
  for (int64_t e = grid_thread(); e < a.nnz; e += grid_threads()) {
    keys[e] = static_cast<uint32_t>(a.indices[first + e]);
    set(carried[e], row_of(a.offsets, a.rows, first + e), a.values == nullptr ? 0 : a.values[first + e]);
  }
}

__global__ void unpack_entries(const RowValue* __restrict__ carried, int64_t count, int32_t* __restrict__ indices,
                               float* __restrict__ values) {
  for (int64_t e = grid_thread(); e < count; e += grid_threads()) {
    indices[e] = carried[e].row;
    values[e] = carried[e].value;
  }
}

// ------------------------------------------------------------------------------------------------ sums

/// A warp a row, lanes in turn, then a fixed tree.
__global__ void sum_rows(CsrView a, float* __restrict__ out) {
  for (int64_t row = grid_warp(); row < a.rows; row += grid_warps()) {
    const int64_t begin = a.offsets[row], end = a.offsets[row + 1];
    double sum = 0;
    if (a.values == nullptr) {
      sum = static_cast<double>(end - begin);
    } else {
      for (int64_t e = begin + lane_id(); e < end; e += kWarp) sum += double{a.values[e]};
      sum = warp_sum(sum);
    }
    if (lane_id() == 0) out[row] = static_cast<float>(sum);
  }
}

Csr make_csr(Context& ctx, int64_t rows, int64_t cols, int64_t nnz, bool with_values) {
  Csr out;
  out.offsets = Array<int64_t>(ctx, rows + 1, "sparse offsets");
  out.indices = Array<int32_t>(ctx, nnz, "sparse indices");
  if (with_values) out.values = Array<float>(ctx, nnz, "sparse values");
  out.rows = rows;
  out.cols = cols;
  return out;
}

}  // namespace

Csr csr_from_pairs(Context& ctx, VectorView<const int32_t> row, VectorView<const int32_t> col,
                   VectorView<const float> value, int64_t rows, int64_t cols) {
  const DeviceLimits& limits = device_of(ctx).limits;
  const int64_t nnz = row.size;
  const int col_bits = bits_of(cols);
  Csr out = make_csr(ctx, rows, cols, nnz, !value.empty());
  if (nnz == 0) {
    fill_zero(ctx, out.offsets.view());
    return out;
  }
  SortBuffers<uint64_t, float> buffers(ctx, nnz, !value.empty());
  launch(ctx, pack_pairs, over_items(limits, nnz), row.data, col.data, nnz, rows, cols, col_bits,
         buffers.keys[0].data(), failures_of(ctx));
  if (!value.empty()) copy(ctx, value, buffers.values[0].view());
  const int sorted = sort(ctx, buffers, col_bits + bits_of(rows));
  const uint64_t* keys = buffers.keys[sorted].data();
  launch(ctx, unpack_columns, over_items(limits, nnz), keys, nnz, col_bits, out.indices.data());
  launch(ctx, find_offsets<uint64_t>, over_items(limits, rows + 1), keys, nnz, col_bits, rows, out.offsets.data());
  if (!value.empty()) out.values = std::move(buffers.values[sorted]);
  return out;
}

Csr transpose(Context& ctx, CsrView a) {
  const DeviceLimits& limits = device_of(ctx).limits;
  const bool with_values = a.values != nullptr;
  Csr out = make_csr(ctx, a.cols, a.rows, a.nnz, with_values);
  if (a.nnz == 0) {
    fill_zero(ctx, out.offsets.view());
    return out;
  }
  const auto sort_entries = [&](auto carried) {
    using Carried = decltype(carried);
    SortBuffers<uint32_t, Carried> buffers(ctx, a.nnz, true);
    launch(ctx, pack_entries<Carried>, over_items(limits, a.nnz), a, buffers.keys[0].data(), buffers.values[0].data());
    const int sorted = sort(ctx, buffers, bits_of(a.cols));
    launch(ctx, find_offsets<uint32_t>, over_items(limits, a.cols + 1), buffers.keys[sorted].data(), a.nnz, 0, a.cols,
           out.offsets.data());
    return std::move(buffers.values[sorted]);
  };
  if (with_values)
    launch(ctx, unpack_entries, over_items(limits, a.nnz), sort_entries(RowValue{}).data(), a.nnz, out.indices.data(),
           out.values.data());
  else
    out.indices = sort_entries(int32_t{});
  return out;
}

void row_sums(Context& ctx, CsrView a, VectorView<float> out) {
  launch(ctx, sum_rows, over_warps(device_of(ctx).limits, a.rows), a, out.data);
}

void column_sums(Context& ctx, CsrView a, VectorView<float> out) {
  cuda::row_sums(ctx, cuda::transpose(ctx, a).view(), out);
}

}  // namespace kindred::cuda
