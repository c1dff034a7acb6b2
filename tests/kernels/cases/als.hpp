// SPDX-License-Identifier: Apache-2.0
// Cases of the half-sweep, for the tests and the benchmark: random matrices with given degrees, factors like those of a
// training, and what a half-sweep costs.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "kernels/als.hpp"

namespace kindred::cases {

/// A sparse matrix of the host.
struct HostCsr {
  std::vector<int64_t> offsets{0};
  std::vector<int32_t> indices;
  std::vector<float> values;
  int64_t cols = 0;

  int64_t rows() const { return static_cast<int64_t>(offsets.size()) - 1; }
  int64_t nnz() const { return static_cast<int64_t>(indices.size()); }
  int64_t degree(int64_t row) const {
    return offsets[static_cast<size_t>(row) + 1] - offsets[static_cast<size_t>(row)];
  }
};

/// Rows of the given degrees with distinct random columns; values of 1 to 5 in steps of a half, a third of them 1.
inline HostCsr random_csr(const std::vector<int64_t>& degrees, int64_t cols, uint32_t seed) {
  std::mt19937 random(seed);
  HostCsr out;
  out.cols = cols;
  std::vector<int32_t> all(static_cast<size_t>(cols));
  std::iota(all.begin(), all.end(), 0);
  for (const int64_t degree : degrees) {
    for (int64_t k = 0; k < degree; ++k)
      std::swap(all[static_cast<size_t>(k)], all[static_cast<size_t>(k) + random() % static_cast<size_t>(cols - k)]);
    std::vector<int32_t> row(all.begin(), all.begin() + degree);
    std::sort(row.begin(), row.end());
    out.indices.insert(out.indices.end(), row.begin(), row.end());
    for (int64_t k = 0; k < degree; ++k)
      out.values.push_back(random() % 3 == 0 ? 1.0f : 1.0f + 0.5f * static_cast<float>(random() % 9));
    out.offsets.push_back(out.nnz());
  }
  return out;
}

inline HostCsr transposed(const HostCsr& a) {
  HostCsr out;
  out.cols = a.rows();
  out.offsets.assign(static_cast<size_t>(a.cols) + 1, 0);
  for (const int32_t c : a.indices) ++out.offsets[static_cast<size_t>(c) + 1];
  std::partial_sum(out.offsets.begin(), out.offsets.end(), out.offsets.begin());
  out.indices.resize(a.indices.size());
  out.values.resize(a.values.size());
  auto next = out.offsets;
  for (int64_t row = 0; row < a.rows(); ++row)
    for (auto e = static_cast<size_t>(a.offsets[static_cast<size_t>(row)]);
         e < static_cast<size_t>(a.offsets[static_cast<size_t>(row) + 1]); ++e) {
      const auto to = static_cast<size_t>(next[static_cast<size_t>(a.indices[e])]++);
      out.indices[to] = static_cast<int32_t>(row);
      out.values[to] = a.values[e];
    }
  return out;
}

/// rows x factors normal draws: the first columns are larger, as the leading directions of trained factors are.
inline std::vector<float> random_factors(int64_t rows, int64_t factors, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, 1 / std::sqrt(static_cast<float>(factors)));
  std::vector<float> out(static_cast<size_t>(rows * factors));
  for (size_t e = 0; e < out.size(); ++e)
    out[e] = normal(random) * (e % static_cast<size_t>(factors) < 4 ? 2.0f : 1.0f);
  return out;
}

/// FLOP of a half-sweep by the exact solver: the figure that rates are given in.
inline double cholesky_flop(const HostCsr& rows, int64_t factors) {
  const double d = static_cast<double>(factors);
  return static_cast<double>(rows.nnz()) * d * (d + 16) +
         static_cast<double>(rows.rows()) * (d * d * d / 3 + 2 * d * d);
}

inline double cg_flop(const HostCsr& rows, int64_t factors, int steps) {
  const double d = static_cast<double>(factors);
  return (steps + 1) * 4.0 * static_cast<double>(rows.nnz()) * d +
         4.0 * static_cast<double>(rows.rows() + rows.cols) * d * d;
}

}  // namespace kindred::cases
