// SPDX-License-Identifier: Apache-2.0
// How the entries of a row reach its system: by asynchronous copies, 32 at a time, into two stages in turn, one on its
// way while another is added.
#pragma once
#include "kernels/cuda/als_system.cuh"

namespace kindred::cuda {

/// Columns [first, first + count) of the fixed table, multiples of 16.
struct AlsColumns {
  int first, count;
};

/// Starts copying entries [first, first + 32) of a row to a stage: their columns, values, and offsets or `residual`s
/// (by entry of the row); what is past the row's end or the columns becomes 0. `id` is the fixed row of entry
/// first + lane.
template <int d>
__device__ void fetch_stage(float* stage, const AlsRows& p, const AlsEntries& row, AlsColumns columns,
                            const float* residual, int id, int first) {
  using L = AlsLayout<d>;
  if (first < row.count) {
#pragma unroll
    for (int turn = 0; turn < 4; ++turn) {  // neighboring threads copy neighboring 16 bytes of a row
      const int piece = turn * L::kThreads + static_cast<int>(threadIdx.x), e = piece / (d / 4),
                k = piece % (d / 4) * 4;
      const int64_t y = __shfl_sync(kAllLanes, id, e);
      copy_async<16>(stage + e * L::kPitch + k, p.fixed + y * p.width + columns.first + k,
                     first + e < row.count && k < columns.count);
    }
    const int e = first + lane_id();
    float* const values = stage + L::kStageDepth * L::kPitch + lane_id();
    if (warp_id() == 0) {
      if (p.values != nullptr)
        copy_async<4>(values, p.values + row.begin + e, e < row.count);
      else
        *values = 1;
    } else if (warp_id() == 1) {
      if (residual != nullptr)
        copy_async<4>(values + L::kStageDepth, residual + e, e < row.count);
      else if (p.offset != nullptr)
        copy_async<4>(values + L::kStageDepth, p.offset + id, e < row.count);
      else
        values[L::kStageDepth] = 0;
    }
  }
  commit_copies();
}

/// A += sum a y yT and b += sum b y over a row's entries, y their columns, b their residuals where not null. Ends with
/// a barrier.
template <int d, bool kTf32>
__device__ void gather(System<d>& system, const AlsRows& p, const AlsEntries& row, AlsColumns columns,
                       const float* residual, float* stages) {
  using L = AlsLayout<d>;
  const auto id_at = [&](int e) {
    return e + lane_id() < row.count ? __ldg(p.indices + row.begin + e + lane_id()) : 0;
  };
  fetch_stage<d>(stages, p, row, columns, residual, id_at(0), 0);
  int id = id_at(L::kStageDepth);
#pragma unroll 1
  for (int e = 0; e < row.count; e += L::kStageDepth) {
    const int slot = e / L::kStageDepth % 2 * L::kStageFloats;
    wait_copies<0>();
    __syncthreads();  // this stage is there for all threads, and all are done with the other
    fetch_stage<d>(stages + L::kStageFloats - slot, p, row, columns, residual, id, e + L::kStageDepth);
    id = id_at(e + 2 * L::kStageDepth);
    const float* const values = stages + slot + L::kStageDepth * L::kPitch;
    const auto term = [&](int k) {
      const float value = values[k], other = values[k + L::kStageDepth];
      return float2{p.weight(value), residual != nullptr ? other : p.target(value, other)};
    };
    add_stage<d, false, kTf32>(system, stages + slot, std::min(+L::kStageDepth, row.count - e), term);
  }
  __syncthreads();
}

}  // namespace kindred::cuda
