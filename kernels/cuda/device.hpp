// SPDX-License-Identifier: Apache-2.0
// The inside of a CUDA device, for the ops of this folder: stream, limits, staging buffers, numeric failures.
#pragma once
#include <cublas_v2.h>
#include <cuda_runtime.h>

#include <array>
#include <cstdint>

#include "kernels/cuda/limits.hpp"
#include "kernels/detail/context.hpp"

namespace kindred::cuda {

/// What kernels can find wrong in the middle of their work; cuda::wait() throws it with the lowest row.
enum class Failure : int {
  kCsrRow,
  kCsrColumn,
  kPairRow,
  kPairColumn,
  kAlsNegativeWeight,
  kAlsNotPositiveDefinite,
  kAlsNotFinite,
  kCount
};
constexpr int kFailures = static_cast<int>(Failure::kCount);

/// Where kernels note failures. A kernel takes it by value and calls report().
struct FailureSink {
  unsigned long long* lowest_row;  // one a kind; all bits set: none

  __device__ void report(Failure failure, int64_t row) const {
    atomicMin(lowest_row + static_cast<int>(failure), static_cast<unsigned long long>(row));
  }
};

/// Pinned memory through which large copies between host and device travel a chunk at a time: the host fills or empties
/// one chunk while the other is on its way.
class Staging {
 public:
  static constexpr int64_t kDirect = 64 << 10;  ///< copies up to this size do without
  static constexpr int64_t kChunk = 8 << 20;

  void upload(cudaStream_t stream, void* to, const void* from, int64_t bytes);
  void download(cudaStream_t stream, void* to, const void* from, int64_t bytes);
  void close() noexcept;

 private:
  struct Slot {
    unsigned char* data = nullptr;
    cudaEvent_t free = nullptr;
  };
  Slot& next();

  std::array<Slot, 2> slots_;
  size_t turn_ = 0;
};

struct Device {
  int index = 0;
  DeviceLimits limits;
  cudaStream_t stream = nullptr;
  cublasHandle_t blas = nullptr;  // made by the first op that needs it
  FailureSink failures{nullptr};
  unsigned long long* failures_on_host = nullptr;  // pinned
  Staging staging;
};

inline Device& device_of(Context& ctx) { return *ctx.impl().cuda; }
inline FailureSink failures_of(Context& ctx) { return device_of(ctx).failures; }

/// Makes the device current for this host thread. Cheap where it already is.
void select(const Device& device);

/// Throws DeviceError ("cuda: WHAT: TEXT") unless `status` is success.
void check(cudaError_t status, const char* what);

}  // namespace kindred::cuda
