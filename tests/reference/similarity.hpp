// SPDX-License-Identifier: Apache-2.0
// Similarities of two rows by their definitions, in fp64 over dense rows with what is missing filled in.
#pragma once
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/similarity.hpp"

namespace kindred::reference {

using DenseRow = std::vector<double>;  // NaN: no entry

inline double similarity(const DenseRow& x, const DenseRow& y, const DenseRow& column_means,
                         const SimilarityParams& params) {
  const auto row_mean = [](const DenseRow& row) {
    double sum = 0, count = 0;
    for (const double v : row)
      if (!std::isnan(v)) sum += v, count += 1;
    return count > 0 ? sum / count : 0;
  };
  const auto filled = [&](const DenseRow& row, size_t c) {
    if (!std::isnan(row[c])) return row[c];
    if (params.missing == Missing::kRowMean) return row_mean(row);
    return params.missing == Missing::kColumnMean ? column_means[c] : 0.0;
  };
  double common = 0, either = 0;
  std::vector<double> a, b;
  for (size_t c = 0; c < x.size(); ++c) {
    const bool both = !std::isnan(x[c]) && !std::isnan(y[c]);
    common += both, either += !std::isnan(x[c]) || !std::isnan(y[c]);
    if (params.missing == Missing::kIgnore && !both) continue;
    a.push_back(filled(x, c)), b.push_back(filled(y, c));
  }
  if (common < static_cast<double>(params.min_overlap)) return std::numeric_limits<double>::quiet_NaN();
  const double size = static_cast<double>(a.size());
  if (params.metric == SimilarityMetric::kPearson) {
    double mean_a = 0, mean_b = 0;
    for (size_t c = 0; c < a.size(); ++c) mean_a += a[c] / size, mean_b += b[c] / size;
    for (size_t c = 0; c < a.size(); ++c) a[c] -= mean_a, b[c] -= mean_b;
  }
  double dot = 0, aa = 0, bb = 0, squares = 0, absolute = 0;
  for (size_t c = 0; c < a.size(); ++c) {
    dot += a[c] * b[c], aa += a[c] * a[c], bb += b[c] * b[c];
    squares += (a[c] - b[c]) * (a[c] - b[c]), absolute += std::abs(a[c] - b[c]);
  }
  double out = 0;
  switch (params.metric) {
    case SimilarityMetric::kDot:
      out = dot;
      break;
    case SimilarityMetric::kCosine:
    case SimilarityMetric::kPearson:
      out = aa > 1e-20 && bb > 1e-20 ? dot / std::sqrt(aa * bb) : 0;
      break;
    case SimilarityMetric::kMsd:
      out = size > 0 ? 1 / (squares / size + 1) : 0;
      break;
    case SimilarityMetric::kEuclidean:
      out = -std::sqrt(squares);
      break;
    case SimilarityMetric::kManhattan:
      out = -absolute;
      break;
    case SimilarityMetric::kJaccard:
      out = either > 0 ? common / either : 0;
      break;
  }
  if (params.shrinkage > 0) {
    const double support = common - params.shrink_from;
    out *= support > 0 ? support / (support + double{params.shrinkage}) : 0;
  }
  return out;
}

}  // namespace kindred::reference
