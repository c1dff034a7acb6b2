// SPDX-License-Identifier: Apache-2.0
// What the context needs from the CUDA backend. Without one kernels/no_cuda.cpp stands in.
#pragma once
#include <cstdint>

#include "kernels/context.hpp"

namespace kindred::cuda {

struct Device;  // stream, handles, staging buffers, status word

CudaReport report() noexcept;

/// Throws Unavailable where there is no such device.
Device* open_device(int index);
void close_device(Device* device) noexcept;

void* allocate(Device& device, int64_t bytes) noexcept;  // nullptr: not enough
void release(Device& device, void* data) noexcept;
int64_t free_bytes(Device& device) noexcept;

/// Ordered on the stream. Host memory on either side must live, unchanged, until wait().
void copy_bytes(Device& device, void* to, DeviceType to_device, const void* from, DeviceType from_device,
                int64_t bytes);
void fill_bytes(Device& device, void* to, int value, int64_t bytes);

/// Waits for the stream; reports failures that kernels have noted through detail::report_failure, throws DeviceError.
void wait(Context& ctx);

}  // namespace kindred::cuda
