// SPDX-License-Identifier: Apache-2.0
// The CPU backend's thread pool. Work is cut into chunks of a fixed size, which threads draw from a counter: who does a
// chunk varies, what a chunk holds does not, so results that depend on chunks alone have the same bits for any number
// of threads. Inside a chunk oneDNN and LAPACK run on one thread.
#pragma once
#include <cstdint>
#include <memory>
#include <type_traits>

namespace kindred {
class Context;
}

namespace kindred::cpu {

class ThreadPool {
 public:
  explicit ThreadPool(int threads);
  ~ThreadPool();

  int threads() const;
  /// Calls body(chunk_index, thread) for each chunk in [0, chunks), thread in [0, threads()). Returns when all are
  /// done; rethrows the first exception. Calls from inside a body run on the calling thread.
  void run(int64_t chunks, void (*body)(void* data, int64_t chunk, int thread), void* data);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

ThreadPool& pool_of(Context& ctx);

/// body(begin, end, thread) over [0, count) in chunks of `chunk`. `thread` indexes scratch memory: one value is never
/// in two bodies at once.
template <class Body>
void parallel_for(Context& ctx, int64_t count, int64_t chunk, Body&& body) {
  struct Call {
    std::remove_reference_t<Body>* body;
    int64_t count, chunk;
  } call{&body, count, chunk};
  pool_of(ctx).run((count + chunk - 1) / chunk,
                   [](void* data, int64_t index, int thread) {
                     const Call& c = *static_cast<const Call*>(data);
                     const int64_t begin = index * c.chunk;
                     (*c.body)(begin, begin + c.chunk < c.count ? begin + c.chunk : c.count, thread);
                   },
                   &call);
}

}  // namespace kindred::cpu
