// SPDX-License-Identifier: Apache-2.0
// The fit of a run: validation after epochs, early stopping, checkpoints, and the choice of the epoch whose model the
// run gives.
#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "engine/experiment/run_folder.hpp"
#include "engine/models/fit.hpp"

namespace kindred {
class NormalizedTrain;
class Progress;

class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }
  /// Seconds since the start or the last lap.
  double lap() {
    const double passed = seconds();
    start_ = std::chrono::steady_clock::now();
    return passed;
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// Evaluates one of the held-out parts of `data`: what it is held against is the same in a validation and in a test.
Evaluation evaluate_part(Context& ctx, const FittedModel& model, const PreparedData& data, const HeldOut& part,
                         const EvaluateOptions& options);

/// One more fit with the chosen number of epochs, on more data.
FittedModel refit(const Config& config, Context& ctx, Interactions& more, const Catalogue& catalogue, int epochs);

class Selection {
 public:
  /// Train's values are normalized during a fit, and the old ones again behind it.
  Selection(const Config& config, Context& ctx, PreparedData& data, RunFolder& folder);

  /// Fits, from the folder's checkpoint where it resumes; the model of the chosen epoch. Interrupted after a signal,
  /// with a checkpoint of the epoch that was under way.
  FittedModel fit();
  int epochs() const { return chosen_; }                             ///< of the chosen model
  const std::vector<std::string>& log() const { return seen_.log; }  ///< the lines of epochs.jsonl
  const Evaluation& validation() const { return validation_; }       ///< of the chosen model; empty without the part

 private:
  /// What has been seen so far; travels in the checkpoint.
  struct Seen {
    std::vector<std::string> log;
    FitState best;  ///< of the best validation; tables only with early stopping
    double best_value = 0;
    int without_gain = 0;
    bool stopped = false;
  };

  FittedModel fit_epochs(const NormalizedTrain& normalized);
  Evaluation validate(const FittedModel& model, bool intervals) const;
  /// False ends the fit.
  bool after_epoch(const EpochReport& report, const std::function<FittedModel()>& model,
                   const std::function<FitState()>& state, Progress& progress);
  /// Early stopping: is this epoch the best so far, and is it time to stop?
  void judge(double value, int epoch, const std::function<FitState()>& state);
  void save(FitState now);
  FitState restore();

  const Config& config_;
  Context& ctx_;
  PreparedData& data_;
  RunFolder& folder_;
  std::optional<MetricSpec> stopping_metric_;
  Seen seen_;
  Stopwatch since_checkpoint_, since_epoch_;
  int chosen_ = 0;
  Evaluation validation_;
};

}  // namespace kindred
