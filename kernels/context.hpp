// SPDX-License-Identifier: Apache-2.0
// The context: one device, its threads or streams, its memory, the seed. It is every op's first argument; ops are free
// functions and hold no state.
//
// Conventions of all ops. Work is ordered on the context's one stream: an op may return before it is done, and the next
// op sees its result. Wrong arguments throw InvalidArgument at once, before anything is done. Numeric and device
// failures set a status that wait() throws. Same seed, same device, same instruction set (KINDRED_CPU): the same bits
// for any number of threads. A context is used by one thread at a time; several contexts may run side by side.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kernels/error.hpp"
#include "kernels/views.hpp"

namespace kindred {

constexpr int kMaxThreads = 1024;

struct ContextOptions {
  std::string device = "auto";  ///< "auto" (CUDA where it works, else CPU) | "cpu" | "cuda" | "cuda:N"
  int threads = 0;              ///< CPU threads, to kMaxThreads; 0: all cores this process may use
  uint64_t seed = 42;           ///< of every random number drawn through this context
};

/// Memory held through one context, in bytes. `peaks` lists the labels alive at the moment of the peak, largest first.
struct MemoryReport {
  struct Label {
    std::string name;
    int64_t bytes;
  };
  int64_t live = 0;
  int64_t peak = 0;
  int64_t allocations = 0;  ///< requests that reached the system; constant after the first epoch of a training
  std::vector<Label> peaks;
};

class Context {
 public:
  /// Throws InvalidArgument for a malformed device name; Unavailable for "cuda" where the build has no CUDA part, there
  /// is no driver or no such device, and says which. "auto" then takes the CPU and keeps the reason for fallback().
  explicit Context(const ContextOptions& options = {});
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  DeviceType device() const { return device_; }
  bool on_cuda() const { return device_ == DeviceType::kCuda; }
  /// "cpu" or "cuda:0".
  const std::string& device_name() const { return device_name_; }
  /// Why "auto" took the CPU although the build has a CUDA part or was asked for one; empty otherwise.
  const std::string& fallback() const { return fallback_; }
  int threads() const { return threads_; }
  uint64_t seed() const { return seed_; }

  /// Waits for all work of this context, then throws the first failure since the last wait, naming op and row.
  void wait();

  /// Memory of the device (of the host for "cpu"): live, peak, by label.
  MemoryReport memory() const;
  /// Gives memory that is kept for reuse back to the system.
  void release_unused();

  struct Impl;  // kernels/detail/context.hpp: for ops, not for callers
  Impl& impl() { return *impl_; }
  const Impl& impl() const { return *impl_; }

 private:
  DeviceType device_ = DeviceType::kCpu;
  std::string device_name_ = "cpu", fallback_;
  int threads_ = 1;
  uint64_t seed_ = 42;
  std::unique_ptr<Impl> impl_;
};

/// What `kindred-data doctor` and error messages tell about a CUDA device.
struct CudaDevice {
  int index = 0;
  std::string name;
  int major = 0, minor = 0, multiprocessors = 0;
  int64_t total_bytes = 0, free_bytes = 0;
};

struct CudaReport {
  bool built = false;     ///< the library has its CUDA part
  int toolkit = 0;        ///< version it was built with, 13000 for 13.0; 0 without
  std::string built_for;  ///< "sm_80 sm_90 ptx"
  int driver = 0;         ///< the newest CUDA version that the driver knows; 0: no driver
  std::string problem;    ///< why no device can be used, one line; empty where one can
  std::vector<CudaDevice> devices;
};

/// Looks without creating a context; never throws.
CudaReport cuda_report();

/// What the CPU offers: the widest vector instructions ("AVX-512" …), and the set in use ("avx3", "avx2", "scalar" …)
/// after KINDRED_CPU; threads this process may use.
struct CpuReport {
  std::string model, supported, in_use;
  int threads = 1;
  int64_t total_bytes = 0, available_bytes = 0;
};
CpuReport cpu_report();

}  // namespace kindred
