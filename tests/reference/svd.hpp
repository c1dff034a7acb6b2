// SPDX-License-Identifier: Apache-2.0
// Singular values by LAPACK in float64.
#pragma once
#include <cstdint>
#include <stdexcept>
#include <vector>

extern "C" void dgesdd_(const char* jobz, const int* m, const int* n, double* a, const int* lda, double* s, double* u,
                        const int* ldu, double* vt, const int* ldvt, double* work, const int* lwork, int* iwork,
                        int* info);

namespace kindred::reference {

/// Of a dense rows x cols matrix, row-major: values descending, left (rows x r) and right (cols x r) column by column.
struct Svd {
  std::vector<double> values, left, right;
};

inline Svd svd(std::vector<double> a, int rows, int cols) {
  // LAPACK reads our rows as columns: it decomposes the transpose, whose left vectors are our right ones.
  const int rank = rows < cols ? rows : cols;
  Svd out{std::vector<double>(static_cast<size_t>(rank)), {}, {}};
  std::vector<double> u(static_cast<size_t>(cols) * static_cast<size_t>(rank)),
      vt(static_cast<size_t>(rank) * static_cast<size_t>(rows));
  std::vector<int> iwork(static_cast<size_t>(8 * rank));
  int info = 0, size = -1;
  double best = 0;
  dgesdd_("S", &cols, &rows, a.data(), &cols, out.values.data(), u.data(), &cols, vt.data(), &rank, &best, &size,
          iwork.data(), &info);
  size = static_cast<int>(best);
  std::vector<double> work(static_cast<size_t>(size));
  dgesdd_("S", &cols, &rows, a.data(), &cols, out.values.data(), u.data(), &cols, vt.data(), &rank, work.data(), &size,
          iwork.data(), &info);
  if (info != 0) throw std::runtime_error("dgesdd failed");
  out.right = u;
  out.left.resize(static_cast<size_t>(rows) * static_cast<size_t>(rank));
  for (int r = 0; r < rows; ++r)
    for (int c = 0; c < rank; ++c)
      out.left[static_cast<size_t>(c) * static_cast<size_t>(rows) + static_cast<size_t>(r)] =
          vt[static_cast<size_t>(r) * static_cast<size_t>(rank) + static_cast<size_t>(c)];
  return out;
}

}  // namespace kindred::reference
