// SPDX-License-Identifier: Apache-2.0
#include "engine/core/bayesian_average.hpp"

#include <algorithm>

namespace kindred {

BayesianAverages bayesian_averages(const HostCsr& ratings) {
  const auto items = static_cast<size_t>(ratings.cols);
  BayesianAverages out{.counts = std::vector<int64_t>(items), .sums = std::vector<double>(items), .scores = {}};
  for (int64_t e = 0; e < ratings.nnz(); ++e) {
    const auto item = static_cast<size_t>(ratings.indices[static_cast<size_t>(e)]);
    ++out.counts[item];
    out.sums[item] += ratings.value(e);
  }
  double rated = 0;
  for (size_t i = 0; i < items; ++i)
    if (out.counts[i] > 0) ++rated, out.mean_of_means += out.sums[i] / static_cast<double>(out.counts[i]);
  out.mean_of_means /= std::max(1.0, rated);
  out.usual_count = static_cast<double>(ratings.nnz()) / std::max(1.0, rated);
  for (size_t i = 0; i < items; ++i) {
    const double weight = out.usual_count + static_cast<double>(out.counts[i]);
    out.scores.push_back((out.usual_count * out.mean_of_means + out.sums[i]) / std::max(1.0, weight));
  }
  return out;
}

}  // namespace kindred
