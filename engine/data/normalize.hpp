// SPDX-License-Identifier: Apache-2.0
// data.normalize: a model is fitted on normalized values, and what was taken off comes back in its predictions.
#pragma once
#include <vector>

#include "engine/core/fitted_model.hpp"
#include "kernels/context.hpp"

namespace kindred {

/// Throws InputError where the values do not allow the method: all are 1, or a mean to divide by is not above 0.
void check_normalizable(const Interactions& train, Normalize method);

/// While this lives, the values of `train` are normalized; then they are the old ones again. All statistics come from
/// train. The same bits for any number of threads. Memory: 4 bytes an interaction; nothing for kNone.
class NormalizedTrain {
 public:
  /// Throws as check_normalizable.
  NormalizedTrain(Context& ctx, Interactions& train, Normalize method);
  ~NormalizedTrain();
  NormalizedTrain(const NormalizedTrain&) = delete;
  NormalizedTrain& operator=(const NormalizedTrain&) = delete;

  /// Puts a model that was fitted on `train` back to the scale of the old values, through its offsets, scales and item
  /// biases; where its scores are no values there is nothing to put back but the items' means. The model keeps the
  /// normalization for new histories.
  void undo(FittedModel& model) const;

 private:
  Interactions& train_;
  Normalization normalization_;
  std::vector<float> values_;  // the old ones
  std::vector<float> user_offset_, user_scale_, item_mean_;
};

}  // namespace kindred
