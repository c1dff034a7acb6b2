// SPDX-License-Identifier: Apache-2.0
// NVIDIA's libraries, loaded when an op first needs them: a build with CUDA starts on machines that lack them.
#pragma once
#include <cublas_v2.h>

#include "kernels/cuda/device.hpp"

namespace kindred::cuda {

/// The functions of cuBLAS that the ops use, under their names without the version.
struct Blas {
  decltype(&cublasCreate_v2) create;
  decltype(&cublasDestroy_v2) destroy;
  decltype(&cublasSetStream_v2) set_stream;
  decltype(&cublasGetStatusString) status_text;
  decltype(&cublasSgemm_v2_64) sgemm;
  decltype(&cublasSgemmStridedBatched_64) sgemm_strided_batched;
};

/// Throws Unavailable where libcublas is missing; it says which file was looked for.
const Blas& blas();
/// The context's handle, bound to its stream.
cublasHandle_t blas_handle(Context& ctx);
void close_blas(Device& device) noexcept;
/// Throws DeviceError ("OP: cublas: TEXT") unless `status` is success.
void check(cublasStatus_t status, const char* op);

/// Free memory as the driver's management library tells it, which needs no context on the device; where that library is
/// missing a context is made.
int64_t free_bytes_without_context(int index) noexcept;

}  // namespace kindred::cuda
