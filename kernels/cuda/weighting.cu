// SPDX-License-Identifier: Apache-2.0
// A thread an entry; its row is found by binary search in the offsets, which stay in the caches. Bound by memory.
#include "kernels/cuda/device/reduce.cuh"
#include "kernels/cuda/device/search.cuh"
#include "kernels/cuda/launch.cuh"
#include "kernels/detail/weighting.hpp"

namespace kindred::cuda {
namespace {

__global__ void weigh(CsrView a, EntryWeight weight, float parameter, const float* __restrict__ row,
                      const float* __restrict__ column, float* __restrict__ out) {
  const int64_t first = a.offsets[0];
  for (int64_t e = grid_thread(); e < a.nnz; e += grid_threads()) {
    const int64_t r = lower_bound(a.offsets, int64_t{0}, a.rows + 1, first + e + 1) - 1;
    const float value = a.values != nullptr ? a.values[first + e] : 1.f;
    out[e] = kindred::detail::entry_weight(weight, double{parameter}, double{value}, double{row[r]},
                                           double{column[a.indices[first + e]]});
  }
}

}  // namespace

void weigh_entries(Context& ctx, CsrView a, EntryWeight weight, float parameter, VectorView<const float> row,
                   VectorView<const float> column, VectorView<float> out) {
  launch(ctx, weigh, over_items(device_of(ctx).limits, a.nnz), a, weight, parameter, row.data, column.data, out.data);
}

}  // namespace kindred::cuda
