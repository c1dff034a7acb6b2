// SPDX-License-Identifier: Apache-2.0
// The one door through which kernels are launched. It reads the status after every launch and throws DeviceError with
// the kernel's name and sizes.
#pragma once
#include <algorithm>
#include <type_traits>

#include "kernels/cuda/device.hpp"
#include "kernels/cuda/device/target.cuh"

namespace kindred::cuda {

struct LaunchConfig {
  dim3 grid = 1, block = 1;
  size_t shared_bytes = 0;  // dynamic
};

/// Blocks of `threads` threads, one thread an item, capped at `blocks` blocks a multiprocessor: for grid-stride loops.
inline LaunchConfig over_items(const DeviceLimits& limits, int64_t items, int threads = 256, int blocks = 8) {
  const int64_t wanted = (items + threads - 1) / threads;
  return {static_cast<unsigned>(std::min<int64_t>(wanted, int64_t{limits.multiprocessors} * blocks)),
          static_cast<unsigned>(threads)};
}
/// The same with one warp an item.
inline LaunchConfig over_warps(const DeviceLimits& limits, int64_t items, int threads = 256, int blocks = 8) {
  return over_items(limits, items * kWarp, threads, blocks);
}

namespace detail {
[[noreturn]] void throw_launch_error(cudaError_t status, const void* kernel, const LaunchConfig& config);
}

/// kernel<<<grid, block, shared, the context's stream>>>(args...). An empty grid is no work and launches nothing.
template <class... P>
void launch(Context& ctx, void (*kernel)(P...), const LaunchConfig& config, std::type_identity_t<P>... args) {
  constexpr size_t kSharedWithoutAsking = 48 * 1024;
  if (config.grid.x == 0 || config.grid.y == 0 || config.grid.z == 0) return;
  const Device& device = device_of(ctx);
  select(device);
  cudaError_t status = cudaSuccess;
  if (config.shared_bytes > kSharedWithoutAsking)
    status = cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel), cudaFuncAttributeMaxDynamicSharedMemorySize,
                                  static_cast<int>(config.shared_bytes));
  if (status == cudaSuccess) {
    cudaLaunchConfig_t how{};
    how.gridDim = config.grid;
    how.blockDim = config.block;
    how.dynamicSmemBytes = config.shared_bytes;
    how.stream = device.stream;
    status = cudaLaunchKernelEx(&how, kernel, args...);
  }
  const cudaError_t last = cudaGetLastError();
  if (status == cudaSuccess) status = last;
  if (status != cudaSuccess) detail::throw_launch_error(status, reinterpret_cast<const void*>(kernel), config);
}

}  // namespace kindred::cuda
