// SPDX-License-Identifier: Apache-2.0
// Sums over lanes and blocks, in an order that depends on the shape alone: the same bits on every run.
#pragma once
#include "kernels/cuda/device/target.cuh"

namespace kindred::cuda {

/// Sum over each group of `lanes` neighbouring lanes (a power of two); every lane of the group receives it.
template <int lanes = 32, class T>
__device__ inline T group_sum(T v) {
  static_assert(lanes >= 1 && lanes <= 32 && (lanes & (lanes - 1)) == 0);
#pragma unroll
  for (int offset = lanes / 2; offset > 0; offset /= 2) v += __shfl_xor_sync(kAllLanes, v, offset);
  return v;
}

template <class T>
__device__ inline T warp_sum(T v) {
  return group_sum<32>(v);
}

template <class T>
__device__ inline T warp_max(T v) {
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2) {
    const T other = __shfl_xor_sync(kAllLanes, v, offset);
    v = other > v ? other : v;
  }
  return v;
}

/// Sum over a block of `warps` warps; every thread receives it. `scratch`: one value a warp in shared memory.
template <int warps, class T>
__device__ inline T block_sum(T v, T* scratch) {
  v = warp_sum(v);
  if (lane_id() == 0) scratch[warp_id()] = v;
  __syncthreads();
  T sum = scratch[0];
#pragma unroll
  for (int warp = 1; warp < warps; ++warp) sum += scratch[warp];
  __syncthreads();  // the scratch may be written again
  return sum;
}

}  // namespace kindred::cuda
