// SPDX-License-Identifier: Apache-2.0
// A training run: read, split, fit with validation after each epoch, stop early, refit, evaluate, export. The run
// folder is described in docs/run-folder.md.
#pragma once
#include "engine/experiment/config.hpp"

namespace kindred {

struct RunRequest {
  bool resume = false;  ///< go on from the folder's checkpoint
  bool force = false;   ///< replace an earlier run
};

struct RunResult {
  std::filesystem::path folder;
  std::filesystem::path model;  ///< "": none was exported (k-fold without a refit)
  std::string metrics_json;
  std::string table;          ///< the test metrics for stdout
  bool was_finished = false;  ///< --resume found a finished run with the same config
};

/// What a run of this config would train on and take: estimates from the file's size, and, where the data fit in
/// memory, reads and splits them. Trains and writes nothing.
std::string dry_run(const Config& config);

/// Throws InputError for wrong input; Interrupted after a signal, with the checkpoint kept.
RunResult run_training(const Config& config, const RunRequest& request = {});

}  // namespace kindred
