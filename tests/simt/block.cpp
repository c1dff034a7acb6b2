// SPDX-License-Identifier: Apache-2.0
#include "tests/simt/block.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <boost/context/fiber.hpp>
#include <boost/context/preallocated.hpp>
#include <exception>
#include <memory>
#include <numeric>
#include <random>
#include <vector>

#include "tests/simt/simt.hpp"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#else
namespace {
void __sanitizer_start_switch_fiber(void**, const void*, size_t) {}
void __sanitizer_finish_switch_fiber(void*, const void**, size_t*) {}
}  // namespace
#endif

constinit thread_local uint3 threadIdx{}, blockIdx{};
constinit thread_local dim3 blockDim, gridDim;

namespace simt {

namespace {

constexpr unsigned kMaxThreads = 1024, kWarp = 32;
constexpr size_t kPage = 4096, kStack = 256 * 1024, kSharedGuard = 256;
constexpr unsigned char kPoison = 0xFF, kGuardByte = 0xA5;

std::string at(Where where) {
  const std::string file = where.file_name();
  return file.substr(file.rfind('/') + 1) + ":" + std::to_string(where.line());
}

struct StaticShared {
  unsigned char* data;
  size_t bytes, guard;

  void poison() const {
    std::memset(data, kPoison, bytes);
    std::memset(data + bytes, kGuardByte, guard);
  }
  bool intact() const {
    return std::all_of(data + bytes, data + bytes + guard, [](unsigned char b) { return b == kGuardByte; });
  }
};
thread_local std::vector<StaticShared> static_shared;

/// Thrown through a kernel's frames when its block is given up.
struct Abandoned {};

struct Thread {
  enum State { kNew, kReady, kBlockBarrier, kWarpBarrier, kDone };
  struct Copy {
    unsigned char* to;
    const unsigned char* from;
    unsigned bytes;
  };

  boost::context::fiber fiber;
  State state = kDone;
  uint3 index{};
  Where where;
  // What a lane offers and, once its warp has met, what all offered.
  unsigned mask = 0;
  const void* value = nullptr;
  size_t bytes = 0;
  std::shared_ptr<unsigned char[]> offered;
  std::vector<std::vector<Copy>> copies;  // groups of asynchronous copies, the open one last
  void* fake_stack = nullptr;
};

}  // namespace

class BlockRunner::Impl {
 public:
  Impl() {
    void* area = mmap(nullptr, kMaxThreads * kStride, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (area == MAP_FAILED) throw std::bad_alloc();
    stacks_ = static_cast<unsigned char*>(area);
  }
  ~Impl() {
    ending_ = true;
    for (unsigned t = 0; t < threads_.size(); ++t) resume(t);
    munmap(stacks_, kMaxThreads * kStride);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void run(const Launch& launch, unsigned block, unsigned order_seed);

  void suspend(Thread::State state, Where where) {
    Thread& thread = self();
    thread.state = state;
    thread.where = where;
    switch_out(&thread.fake_stack);
    if (abandoned_) throw Abandoned();
  }

  Thread& self() { return threads_[current_]; }
  unsigned lane() const { return current_ % kWarp; }
  unsigned char* shared() { return shared_.data()->bytes; }

 private:
  static constexpr size_t kStride = kStack + kPage;

  struct KeepStack {  // the stacks belong to the runner
    void deallocate(boost::context::stack_context&) noexcept {}
  };

  void make_fiber(unsigned t);
  void prepare(const Launch& launch, unsigned block);
  bool step(const std::vector<unsigned>& order);
  void resume(unsigned t);
  void switch_out(void** fake_stack);
  bool release_warps();
  bool release_block();
  void give_up();
  void check_guards(const Launch& launch);

  std::vector<Thread> threads_;  // one a fiber, kept from block to block
  unsigned char* stacks_ = nullptr;
  struct alignas(128) Line {
    unsigned char bytes[128];
  };
  std::vector<Line> shared_;
  boost::context::fiber scheduler_;
  const void* scheduler_stack_ = nullptr;
  size_t scheduler_stack_bytes_ = 0;
  unsigned current_ = 0, count_ = 0;
  const std::function<void()>* body_ = nullptr;
  std::exception_ptr failure_;
  bool abandoned_ = false, ending_ = false;
};

BlockRunner::BlockRunner() : impl_(std::make_unique<Impl>()) {}
BlockRunner::~BlockRunner() = default;
void BlockRunner::run(const Launch& launch, unsigned block, unsigned order_seed) {
  impl_->run(launch, block, order_seed);
}

namespace {

using Runner = BlockRunner::Impl;
thread_local Runner* runner = nullptr;

Runner& inside_a_kernel() {
  if (runner == nullptr) throw Fault("simt: device code is called outside of a kernel");
  return *runner;
}

}  // namespace

void Runner::make_fiber(unsigned t) {
  // A page that nobody may touch ends each stack.
  unsigned char* bottom = stacks_ + t * kStride + kPage;
  mprotect(stacks_ + t * kStride, kPage, PROT_NONE);
  boost::context::stack_context stack;
  stack.sp = bottom + kStack;
  stack.size = kStack;
  threads_[t].fiber =
      boost::context::fiber(std::allocator_arg, boost::context::preallocated(stack.sp, stack.size, stack), KeepStack{},
                            [this, t](boost::context::fiber&& back) {
                              __sanitizer_finish_switch_fiber(nullptr, &scheduler_stack_, &scheduler_stack_bytes_);
                              scheduler_ = std::move(back);
                              while (!ending_) {
                                try {
                                  (*body_)();
                                } catch (const Abandoned&) {
                                } catch (...) {
                                  if (!failure_) failure_ = std::current_exception();
                                }
                                threads_[t].state = Thread::kDone;
                                switch_out(&threads_[t].fake_stack);
                              }
                              __sanitizer_start_switch_fiber(nullptr, scheduler_stack_, scheduler_stack_bytes_);
                              return std::move(scheduler_);
                            });
}

void Runner::resume(unsigned t) {
  current_ = t;
  threadIdx = threads_[t].index;
  void* fake_stack = nullptr;
  __sanitizer_start_switch_fiber(&fake_stack, stacks_ + t * kStride + kPage, kStack);
  threads_[t].fiber = std::move(threads_[t].fiber).resume();
  __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
}

void Runner::switch_out(void** fake_stack) {
  const unsigned me = current_;
  __sanitizer_start_switch_fiber(fake_stack, scheduler_stack_, scheduler_stack_bytes_);
  scheduler_ = std::move(scheduler_).resume();
  __sanitizer_finish_switch_fiber(*fake_stack, &scheduler_stack_, &scheduler_stack_bytes_);
  current_ = me;
}

void Runner::run(const Launch& launch, unsigned block, unsigned order_seed) {
  prepare(launch, block);
  std::vector<unsigned> order(count_);
  std::iota(order.begin(), order.end(), 0u);
  std::shuffle(order.begin(), order.end(), std::mt19937(order_seed));
  runner = this;
  try {
    while (step(order)) {
    }
  } catch (...) {
    give_up();
    runner = nullptr;
    throw;
  }
  runner = nullptr;
  check_guards(launch);
}

void Runner::prepare(const Launch& launch, unsigned block) {
  const dim3 grid = launch.grid, dims = launch.block;
  gridDim = grid;
  blockDim = dims;
  blockIdx = {block % grid.x, block / grid.x % grid.y, block / (grid.x * grid.y)};
  count_ = dims.x * dims.y * dims.z;
  body_ = &launch.body;
  abandoned_ = false;
  failure_ = nullptr;
  if (threads_.empty()) threads_.reserve(kMaxThreads);
  for (unsigned t = static_cast<unsigned>(threads_.size()); t < count_; ++t) {
    threads_.emplace_back();
    make_fiber(t);
  }
  for (unsigned t = 0; t < count_; ++t) {
    Thread& thread = threads_[t];
    thread.state = Thread::kNew;
    thread.index = {t % dims.x, t / dims.x % dims.y, t / (dims.x * dims.y)};
    thread.copies.resize(1);
    thread.copies[0].clear();
  }
  shared_.resize(std::max(shared_.size(), (launch.shared_bytes + kSharedGuard) / sizeof(Line) + 1));
  StaticShared{shared(), launch.shared_bytes, kSharedGuard}.poison();
  for (const StaticShared& variable : static_shared) variable.poison();
}

/// Runs each thread that can to its next barrier, then opens what barriers it can. False: all threads are done.
bool Runner::step(const std::vector<unsigned>& order) {
  bool progress = false;
  for (unsigned t : order) {
    Thread& thread = threads_[t];
    if (thread.state != Thread::kNew && thread.state != Thread::kReady) continue;
    progress = true;
    thread.state = Thread::kReady;
    resume(t);
    if (failure_) std::rethrow_exception(failure_);
  }
  const auto stuck = std::find_if(threads_.begin(), threads_.begin() + count_,
                                  [](const Thread& thread) { return thread.state != Thread::kDone; });
  if (stuck == threads_.begin() + count_) return false;
  if (!release_warps() && !release_block() && !progress)
    throw Fault("a barrier that not all threads reach, at " + at(stuck->where));
  return true;
}

/// A warp barrier opens when all lanes of its mask wait at it; then each lane receives what all offer.
bool Runner::release_warps() {
  bool released = false;
  for (unsigned base = 0; base < count_; base += kWarp) {
    const unsigned lanes = std::min(kWarp, count_ - base);
    for (unsigned l = 0; l < lanes; ++l) {
      const Thread& first = threads_[base + l];
      if (first.state != Thread::kWarpBarrier) continue;
      const unsigned mask = first.mask;
      const auto waits = [&](unsigned other) {
        return other >= lanes ||
               (threads_[base + other].state == Thread::kWarpBarrier && threads_[base + other].mask == mask);
      };
      bool all = true;
      for (unsigned other = 0; other < kWarp && all; ++other) all = !(mask >> other & 1) || waits(other);
      if (!all) continue;
      const std::shared_ptr<unsigned char[]> offered(new unsigned char[kWarp * first.bytes + 1]);
      for (unsigned other = 0; other < lanes; ++other) {
        if (!(mask >> other & 1)) continue;
        Thread& thread = threads_[base + other];
        if (thread.where.line() != first.where.line() || thread.bytes != first.bytes)
          throw Fault("lanes of one warp meet at different places, " + at(first.where) + " and " + at(thread.where));
        if (thread.bytes > 0) std::memcpy(offered.get() + other * thread.bytes, thread.value, thread.bytes);
        thread.offered = offered;
        thread.state = Thread::kReady;
      }
      released = true;
    }
  }
  return released;
}

/// A block barrier opens when all threads that have not ended wait at it.
bool Runner::release_block() {
  const Thread* first = nullptr;
  for (unsigned t = 0; t < count_; ++t) {
    const Thread& thread = threads_[t];
    if (thread.state == Thread::kDone) continue;
    if (thread.state != Thread::kBlockBarrier) return false;
    if (first == nullptr) first = &thread;
    if (thread.where.line() != first->where.line())
      throw Fault("threads of one block meet at different barriers, " + at(first->where) + " and " + at(thread.where));
  }
  for (unsigned t = 0; t < count_; ++t)
    if (threads_[t].state == Thread::kBlockBarrier) threads_[t].state = Thread::kReady;
  return first != nullptr;
}

/// Lets every thread leave its kernel by an exception, so that the fibers serve the next block.
void Runner::give_up() {
  abandoned_ = true;
  for (unsigned t = 0; t < count_; ++t) {
    if (threads_[t].state != Thread::kNew && threads_[t].state != Thread::kDone) resume(t);
    threads_[t].state = Thread::kDone;
  }
}

void Runner::check_guards(const Launch& launch) {
  if (!StaticShared{shared(), launch.shared_bytes, kSharedGuard}.intact())
    throw Fault("a write behind the " + std::to_string(launch.shared_bytes) + " bytes of dynamic shared memory");
  for (const StaticShared& variable : static_shared)
    if (!variable.intact()) throw Fault("a write behind a static shared variable");
}

void block_barrier(Where where) { inside_a_kernel().suspend(Thread::kBlockBarrier, where); }

const unsigned char* exchange(unsigned mask, const void* value, size_t bytes, Where where) {
  Runner& block = inside_a_kernel();
  if (!(mask >> block.lane() & 1)) fault("a lane calls with a mask that does not name it", where);
  Thread& thread = block.self();
  thread.mask = mask;
  thread.value = value;
  thread.bytes = bytes;
  block.suspend(Thread::kWarpBarrier, where);
  return thread.offered.get();
}

int lane() { return static_cast<int>(inside_a_kernel().lane()); }
unsigned char* dynamic_shared() { return inside_a_kernel().shared(); }

void copy_async(void* to, const void* from, unsigned bytes) {
  Thread& thread = inside_a_kernel().self();
  if (reinterpret_cast<uintptr_t>(to) % bytes != 0 || reinterpret_cast<uintptr_t>(from) % bytes != 0)
    fault("an asynchronous copy of unaligned memory");
  std::memset(to, kPoison, bytes);
  thread.copies.back().push_back({static_cast<unsigned char*>(to), static_cast<const unsigned char*>(from), bytes});
}

void commit_copies() { inside_a_kernel().self().copies.emplace_back(); }

void wait_copies(unsigned pending_groups) {
  auto& groups = inside_a_kernel().self().copies;
  for (; groups.size() > pending_groups + 1; groups.erase(groups.begin()))
    for (const Thread::Copy& copy : groups.front())
      copy.from ? std::memcpy(copy.to, copy.from, copy.bytes) : std::memset(copy.to, 0, copy.bytes);
}

void fault(const char* what, Where where) { throw Fault(std::string(what) + ", at " + at(where)); }

void register_shared(void* data, size_t bytes, size_t guard) {
  static_shared.push_back({static_cast<unsigned char*>(data), bytes, guard});
  static_shared.back().poison();
}

}  // namespace simt
