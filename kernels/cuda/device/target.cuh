// SPDX-License-Identifier: Apache-2.0
// Shared memory and a thread's place, spelled so that a source compiles under nvcc and, for the tests, under g++ with
// the emulator's header in front. KINDRED_HARDWARE is the only macro that the device headers ask; kernels ask none.
#pragma once
#include <cuda_runtime.h>

#include <cstdint>

#ifdef KINDRED_SIMT
#define KINDRED_HARDWARE 0
#else
#define KINDRED_HARDWARE 1
#endif

namespace kindred::cuda {

constexpr int kWarp = 32;
constexpr unsigned kAllLanes = ~0u;

/// The block's dynamic shared memory, aligned to 16 bytes; its size is a part of the launch.
template <class T>
__device__ inline T* dynamic_shared() {
#if KINDRED_HARDWARE
  extern __shared__ __align__(16) unsigned char dynamic_shared_bytes[];
  return reinterpret_cast<T*>(dynamic_shared_bytes);
#else
  return reinterpret_cast<T*>(simt::dynamic_shared());
#endif
}

/// N values in static shared memory, used like a pointer: `__shared__ Shared<float, 32> partial;`
#if KINDRED_HARDWARE
template <class T, int N = 1>
struct Shared {
  alignas(16) T values[N];
  __device__ operator T*() { return values; }
};
#else
template <class T, int N = 1>
using Shared = simt::Shared<T, N>;
#endif

// Of blocks with one dimension.
__device__ inline int lane_id() { return static_cast<int>(threadIdx.x % kWarp); }
__device__ inline int warp_id() { return static_cast<int>(threadIdx.x / kWarp); }
__device__ inline unsigned lanes_below() { return (1u << lane_id()) - 1; }
/// This thread among all of the grid, and how many there are: the start and the step of a grid-stride loop.
__device__ inline int64_t grid_thread() { return int64_t{blockIdx.x} * blockDim.x + threadIdx.x; }
__device__ inline int64_t grid_threads() { return int64_t{gridDim.x} * blockDim.x; }
__device__ inline int64_t grid_warp() { return grid_thread() / kWarp; }
__device__ inline int64_t grid_warps() { return grid_threads() / kWarp; }

}  // namespace kindred::cuda
