// SPDX-License-Identifier: Apache-2.0
// The functions of the CUDA runtime that the product calls, over host memory. One device, "Emulated".
//
// Device memory ends at a page that nobody may touch, holds NaNs when new, and is out of reach for host code: it can be
// read and written only while a stream's queue is worked off.
#include <cxxabi.h>
#include <sys/mman.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "tests/simt/block.hpp"
#include "tests/simt/simt.hpp"

struct CUevent_st {
  CUstream_st* stream = nullptr;
  uint64_t wanted = 0;  // pieces of the stream's work that come before the event
};

struct CUstream_st {
  std::mutex mutex;
  std::deque<std::function<void()>> work;
  uint64_t queued = 0, done = 0;
};

namespace simt {

std::atomic<int64_t> memory_limit = int64_t{4} << 30;

namespace {

constexpr int kMultiprocessors = 4, kSharedDefault = 48 * 1024, kSharedMost = 227 * 1024;
constexpr size_t kPage = 4096, kAlign = 256;
constexpr unsigned char kPoison = 0xFF, kGuardByte = 0xA5;

struct Allocation {
  size_t bytes, pages;
  unsigned char* area;
};

struct State {
  std::mutex mutex;
  std::map<const unsigned char*, Allocation> device;  // by address
  int64_t device_bytes = 0;
  int draining = 0;                         // streams whose queue is being worked off
  std::map<const void*, int> shared_limit;  // by kernel
  std::string fault_text;
};

State& state() {
  static State one;
  return one;
}

CUstream_st default_stream;
thread_local cudaError_t last_error = cudaSuccess;

cudaError_t note(cudaError_t error) {
  if (error != cudaSuccess) last_error = error;
  return error;
}

CUstream_st& queue_of(cudaStream_t stream) { return stream == nullptr ? default_stream : *stream; }

void protect(const Allocation& allocation, int how) { mprotect(allocation.area, allocation.pages * kPage, how); }

/// Device memory can be reached while one of these lives.
class Reach {
 public:
  Reach() {
    const std::lock_guard lock(state().mutex);
    if (state().draining++ == 0)
      for (const auto& [data, allocation] : state().device) protect(allocation, PROT_READ | PROT_WRITE);
  }
  ~Reach() {
    const std::lock_guard lock(state().mutex);
    if (--state().draining == 0)
      for (const auto& [data, allocation] : state().device) protect(allocation, PROT_NONE);
  }
};

cudaError_t drain(CUstream_st& stream, uint64_t until) {
  const Reach reach;
  cudaError_t result = cudaSuccess;
  for (;;) {
    std::function<void()> next;
    {
      const std::lock_guard lock(stream.mutex);
      if (stream.done >= until || stream.work.empty()) return note(result);
      next = std::move(stream.work.front());
      stream.work.pop_front();
      ++stream.done;
    }
    try {
      next();
    } catch (const std::exception& error) {
      {
        const std::lock_guard lock(stream.mutex);  // a device gives up all that follows, too
        stream.done += stream.work.size();
        stream.work.clear();
      }
      const std::lock_guard lock(state().mutex);
      state().fault_text = error.what();
      result = cudaErrorLaunchFailure;
    }
  }
}

cudaError_t drain(CUstream_st& stream) { return drain(stream, UINT64_MAX); }

enum class Place { kHost, kDevice, kOutside };

/// Where [at, at + bytes) lies; kOutside: partly in device memory.
Place place_of(const void* at, size_t bytes) {
  const std::lock_guard lock(state().mutex);
  const auto* begin = static_cast<const unsigned char*>(at);
  auto found = state().device.upper_bound(begin);
  if (found != state().device.end() && begin + bytes > found->first) return Place::kOutside;
  if (found == state().device.begin()) return Place::kHost;
  --found;
  const unsigned char* end = found->first + found->second.bytes;
  if (begin >= end) return Place::kHost;
  return begin + bytes <= end ? Place::kDevice : Place::kOutside;
}

}  // namespace

void enqueue(cudaStream_t stream, std::function<void()> work) {
  CUstream_st& queue = queue_of(stream);
  const std::lock_guard lock(queue.mutex);
  queue.work.push_back(std::move(work));
  ++queue.queued;
}

cudaError_t launch(const cudaLaunchConfig_t& config, const void* kernel, std::function<void()> body) {
  const dim3 grid = config.gridDim, block = config.blockDim;
  const uint64_t threads = uint64_t{block.x} * block.y * block.z;
  if (grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.x > 0x7FFFFFFFu || grid.y > 65535 || grid.z > 65535 ||
      threads == 0 || threads > 1024)
    return note(cudaErrorInvalidConfiguration);
  int shared_limit = kSharedDefault;
  {
    const std::lock_guard lock(state().mutex);
    if (const auto found = state().shared_limit.find(kernel); found != state().shared_limit.end())
      shared_limit = std::max(shared_limit, found->second);
  }
  if (config.dynamicSmemBytes > static_cast<size_t>(shared_limit)) return note(cudaErrorInvalidValue);
  const char* name = nullptr;
  cudaFuncGetName(&name, kernel);
  enqueue(config.stream, [work = Launch{name, grid, block, config.dynamicSmemBytes, std::move(body)}] { run(work); });
  return cudaSuccess;
}

}  // namespace simt

using simt::drain;
using simt::note;
using simt::queue_of;
using simt::state;

extern "C" {

// Devices.
cudaError_t cudaGetDeviceCount(int* count) { return *count = 1, cudaSuccess; }
cudaError_t cudaSetDevice(int device) { return device == 0 ? cudaSuccess : note(cudaErrorInvalidDevice); }
cudaError_t cudaGetDevice(int* device) { return *device = 0, cudaSuccess; }
cudaError_t cudaDriverGetVersion(int* version) { return *version = CUDART_VERSION, cudaSuccess; }

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  if (device != 0) return note(cudaErrorInvalidDevice);
  *properties = {};
  std::strcpy(properties->name, "Emulated");
  properties->major = 9;
  properties->multiProcessorCount = simt::kMultiprocessors;
  properties->totalGlobalMem = static_cast<size_t>(simt::memory_limit.load());
  return cudaSuccess;
}

cudaError_t cudaDeviceGetPCIBusId(char* id, int bytes, int device) {
  if (device != 0) return note(cudaErrorInvalidDevice);
  std::snprintf(id, static_cast<size_t>(bytes), "0000:00:00.0");
  return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  if (device != 0) return note(cudaErrorInvalidDevice);
  switch (attribute) {
    case cudaDevAttrComputeCapabilityMajor:
      *value = 9;
      break;
    case cudaDevAttrComputeCapabilityMinor:
      *value = 0;
      break;
    case cudaDevAttrMultiProcessorCount:
      *value = simt::kMultiprocessors;
      break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      *value = simt::kSharedMost;
      break;
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor:
      *value = simt::kSharedMost + 1024;
      break;
    case cudaDevAttrL2CacheSize:
      *value = 50 << 20;
      break;
    case cudaDevAttrClockRate:
      *value = 1'000'000;
      break;
    default:
      return note(cudaErrorInvalidValue);
  }
  return cudaSuccess;
}

// Errors.
cudaError_t cudaGetLastError() { return std::exchange(simt::last_error, cudaSuccess); }
const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return "no error";
    case cudaErrorMemoryAllocation:
      return "out of memory";
    case cudaErrorInvalidValue:
      return "invalid argument";
    case cudaErrorInvalidConfiguration:
      return "invalid configuration argument";
    case cudaErrorInvalidDevice:
      return "invalid device ordinal";
    case cudaErrorLaunchFailure:
      return state().fault_text.c_str();
    default:
      return "an error that the emulator does not name";
  }
}

// Memory.
cudaError_t cudaMalloc(void** data, size_t bytes) {
  const std::lock_guard lock(state().mutex);
  if (state().device_bytes + static_cast<int64_t>(bytes) > simt::memory_limit) return note(cudaErrorMemoryAllocation);
  const size_t padded = (bytes + simt::kAlign - 1) / simt::kAlign * simt::kAlign;
  const size_t pages = std::max<size_t>(1, (padded + simt::kPage - 1) / simt::kPage);
  void* area = mmap(nullptr, (pages + 1) * simt::kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (area == MAP_FAILED) return note(cudaErrorMemoryAllocation);
  auto* begin = static_cast<unsigned char*>(area);
  mprotect(begin + pages * simt::kPage, simt::kPage, PROT_NONE);
  unsigned char* at = begin + pages * simt::kPage - padded;
  std::memset(at, simt::kPoison, bytes);
  std::memset(at + bytes, simt::kGuardByte, padded - bytes);
  const simt::Allocation allocation{bytes, pages, begin};
  if (state().draining == 0) protect(allocation, PROT_NONE);
  state().device.emplace(at, allocation);
  state().device_bytes += static_cast<int64_t>(bytes);
  *data = at;
  return cudaSuccess;
}

cudaError_t cudaFree(void* data) {
  if (data == nullptr) return cudaSuccess;
  const std::lock_guard lock(state().mutex);
  const auto found = state().device.find(static_cast<unsigned char*>(data));
  if (found == state().device.end()) return note(cudaErrorInvalidValue);
  const simt::Allocation allocation = found->second;
  protect(allocation, PROT_READ);
  const unsigned char* end = allocation.area + allocation.pages * simt::kPage;
  const bool intact =
      std::all_of(found->first + allocation.bytes, end, [](unsigned char b) { return b == simt::kGuardByte; });
  munmap(allocation.area, (allocation.pages + 1) * simt::kPage);
  state().device_bytes -= static_cast<int64_t>(allocation.bytes);
  state().device.erase(found);
  if (intact) return cudaSuccess;
  state().fault_text = "simt: a write behind an array of " + std::to_string(allocation.bytes) + " bytes";
  std::fprintf(stderr, "%s\n", state().fault_text.c_str());
  std::abort();  // callers free in destructors, which cannot tell
}

cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  const std::lock_guard lock(state().mutex);
  *total = static_cast<size_t>(simt::memory_limit.load());
  *free = *total - std::min(*total, static_cast<size_t>(state().device_bytes));
  return cudaSuccess;
}

cudaError_t cudaHostAlloc(void** data, size_t bytes, unsigned) {
  *data = std::aligned_alloc(simt::kPage, (bytes + simt::kPage - 1) / simt::kPage * simt::kPage);
  if (*data == nullptr) return note(cudaErrorMemoryAllocation);
  std::memset(*data, simt::kPoison, bytes);
  return cudaSuccess;
}
cudaError_t cudaFreeHost(void* data) { return std::free(data), cudaSuccess; }

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  using simt::Place;
  const bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
  const bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
  if (kind == cudaMemcpyDefault || simt::place_of(to, bytes) != (to_device ? Place::kDevice : Place::kHost) ||
      simt::place_of(from, bytes) != (from_device ? Place::kDevice : Place::kHost))
    return note(cudaErrorInvalidValue);
  if (!to_device) std::memset(to, simt::kPoison, bytes);  // nothing is there before somebody waits
  simt::enqueue(stream, [=] { std::memmove(to, from, bytes); });
  return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t stream) {
  if (simt::place_of(to, bytes) != simt::Place::kDevice) return note(cudaErrorInvalidValue);
  simt::enqueue(stream, [=] { std::memset(to, value, bytes); });
  return cudaSuccess;
}

// Streams and events.
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) { return *stream = new CUstream_st, cudaSuccess; }
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  const cudaError_t result = drain(*stream);
  delete stream;
  return result;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) { return drain(queue_of(stream)); }

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) { return *event = new CUevent_st, cudaSuccess; }
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  event->stream = &queue_of(stream);
  const std::lock_guard lock(event->stream->mutex);
  event->wanted = event->stream->queued;
  return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  return event->stream == nullptr ? cudaSuccess : drain(*event->stream, event->wanted);
}

// Kernels.
cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute attribute, int value) {
  if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize || value > simt::kSharedMost)
    return note(cudaErrorInvalidValue);
  const std::lock_guard lock(state().mutex);
  state().shared_limit[kernel] = value;
  return cudaSuccess;
}

cudaError_t cudaFuncGetName(const char** name, const void* kernel) {
  Dl_info info;
  *name = dladdr(kernel, &info) != 0 && info.dli_sname != nullptr ? info.dli_sname : "kernel";
  return cudaSuccess;
}

}  // extern "C"
