// SPDX-License-Identifier: Apache-2.0
#include "kernels/context.hpp"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <string_view>
#include <thread>
#include <utility>

#include "kernels/cpu/simd.hpp"
#include "kernels/detail/context.hpp"

namespace kindred {
namespace {

int usable_threads() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1u, std::thread::hardware_concurrency());
}

/// "cuda" -> 0, "cuda:N" -> N, else -1.
int cuda_index(std::string_view device) {
  if (device == "cuda") return 0;
  if (!device.starts_with("cuda:")) return -1;
  device.remove_prefix(5);
  int index = -1;
  const auto [end, error] = std::from_chars(device.data(), device.data() + device.size(), index);
  return error == std::errc() && end == device.data() + device.size() && index >= 0 ? index : -1;
}

int64_t meminfo_bytes(std::string_view key) {
  std::ifstream file("/proc/meminfo");
  for (std::string word; file >> word;)
    if (word == key) {
      int64_t kib = 0;
      file >> kib;
      return kib * 1024;
    }
  return 0;
}

}  // namespace

Context::Context(const ContextOptions& options)
    : threads_(options.threads > 0 ? options.threads : usable_threads()), seed_(options.seed) {
  if (options.threads < 0 || options.threads > kMaxThreads)
    throw InvalidArgument("threads: expected 0 (all cores) to " + std::to_string(kMaxThreads) + ", found " +
                          std::to_string(options.threads));
  const int index = cuda_index(options.device);
  if (index < 0 && options.device != "auto" && options.device != "cpu")
    throw InvalidArgument("device: expected auto, cpu, cuda or cuda:N, found '" + options.device + "'");
  cpu::apply_simd_choice();
  impl_ = std::make_unique<Impl>(threads_);
  if (options.device == "cpu") return;
  const CudaReport report = cuda_report();
  if (report.devices.empty() || (index >= 0 && index >= static_cast<int>(report.devices.size()))) {
    std::string why = report.problem;
    if (why.empty())
      why = "there is no device " + std::to_string(index) + "; the highest is " +
            std::to_string(report.devices.size() - 1);
    if (options.device != "auto") throw Unavailable("device " + options.device + ": " + why);
    if (report.built) fallback_ = why;
    return;
  }
  device_ = DeviceType::kCuda;
  device_name_ = "cuda:" + std::to_string(std::max(0, index));
  impl_->cuda = cuda::open_device(std::max(0, index));
}

Context::~Context() {
  impl_->memory.release_unused(*this);
  if (impl_->cuda != nullptr) cuda::close_device(impl_->cuda);
}

void Context::wait() {
  if (impl_->cuda != nullptr) cuda::wait(*this);
  std::optional<Impl::Failure> failure;
  {
    const std::lock_guard lock(impl_->failure_mutex);
    failure = std::exchange(impl_->failure, std::nullopt);
  }
  if (failure)
    throw NumericError(std::string(failure->op) + ": row " + std::to_string(failure->row) + ": " + failure->message,
                       failure->row);
}

MemoryReport Context::memory() const { return impl_->memory.report(); }
void Context::release_unused() { impl_->memory.release_unused(*this); }

void detail::report_failure(Context& ctx, const char* op, int64_t row, const char* message) {
  auto& impl = ctx.impl();
  const std::lock_guard lock(impl.failure_mutex);
  if (!impl.failure || row < impl.failure->row) impl.failure = Context::Impl::Failure{op, row, message};
}

int64_t detail::available_host_bytes() { return meminfo_bytes("MemAvailable:"); }

CudaReport cuda_report() { return cuda::report(); }

CpuReport cpu_report() {
  CpuReport report;
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("model name")) {
      const size_t colon = line.find(": ");
      if (colon != std::string::npos) report.model = line.substr(colon + 2);
      break;
    }
  report.supported = cpu::simd_supported();
  report.in_use = cpu::simd_in_use();
  report.threads = usable_threads();
  report.total_bytes = meminfo_bytes("MemTotal:");
  report.available_bytes = detail::available_host_bytes();
  return report;
}

}  // namespace kindred
