// SPDX-License-Identifier: Apache-2.0
// Devices, streams, memory and copies: what the context asks of the CUDA backend.
#include <cxxabi.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/libraries.hpp"

namespace kindred::cuda {
namespace {

constexpr int kOldestMajor = 8;

/// op, row's meaning and message of each Failure, in its order. Bad input becomes InvalidArgument, the rest
/// NumericError.
struct FailureText {
  const char* op;
  const char* message;
  bool bad_input;
};
constexpr std::array<FailureText, kFailures> kFailureTexts = {{
    {"csr_from_pairs", "the row is out of range", true},
    {"csr_from_pairs", "the column is out of range", true},
    {"pair_scores", "the row of x is out of range", true},
    {"pair_scores", "the row of y is out of range", true},
    {"als_half_sweep",
     "an entry has a negative weight; values must be at least 1 for the hu-koren objective, at least 0 for ials",
     false},
    {"als_half_sweep", "the system is not positive definite; raise regularization", false},
    {"als_half_sweep", "the solution is not finite; raise regularization or look for extreme values", false},
}};

std::string version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

/// Why no device can be used, for a status of cudaGetDeviceCount.
std::string problem_of(cudaError_t status, int driver) {
  if (driver == 0) return "no NVIDIA driver was found (libcuda.so.1); install one, or use --device cpu";
  if (status == cudaErrorInsufficientDriver)
    return "the driver knows CUDA " + version_text(driver) + ", this build needs " + version_text(CUDART_VERSION) +
           "; update the driver";
  if (status == cudaErrorNoDevice)
    return "the driver sees no device; compare nvidia-smi and CUDA_VISIBLE_DEVICES (in a container: --gpus all)";
  return cudaGetErrorString(status);
}

int attribute(cudaDeviceAttr which, int index) {
  int value = 0;
  check(cudaDeviceGetAttribute(&value, which, index), "cudaDeviceGetAttribute");
  return value;
}

cudaMemcpyKind kind_of(DeviceType to, DeviceType from) {
  if (to == DeviceType::kCpu) return from == DeviceType::kCpu ? cudaMemcpyHostToHost : cudaMemcpyDeviceToHost;
  return from == DeviceType::kCpu ? cudaMemcpyHostToDevice : cudaMemcpyDeviceToDevice;
}

void forget_failures(Device& device) {
  constexpr size_t kBytes = kFailures * sizeof(unsigned long long);
  check(cudaMemsetAsync(device.failures.lowest_row, 0xFF, kBytes, device.stream), "clearing the failures");
}

}  // namespace

void check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  const std::string text = cudaGetErrorString(status);
  cudaGetLastError();  // not to be found by the next call
  throw DeviceError(std::string("cuda: ") + what + ": " + text);
}

void select(const Device& device) { check(cudaSetDevice(device.index), "cudaSetDevice"); }

void detail::throw_launch_error(cudaError_t status, const void* kernel, const LaunchConfig& config) {
  const auto sizes = [](const dim3& d) {
    return std::to_string(d.x) + " x " + std::to_string(d.y) + " x " + std::to_string(d.z);
  };
  const char* mangled = nullptr;
  std::string name = "kernel";
  if (cudaFuncGetName(&mangled, kernel) == cudaSuccess && mangled != nullptr) {
    const std::unique_ptr<char, void (*)(void*)> readable(abi::__cxa_demangle(mangled, nullptr, nullptr, nullptr),
                                                          std::free);
    name = readable ? readable.get() : mangled;
  }
  const std::string text = cudaGetErrorString(status);
  cudaGetLastError();
  throw DeviceError("cuda: launch of " + name + " (grid " + sizes(config.grid) + ", block " + sizes(config.block) +
                    ", " + std::to_string(config.shared_bytes) + " bytes of shared memory): " + text);
}

CudaReport report() noexcept {
  CudaReport report;
  report.built = true;
  report.toolkit = CUDART_VERSION;
  report.built_for = KINDRED_CUDA_TARGETS;
  cudaDriverGetVersion(&report.driver);
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status != cudaSuccess) {
    report.problem = problem_of(status, report.driver);
    cudaGetLastError();
    return report;
  }
  bool usable = false;
  for (int index = 0; index < count; ++index) {
    cudaDeviceProp properties{};
    if (cudaGetDeviceProperties(&properties, index) != cudaSuccess) continue;
    usable |= properties.major >= kOldestMajor;
    report.devices.push_back({.index = index,
                              .name = properties.name,
                              .major = properties.major,
                              .minor = properties.minor,
                              .multiprocessors = properties.multiProcessorCount,
                              .total_bytes = static_cast<int64_t>(properties.totalGlobalMem),
                              .free_bytes = free_bytes_without_context(index)});
  }
  if (!usable) {
    report.devices.clear();
    report.problem = count == 0 ? problem_of(cudaErrorNoDevice, report.driver)
                                : "no device of compute capability 8.0 (Ampere) or later";
  }
  cudaGetLastError();
  return report;
}

Device* open_device(int index) {
  int major = 0;
  if (cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, index) != cudaSuccess) {
    cudaGetLastError();
    throw Unavailable("cuda: there is no device " + std::to_string(index));
  }
  if (major < kOldestMajor)
    throw Unavailable("cuda: device " + std::to_string(index) + " has compute capability " + std::to_string(major) +
                      ".x; 8.0 (Ampere) or later is needed");
  auto device = std::unique_ptr<Device, void (*)(Device*)>(new Device, close_device);
  device->index = index;
  select(*device);
  device->limits = {.multiprocessors = attribute(cudaDevAttrMultiProcessorCount, index),
                    .shared_bytes_block = attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin, index),
                    .shared_bytes_multiprocessor = attribute(cudaDevAttrMaxSharedMemoryPerMultiprocessor, index)};
  constexpr size_t kBytes = kFailures * sizeof(unsigned long long);
  check(cudaStreamCreateWithFlags(&device->stream, cudaStreamNonBlocking), "creating a stream");
  void* memory = nullptr;
  check(cudaMalloc(&memory, kBytes), "memory for the failures");
  device->failures.lowest_row = static_cast<unsigned long long*>(memory);
  check(cudaHostAlloc(&memory, kBytes, cudaHostAllocDefault), "pinned memory for the failures");
  device->failures_on_host = static_cast<unsigned long long*>(memory);
  forget_failures(*device);
  return device.release();
}

void close_device(Device* device) noexcept {
  if (device == nullptr) return;
  cudaSetDevice(device->index);
  if (device->stream != nullptr) cudaStreamSynchronize(device->stream);
  device->staging.close();
  close_blas(*device);
  cudaFree(device->failures.lowest_row);
  if (device->failures_on_host != nullptr) cudaFreeHost(device->failures_on_host);
  if (device->stream != nullptr) cudaStreamDestroy(device->stream);
  cudaGetLastError();
  delete device;
}

void* allocate(Device& device, int64_t bytes) noexcept {
  void* data = nullptr;
  if (cudaSetDevice(device.index) == cudaSuccess && cudaMalloc(&data, static_cast<size_t>(bytes)) == cudaSuccess)
    return data;
  cudaGetLastError();
  return nullptr;
}

void release(Device& device, void* data) noexcept {
  cudaSetDevice(device.index);
  cudaStreamSynchronize(device.stream);  // work that still uses the memory
  cudaFree(data);
  cudaGetLastError();
}

int64_t free_bytes(Device& device) noexcept {
  size_t free = 0, total = 0;
  if (cudaSetDevice(device.index) != cudaSuccess || cudaMemGetInfo(&free, &total) != cudaSuccess) cudaGetLastError();
  return static_cast<int64_t>(free);
}

void copy_bytes(Device& device, void* to, DeviceType to_device, const void* from, DeviceType from_device,
                int64_t bytes) {
  select(device);
  const cudaMemcpyKind kind = kind_of(to_device, from_device);
  if (kind == cudaMemcpyHostToDevice && bytes > Staging::kDirect)
    device.staging.upload(device.stream, to, from, bytes);
  else if (kind == cudaMemcpyDeviceToHost && bytes > Staging::kDirect)
    device.staging.download(device.stream, to, from, bytes);
  else
    check(cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), kind, device.stream), "copy");
}

void fill_bytes(Device& device, void* to, int value, int64_t bytes) {
  select(device);
  check(cudaMemsetAsync(to, value, static_cast<size_t>(bytes), device.stream), "fill");
}

void wait(Context& ctx) {
  Device& device = device_of(ctx);
  select(device);
  constexpr size_t kBytes = kFailures * sizeof(unsigned long long);
  check(cudaMemcpyAsync(device.failures_on_host, device.failures.lowest_row, kBytes, cudaMemcpyDeviceToHost,
                        device.stream),
        "reading the failures");
  check(cudaStreamSynchronize(device.stream), "wait");
  bool failed = false;
  std::string bad_input;
  for (int kind = 0; kind < kFailures; ++kind) {
    const unsigned long long row = device.failures_on_host[kind];
    if (row == ~0ull) continue;
    failed = true;
    const FailureText& text = kFailureTexts[static_cast<size_t>(kind)];
    if (!text.bad_input)
      kindred::detail::report_failure(ctx, text.op, static_cast<int64_t>(row), text.message);
    else if (bad_input.empty())
      bad_input = std::string(text.op) + ": entry " + std::to_string(row) + ": " + text.message;
  }
  if (failed) forget_failures(device);
  if (!bad_input.empty()) throw InvalidArgument(bad_input);
}

Staging::Slot& Staging::next() {
  Slot& slot = slots_[turn_];
  turn_ = (turn_ + 1) % slots_.size();
  if (slot.data == nullptr) {
    void* memory = nullptr;
    check(cudaHostAlloc(&memory, kChunk, cudaHostAllocDefault), "pinned memory for copies");
    slot.data = static_cast<unsigned char*>(memory);
    check(cudaEventCreateWithFlags(&slot.free, cudaEventDisableTiming), "creating an event");
  }
  check(cudaEventSynchronize(slot.free), "copy");
  return slot;
}

void Staging::upload(cudaStream_t stream, void* to, const void* from, int64_t bytes) {
  for (int64_t at = 0; at < bytes; at += kChunk) {
    const auto part = static_cast<size_t>(std::min(kChunk, bytes - at));
    Slot& slot = next();
    std::memcpy(slot.data, static_cast<const unsigned char*>(from) + at, part);
    check(cudaMemcpyAsync(static_cast<unsigned char*>(to) + at, slot.data, part, cudaMemcpyHostToDevice, stream),
          "copy to the device");
    check(cudaEventRecord(slot.free, stream), "copy to the device");
  }
}

void Staging::download(cudaStream_t stream, void* to, const void* from, int64_t bytes) {
  const auto part = [&](int64_t at) { return static_cast<size_t>(std::min(kChunk, bytes - at)); };
  const auto fetch = [&](int64_t at) {
    Slot& slot = next();
    check(cudaMemcpyAsync(slot.data, static_cast<const unsigned char*>(from) + at, part(at), cudaMemcpyDeviceToHost,
                          stream),
          "copy to the host");
    check(cudaEventRecord(slot.free, stream), "copy to the host");
    return &slot;
  };
  const Slot* coming = fetch(0);
  for (int64_t at = 0; at < bytes; at += kChunk) {
    const Slot* here = coming;
    if (at + kChunk < bytes) coming = fetch(at + kChunk);
    check(cudaEventSynchronize(here->free), "copy to the host");
    std::memcpy(static_cast<unsigned char*>(to) + at, here->data, part(at));
  }
}

void Staging::close() noexcept {
  for (Slot& slot : slots_) {
    if (slot.data != nullptr) cudaFreeHost(slot.data);
    if (slot.free != nullptr) cudaEventDestroy(slot.free);
    slot = {};
  }
}

}  // namespace kindred::cuda
