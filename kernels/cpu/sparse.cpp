// SPDX-License-Identifier: Apache-2.0
// Everything here is a stable counting sort: entries are cut into shards (by shape, not by threads), each shard counts
// its keys, prefix sums over (key, shard) give every shard its places, and each shard writes in its own order.
#include "kernels/detail/sparse.hpp"

#include <algorithm>
#include <string>

#include "kernels/cpu/threads.hpp"

namespace kindred::cpu {
namespace {

/// Sorts entries [0, count) by key[e] in [0, buckets), stably. `offsets` (buckets + 1) becomes the buckets' borders;
/// place(begin, end, next) walks a shard's entries in order, next(e) being entry e's new place.
template <class Place>
void stable_buckets(Context& ctx, const char* op, const int32_t* key, int64_t count, int64_t buckets, int64_t* offsets,
                    Place&& place) {
  // A shard's counters should stay small beside its entries, and a counter must hold them: at most 2^31 each.
  const int64_t shards =
      std::max({int64_t{1}, std::min<int64_t>(16, count / std::max<int64_t>(1, 4 * buckets)), count >> 31});
  const int64_t length = (count + shards - 1) / shards;
  Array<uint32_t> counters(ctx, shards * buckets, "sort counters");
  parallel_for(ctx, shards, 1, [&](int64_t shard, int64_t, int) {
    uint32_t* const counter = counters.data() + shard * buckets;
    std::fill_n(counter, buckets, 0u);
    for (int64_t e = shard * length; e < std::min(count, (shard + 1) * length); ++e) {
      if (key[e] < 0 || key[e] >= buckets)
        throw InvalidArgument(std::string(op) + ": entry " + std::to_string(e) + ": index " + std::to_string(key[e]) +
                              " is not within 0 and " + std::to_string(buckets - 1));
      ++counter[key[e]];
    }
  });
  offsets[0] = 0;
  for (int64_t b = 0; b < buckets; ++b) {
    uint32_t before = 0;  // in this bucket, of earlier shards
    for (int64_t shard = 0; shard < shards; ++shard) {
      uint32_t& counter = counters.data()[shard * buckets + b];
      before += std::exchange(counter, before);
    }
    offsets[b + 1] = offsets[b] + before;
  }
  parallel_for(ctx, shards, 1, [&](int64_t shard, int64_t, int) {
    uint32_t* const counter = counters.data() + shard * buckets;
    place(shard * length, std::min(count, (shard + 1) * length),
          [&](int64_t e) { return offsets[key[e]] + counter[key[e]]++; });
  });
}

Csr empty_like(Context& ctx, int64_t rows, int64_t cols, int64_t nnz, bool values) {
  Csr out;
  out.offsets = Array<int64_t>(ctx, rows + 1, "sparse offsets");
  out.indices = Array<int32_t>(ctx, nnz, "sparse indices");
  if (values) out.values = Array<float>(ctx, nnz, "sparse values");
  out.rows = rows, out.cols = cols;
  return out;
}

}  // namespace

Csr csr_from_pairs(Context& ctx, VectorView<const int32_t> row, VectorView<const int32_t> col,
                   VectorView<const float> value, int64_t rows, int64_t cols) {
  const int64_t nnz = row.size;
  // By column, then stably by row: columns ascend within each row, equal pairs keep their order.
  Array<int32_t> rows_by_col(ctx, nnz, "sort rows"), cols_by_col(ctx, nnz, "sort columns");
  Array<float> values_by_col(ctx, value.size, "sort values");
  Array<int64_t> borders(ctx, cols + 1, "sort borders");
  stable_buckets(ctx, "csr_from_pairs", col.data, nnz, cols, borders.data(),
                 [&](int64_t begin, int64_t end, auto next) {
                   for (int64_t e = begin; e < end; ++e) {
                     const int64_t to = next(e);
                     rows_by_col.data()[to] = row[e];
                     cols_by_col.data()[to] = col[e];
                     if (!value.empty()) values_by_col.data()[to] = value[e];
                   }
                 });
  Csr out = empty_like(ctx, rows, cols, nnz, !value.empty());
  stable_buckets(ctx, "csr_from_pairs", rows_by_col.data(), nnz, rows, out.offsets.data(),
                 [&](int64_t begin, int64_t end, auto next) {
                   for (int64_t e = begin; e < end; ++e) {
                     const int64_t to = next(e);
                     out.indices.data()[to] = cols_by_col.data()[e];
                     if (!value.empty()) out.values.data()[to] = values_by_col.data()[e];
                   }
                 });
  return out;
}

Csr transpose(Context& ctx, CsrView a) {
  Csr out = empty_like(ctx, a.cols, a.rows, a.nnz, a.values != nullptr);
  if (a.rows == 0) {
    std::fill_n(out.offsets.data(), a.cols + 1, int64_t{0});
    return out;
  }
  const int64_t first = a.offsets[0];
  stable_buckets(ctx, "transpose", a.indices + first, a.nnz, a.cols, out.offsets.data(),
                 [&](int64_t begin, int64_t end, auto next) {
                   int64_t row = std::upper_bound(a.offsets, a.offsets + a.rows + 1, first + begin) - a.offsets - 1;
                   for (int64_t e = begin; e < end; ++e) {
                     while (a.offsets[row + 1] <= first + e) ++row;
                     const int64_t to = next(e);
                     out.indices.data()[to] = static_cast<int32_t>(row);
                     if (a.values != nullptr) out.values.data()[to] = a.values[first + e];
                   }
                 });
  return out;
}

void row_sums(Context& ctx, CsrView a, VectorView<float> out) {
  parallel_for(ctx, a.rows, 1024, [&](int64_t begin, int64_t end, int) {
    for (int64_t r = begin; r < end; ++r) {
      double sum = 0;
      for (int64_t e = a.offsets[r]; e < a.offsets[r + 1]; ++e) sum += a.values != nullptr ? a.values[e] : 1.f;
      out[r] = static_cast<float>(sum);
    }
  });
}

void column_sums(Context& ctx, CsrView a, VectorView<float> out) {
  cpu::row_sums(ctx, cpu::transpose(ctx, a).view(), out);
}

}  // namespace kindred::cpu
