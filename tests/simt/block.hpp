// SPDX-License-Identifier: Apache-2.0
// How a launch runs: blocks on a few host threads, the threads of each block as fibers.
#pragma once
#include <cuda_runtime.h>

#include <functional>
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

/// Runs all blocks to their end; throws the first Fault.
void run(const Launch& launch);

}  // namespace simt
