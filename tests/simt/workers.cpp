// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <numeric>
#include <random>
#include <thread>
#include <vector>

#include "tests/simt/block.hpp"
#include "tests/simt/simt.hpp"

namespace simt {

std::atomic<unsigned> seed = 0;

namespace {

/// Host threads that take the blocks of one launch at a time.
class Workers {
 public:
  Workers() {
    const unsigned count = std::clamp(std::thread::hardware_concurrency(), 2u, 8u);
    for (unsigned i = 0; i < count; ++i) threads_.emplace_back([this] { loop(); });
  }
  ~Workers() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_all();
    for (auto& thread : threads_) thread.join();
  }

  void run(const Launch& launch) {
    const std::lock_guard one_launch(launch_mutex_);
    // Another order at each launch: a test that compares two runs bit by bit then sees what depends on the order.
    order_seed_ = seed.load() * 1000003u + launches_++;
    order_.resize(size_t{launch.grid.x} * launch.grid.y * launch.grid.z);
    std::iota(order_.begin(), order_.end(), 0u);
    std::shuffle(order_.begin(), order_.end(), std::mt19937(order_seed_));
    std::unique_lock lock(mutex_);
    launch_ = &launch;
    next_ = 0;
    failure_ = nullptr;
    busy_ = static_cast<unsigned>(threads_.size());
    ++generation_;
    wake_.notify_all();
    finished_.wait(lock, [&] { return busy_ == 0; });
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
  }

 private:
  void loop() {
    BlockRunner own;
    uint64_t seen = 0;
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [&] { return stop_ || generation_ != seen; });
      if (stop_) return;
      seen = generation_;
      lock.unlock();
      for (size_t i; (i = next_.fetch_add(1)) < order_.size();) {
        try {
          own.run(*launch_, order_[i], order_seed_ + 7919u * (order_[i] + 1));
        } catch (const std::exception& error) {
          next_ = order_.size();
          const std::lock_guard guard(mutex_);
          if (!failure_)
            failure_ = std::make_exception_ptr(
                Fault("simt: " + launch_->name + ": block " + std::to_string(order_[i]) + ": " + error.what()));
        }
      }
      lock.lock();
      if (--busy_ == 0) finished_.notify_one();
    }
  }

  std::mutex launch_mutex_, mutex_;
  std::condition_variable wake_, finished_;
  std::vector<std::thread> threads_;
  const Launch* launch_ = nullptr;
  std::vector<unsigned> order_;
  std::atomic<size_t> next_{0};
  std::exception_ptr failure_;
  unsigned busy_ = 0, order_seed_ = 0, launches_ = 0;
  uint64_t generation_ = 0;
  bool stop_ = false;
};

}  // namespace

void run(const Launch& launch) {
  static Workers workers;
  workers.run(launch);
}

}  // namespace simt
