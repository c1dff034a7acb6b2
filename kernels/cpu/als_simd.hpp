// SPDX-License-Identifier: Apache-2.0
// The vector loops of alternating least squares: one call handles some entries of one row, or one system. Columns come
// in multiples of 16; tables and scratch are 64-byte aligned where a row starts.
#pragma once
#include <cstdint>

namespace kindred::cpu {

/// Where a row's entries come from and what they weigh: see detail::AlsProblem.
struct AlsEntries {
  const int32_t* indices = nullptr;
  const float* values = nullptr;  // nullptr: 1
  const float* fixed = nullptr;   // n x width
  int64_t width = 0;
  const float* offset = nullptr;  // nullptr: 0
  float weight_slope = 0, weight_shift = 0, mean = 0;

  float value(int64_t e) const { return values != nullptr ? values[e] : 1; }
  float weight(int64_t e) const { return weight_slope * value(e) + weight_shift; }
  float target(int64_t e) const { return value(e) - mean - (offset != nullptr ? offset[indices[e]] : 0); }
  const float* row(int64_t e) const { return fixed + int64_t{indices[e]} * width; }
};

/// Entries [begin, end).
struct AlsRange {
  int64_t begin = 0, end = 0;
};

/// Columns [first, first + count) of the fixed table.
struct AlsColumns {
  int64_t first = 0, count = 0;
};

/// Rows that a gather keeps at a time, so that they stay in the first-level cache.
inline int64_t als_gather_rows(int64_t columns) {
  const int64_t rows = 8192 / columns;
  return rows < 16 ? 16 : rows > 128 ? 128 : rows;
}

/// How many entries ahead the loops ask for a row of the table.
inline constexpr int64_t kAlsPrefetch = 16;
template <int kLocality = 3>
inline void prefetch_row(const float* row, int64_t count) {
  for (int64_t k = 0; k < count; k += 16) __builtin_prefetch(row + k, 0, kLocality);
}

/// system += sum over entries [begin, end) of [a_e y_e y_eᵀ | b_e y_e] restricted to `columns`: the upper triangle of a
/// count x count matrix, then count right sides. `right` replaces b_e by right[e - begin] where it is not nullptr.
/// scratch: als_gather_rows(count) x count. `ahead`: what the next call will read, asked for during the products.
void als_add_entries(const AlsEntries& entries, int64_t begin, int64_t end, AlsColumns columns, const float* right,
                     float* system, float* scratch, AlsRange ahead = {});
void als_add_entries(const AlsEntries& entries, int64_t begin, int64_t end, AlsColumns columns, const float* right,
                     double* system, double* scratch);

/// matrix += rowsᵀ rows, upper triangle. rows: count x size, matrix: size x size; in double only the matrix's rows
/// [first, first + matrix_rows).
void als_add_products(const float* rows, int64_t count, int64_t size, float* matrix);
void als_add_products(const double* rows, int64_t count, int64_t size, int64_t first, int64_t matrix_rows,
                      double* matrix);

/// Solves a size x size system in place: `matrix` (upper triangle) becomes its Cholesky factor, x the solution.
/// False where a pivot has lost all its digits: not positive definite in this precision.
bool als_solve(float* matrix, int64_t size, float* x);
bool als_solve(double* matrix, int64_t size, double* x);

/// residual += sum_e (b_e - a_e y_e.x) y_e, squares += sum_e a_e y_e^2 (by component). The result of entries taken in
/// several calls has the bits of one call. False where a weight is negative.
bool als_add_residual(const AlsEntries& entries, int64_t begin, int64_t end, const float* x, float* residual,
                      float* squares);
/// product += sum_e a_e (y_e.p) y_e; likewise.
void als_add_product(const AlsEntries& entries, int64_t begin, int64_t end, const float* p, float* product);

/// One row's conjugate gradients: vectors of `width` floats and r . M r.
struct AlsCg {
  float *x, *residual, *inverse, *p, *product;
  float along = 0;
};
/// After the pass over the entries: residual holds sum b y - a y y.x, inverse sum a y^2.
void als_cg_start(const float* diagonal, float lambda, int64_t width, AlsCg& cg);
/// After the pass over the entries: product holds sum a y y.p. A curvature that is not positive makes `along` NaN.
void als_cg_step(const float* diagonal, float lambda, int64_t width, AlsCg& cg);

/// out[e - begin] -= a_e y_e.x over `columns`.
void als_subtract_scores(const AlsEntries& entries, int64_t begin, int64_t end, AlsColumns columns, const float* x,
                         float* out);

/// out (width x padded): column e holds sqrt(a_e) y_e * scale by component; columns from end - begin to padded are 0.
void als_gather_columns(const AlsEntries& entries, int64_t begin, int64_t end, const float* scale, int64_t padded,
                        float* out);

/// x.y over `count` columns, any number.
float als_dot(const float* x, const float* y, int64_t count);

}  // namespace kindred::cpu
