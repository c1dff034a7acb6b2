// SPDX-License-Identifier: Apache-2.0
// CUDA sources as plain C++: included in front of a .cu file (g++ -include), it gives the words of CUDA C++ a meaning
// on the host. NVIDIA's own headers supply types and declarations, so a call that does not fit them does not compile.
//
// Each thread of a block is a fiber; a block runs on one host thread, several blocks at a time on several. Work of a
// stream waits in a queue until somebody waits for the stream, so that results read too early are seen to be missing.
// What it finds and how: README.md beside this file.
#pragma once
#include <cuda_runtime.h>
#include <dlfcn.h>

#include <atomic>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <source_location>
#include <tuple>
#include <type_traits>
#include <utility>

#undef __global__
#undef __device__
#undef __host__
#undef __shared__
#undef __constant__
#undef __forceinline__
#undef __noinline__
#undef __launch_bounds__
#undef __grid_constant__
#define __global__
#define __device__
#define __host__
#define __shared__ static thread_local  // a block stays on its host thread
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __grid_constant__
#define __restrict__ __restrict
#define KINDRED_SIMT 1

namespace simt {

using Where = std::source_location;

/// Orders of blocks and of the threads in each are drawn from this and the number of the launch. Results must not
/// depend on them.
extern std::atomic<unsigned> seed;
/// Bytes that cudaMalloc hands out in all before it reports that memory is exhausted.
extern std::atomic<int64_t> memory_limit;

// For code inside a kernel. `where` names the line in the message about a barrier that not all threads reach.
void block_barrier(Where where);
/// Waits until all lanes of `mask` have come here, then gives what each offered, `bytes` apart, indexed by lane.
const unsigned char* exchange(unsigned mask, const void* value, size_t bytes, Where where);
unsigned char* dynamic_shared();
/// Asynchronous copies land at the wait and no earlier; their target holds NaNs before. `from` null: zeros.
void copy_async(void* to, const void* from, unsigned bytes);
void commit_copies();
void wait_copies(unsigned pending_groups);
[[noreturn]] void fault(const char* what, Where where = Where::current());

/// Memory of a static shared variable: filled with NaNs when a block starts, its guard bytes checked when it ends.
void register_shared(void* data, size_t bytes, size_t guard);

template <class T, int N>
class Shared {
  static_assert(std::is_trivially_copyable_v<T>);
  static constexpr size_t kGuard = 64;

 public:
  Shared() { register_shared(bytes_, sizeof(T) * N, kGuard); }
  operator T*() { return reinterpret_cast<T*>(bytes_); }

 private:
  alignas(16) unsigned char bytes_[sizeof(T) * N + kGuard];
};

/// Calls read(lane) with a function that tells what any lane of `mask` offered.
template <class T, class Read>
auto collect(unsigned mask, const T& value, Read&& read, Where where = Where::current()) {
  const unsigned char* offered = exchange(mask, &value, sizeof(T), where);
  return read([&](int lane) {
    if (lane < 0 || lane > 31 || !(mask >> lane & 1)) fault("a value of a lane outside of the mask", where);
    T result;
    std::memcpy(&result, offered + static_cast<size_t>(lane) * sizeof(T), sizeof(T));
    return result;
  });
}

int lane();

cudaError_t launch(const cudaLaunchConfig_t& config, const void* kernel, std::function<void()> body);

template <class... P, class... A>
cudaError_t launch(const cudaLaunchConfig_t* config, void (*kernel)(P...), A&&... args) {
  return launch(*config, reinterpret_cast<const void*>(kernel),
                [kernel, values = std::tuple<std::remove_const_t<P>...>(std::forward<A>(args)...)] {
                  std::apply([&](const auto&... value) { kernel(value...); }, values);
                });
}

/// Puts host work into a stream's queue, as the emulated libraries do.
void enqueue(cudaStream_t stream, std::function<void()> work);

void* load_library(const char* name, int flags);
void* find_symbol(void* library, const char* name);

}  // namespace simt

#define cudaLaunchKernelEx simt::launch
#define dlopen simt::load_library
#define dlsym simt::find_symbol

extern constinit thread_local uint3 threadIdx, blockIdx;  // constinit: no wrapper that initializes them on each use
extern constinit thread_local dim3 blockDim, gridDim;
constexpr int warpSize = 32;

// Synchronization.
inline void __syncthreads(simt::Where where = simt::Where::current()) { simt::block_barrier(where); }
inline void __syncwarp(unsigned mask = ~0u, simt::Where where = simt::Where::current()) {
  simt::exchange(mask, nullptr, 0, where);
}
inline void __threadfence() { std::atomic_thread_fence(std::memory_order_seq_cst); }
inline void __threadfence_block() { std::atomic_thread_fence(std::memory_order_seq_cst); }

// Warp shuffles and votes.
template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32, simt::Where where = simt::Where::current()) {
  const int from = simt::lane() / width * width + (source & (width - 1));
  return simt::collect(
      mask, value, [&](auto&& lane) { return lane(from); }, where);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32, simt::Where where = simt::Where::current()) {
  const int from = simt::lane() ^ bits;
  const bool inside = from / width <= simt::lane() / width;
  return simt::collect(
      mask, value, [&](auto&& lane) { return lane(inside ? from : simt::lane()); }, where);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned by, int width = 32, simt::Where where = simt::Where::current()) {
  const int from = simt::lane() + static_cast<int>(by);
  const bool inside = simt::lane() % width + static_cast<int>(by) < width;
  return simt::collect(
      mask, value, [&](auto&& lane) { return lane(inside ? from : simt::lane()); }, where);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned by, int width = 32, simt::Where where = simt::Where::current()) {
  const int from = simt::lane() - static_cast<int>(by);
  const bool inside = simt::lane() % width >= static_cast<int>(by);
  return simt::collect(
      mask, value, [&](auto&& lane) { return lane(inside ? from : simt::lane()); }, where);
}
inline unsigned __ballot_sync(unsigned mask, int predicate, simt::Where where = simt::Where::current()) {
  return simt::collect(
      mask, predicate != 0,
      [&](auto&& lane) {
        unsigned bits = 0;
        for (int l = 0; l < warpSize; ++l)
          if (mask >> l & 1 && lane(l)) bits |= 1u << l;
        return bits;
      },
      where);
}
inline int __any_sync(unsigned mask, int predicate, simt::Where where = simt::Where::current()) {
  return __ballot_sync(mask, predicate, where) != 0;
}
inline int __all_sync(unsigned mask, int predicate, simt::Where where = simt::Where::current()) {
  return __ballot_sync(mask, predicate, where) == mask;
}

// Atomics. Relaxed on a device; stronger here, which hides no wrong result on this side of a fence.
template <class T>
T atomicAdd(T* at, std::type_identity_t<T> value) {
  return std::atomic_ref<T>(*at).fetch_add(value);
}
template <class T>
T atomicOr(T* at, std::type_identity_t<T> value) {
  return std::atomic_ref<T>(*at).fetch_or(value);
}
template <class T>
T atomicAnd(T* at, std::type_identity_t<T> value) {
  return std::atomic_ref<T>(*at).fetch_and(value);
}
template <class T>
T atomicExch(T* at, std::type_identity_t<T> value) {
  return std::atomic_ref<T>(*at).exchange(value);
}
template <class T>
T atomicCAS(T* at, std::type_identity_t<T> expected, std::type_identity_t<T> value) {
  std::atomic_ref<T>(*at).compare_exchange_strong(expected, value);
  return expected;
}
template <class T>
T atomicMin(T* at, std::type_identity_t<T> value) {
  T old = std::atomic_ref<T>(*at).load();
  while (value < old && !std::atomic_ref<T>(*at).compare_exchange_weak(old, value)) {
  }
  return old;
}
template <class T>
T atomicMax(T* at, std::type_identity_t<T> value) {
  T old = std::atomic_ref<T>(*at).load();
  while (value > old && !std::atomic_ref<T>(*at).compare_exchange_weak(old, value)) {
  }
  return old;
}

// Arithmetic and loads.
template <class T>
T __ldg(const T* at) {
  return *at;
}
template <class T>
T __ldcs(const T* at) {
  return *at;
}
template <class T>
T __ldcg(const T* at) {
  return *at;
}
template <class T>
void __stcs(T* at, std::type_identity_t<T> value) {
  *at = value;
}
inline float rsqrtf(float x) { return 1 / std::sqrt(x); }
inline double rsqrt(double x) { return 1 / std::sqrt(x); }
inline float __frcp_rn(float x) { return 1 / x; }
inline float __fsqrt_rn(float x) { return std::sqrt(x); }
inline float __fdividef(float x, float y) { return x / y; }
inline float __fmaf_rn(float x, float y, float z) { return std::fma(x, y, z); }
inline float __fmul_rn(float x, float y) { return x * y; }
inline float __fadd_rn(float x, float y) { return x + y; }
inline unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }
inline int __float_as_int(float x) { return std::bit_cast<int>(x); }
inline float __uint_as_float(unsigned x) { return std::bit_cast<float>(x); }
inline float __int_as_float(int x) { return std::bit_cast<float>(x); }
inline int __popc(unsigned x) { return std::popcount(x); }
inline int __popcll(unsigned long long x) { return std::popcount(x); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __clz(int x) { return std::countl_zero(static_cast<unsigned>(x)); }
inline unsigned __brev(unsigned x) {
  unsigned reversed = 0;
  for (int bit = 0; bit < 32; ++bit) reversed |= (x >> bit & 1) << (31 - bit);
  return reversed;
}
