// SPDX-License-Identifier: Apache-2.0
// How a launch runs: blocks on a few host threads (workers.cpp), the threads of each block as fibers (block.cpp).
#pragma once
#include <cuda_runtime.h>

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>

namespace simt {

/// A kernel did what a device would punish: by a hang, by wrong results or by an illegal access.
class Fault : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct Launch {
  std::string name;
  dim3 grid, block;
  size_t shared_bytes = 0;
  std::function<void()> body;
};

/// The fibers and the shared memory of one host thread; runs one block at a time, in an order of threads drawn from
/// `order_seed`. Throws Fault, or what the kernel throws.
class BlockRunner {
 public:
  BlockRunner();
  ~BlockRunner();
  void run(const Launch& launch, unsigned block, unsigned order_seed);

  class Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

/// Runs all blocks to their end; throws the first Fault.
void run(const Launch& launch);

}  // namespace simt
