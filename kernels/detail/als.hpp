// SPDX-License-Identifier: Apache-2.0
// What the front door hands to the backends: checked, biases and padding already dealt with, so that a backend solves
//
//   (w base + sum_e a_e y_e y_eᵀ + lambda I) x = sum_e b_e y_e,    a = weight_slope v + weight_shift,
//                                                                  b = v - mean - offset[column]
//
// for each row, base being G, or diagonal in the eigenbasis of G (or zero).
#pragma once
#include <cmath>

#include "kernels/als.hpp"

namespace kindred::detail {

/// lambda of a row with `degree` entries: regularization (degree + shift)^exponent, shift = w times the other side's
/// rows.
struct AlsRidge {
  double regularization = 0, shift = 0, exponent = 0;
  double operator()(int64_t degree) const {
    return regularization * std::pow(static_cast<double>(degree) + shift, exponent);
  }
};

/// One half-sweep. `fixed` has its columns padded with zeros to a multiple of 16; `solved` has not. A backend puts 1 on
/// the diagonal of the padding, so that systems stay definite and the padding's solution is 0.
struct AlsProblem {
  CsrView rows;                    // m x n
  MatrixView<const float> fixed;   // n x width, width = factors rounded up to 16
  VectorView<const float> offset;  // n, or empty: 0; subtracted from the values (the fixed side's biases)
  MatrixView<float> solved;        // m x factors; rotated already where `spectrum` belongs to an eigenbasis
  // The base matrix: one of the two is empty.
  MatrixView<const float> gram;      // factors x factors, G without w
  VectorView<const float> spectrum;  // factors, the diagonal (eigenvalues of G without w; zeros where w = 0)
  float base_weight = 0;             // w
  float weight_slope = 0, weight_shift = 0, mean = 0;
  AlsRidge ridge;
  AlsParams params;

  int64_t factors() const { return solved.cols; }
  int64_t width() const { return fixed.cols; }
};

/// The objective. s(u, i) = mean + x_u . y_i, the last column apart where `biases` is set:
/// mean + x . y over the columns before + x_last + y_last. Value:
///   sum_e weight_e (target_e - s_e)^2 - observed_square s_e^2 + pair_weight sum over all pairs of s^2 + both ridges,
/// weight 1 and target v for kExplicit, else weight v and target 1.
struct AlsObjectiveProblem {
  CsrView rows;                            // m x n
  MatrixView<const float> x, y;            // m x factors, n x factors
  VectorView<const int64_t> item_offsets;  // n + 1
  double pair_weight = 0;                  // w; 0 for kExplicit
  double observed_square = 0;              // 1 for kHuKoren, whose w counts unobserved pairs alone
  AlsRidge row_ridge, item_ridge;
  AlsParams params;
};

/// Whether a half-sweep works in the eigenbasis of G.
bool als_rotates(const AlsParams& params, int64_t factors);

/// The solver of a row with `degree` > 0 entries: never kAuto. kWoodbury comes only for degree <= als_short_row().
AlsSolver als_plan(const AlsParams& params, int64_t factors, int64_t degree);

/// Rows up to this degree are short: their degree x degree system is cheaper than the factors x factors one.
inline int64_t als_short_row(int64_t factors) { return factors * 7 / 10; }

/// Rows longer than this are summed in fp32 segment by segment, in fp64 across segments, in order.
inline constexpr int64_t kAlsSegment = 4096;

/// What the memory of a half-sweep depends on.
struct AlsShape {
  int64_t rows = 0, fixed_rows = 0, nnz = 0, factors = 0;
};

}  // namespace kindred::detail

namespace kindred::cpu {
/// features (n x width) = fixed (n x factors) padded with zeros; where offset is not empty, the column factors - 1
/// becomes 1 and its values go to offset (n).
void als_features(Context& ctx, MatrixView<const float> fixed, MatrixView<float> features, VectorView<float> offset);
void als_half_sweep(Context& ctx, const kindred::detail::AlsProblem& problem);
/// Of one half-sweep, without what the front door allocates.
int64_t als_scratch_bytes(int threads, const kindred::detail::AlsShape& shape, const AlsParams& params);
double als_loss(Context& ctx, const kindred::detail::AlsObjectiveProblem& problem);
}  // namespace kindred::cpu

namespace kindred::cuda {
void als_features(Context& ctx, MatrixView<const float> fixed, MatrixView<float> features, VectorView<float> offset);
void als_half_sweep(Context& ctx, const kindred::detail::AlsProblem& problem);
int64_t als_scratch_bytes(int threads, const kindred::detail::AlsShape& shape, const AlsParams& params);
double als_loss(Context& ctx, const kindred::detail::AlsObjectiveProblem& problem);
}  // namespace kindred::cuda
