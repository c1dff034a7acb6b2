// SPDX-License-Identifier: Apache-2.0
#include "engine/models/bayesian_average.hpp"

#include <algorithm>

namespace kindred {

FittedModel fit_bayesian_average(const Interactions& train) {
  FittedModel model = describe(train, "bayesian-average");
  const size_t items = model.item_count.size();
  std::vector<double> sums(items);
  for (int64_t e = 0; e < train.size(); ++e)
    sums[static_cast<size_t>(train.matrix.indices[static_cast<size_t>(e)])] += train.matrix.value(e);

  double rated = 0, mean_of_means = 0;
  for (size_t i = 0; i < items; ++i)
    if (model.item_count[i] > 0) ++rated, mean_of_means += sums[i] / static_cast<double>(model.item_count[i]);
  mean_of_means /= std::max(1.0, rated);
  const double usual_count = static_cast<double>(train.size()) / std::max(1.0, rated);

  Constant scores;
  for (size_t i = 0; i < items; ++i) {
    const double weight = usual_count + static_cast<double>(model.item_count[i]);
    scores.items.push_back(static_cast<float>((usual_count * mean_of_means + sums[i]) / std::max(1.0, weight)));
  }
  model.scorer = std::move(scores);
  model.predicts_values = true;
  return model;
}

}  // namespace kindred
