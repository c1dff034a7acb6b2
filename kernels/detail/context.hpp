// SPDX-License-Identifier: Apache-2.0
// The inside of a context, for ops and backends.
#pragma once
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "kernels/context.hpp"
#include "kernels/cpu/threads.hpp"
#include "kernels/detail/cuda.hpp"

namespace kindred {

namespace detail {

/// Arrays of one context. Released blocks are kept and handed out again for requests of half their size and more.
class MemoryPool {
 public:
  void* take(Context& ctx, int64_t bytes, const char* label);
  void give(void* data) noexcept;
  void release_unused(Context& ctx) noexcept;
  MemoryReport report() const;

 private:
  struct Block {
    int64_t bytes = 0;  // of the block, at least what was asked
    const char* label = nullptr;
  };
  void* from_system(Context& ctx, int64_t bytes, const char* label);
  void give_back_unused(Context& ctx) noexcept;  // with the lock held
  void note_peak();

  mutable std::mutex mutex_;
  std::unordered_map<void*, Block> live_;
  std::multimap<int64_t, void*> unused_;
  MemoryReport report_;
};

/// What the host's memory still has for new processes.
int64_t available_host_bytes();

/// Notes a numeric failure for the next wait(); of several the lowest row is kept. Any thread may call it.
/// Text: "OP: row ROW: MESSAGE".
void report_failure(Context& ctx, const char* op, int64_t row, const char* message);

}  // namespace detail

struct Context::Impl {
  explicit Impl(int threads) : pool(threads) {}

  cpu::ThreadPool pool;
  cuda::Device* cuda = nullptr;
  detail::MemoryPool memory;

  struct Failure {
    const char* op;
    int64_t row;
    const char* message;
  };
  std::mutex failure_mutex;
  std::optional<Failure> failure;
};

}  // namespace kindred
