// SPDX-License-Identifier: Apache-2.0
// Front door of alternating least squares: checks the arguments, turns objective, biases and padding into one problem,
// goes to the eigenbasis of the Gram matrix and back where the solvers want it.
#include "kernels/als.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "kernels/dense.hpp"
#include "kernels/detail/als.hpp"
#include "kernels/detail/check.hpp"
#include "kernels/detail/context.hpp"
#include "kernels/memory.hpp"

namespace kindred {
namespace {

constexpr int64_t kMaxFactors = 1025;
constexpr int64_t kRotatedSlab = 4096;         // rows of `solved` that are rotated at a time
constexpr int64_t kLossGramDoubles = 1 << 20;  // of the shards of one of the loss's Gram matrices

int64_t padded(int64_t factors) { return (factors + 15) / 16 * 16; }

void require(bool holds, const char* op, const std::string& message) {
  if (!holds) detail::bad_argument(op, message);
}

void check_params(const char* op, const AlsParams& params) {
  const auto number = [](double value) { return std::to_string(value); };
  require(std::isfinite(params.regularization) && params.regularization >= 0, op,
          "regularization is " + number(params.regularization) + "; it must be finite and at least 0");
  require(params.exponent >= 0 && params.exponent <= 1, op,
          "exponent is " + number(params.exponent) + "; it must be in [0, 1]");
  require(std::isfinite(params.unobserved_weight) && params.unobserved_weight >= 0, op,
          "unobserved_weight is " + number(params.unobserved_weight) + "; it must be finite and at least 0");
  require(params.cg_steps >= 1 && params.cg_steps <= 100, op,
          "cg_steps is " + std::to_string(params.cg_steps) + "; it must be in [1, 100]");
  require(params.block_size >= 16 && params.block_size <= 128 && params.block_size % 16 == 0, op,
          "block_size is " + std::to_string(params.block_size) + "; it must be a multiple of 16 in [16, 128]");
  require(!params.biases || params.objective == AlsObjective::kExplicit, op,
          "biases are for the explicit objective only");
  require(std::isfinite(params.mean), op, "mean is " + number(params.mean) + "; it must be finite");
}

void check_factors(const char* op, int64_t left, int64_t right, const char* left_name, const char* right_name) {
  require(left == right, op,
          std::string(left_name) + " has " + std::to_string(left) + " columns, " + right_name + " has " +
              std::to_string(right) + "; both need the model's factors");
  require(left >= 1 && left <= kMaxFactors, op,
          std::to_string(left) + " factors; there must be 1 to " + std::to_string(kMaxFactors));
}

detail::AlsRidge ridge(const AlsParams& params, int64_t other_rows) {
  return {params.regularization, als_pair_weight(params) * static_cast<double>(other_rows), params.exponent};
}

/// x = x op(q) in place, a slab of rows at a time.
void rotate(Context& ctx, MatrixView<float> x, MatrixView<const float> q, Transpose transpose) {
  Matrix<float> slab(ctx, std::min(kRotatedSlab, x.rows), x.cols, "als rotated slab");
  for (int64_t begin = 0; begin < x.rows; begin += kRotatedSlab) {
    const auto part = x.part(begin, std::min(kRotatedSlab, x.rows - begin));
    const auto out = slab.view().part(0, part.rows);
    gemm(ctx, 1, part, Transpose::kNo, q, transpose, 0, out);
    copy(ctx, out.flat(), part.flat());
  }
}

/// The first row that has entries; there is one.
int64_t first_filled_row(Context& ctx, const CsrView& rows) {
  std::vector<int64_t> offsets(static_cast<size_t>(rows.rows) + 1);
  download(ctx, VectorView<const int64_t>{rows.offsets, rows.rows + 1, rows.device}, std::span(offsets));
  ctx.wait();
  return std::ranges::upper_bound(offsets, offsets[0]) - offsets.begin() - 1;
}

}  // namespace

double als_pair_weight(const AlsParams& params) {
  if (params.objective == AlsObjective::kIals) return params.unobserved_weight;
  return params.objective == AlsObjective::kHuKoren ? 1 : 0;
}

double als_lambda(const AlsParams& params, int64_t entries, int64_t fixed_rows) {
  return ridge(params, fixed_rows)(entries);
}

bool detail::als_rotates(const AlsParams& params, int64_t factors) {
  if (params.objective == AlsObjective::kExplicit) return false;  // w = 0: every basis is an eigenbasis
  if (params.solver == AlsSolver::kAuto) return factors >= 32;
  return params.solver != AlsSolver::kCholesky;
}

AlsSolver detail::als_plan(const AlsParams& params, int64_t factors, int64_t degree) {
  const bool is_short = degree <= als_short_row(factors);
  if (params.solver == AlsSolver::kWoodbury) return is_short ? AlsSolver::kWoodbury : AlsSolver::kCholesky;
  if (params.solver != AlsSolver::kAuto) return params.solver;
  if (is_short && factors >= 32) return AlsSolver::kWoodbury;
  return factors <= 128 ? AlsSolver::kCholesky : AlsSolver::kCg;
}

void als_half_sweep(Context& ctx, CsrView rows, MatrixView<const float> fixed, MatrixView<float> solved,
                    const AlsParams& params) {
  constexpr const char* kOp = "als_half_sweep";
  check_params(kOp, params);
  check_factors(kOp, fixed.cols, solved.cols, "fixed", "solved");
  require(rows.rows == solved.rows && rows.cols == fixed.rows, kOp,
          "rows are " + detail::shape(rows) + ", solved has " + std::to_string(solved.rows) + " rows, fixed has " +
              std::to_string(fixed.rows) + "; they must be m x n, m and n");
  detail::check_device(ctx, kOp, "rows", rows);
  detail::check_device(ctx, kOp, "fixed", fixed);
  detail::check_device(ctx, kOp, "solved", solved);
  if (rows.nnz == 0) {
    fill_zero(ctx, solved.flat());
    return;
  }

  const int64_t factors = fixed.cols, width = padded(factors);
  detail::AlsProblem problem;
  problem.rows = rows;
  problem.solved = solved;
  problem.base_weight = static_cast<float>(als_pair_weight(params));
  problem.weight_slope = params.objective == AlsObjective::kExplicit ? 0 : 1;
  problem.weight_shift = static_cast<float>(static_cast<int>(params.objective == AlsObjective::kExplicit) -
                                            static_cast<int>(params.objective == AlsObjective::kHuKoren));
  problem.mean = params.objective == AlsObjective::kExplicit ? params.mean : 0;
  problem.ridge = ridge(params, fixed.rows);
  problem.params = params;

  const bool rotates = detail::als_rotates(params, factors);
  const bool warm_start = params.solver != AlsSolver::kCholesky && params.solver != AlsSolver::kWoodbury;
  Matrix<float> features, gram_matrix, vectors;
  Array<float> offset, spectrum;
  if (params.objective == AlsObjective::kExplicit) {
    spectrum = Array<float>(ctx, factors, "als spectrum");
    fill_zero(ctx, spectrum.view());
  } else {
    gram_matrix = Matrix<float>(ctx, factors, factors, "als gram");
    gram(ctx, fixed, gram_matrix.view());
  }
  if (rotates) {
    spectrum = Array<float>(ctx, factors, "als spectrum");
    vectors = Matrix<float>(ctx, width, factors, "als eigenvectors");  // rows beyond `factors` are the padding
    fill_zero(ctx, vectors.view().flat());
    try {
      symmetric_eigen(ctx, gram_matrix.view(), spectrum.view(), vectors.view().part(0, factors));
    } catch (const NumericError&) {  // no row can be solved
      fill_zero(ctx, solved.flat());
      detail::report_failure(ctx, kOp, first_filled_row(ctx, rows),
                             "the Gram matrix of the fixed table is not finite; raise regularization");
      return;
    }
    features = Matrix<float>(ctx, fixed.rows, width, "als rotated table");
    gemm(ctx, 1, fixed, Transpose::kNo, vectors.view(), Transpose::kYes, 0, features.view());
    if (warm_start) rotate(ctx, solved, vectors.view().part(0, factors), Transpose::kYes);
  } else if (params.biases || width != factors) {
    features = Matrix<float>(ctx, fixed.rows, width, "als padded table");
    if (params.biases) offset = Array<float>(ctx, fixed.rows, "als offsets");
    ctx.on_cuda() ? cuda::als_features(ctx, fixed, features.view(), offset.view())
                  : cpu::als_features(ctx, fixed, features.view(), offset.view());
  }
  problem.fixed = features.rows() > 0 ? features.view() : fixed;
  problem.offset = offset.view();
  problem.spectrum = spectrum.view();
  if (spectrum.empty()) problem.gram = gram_matrix.view();
  ctx.on_cuda() ? cuda::als_half_sweep(ctx, problem) : cpu::als_half_sweep(ctx, problem);
  if (rotates) rotate(ctx, solved, vectors.view().part(0, factors), Transpose::kNo);
}

int64_t als_scratch_bytes(const Context& ctx, int64_t rows, int64_t cols, int64_t nnz, int64_t factors,
                          const AlsParams& params) {
  const int64_t width = padded(factors), square = width * width;
  const bool copies = detail::als_rotates(params, factors) || params.biases || width != factors;
  const auto side = [&](int64_t solved, int64_t fixed) {
    const detail::AlsShape shape{solved, fixed, nnz, factors};
    return copies * 4 * fixed * (width + params.biases) + (ctx.on_cuda()
                                                               ? cuda::als_scratch_bytes(ctx.threads(), shape, params)
                                                               : cpu::als_scratch_bytes(ctx.threads(), shape, params));
  };
  const bool has_gram = params.objective != AlsObjective::kExplicit;
  const int64_t shared = 8 * square + 4 * kRotatedSlab * factors +
                         has_gram * (gram_scratch_bytes(ctx, std::max(rows, cols), factors) +
                                     16 * square * std::clamp<int64_t>(kLossGramDoubles / square, 1, 64));
  // The pool gives a block again for what needs half its size or more, so the second side may take the first one's.
  const int64_t first = side(rows, cols), second = side(cols, rows);
  return shared + (second <= first && first <= 2 * second ? first : first + second);
}

double als_loss(Context& ctx, CsrView rows, MatrixView<const float> x, MatrixView<const float> y,
                VectorView<const int64_t> item_offsets, const AlsParams& params) {
  constexpr const char* kOp = "als_loss";
  check_params(kOp, params);
  check_factors(kOp, x.cols, y.cols, "x", "y");
  require(rows.rows == x.rows && rows.cols == y.rows && item_offsets.size == y.rows + 1, kOp,
          "rows are " + detail::shape(rows) + ", x has " + std::to_string(x.rows) + " rows, y has " +
              std::to_string(y.rows) + ", item_offsets has " + std::to_string(item_offsets.size) +
              "; they must be m x n, m, n and n + 1");
  detail::check_device(ctx, kOp, "rows", rows);
  detail::check_device(ctx, kOp, "x", x);
  detail::check_device(ctx, kOp, "y", y);
  detail::check_device(ctx, kOp, "item_offsets", item_offsets);
  detail::AlsObjectiveProblem problem{rows,
                                      x,
                                      y,
                                      item_offsets,
                                      als_pair_weight(params),
                                      params.objective == AlsObjective::kHuKoren ? 1.0 : 0.0,
                                      ridge(params, y.rows),
                                      ridge(params, x.rows),
                                      params};
  ctx.wait();
  return ctx.on_cuda() ? cuda::als_loss(ctx, problem) : cpu::als_loss(ctx, problem);
}

}  // namespace kindred
