// SPDX-License-Identifier: Apache-2.0
#include "engine/models/bayesian_average.hpp"

#include "engine/core/bayesian_average.hpp"

namespace kindred {

FittedModel fit_bayesian_average(const Interactions& train) {
  FittedModel model = describe(train, "bayesian-average");
  const BayesianAverages averages = bayesian_averages(train.matrix);
  model.scorer = Constant{std::vector<float>(averages.scores.begin(), averages.scores.end())};
  model.predicts_values = true;
  return model;
}

}  // namespace kindred
