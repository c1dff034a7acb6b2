// SPDX-License-Identifier: Apache-2.0
// 16 bytes at a time: packed loads and stores, and copies from global to shared memory that pass no register.
#pragma once
#include "kernels/cuda/device/target.cuh"

namespace kindred::cuda {

/// N floats in registers (a multiple of 4), moved 16 bytes at a time; addresses are multiples of 16 bytes.
template <int N>
struct alignas(16) Packed {
  static_assert(N % 4 == 0);
  float v[N];
  __device__ float& operator[](int i) { return v[i]; }
  __device__ const float& operator[](int i) const { return v[i]; }
};

/// Element k of the result is from[k / 4 * stride + k % 4].
template <int N>
__device__ inline Packed<N> load(const float* from, int stride = 4) {
  Packed<N> to;
#pragma unroll
  for (int k = 0; k < N; k += 4) {
    const float4 piece = *reinterpret_cast<const float4*>(from + k / 4 * stride);
    to[k] = piece.x, to[k + 1] = piece.y, to[k + 2] = piece.z, to[k + 3] = piece.w;
  }
  return to;
}

/// The same from global memory that nobody writes during the kernel.
template <int N>
__device__ inline Packed<N> load_constant(const float* from, int stride = 4) {
  Packed<N> to;
#pragma unroll
  for (int k = 0; k < N; k += 4) {
    const float4 piece = __ldg(reinterpret_cast<const float4*>(from + k / 4 * stride));
    to[k] = piece.x, to[k + 1] = piece.y, to[k + 2] = piece.z, to[k + 3] = piece.w;
  }
  return to;
}

template <int N>
__device__ inline void store(float* to, const Packed<N>& from, int stride = 4) {
#pragma unroll
  for (int k = 0; k < N; k += 4)
    *reinterpret_cast<float4*>(to + k / 4 * stride) = make_float4(from[k], from[k + 1], from[k + 2], from[k + 3]);
}

/// Starts a copy of 4, 8 or 16 bytes to shared memory, of zeros where not `valid` (the address is not read then).
template <int bytes, class T>
__device__ inline void copy_async(T* to, const T* from, bool valid = true) {
  static_assert(bytes == 4 || bytes == 8 || bytes == 16);
#if KINDRED_HARDWARE
  const unsigned shared = static_cast<unsigned>(__cvta_generic_to_shared(to));
  const int read = valid ? bytes : 0;
  if constexpr (bytes == 16)  // past the first-level cache
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared), "l"(from), "r"(read) : "memory");
  else
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(shared), "l"(from), "n"(bytes), "r"(read)
                 : "memory");
#else
  simt::copy_async(to, valid ? from : nullptr, bytes);
#endif
}

/// Closes the group of copies this thread has started.
__device__ inline void commit_copies() {
#if KINDRED_HARDWARE
  asm volatile("cp.async.commit_group;" ::: "memory");
#else
  simt::commit_copies();
#endif
}

/// Waits until at most `pending` of this thread's groups are under way. Other threads see the data after a barrier.
template <int pending>
__device__ inline void wait_copies() {
#if KINDRED_HARDWARE
  asm volatile("cp.async.wait_group %0;" ::"n"(pending) : "memory");
#else
  simt::wait_copies(pending);
#endif
}

}  // namespace kindred::cuda
