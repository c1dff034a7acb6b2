// SPDX-License-Identifier: Apache-2.0
// What a run will take, told before it is taken: memory of the host and the device, work of the evaluations. Each model
// tells its own part (als_memory …), the sum over a run's phases is made here.
#pragma once
#include <string>

#include "engine/experiment/config.hpp"
#include "kernels/context.hpp"

namespace kindred {

struct ProcessMemory {
  int64_t resident = 0, peak = 0;  ///< bytes
};
ProcessMemory process_memory();

struct RunCost {
  int64_t host = 0, device = 0;            ///< bytes at the peak: of this process, and on the GPU (0 on the CPU)
  int64_t host_free = 0, device_free = 0;  ///< bytes that this process could have, and that are free on the GPU
  int fitting_factors = 0;                 ///< the most factors that would fit, where the config's do not; 0: none
  double validation_flop = 0, test_flop = 0;
  int validations = 0;  ///< at most; early stopping may end before
  double seconds = 0;   ///< about, of all evaluations; 0 where they are negligible or a GPU does them

  bool fits() const { return host <= host_free && device <= device_free; }
};

/// From the data as they are in memory now. Within 10 % for runs of 1 GiB and more (docs/measurements/memory.md).
RunCost run_cost(const Config& config, Context& ctx, const PreparedData& data);

/// Two log lines, "memory" and "evaluation", and a warning with what to lower where the run does not fit.
void log_cost(const RunCost& cost);

/// The same as lines "key value" for --dry-run.
std::string cost_text(const RunCost& cost);

/// What reading takes, told before anything is read: from a file's size, its columns and samples of its
/// lines. rows is 0 where a file's size does not tell (standard input, compressed or binary files).
struct ReadingEstimate {
  int64_t rows = 0, host = 0, host_free = 0;
  bool fits() const { return host <= host_free; }
  /// "estimate 20.0 M interactions, reading takes 904.0 MiB of 22.5 GiB free (from the file's size)"
  std::string text() const;
};
ReadingEstimate estimate_reading(const Config& config);

}  // namespace kindred
