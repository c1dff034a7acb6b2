// SPDX-License-Identifier: Apache-2.0
// Dense ops in float64 loops: the definition.
#pragma once
#include <cstdint>
#include <vector>

namespace kindred::reference {

/// c = op(a) op(b), op by strides: element (i, k) of op(a) at a[i * a_row + k * a_col].
inline std::vector<double> product(const std::vector<float>& a, int64_t a_row, int64_t a_col,
                                   const std::vector<float>& b, int64_t b_row, int64_t b_col, int64_t m, int64_t n,
                                   int64_t k) {
  std::vector<double> c(static_cast<size_t>(m * n), 0.0);
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j)
      for (int64_t l = 0; l < k; ++l)
        c[static_cast<size_t>(i * n + j)] +=
            double{a[static_cast<size_t>(i * a_row + l * a_col)]} * b[static_cast<size_t>(l * b_row + j * b_col)];
  return c;
}

}  // namespace kindred::reference
