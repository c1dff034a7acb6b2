// SPDX-License-Identifier: Apache-2.0
// What a launch configuration depends on. Configurations are pure functions of this and of the problem's shape, so that
// they are tested on any machine, for devices that no one owns.
#pragma once

namespace kindred::cuda {

struct DeviceLimits {
  int multiprocessors = 0;
  int shared_bytes_block = 0;           // the most that one block can ask for
  int shared_bytes_multiprocessor = 0;  // of which each block takes 1 KiB more than it asks
};

}  // namespace kindred::cuda
