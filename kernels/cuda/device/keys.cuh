// SPDX-License-Identifier: Apache-2.0
// Candidates of a top-k search as integers, and sorted lists of them in a warp's registers.
//
// Keys. A candidate is one 64-bit integer: the score's bits, turned so that integer order is float order, above the
// complement of the id. One unsigned comparison then means "higher score, and among equals the lower id"; all keys
// differ, so the result of any sorting network, and of any order of arrival, is unique. 0 is "no candidate".
//
// Lists. A warp holds 32 N keys in N registers a lane; element e is register e / 32 of lane e % 32. Bitonic steps with
// a stride of 32 or more then are register moves (N and the loops are compile-time), the five below are shuffles.
#pragma once
#include <cmath>

#include "kernels/cuda/device/target.cuh"

namespace kindred::cuda {

using Key = unsigned long long;
constexpr Key kNoKey = 0;
constexpr int kPending = 64;  // candidates a row collects before they are merged into its list

/// Unsigned order of the results is the order of the floats; -infinity's is above 0.
__device__ __forceinline__ unsigned to_ordered(float value) {
  const unsigned bits = __float_as_uint(value);
  return bits ^ (bits >> 31 ? ~0u : 0x80000000u);
}
__device__ __forceinline__ float from_ordered(unsigned bits) {
  return __uint_as_float(bits >> 31 ? bits ^ 0x80000000u : ~bits);
}
/// The next float below an ordered one, -infinity for 0 ("none"). Explicit, since the bits below -infinity are
/// signalling NaNs, which fmaxf passes over on one machine and hands on on another; and since -0 is not below +0.
__device__ __forceinline__ float just_below(unsigned ordered) {
  constexpr unsigned kMinusInfinity = 0x007fffffu, kZero = 0x80000000u;
  if (ordered <= kMinusInfinity) return -INFINITY;
  return from_ordered(ordered == kZero ? kZero - 2 : ordered - 1);
}
__device__ __forceinline__ Key make_key(float score, int id) {
  return Key(to_ordered(score + 0.f)) << 32 | unsigned(~id);  // -0 becomes +0: they tie
}
__device__ __forceinline__ float key_score(Key key) {
  return key == kNoKey ? -INFINITY : from_ordered(unsigned(key >> 32));
}
__device__ __forceinline__ int key_id(Key key) { return key == kNoKey ? -1 : int(~unsigned(key)); }

/// One step of a bitonic network: elements e and e ^ stride are put in order, the larger first where bit `size` of e is
/// 0.
template <int N>
__device__ __forceinline__ void bitonic_step(Key (&keys)[N], int stride, int size, bool descending) {
#pragma unroll
  for (int r = 0; r < N; ++r) {
    const int element = r * kWarp + lane_id(), partner = r ^ stride / kWarp;
    const bool down = ((element & size) == 0) == descending;
    if (stride < kWarp) {
      const Key other = __shfl_xor_sync(kAllLanes, keys[r], stride);
      const bool want_larger = ((element & stride) == 0) == down;
      if ((other > keys[r]) == want_larger) keys[r] = other;
    } else if (partner > r && partner < N && (keys[partner] > keys[r]) == down) {
      const Key other = keys[partner];
      keys[partner] = keys[r];
      keys[r] = other;
    }
  }
}

template <int N>
__device__ __forceinline__ void bitonic_sort(Key (&keys)[N], bool descending) {
#pragma unroll
  for (int size = 2; size <= kWarp * N; size *= 2)
#pragma unroll
    for (int stride = size / 2; stride > 0; stride /= 2) bitonic_step(keys, stride, size, descending);
}

/// list (descending, 32 N) becomes the 32 N largest of list and more (ascending, 32 M <= 32 N), descending.
template <int N, int M>
__device__ __forceinline__ void merge_into(Key (&list)[N], const Key (&more)[M]) {
  static_assert(M <= N);
#pragma unroll
  for (int r = 0; r < M; ++r)
    if (more[r] > list[N - M + r]) list[N - M + r] = more[r];
#pragma unroll
  for (int stride = kWarp * N / 2; stride > 0; stride /= 2) bitonic_step(list, stride, 2 * kWarp * N, true);
}

/// Merges `count` <= kPending unordered keys from shared memory, written by any lanes, into a warp's list.
template <int N>
__device__ __forceinline__ void absorb(Key (&list)[N], const Key* pending, int count) {
  Key more[kPending / kWarp];
  __syncwarp();  // votes and shuffles order no memory: the keys are there now,
#pragma unroll
  for (int r = 0; r < kPending / kWarp; ++r) {
    const int element = r * kWarp + lane_id();
    more[r] = element < count ? pending[element] : kNoKey;
  }
  __syncwarp();  // and from here on the buffer may be filled anew
  bitonic_sort(more, false);
  merge_into(list, more);
}

/// Element `rank` of a list, in every lane.
template <int N>
__device__ __forceinline__ Key list_at(const Key (&list)[N], int rank) {
  Key found = kNoKey;
#pragma unroll
  for (int r = 0; r < N; ++r) {
    const Key key = __shfl_sync(kAllLanes, list[r], rank % kWarp);
    if (rank / kWarp == r) found = key;
  }
  return found;
}

template <int N>
__device__ __forceinline__ void load_list(Key (&list)[N], const Key* at) {
#pragma unroll
  for (int r = 0; r < N; ++r) list[r] = at[r * kWarp + lane_id()];
}
template <int N>
__device__ __forceinline__ void load_list_ascending(Key (&list)[N], const Key* at) {
#pragma unroll
  for (int r = 0; r < N; ++r) list[r] = at[N * kWarp - 1 - (r * kWarp + lane_id())];
}
template <int N>
__device__ __forceinline__ void store_list(const Key (&list)[N], Key* at) {
#pragma unroll
  for (int r = 0; r < N; ++r) at[r * kWarp + lane_id()] = list[r];
}

}  // namespace kindred::cuda
