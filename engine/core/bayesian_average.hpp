// SPDX-License-Identifier: Apache-2.0
// Means of items that few ratings cannot carry away. With C the mean number of ratings of an item and m the mean of the
// items' means: score(i) = (C m + sum of i's ratings) / (C + n_i).
#pragma once
#include <cstdint>
#include <vector>

#include "engine/core/interactions.hpp"

namespace kindred {

struct BayesianAverages {
  double usual_count = 0, mean_of_means = 0;  ///< C and m, over the items that have a rating
  std::vector<int64_t> counts;                ///< n_i
  std::vector<double> sums;                   ///< of each item's ratings
  std::vector<double> scores;                 ///< m where an item has no rating
};

BayesianAverages bayesian_averages(const HostCsr& ratings);

}  // namespace kindred
