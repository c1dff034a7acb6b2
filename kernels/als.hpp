// SPDX-License-Identifier: Apache-2.0
// Alternating least squares: one half-sweep solves every row of one side with the other side fixed.
//
//   (w G + sum_e a_e y_e y_eᵀ + lambda_u I) x_u = sum_e b_e y_e,    G = Yᵀ Y,  lambda_u = regularization (n_u + w n)^nu
//
// over the n_u entries e of row u, y_e the fixed row of entry e's column, n the number of fixed rows, v_e the value:
//   kIals      a = v, b = v, w = unobserved_weight     Rendle et al. 2022, Revisiting the performance of iALS
//   kHuKoren   a = v - 1, b = v, w = 1                 Hu, Koren, Volinsky 2008; v >= 1
//   kExplicit  a = 1, b = v - mean, w = 0              Zhou et al. 2008 (nu = 1: weighted-lambda)
// With `biases` the last column of both tables holds the rows' biases, s(u, i) = mean + x_u . y_i over the other
// columns
// + bias_u + bias_i; a row's bias is solved for together with its factors, against a constant feature.
#pragma once
#include "kernels/context.hpp"

namespace kindred {

enum class AlsObjective : uint8_t { kIals, kHuKoren, kExplicit };

/// kAuto picks by factors and degree: see als_plan in kernels/detail/als.hpp.
///   kCholesky  exact. nnz d (d + 16) + m d^3 / 3 FLOP
///   kCg        conjugate gradients in the eigenbasis of G, preconditioned by the diagonal; warm start.
///              (steps + 1) 4 nnz d + 4 (m + n) d^2 FLOP
///   kBlock     one pass of exact solutions over blocks of `block_size` coordinates (iALS++, Rendle et al. 2021), these
///              too in the eigenbasis of G, where blocks meet only through the row's own entries; warm start.
///              nnz d (B + 16) + 4 nnz d + m d B^2 / 3 FLOP
///   kWoodbury  exact, by the matrix inversion lemma in the eigenbasis; the short rows only, others by Cholesky.
///              sum over rows (n_u^2 d + n_u^3 / 3)
enum class AlsSolver : uint8_t { kAuto, kCholesky, kCg, kBlock, kWoodbury };

enum class AlsPrecision : uint8_t { kFp32, kTf32, kBf16 };  ///< of the products on CUDA; the CPU computes in fp32

struct AlsParams {
  AlsObjective objective = AlsObjective::kIals;
  float regularization = 0.005f;    ///< >= 0; docs/measurements/defaults-als.md
  float exponent = 1;               ///< nu, in [0, 1]: 0 the plain form, 1 scaled by the number of entries
  float unobserved_weight = 0.05f;  ///< w >= 0; kIals only
  AlsSolver solver = AlsSolver::kAuto;
  int cg_steps = 2;     ///< 1 to 100
  int block_size = 32;  ///< 16 to 128, a multiple of 16
  AlsPrecision precision = AlsPrecision::kFp32;
  bool biases = false;  ///< kExplicit only: the tables' last column holds biases
  float mean = 0;       ///< kExplicit only: the constant part of every score
};

/// w of the formula above: what each pair weighs that was not observed.
double als_pair_weight(const AlsParams& params);

/// lambda of a row with `entries` entries against a fixed side of `fixed_rows` rows.
double als_lambda(const AlsParams& params, int64_t entries, int64_t fixed_rows);

/// One half-sweep. rows: m x n; fixed: n x d; solved: m x d (in: warm start of kCg and kBlock; out: solution), d from 1
/// to 1,025. Rows without entries become 0. A row whose system is not positive definite in fp32 is solved again in
/// fp64; where that fails too, or a result is not finite, ctx.wait() throws NumericError with the row. Rows are handled
/// by falling degree, and one row of any length is spread over the device.
void als_half_sweep(Context& ctx, CsrView rows, MatrixView<const float> fixed, MatrixView<float> solved,
                    const AlsParams& params = {});

/// Bytes of scratch that a context keeps after half-sweeps of both sides of a rows x cols matrix and the loss: what the
/// device must have beside the tables and the matrix. An estimate: long rows' share is bounded, not counted.
int64_t als_scratch_bytes(const Context& ctx, int64_t rows, int64_t cols, int64_t nnz, int64_t factors,
                          const AlsParams& params = {});

/// The exact objective that both half-sweeps lower, in fp64; waits.
///   kIals      sum_e v (1 - s)^2 + w sum over all pairs of s^2     + sum_u lambda_u |x_u|^2 + sum_i lambda_i |y_i|^2
///   kHuKoren   sum_e v (1 - s)^2 + sum over unobserved pairs of s^2 + the same
///   kExplicit  sum_e (v - s)^2                                      + the same, biases included
/// rows: m x n, x: m x d, y: n x d; item_offsets: n + 1, the transposed matrix's, whose row lengths
/// give lambda_i.
/// Cost: 2 nnz d + (m + n) d^2 FLOP.
double als_loss(Context& ctx, CsrView rows, MatrixView<const float> x, MatrixView<const float> y,
                VectorView<const int64_t> item_offsets, const AlsParams& params = {});

}  // namespace kindred
