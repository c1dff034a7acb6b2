// SPDX-License-Identifier: Apache-2.0
// The decomposition is the same on every backend: products of kernels/spmm.hpp and kernels/dense.hpp.
#include "kernels/svd.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "kernels/dense.hpp"
#include "kernels/detail/check.hpp"
#include "kernels/memory.hpp"
#include "kernels/random.hpp"
#include "kernels/spmm.hpp"

namespace kindred {
namespace {

constexpr uint32_t kStartStage = 0x53564401;
/// Directions shorter than this part of the longest are rounding errors.
constexpr float kNoise = 1e-6f;

/// Columns of the subspace: whole vectors of 16.
int64_t width_of(int64_t rows, int64_t cols, int64_t k, int oversampling) {
  return std::min((k + oversampling + 15) / 16 * 16, std::min(rows, cols));
}

/// A subspace that is being turned, and the scratch that takes its image.
class Subspace {
 public:
  Subspace(Context& ctx, int64_t rows, int64_t width, const char* label)
      : ctx_(ctx),
        basis_(ctx, rows, width, label),
        image_(ctx, rows, width, label),
        square_(ctx, width, width, "svd square"),
        vectors_(ctx, width, width, "svd square"),
        values_(ctx, width, "svd values") {}

  MatrixView<float> view() { return basis_.view(); }

  /// basis = basis turn, for a width x width matrix on the host.
  void turn(std::span<const float> turn) {
    upload<float>(ctx_, turn, square_.view().flat());
    gemm(ctx_, 1, basis_.view(), Transpose::kNo, square_.view(), Transpose::kNo, 0, image_.view());
    ctx_.wait();
    std::swap(basis_, image_);
  }

  /// The eigenvalues of basisᵀ basis, descending, and its eigenvectors, column c for value c.
  struct Eigen {
    std::vector<float> values, vectors;
  };
  Eigen eigen_of_gram() {
    gram(ctx_, basis_.view(), square_.view());
    return eigen(square_.view());
  }

  /// Makes the columns orthonormal; those that depend on others become noise that is orthonormal too, or 0.
  void orthonormalize() {
    for (int pass = 0; pass < 2; ++pass) {
      Eigen e = eigen_of_gram();
      const float floor = kNoise * kNoise * std::max(e.values[0], 1e-30f);
      for (size_t c = 0; c < width(); ++c) {
        const float scale = 1 / std::sqrt(std::max(e.values[c], floor));
        for (size_t r = 0; r < width(); ++r) e.vectors[r * width() + c] *= scale;
      }
      turn(e.vectors);
    }
  }

  /// Turns the columns so that they are orthogonal, longest first; their lengths, and the turn. The second pass sees
  /// columns of unit length, so that short ones are told apart as well as long ones.
  struct Turned {
    std::vector<float> lengths, turn;
  };
  Turned make_orthogonal() {
    const size_t n = width();
    const Eigen first = eigen_of_gram();
    std::vector<float> lengths(n), scaled = first.vectors;
    const float floor = kNoise * std::sqrt(std::max(first.values[0], 1e-30f));
    for (size_t c = 0; c < n; ++c) lengths[c] = std::max(std::sqrt(std::max(first.values[c], 0.f)), floor);
    for (size_t r = 0; r < n; ++r)
      for (size_t c = 0; c < n; ++c) scaled[r * n + c] /= lengths[c];
    turn(scaled);
    gram(ctx_, basis_.view(), square_.view());
    std::vector<float> graded(n * n);
    download<float>(ctx_, square_.view().flat(), graded);
    ctx_.wait();
    for (size_t r = 0; r < n; ++r)
      for (size_t c = 0; c < n; ++c) graded[r * n + c] *= lengths[r] * lengths[c];
    upload<float>(ctx_, graded, square_.view().flat());
    ctx_.wait();
    const Eigen second = eigen(square_.view());
    std::vector<float> rest(n * n);
    for (size_t r = 0; r < n; ++r)
      for (size_t c = 0; c < n; ++c) rest[r * n + c] = lengths[r] * second.vectors[r * n + c];
    turn(rest);
    Turned out{std::vector<float>(n), std::vector<float>(n * n)};
    for (size_t c = 0; c < n; ++c) out.lengths[c] = std::sqrt(std::max(second.values[c], 0.f));
    for (size_t r = 0; r < n; ++r)
      for (size_t k = 0; k < n; ++k)
        for (size_t c = 0; c < n; ++c) out.turn[r * n + c] += first.vectors[r * n + k] * second.vectors[k * n + c];
    return out;
  }

  size_t width() const { return static_cast<size_t>(basis_.cols()); }

 private:
  Eigen eigen(MatrixView<const float> symmetric) {
    const size_t n = width();
    symmetric_eigen(ctx_, symmetric, values_.view(), vectors_.view());
    std::vector<float> rows(n * n), ascending(n);
    download<float>(ctx_, vectors_.view().flat(), rows);
    download<float>(ctx_, values_.view(), ascending);
    ctx_.wait();
    Eigen out{std::vector<float>(n), std::vector<float>(n * n)};
    for (size_t c = 0; c < n; ++c) {
      out.values[c] = ascending[n - 1 - c];
      for (size_t r = 0; r < n; ++r) out.vectors[r * n + c] = rows[(n - 1 - c) * n + r];
    }
    return out;
  }

  Context& ctx_;
  Matrix<float> basis_, image_, square_, vectors_;
  Array<float> values_;
};

/// out (rows x k) = basis (rows x width) turn (width x k).
void project(Context& ctx, MatrixView<const float> basis, const std::vector<float>& turn, MatrixView<float> out) {
  Matrix<float> small(ctx, basis.cols, out.cols, "svd square");
  upload<float>(ctx, turn, small.view().flat());
  gemm(ctx, 1, basis, Transpose::kNo, small.view(), Transpose::kNo, 0, out);
  ctx.wait();
}

}  // namespace

void truncated_svd(Context& ctx, CsrView a, CsrView transposed, const SvdParams& params, MatrixView<float> left,
                   VectorView<float> values, MatrixView<float> right) {
  const auto require = [](bool holds, const std::string& message) {
    if (!holds) detail::bad_argument("truncated_svd", message);
  };
  const int64_t k = values.size;
  require(transposed.rows == a.cols && transposed.cols == a.rows && transposed.nnz == a.nnz,
          "a is " + detail::shape(a) + ", its transpose " + detail::shape(transposed));
  require(k >= 1 && k <= std::min(a.rows, a.cols), std::to_string(k) + " values of a " + detail::shape(a) +
                                                       " matrix; there are 1 to " +
                                                       std::to_string(std::min(a.rows, a.cols)));
  require(left.rows == a.rows && left.cols == k && right.rows == a.cols && right.cols == k,
          "left is " + detail::shape(left) + ", right " + detail::shape(right) + "; expected " +
              std::to_string(a.rows) + " and " + std::to_string(a.cols) + " x " + std::to_string(k));
  require(params.oversampling >= 0 && params.power_iterations >= 0, "oversampling and power_iterations are 0 or more");
  detail::check_device(ctx, "truncated_svd", "left", left);
  detail::check_device(ctx, "truncated_svd", "values", values);
  detail::check_device(ctx, "truncated_svd", "right", right);

  const int64_t width = width_of(a.rows, a.cols, k, params.oversampling);
  Subspace rows(ctx, a.rows, width, "svd rows"), cols(ctx, a.cols, width, "svd columns");
  fill_normal(ctx, cols.view().flat(), 0, 1, params.seed, kStartStage);
  cols.orthonormalize();
  for (int turn = 0; turn <= params.power_iterations; ++turn) {
    spmm(ctx, 1, a, cols.view(), 0, rows.view());
    rows.orthonormalize();
    spmm(ctx, 1, transposed, rows.view(), 0, cols.view());
    if (turn < params.power_iterations) cols.orthonormalize();
  }
  // a is about rows colsᵀ: orthogonal columns of `cols` make it rows turn (cols turn)ᵀ.
  const Subspace::Turned found = cols.make_orthogonal();
  const auto n = cols.width(), count = static_cast<size_t>(k);
  std::vector<float> left_turn(n * count), right_turn(n * count), lengths(count);
  for (size_t c = 0; c < count; ++c) {
    if (!(found.lengths[c] > kNoise * found.lengths[0])) continue;
    lengths[c] = found.lengths[c];
    right_turn[c * count + c] = 1 / lengths[c];
    for (size_t r = 0; r < n; ++r) left_turn[r * count + c] = found.turn[r * n + c];
  }
  project(ctx, cols.view(), right_turn, right);
  std::vector<float> host(static_cast<size_t>(right.size()));
  download<float>(ctx, right.flat(), host);
  ctx.wait();
  std::vector<float> largest(count);
  for (size_t e = 0; e < host.size(); ++e)
    if (std::abs(host[e]) > std::abs(largest[e % count])) largest[e % count] = host[e];
  for (size_t c = 0; c < count; ++c)
    if (largest[c] < 0) {
      right_turn[c * count + c] *= -1;
      for (size_t r = 0; r < n; ++r) left_turn[r * count + c] *= -1;
    }
  project(ctx, cols.view(), right_turn, right);
  project(ctx, rows.view(), left_turn, left);
  upload<float>(ctx, lengths, values);
  ctx.wait();
}

int64_t svd_scratch_bytes(const Context& ctx, int64_t rows, int64_t cols, int64_t k, const SvdParams& params) {
  const int64_t width = width_of(rows, cols, k, params.oversampling);
  return 8 * (rows + cols) * width + 16 * width * width + gram_scratch_bytes(ctx, std::max(rows, cols), width);
}

}  // namespace kindred
