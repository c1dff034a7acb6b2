// SPDX-License-Identifier: Apache-2.0
#include "kernels/memory.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "kernels/detail/context.hpp"

namespace kindred {
namespace {

constexpr int64_t kHugePage = 2 << 20;

/// Large tables on huge pages: rows gathered at random then miss the TLB far less often.
void* allocate_host(int64_t bytes) noexcept {
  // The system promises memory that it does not have; what cannot be there is refused before it is touched.
  if (bytes >= 64 * kHugePage && bytes > detail::available_host_bytes()) return nullptr;
  if (bytes < 2 * kHugePage) return std::aligned_alloc(64, static_cast<size_t>(bytes));
  void* data = std::aligned_alloc(kHugePage, static_cast<size_t>((bytes + kHugePage - 1) / kHugePage * kHugePage));
  if (data != nullptr) madvise(data, static_cast<size_t>(bytes), MADV_HUGEPAGE);
  return data;
}

}  // namespace

std::string format_bytes(int64_t bytes) {
  constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  int unit = 0;
  for (; value >= 1024 && unit < 4; ++unit) value /= 1024;
  char text[32];
  std::snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : "%.1f %s", value, kUnits[unit]);
  return text;
}

namespace detail {

void* MemoryPool::take(Context& ctx, int64_t bytes, const char* label) {
  if (bytes < 0) throw InvalidArgument(std::string(label) + ": a size below 0");
  bytes = std::max<int64_t>(64, (bytes + 63) / 64 * 64);
  const std::lock_guard lock(mutex_);
  void* data = nullptr;
  int64_t size = bytes;
  if (const auto found = unused_.lower_bound(bytes); found != unused_.end() && found->first <= 2 * bytes) {
    size = found->first;
    data = found->second;
    unused_.erase(found);
  } else {
    data = from_system(ctx, bytes, label);
  }
  live_[data] = {size, label};
  report_.live += size;
  if (report_.live > report_.peak) note_peak();
  return data;
}

void MemoryPool::give(void* data) noexcept {
  const std::lock_guard lock(mutex_);
  const auto found = live_.find(data);
  if (found == live_.end()) return;
  report_.live -= found->second.bytes;
  unused_.emplace(found->second.bytes, data);
  live_.erase(found);
}

void MemoryPool::release_unused(Context& ctx) noexcept {
  const std::lock_guard lock(mutex_);
  for (const auto& [bytes, data] : unused_) ctx.on_cuda() ? cuda::release(*ctx.impl().cuda, data) : std::free(data);
  unused_.clear();
}

MemoryReport MemoryPool::report() const {
  const std::lock_guard lock(mutex_);
  return report_;
}

void* MemoryPool::from_system(Context& ctx, int64_t bytes, const char* label) {
  const auto ask = [&] { return ctx.on_cuda() ? cuda::allocate(*ctx.impl().cuda, bytes) : allocate_host(bytes); };
  void* data = ask();
  if (data == nullptr && !unused_.empty()) {
    for (const auto& [size, block] : unused_) ctx.on_cuda() ? cuda::release(*ctx.impl().cuda, block) : std::free(block);
    unused_.clear();
    data = ask();
  }
  if (data == nullptr) {
    const int64_t free = ctx.on_cuda() ? cuda::free_bytes(*ctx.impl().cuda) : detail::available_host_bytes();
    note_peak();
    std::string holders;
    for (size_t i = 0; i < report_.peaks.size() && i < 3; ++i)
      holders += (i ? ", " : "; held: ") + report_.peaks[i].name + " " + format_bytes(report_.peaks[i].bytes);
    throw OutOfMemory(ctx.device_name() + ": out of memory: " + label + " wants " + format_bytes(bytes) + ", " +
                      format_bytes(free) + " free" + holders + "; lower model.factors or use less data");
  }
  ++report_.allocations;
  return data;
}

void MemoryPool::note_peak() {
  report_.peak = std::max(report_.peak, report_.live);
  std::map<std::string, int64_t> by_label;
  for (const auto& [data, block] : live_) by_label[block.label] += block.bytes;
  report_.peaks.clear();
  for (const auto& [name, bytes] : by_label) report_.peaks.push_back({name, bytes});
  std::ranges::stable_sort(report_.peaks, [](const auto& a, const auto& b) { return a.bytes > b.bytes; });
}

void* allocate(Context& ctx, int64_t bytes, const char* label) { return ctx.impl().memory.take(ctx, bytes, label); }
void release(Context& ctx, void* data) noexcept { ctx.impl().memory.give(data); }

void copy_bytes(Context& ctx, void* to, DeviceType to_device, const void* from, DeviceType from_device, int64_t bytes) {
  if (bytes == 0) return;
  if (to_device == DeviceType::kCuda || from_device == DeviceType::kCuda) {
    if (!ctx.on_cuda()) throw InvalidArgument("copy: memory of a CUDA device in a context on the CPU");
    cuda::copy_bytes(*ctx.impl().cuda, to, to_device, from, from_device, bytes);
  } else {
    std::memmove(to, from, static_cast<size_t>(bytes));
  }
}

void fill_bytes(Context& ctx, void* to, int value, int64_t bytes) {
  if (bytes == 0) return;
  if (ctx.on_cuda())
    cuda::fill_bytes(*ctx.impl().cuda, to, value, bytes);
  else
    std::memset(to, value, static_cast<size_t>(bytes));
}

}  // namespace detail

ResidentCsr::ResidentCsr(Context& ctx, std::span<const int64_t> offsets, std::span<const int32_t> indices,
                         std::span<const float> values, int64_t cols, const char* label)
    : cols_(cols) {
  const auto fail = [&](const std::string& what) { throw InvalidArgument(std::string(label) + ": " + what); };
  const auto nnz = static_cast<int64_t>(indices.size());
  if (offsets.empty() || offsets.front() != 0 || offsets.back() != nnz)
    fail("offsets must start at 0 and end at the number of entries, " + std::to_string(nnz));
  if (!values.empty() && values.size() != indices.size())
    fail(std::to_string(values.size()) + " values for " + std::to_string(nnz) + " entries");
  for (size_t row = 0; row + 1 < offsets.size(); ++row) {
    if (offsets[row + 1] < offsets[row] || offsets[row + 1] > nnz)
      fail("row " + std::to_string(row) + ": offsets must ascend");
    int64_t last = -1;
    for (int64_t e = offsets[row]; e < offsets[row + 1]; ++e) {
      const int32_t index = indices[static_cast<size_t>(e)];
      if (index <= last || index >= cols)
        fail("row " + std::to_string(row) + ": column " + std::to_string(index) +
             (index >= cols || index < 0 ? " is not within 0 and " + std::to_string(cols - 1) : " does not ascend"));
      last = index;
      if (!values.empty() && !std::isfinite(values[static_cast<size_t>(e)]))
        fail("row " + std::to_string(row) + ", column " + std::to_string(index) + ": the value is not finite");
    }
  }
  offsets_ = Resident<int64_t>(ctx, offsets, label);
  indices_ = Resident<int32_t>(ctx, indices, label);
  values_ = Resident<float>(ctx, values, label);
}

CsrView ResidentCsr::view() const {
  return {offsets_.view().data,
          indices_.view().data,
          values_.view().empty() ? nullptr : values_.view().data,
          offsets_.view().size - 1,
          cols_,
          indices_.view().size,
          indices_.view().device};
}

}  // namespace kindred
