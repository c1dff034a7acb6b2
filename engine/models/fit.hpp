// SPDX-License-Identifier: Apache-2.0
// What every model's fit shares: reports after each epoch, stopping, and the state from which a fit goes on.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/core/fitted_model.hpp"

namespace kindred {

struct EpochReport {
  int epoch = 0;  ///< from 1
  double seconds = 0;
  std::optional<double> loss;
  double loss_seconds = 0;
};

/// All that a fit needs to go on after `epoch` epochs and end with the same bits as without a stop.
struct FitState {
  int epoch = 0;
  std::vector<std::pair<std::string, HostMatrix>> tables;  ///< e.g. "users", "items"
};

/// What the memory of a fit depends on.
struct FitShape {
  int64_t users = 0, items = 0, interactions = 0;
  bool values = true;  ///< the interactions have values
};

/// Bytes that a fit takes beside the interactions: a model's `MODEL_memory(ctx, shape, options)`.
struct FitMemory {
  int64_t host = 0;      ///< on the CPU, all of it
  int64_t device = 0;    ///< on a GPU
  int64_t snapshot = 0;  ///< of a FittedModel or a FitState, on the host: one is made wherever the hooks ask
};

struct FitHooks {
  /// Called after each epoch; false ends the fit. `model()` and `state()` copy from the device when called.
  std::function<bool(const EpochReport&, const std::function<FittedModel()>& model,
                     const std::function<FitState()>& state)>
      after_epoch;
  const FitState* resume = nullptr;  ///< go on from here
};

/// The parts of a FittedModel that do not depend on the method: ids, item counts and means. The history is left to the
/// caller, who has it: a copy of the interactions in every snapshot would double the memory of a run.
FittedModel describe(const Interactions& train, std::string model);

}  // namespace kindred
