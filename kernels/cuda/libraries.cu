// SPDX-License-Identifier: Apache-2.0
#include <dlfcn.h>

#include <string>

#include "kernels/cuda/libraries.hpp"

namespace kindred::cuda {
namespace {

constexpr const char* kBlasNames[] = {"libcublas.so.13", "libcublas.so.12"};

template <class Function>
bool find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

Blas load_blas() {
  // The major version that this build's header describes comes first, then the other: the functions used are in both.
  for (const char* name : kBlasNames) {
    void* library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    Blas loaded{};
    if (library != nullptr && find(library, "cublasCreate_v2", loaded.create) &&
        find(library, "cublasDestroy_v2", loaded.destroy) && find(library, "cublasSetStream_v2", loaded.set_stream) &&
        find(library, "cublasGetStatusString", loaded.status_text) &&
        find(library, "cublasSgemm_v2_64", loaded.sgemm) &&
        find(library, "cublasSgemmStridedBatched_64", loaded.sgemm_strided_batched))
      return loaded;
  }
  throw Unavailable(std::string("cuda: cuBLAS was not found (") + kBlasNames[0] + ", " + kBlasNames[1] +
                    "); install it (Debian's or NVIDIA's libcublas package) or name its folder in LD_LIBRARY_PATH");
}

// What the driver's management library offers; its header comes with the driver's development files, not with CUDA.
struct NvmlMemory {
  unsigned long long total, free, used;
};
using NvmlInit = int (*)();
using NvmlHandle = int (*)(const char* pci_bus_id, void** device);
using NvmlMemoryInfo = int (*)(void* device, NvmlMemory* memory);

}  // namespace

const Blas& blas() {
  static const Blas loaded = load_blas();
  return loaded;
}

cublasHandle_t blas_handle(Context& ctx) {
  Device& device = device_of(ctx);
  select(device);
  if (device.blas == nullptr) {
    cublasHandle_t handle = nullptr;
    check(blas().create(&handle), "cuda");
    device.blas = handle;
    check(blas().set_stream(handle, device.stream), "cuda");
  }
  return device.blas;
}

void close_blas(Device& device) noexcept {
  if (device.blas != nullptr) blas().destroy(device.blas);
  device.blas = nullptr;
}

void check(cublasStatus_t status, const char* op) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  if (status == CUBLAS_STATUS_ALLOC_FAILED)
    throw OutOfMemory(std::string(op) + ": cublas: no memory left on the device for its workspace");
  throw DeviceError(std::string(op) + ": cublas: " + blas().status_text(status));
}

int64_t free_bytes_without_context(int index) noexcept {
  char pci_bus_id[32] = {};
  void* library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
  NvmlInit init = nullptr;
  NvmlHandle handle_of = nullptr;
  NvmlMemoryInfo memory_of = nullptr;
  void* handle = nullptr;
  NvmlMemory memory{};
  if (library != nullptr && find(library, "nvmlInit_v2", init) &&
      find(library, "nvmlDeviceGetHandleByPciBusId_v2", handle_of) &&
      find(library, "nvmlDeviceGetMemoryInfo", memory_of) && init() == 0 &&
      cudaDeviceGetPCIBusId(pci_bus_id, sizeof pci_bus_id, index) == cudaSuccess &&
      handle_of(pci_bus_id, &handle) == 0 && memory_of(handle, &memory) == 0)
    return static_cast<int64_t>(memory.free);
  size_t free = 0, total = 0;
  int current = 0;
  if (cudaGetDevice(&current) == cudaSuccess && cudaSetDevice(index) == cudaSuccess) cudaMemGetInfo(&free, &total);
  cudaSetDevice(current);
  return static_cast<int64_t>(free);
}

}  // namespace kindred::cuda
