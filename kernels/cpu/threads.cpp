// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/threads.hpp"

#include <omp.h>

#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "kernels/detail/context.hpp"

namespace kindred::cpu {
namespace {
/// The number of this thread inside a pool's body, -1 outside of one.
thread_local int current_thread = -1;
}  // namespace

struct ThreadPool::Impl {
  struct Job {
    int64_t chunks = 0;
    void (*body)(void*, int64_t, int) = nullptr;
    void* data = nullptr;
  };

  std::mutex mutex;
  std::condition_variable wake, finished;
  Job job;
  uint64_t generation = 0;  // of the job; a worker joins each once
  int busy = 0;             // workers that have not left the job
  bool stop = false;
  std::atomic<int64_t> next{0};
  std::exception_ptr failure;
  std::vector<std::thread> workers;

  ~Impl() {
    {
      const std::lock_guard lock(mutex);
      stop = true;
    }
    wake.notify_all();
    for (auto& worker : workers) worker.join();
  }

  void work(const Job& mine, int thread) {
    current_thread = thread;
    try {
      for (int64_t chunk; (chunk = next.fetch_add(1, std::memory_order_relaxed)) < mine.chunks;)
        mine.body(mine.data, chunk, thread);
    } catch (...) {
      next.store(mine.chunks, std::memory_order_relaxed);
      const std::lock_guard lock(mutex);
      if (!failure) failure = std::current_exception();
    }
    current_thread = -1;
  }

  void loop(int thread) {
    omp_set_num_threads(1);  // for the libraries called inside a chunk
    uint64_t seen = 0;
    std::unique_lock lock(mutex);
    for (;;) {
      wake.wait(lock, [&] { return stop || generation != seen; });
      if (stop) return;
      seen = generation;
      const Job mine = job;
      lock.unlock();
      work(mine, thread);
      lock.lock();
      if (--busy == 0) finished.notify_one();
    }
  }
};

ThreadPool::ThreadPool(int threads) : impl_(std::make_unique<Impl>()) {
  try {
    for (int thread = 1; thread < threads; ++thread)
      impl_->workers.emplace_back([impl = impl_.get(), thread] { impl->loop(thread); });
  } catch (const std::system_error& error) {
    throw Unavailable("thread " + std::to_string(impl_->workers.size() + 2) + " of " + std::to_string(threads) +
                      " cannot be started: " + error.code().message() + "; ask for fewer threads");
  }
}

ThreadPool::~ThreadPool() = default;

int ThreadPool::threads() const { return static_cast<int>(impl_->workers.size()) + 1; }

void ThreadPool::run(int64_t chunks, void (*body)(void*, int64_t, int), void* data) {
  if (current_thread >= 0) {  // already inside a body
    for (int64_t chunk = 0; chunk < chunks; ++chunk) body(data, chunk, current_thread);
    return;
  }
  const int library_threads = omp_get_max_threads();
  omp_set_num_threads(1);
  const Impl::Job job{chunks, body, data};
  impl_->next = 0;
  const bool alone = chunks <= 1 || impl_->workers.empty();
  if (!alone) {
    {
      const std::lock_guard lock(impl_->mutex);
      impl_->job = job;
      impl_->busy = static_cast<int>(impl_->workers.size());
      ++impl_->generation;
    }
    impl_->wake.notify_all();
  }
  impl_->work(job, 0);
  if (!alone) {
    std::unique_lock lock(impl_->mutex);
    impl_->finished.wait(lock, [&] { return impl_->busy == 0; });
  }
  omp_set_num_threads(library_threads);
  if (impl_->failure) std::rethrow_exception(std::exchange(impl_->failure, nullptr));
}

ThreadPool& pool_of(Context& ctx) { return ctx.impl().pool; }

}  // namespace kindred::cpu
