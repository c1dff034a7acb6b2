// SPDX-License-Identifier: Apache-2.0
// Alternating least squares, a block a row.
//
// Everything is summed in fp64, which devices of the A100 and H100 classes do at half the fp32 rate (others far
// slower): no row needs a second try, and no sum depends on its length. A block owns a row from the first entry to the
// solution; rows that a solver does not handle are passed over, so one launch a solver covers a mixed plan. Rows of the
// fixed side come through shared memory a few at a time, each read once a pass.
//
//   Exact (cholesky, woodbury): the lower triangle of the row's system in the block's slice of global memory (L2 holds
//   the slices of small widths), each thread owning elements of it; then a right-looking factorization, three barriers
//   a column. Woodbury's answer is the same, so its rows are solved here as well. CG: vectors in shared memory; a batch
//   of entries first gets its dots, a warp an entry, then each thread adds the batch to its components, in the order of
//   entries: no reduction across warps, the same bits on every run. Block: the residual of each entry is kept; blocks
//   of factors are solved exactly one after the other.
#include <algorithm>
#include <vector>

#include "kernels/cuda/device/reduce.cuh"
#include "kernels/cuda/launch.cuh"
#include "kernels/detail/als.hpp"
#include "kernels/memory.hpp"

namespace kindred::cuda {
namespace {

constexpr int kThreads = 256, kWarps = kThreads / kWarp;
constexpr int kBatch = 256;                   // entries of a CG batch
constexpr int64_t kScratchBytes = 512 << 20;  // of all blocks' systems
constexpr int64_t kStageBytes = 32 << 10;     // staged rows
constexpr int kMostStaged = 32;
constexpr int kLossBlocks = 1024;  // fixed, so that the sum's order does not depend on the device
constexpr int kGramTile = 16, kGramShards = 64;

struct Rows {
  const int64_t* offsets;
  const int32_t* indices;
  const float* values;  // null: 1
  const float* fixed;   // n x width
  const float* offset;  // n, or null
  float* solved;        // m x factors
  const float* gram;    // factors x factors, or null
  const float* spectrum;
  double base_weight, slope, shift, mean;
  double regularization, ridge_shift, exponent;
  int64_t rows, factors, width;

  __device__ double value(int64_t e) const { return values != nullptr ? values[e] : 1.0; }
  __device__ double weight(int64_t e) const { return slope * value(e) + shift; }
  /// In fp32, as on the CPU: what leaves its range is reported, not hidden by fp64.
  __device__ double target(int64_t e) const {
    const float v = values != nullptr ? values[e] : 1.f;
    return v - static_cast<float>(mean) - (offset != nullptr ? offset[indices[e]] : 0.f);
  }
  __device__ const float* row(int64_t e) const { return fixed + indices[e] * width; }
  __device__ double ridge(int64_t degree) const {
    const double size = static_cast<double>(degree) + ridge_shift;
    if (exponent == 0 || size <= 0) return regularization * (exponent == 0 ? 1 : 0);
    return regularization * (exponent == 1 ? size : exp(exponent * log(size)));
  }
  /// The base matrix's element; the padding is a unit matrix.
  __device__ double base(int64_t i, int64_t j) const {
    if (i >= factors || j >= factors) return i == j ? 1 : 0;
    if (gram != nullptr) return base_weight * gram[i * factors + j];
    return i == j ? base_weight * fmax(0.f, spectrum[i]) : 0;
  }
};

/// Which rows a launch solves: degrees in (above, up_to].
struct Degrees {
  int64_t above, up_to;
  __device__ bool holds(int64_t degree) const { return degree > above && degree <= up_to; }
};

/// a (size x size, lower triangle) += sum weight y y', b += sum rhs y over entries [begin, end), y the columns
/// [first, first + size) of the entry's fixed row. `residual`: right-hand sides instead of targets, by entry - begin.
__device__ void add_entries(const Rows& p, int64_t begin, int64_t end, int64_t first, int64_t size, int staged,
                            const double* residual, double* a, double* b) {
  float* const stage = dynamic_shared<float>();
  double* const weights = reinterpret_cast<double*>(stage + staged * size);
  double* const targets = weights + staged;
  for (int64_t e0 = begin; e0 < end; e0 += staged) {
    const int count = static_cast<int>(end - e0 < staged ? end - e0 : staged);
    for (int64_t at = threadIdx.x; at < count * size; at += kThreads)
      stage[at] = p.row(e0 + at / size)[first + at % size];
    for (int e = static_cast<int>(threadIdx.x); e < count; e += kThreads) {
      weights[e] = p.weight(e0 + e);
      targets[e] = residual != nullptr ? residual[e0 + e - begin] : p.target(e0 + e);
    }
    __syncthreads();
    for (int64_t at = threadIdx.x; at < size * size; at += kThreads) {
      const int64_t i = at / size, j = at % size;
      if (j > i) continue;
      double sum = 0;
      for (int e = 0; e < count; ++e) sum += weights[e] * stage[e * size + i] * stage[e * size + j];
      a[at] += sum;
    }
    for (int64_t k = threadIdx.x; k < size; k += kThreads) {
      double sum = 0;
      for (int e = 0; e < count; ++e) sum += targets[e] * stage[e * size + k];
      b[k] += sum;
    }
    __syncthreads();
  }
}

/// a x = b in place of b by Cholesky (lower triangle, row-major). False, for all threads, where a pivot is not
/// positive.
__device__ bool solve_system(double* a, int64_t n, double* b) {
  for (int64_t k = 0; k < n; ++k) {
    const double pivot = a[k * n + k];
    if (!(pivot > 0)) return false;
    __syncthreads();  // all have read the pivot
    const double scale = 1 / sqrt(pivot);
    for (int64_t i = k + threadIdx.x; i < n; i += kThreads) a[i * n + k] *= scale;
    __syncthreads();
    const int64_t rest = n - k - 1;
    for (int64_t at = threadIdx.x; at < rest * rest; at += kThreads) {
      const int64_t i = k + 1 + at / rest, j = k + 1 + at % rest;
      if (j <= i) a[i * n + j] -= a[i * n + k] * a[j * n + k];
    }
    __syncthreads();
  }
  for (int64_t k = 0; k < n; ++k) {
    const double x = b[k] / a[k * n + k];
    __syncthreads();
    for (int64_t i = k + threadIdx.x; i < n; i += kThreads) b[i] = i == k ? x : b[i] - a[i * n + k] * x;
    __syncthreads();
  }
  for (int64_t k = n; k-- > 0;) {
    const double x = b[k] / a[k * n + k];
    __syncthreads();
    for (int64_t i = threadIdx.x; i <= k; i += kThreads) b[i] = i == k ? x : b[i] - a[k * n + i] * x;
    __syncthreads();
  }
  return true;
}

/// Writes a row's solution and notes what is wrong with it.
__device__ void write_solution(const Rows& p, int64_t row, const double* x, bool solved, FailureSink failures) {
  for (int64_t k = threadIdx.x; k < p.factors; k += kThreads) {
    const auto value = static_cast<float>(solved ? x[k] : 0);
    if (!isfinite(value)) failures.report(Failure::kAlsNotFinite, row);
    p.solved[row * p.factors + k] = isfinite(value) ? value : 0.f;
  }
  if (!solved && threadIdx.x == 0) failures.report(Failure::kAlsNotPositiveDefinite, row);
}

/// Rows without entries become 0; rows with a negative weight are noted.
__global__ void __launch_bounds__(kThreads) prepare_rows(Rows p, FailureSink failures) {
  for (int64_t row = grid_warp(); row < p.rows; row += grid_warps()) {
    const int64_t begin = p.offsets[row], end = p.offsets[row + 1];
    for (int64_t e = begin + lane_id(); e < end; e += kWarp)
      if (p.weight(e) < 0) failures.report(Failure::kAlsNegativeWeight, row);
    if (begin == end)
      for (int64_t k = lane_id(); k < p.factors; k += kWarp) p.solved[row * p.factors + k] = 0;
  }
}

__global__ void __launch_bounds__(kThreads)
    als_exact(Rows p, Degrees degrees, int staged, double* scratch, FailureSink failures) {
  const int64_t w = p.width;
  double* const a = scratch + blockIdx.x * (w * w + w);
  double* const b = a + w * w;
  for (int64_t row = blockIdx.x; row < p.rows; row += gridDim.x) {
    const int64_t begin = p.offsets[row], end = p.offsets[row + 1];
    if (!degrees.holds(end - begin)) continue;
    const double ridge = p.ridge(end - begin);
    for (int64_t at = threadIdx.x; at < w * w; at += kThreads)
      a[at] = p.base(at / w, at % w) + (at / w == at % w ? ridge : 0);
    for (int64_t k = threadIdx.x; k < w; k += kThreads) b[k] = 0;
    __syncthreads();
    add_entries(p, begin, end, 0, w, staged, nullptr, a, b);
    const bool solved = solve_system(a, w, b);
    write_solution(p, row, b, solved, failures);
    __syncthreads();
  }
}

/// out_k += sum over entries of factor_e y_ek, factor_e = shift_e + scale_e (y_e . v): with targets and minus weights
/// the residual, with weights alone the product. squares_k += sum a_e y_ek^2 where not null.
__device__ void add_pass(const Rows& p, int64_t begin, int64_t end, const double* v, bool residual, double* out,
                         double* squares, double* factors, double* weights) {
  for (int64_t e0 = begin; e0 < end; e0 += kBatch) {
    const int count = static_cast<int>(end - e0 < kBatch ? end - e0 : kBatch);
    for (int e = warp_id(); e < count; e += kWarps) {
      const float* const y = p.row(e0 + e);
      double dot = 0;
      for (int64_t k = lane_id(); k < p.width; k += kWarp) dot += y[k] * v[k];
      dot = warp_sum(dot);
      if (lane_id() == 0) {
        weights[e] = p.weight(e0 + e);
        factors[e] = residual ? p.target(e0 + e) - weights[e] * dot : weights[e] * dot;
      }
    }
    __syncthreads();
    for (int64_t k = threadIdx.x; k < p.width; k += kThreads) {
      double sum = 0, square = 0;
      for (int e = 0; e < count; ++e) {
        const double y = p.row(e0 + e)[k];
        sum += factors[e] * y;
        square += weights[e] * y * y;
      }
      out[k] += sum;
      if (squares != nullptr) squares[k] += square;
    }
    __syncthreads();
  }
}

__device__ double dot(const double* x, const double* y, int64_t n, double* scratch) {
  double sum = 0;
  for (int64_t k = threadIdx.x; k < n; k += kThreads) sum += x[k] * y[k];
  return block_sum<kWarps>(sum, scratch);
}

__global__ void __launch_bounds__(kThreads) als_cg(Rows p, Degrees degrees, int steps, FailureSink failures) {
  const int64_t w = p.width;
  double* const x = dynamic_shared<double>();
  double *const r = x + w, *const z = r + w, *const d = z + w, *const q = d + w, *const diagonal = q + w,
                *const preconditioner = diagonal + w;
  double *const factors = preconditioner + w, *const weights = factors + kBatch, *const scratch = weights + kBatch;
  for (int64_t row = blockIdx.x; row < p.rows; row += gridDim.x) {
    const int64_t begin = p.offsets[row], end = p.offsets[row + 1];
    if (!degrees.holds(end - begin)) continue;
    const double ridge = p.ridge(end - begin);
    for (int64_t k = threadIdx.x; k < w; k += kThreads) {
      x[k] = k < p.factors ? p.solved[row * p.factors + k] : 0;
      diagonal[k] = p.base(k, k) + ridge;
      r[k] = -diagonal[k] * x[k];
      preconditioner[k] = diagonal[k];
    }
    __syncthreads();
    add_pass(p, begin, end, x, true, r, preconditioner, factors, weights);
    bool positive = true;
    for (int64_t k = threadIdx.x; k < w; k += kThreads) {
      positive = positive && preconditioner[k] > 0;
      d[k] = z[k] = r[k] / preconditioner[k];
    }
    positive = block_sum<kWarps>(positive ? 0.0 : 1.0, scratch) == 0;
    double along = dot(r, z, w, scratch);
    for (int step = 0; step < steps && positive && along > 0; ++step) {
      for (int64_t k = threadIdx.x; k < w; k += kThreads) q[k] = diagonal[k] * d[k];
      __syncthreads();
      add_pass(p, begin, end, d, false, q, nullptr, factors, weights);
      const double curvature = dot(d, q, w, scratch);
      positive = !(curvature <= 0);  // NaN goes on into the solution, where it is reported as such
      const double alpha = along / curvature;
      for (int64_t k = threadIdx.x; k < w; k += kThreads) {
        x[k] += alpha * d[k];
        r[k] -= alpha * q[k];
        z[k] = r[k] / preconditioner[k];
      }
      __syncthreads();
      const double next = dot(r, z, w, scratch), beta = next / along;
      for (int64_t k = threadIdx.x; k < w; k += kThreads) d[k] = z[k] + beta * d[k];
      along = next;
      __syncthreads();
    }
    if (positive && !isfinite(along))
      for (int64_t k = threadIdx.x; k < w; k += kThreads) x[k] = along;
    write_solution(p, row, x, positive, failures);
    __syncthreads();
  }
}

__global__ void __launch_bounds__(kThreads)
    als_block(Rows p, int64_t block_size, int staged, double* scratch, double* residuals, FailureSink failures) {
  const int64_t w = p.width;
  double* const x = scratch + blockIdx.x * (w + block_size * block_size + block_size);
  double* const a = x + w;
  double* const b = a + block_size * block_size;
  for (int64_t row = blockIdx.x; row < p.rows; row += gridDim.x) {
    const int64_t begin = p.offsets[row], end = p.offsets[row + 1];
    if (begin == end) continue;
    const double ridge = p.ridge(end - begin);
    double* const residual = residuals + (begin - p.offsets[0]);
    for (int64_t k = threadIdx.x; k < w; k += kThreads) x[k] = k < p.factors ? p.solved[row * p.factors + k] : 0;
    __syncthreads();
    const auto subtract_scores = [&](int64_t first, int64_t size, const double* v, bool start) {
      for (int64_t e = begin + warp_id(); e < end; e += kWarps) {
        double sum = 0;
        for (int64_t k = lane_id(); k < size; k += kWarp) sum += p.row(e)[first + k] * v[k];
        sum = warp_sum(sum);
        if (lane_id() == 0) residual[e - begin] = (start ? p.target(e) : residual[e - begin]) - p.weight(e) * sum;
      }
      __syncthreads();
    };
    subtract_scores(0, w, x, true);
    bool solved = true;
    for (int64_t first = 0; first < w && solved; first += block_size) {
      const int64_t size = w - first < block_size ? w - first : block_size;
      for (int64_t at = threadIdx.x; at < size * size; at += kThreads)
        a[at] = at / size == at % size ? p.base(first + at / size, first + at / size) + ridge : 0;
      for (int64_t k = threadIdx.x; k < size; k += kThreads)
        b[k] = -(p.base(first + k, first + k) + ridge) * x[first + k];
      __syncthreads();
      add_entries(p, begin, end, first, size, staged, residual, a, b);
      solved = solve_system(a, size, b);
      for (int64_t k = threadIdx.x; k < size; k += kThreads) x[first + k] += b[k];
      __syncthreads();
      if (solved && first + size < w) subtract_scores(first, size, b, false);
    }
    write_solution(p, row, x, solved, failures);
    __syncthreads();
  }
}

__global__ void __launch_bounds__(kThreads)
    copy_features(const float* fixed, int64_t rows, int64_t factors, int64_t width, float* features, float* offset) {
  for (int64_t at = grid_thread(); at < rows * width; at += grid_threads()) {
    const int64_t row = at / width, k = at % width;
    const float value = k < factors ? fixed[row * factors + k] : 0.f;
    const bool bias = offset != nullptr && k == factors - 1;
    features[at] = bias ? 1.f : value;
    if (bias) offset[row] = value;
  }
}

// ------------------------------------------------------------------------------------------------- objective

struct Objective {
  const int64_t* offsets;
  const int32_t* indices;
  const float* values;
  const float *x, *y;
  int64_t rows, nnz, factors;
  bool is_explicit, biases;
  double mean, observed_square;
};

/// parts[block] = the entries' share of the objective: a warp an entry, entries dealt to a fixed number of blocks.
__global__ void __launch_bounds__(kThreads) sum_entries(Objective p, double* parts) {
  __shared__ Shared<double, kWarps> scratch;
  const int64_t first = p.offsets[0], dots = p.factors - (p.biases ? 1 : 0);
  double sum = 0;
  for (int64_t e = first + grid_warp(); e < first + p.nnz; e += grid_warps()) {
    int64_t low = 0, high = p.rows;  // the row: the last whose offset is not above e
    while (high - low > 1) {
      const int64_t middle = (low + high) / 2;
      (p.offsets[middle] <= e ? low : high) = middle;
    }
    const float *const x = p.x + low * p.factors, *const y = p.y + p.indices[e] * p.factors;
    double score = 0;
    for (int64_t k = lane_id(); k < dots; k += kWarp) score += double{x[k]} * y[k];
    score = warp_sum(score) + p.mean + (p.biases ? double{x[dots]} + y[dots] : 0);
    const double value = p.values != nullptr ? p.values[e] : 1;
    const double rest = (p.is_explicit ? value : 1) - score;
    sum += (p.is_explicit ? 1 : value) * rest * rest - p.observed_square * score * score;
  }
  const double total = block_sum<kWarps>(lane_id() == 0 ? sum : 0.0, static_cast<double*>(scratch));
  if (threadIdx.x == 0) parts[blockIdx.x] = total;
}

/// parts[block] = sum of lambda_r |x_r|^2.
__global__ void __launch_bounds__(kThreads)
    sum_ridges(const float* x, int64_t rows, int64_t factors, const int64_t* offsets, double regularization,
               double shift, double exponent, double* parts) {
  __shared__ Shared<double, kWarps> scratch;
  Rows ridge{};
  ridge.regularization = regularization, ridge.ridge_shift = shift, ridge.exponent = exponent;
  double sum = 0;
  for (int64_t row = grid_warp(); row < rows; row += grid_warps()) {
    double square = 0;
    for (int64_t k = lane_id(); k < factors; k += kWarp) square += double{x[row * factors + k]} * x[row * factors + k];
    square = warp_sum(square);
    sum += ridge.ridge(offsets[row + 1] - offsets[row]) * square;
  }
  const double total = block_sum<kWarps>(lane_id() == 0 ? sum : 0.0, static_cast<double*>(scratch));
  if (threadIdx.x == 0) parts[blockIdx.x] = total;
}

/// A 16 x 16 tile of xᵀ x in fp64 over the rows of shard blockIdx.y: shards[shard] is a factors x factors matrix.
__global__ void __launch_bounds__(kGramTile* kGramTile)
    gram_double(const float* x, int64_t rows, int64_t factors, double* shards) {
  const int64_t tiles = (factors + kGramTile - 1) / kGramTile;
  const int64_t i = blockIdx.x / tiles * kGramTile + threadIdx.x / kGramTile;
  const int64_t j = blockIdx.x % tiles * kGramTile + threadIdx.x % kGramTile;
  if (i >= factors || j >= factors) return;
  const int64_t length = (rows + gridDim.y - 1) / gridDim.y, begin = blockIdx.y * length;
  const int64_t end = begin + length < rows ? begin + length : rows;
  double sum = 0;
  for (int64_t r = begin; r < end; ++r) sum += double{x[r * factors + i]} * x[r * factors + j];
  shards[blockIdx.y * factors * factors + i * factors + j] = sum;
}

std::vector<double> to_host(Context& ctx, const Array<double>& parts) {
  std::vector<double> host(static_cast<size_t>(parts.size()));
  download(ctx, parts.view(), std::span<double>(host));
  ctx.wait();
  return host;
}

double total(Context& ctx, const Array<double>& parts) {
  double sum = 0;
  for (const double part : to_host(ctx, parts)) sum += part;
  return sum;
}

std::vector<double> gram_of(Context& ctx, MatrixView<const float> x) {
  const int64_t size = x.cols * x.cols, tiles = (x.cols + kGramTile - 1) / kGramTile;
  const int64_t shards = std::clamp<int64_t>((int64_t{1} << 22) / size, 1, kGramShards);
  Array<double> sums(ctx, shards * size, "als loss grams");
  launch(ctx, gram_double,
         {dim3(static_cast<unsigned>(tiles * tiles), static_cast<unsigned>(shards)), kGramTile * kGramTile}, x.data,
         x.rows, x.cols, sums.data());
  const auto host = to_host(ctx, sums);
  std::vector<double> out(static_cast<size_t>(size), 0.0);
  for (int64_t shard = 0; shard < shards; ++shard)
    for (int64_t e = 0; e < size; ++e) out[static_cast<size_t>(e)] += host[static_cast<size_t>(shard * size + e)];
  return out;
}

/// Entries staged at a time for `size` columns, and the bytes they take.
int staged_entries(int64_t size) {
  return static_cast<int>(std::clamp<int64_t>(kStageBytes / (4 * size), 2, kMostStaged)) / 2 * 2;
}
size_t staged_bytes(int64_t size) {
  const auto staged = static_cast<size_t>(staged_entries(size));
  return staged * (static_cast<size_t>(size) * sizeof(float) + 2 * sizeof(double));
}

/// Blocks that share kScratchBytes, `doubles` each.
unsigned blocks_for(Context& ctx, int64_t rows, int64_t doubles) {
  const int64_t most = std::max<int64_t>(1, kScratchBytes / (8 * doubles));
  return static_cast<unsigned>(std::min({rows, most, int64_t{device_of(ctx).limits.multiprocessors} * 8}));
}

}  // namespace

void als_features(Context& ctx, MatrixView<const float> fixed, MatrixView<float> features, VectorView<float> offset) {
  launch(ctx, copy_features, over_items(device_of(ctx).limits, features.size()), fixed.data, fixed.rows, fixed.cols,
         features.cols, features.data, offset.empty() ? nullptr : offset.data);
}

void als_half_sweep(Context& ctx, const kindred::detail::AlsProblem& problem) {
  const auto& limits = device_of(ctx).limits;
  const Rows p{problem.rows.offsets,
               problem.rows.indices,
               problem.rows.values,
               problem.fixed.data,
               problem.offset.empty() ? nullptr : problem.offset.data,
               problem.solved.data,
               problem.gram.data,
               problem.spectrum.empty() ? nullptr : problem.spectrum.data,
               problem.base_weight,
               problem.weight_slope,
               problem.weight_shift,
               problem.mean,
               problem.ridge.regularization,
               problem.ridge.shift,
               problem.ridge.exponent,
               problem.rows.rows,
               problem.factors(),
               problem.width()};
  const FailureSink failures = failures_of(ctx);
  launch(ctx, prepare_rows, over_warps(limits, p.rows), p, failures);
  const int64_t w = p.width, any = INT64_MAX;
  const auto exact = [&](Degrees degrees) {
    const unsigned blocks = blocks_for(ctx, p.rows, w * w + w);
    Array<double> scratch(ctx, blocks * (w * w + w), "als systems");
    launch(ctx, als_exact, {blocks, kThreads, staged_bytes(w)}, p, degrees, staged_entries(w), scratch.data(),
           failures);
  };
  const auto cg = [&](Degrees degrees) {
    const size_t bytes = static_cast<size_t>(7 * w + 2 * kBatch + kWarps) * sizeof(double);
    launch(ctx, als_cg,
           {static_cast<unsigned>(std::min<int64_t>(p.rows, int64_t{limits.multiprocessors} * 8)), kThreads, bytes}, p,
           degrees, problem.params.cg_steps, failures);
  };
  switch (problem.params.solver) {
    case AlsSolver::kCg:
      return cg({0, any});
    case AlsSolver::kBlock: {
      const int64_t size = problem.params.block_size, doubles = w + size * size + size;
      const unsigned blocks = blocks_for(ctx, p.rows, doubles);
      Array<double> scratch(ctx, blocks * doubles, "als systems"), residuals(ctx, problem.rows.nnz, "als residuals");
      launch(ctx, als_block, {blocks, kThreads, staged_bytes(size)}, p, size, staged_entries(size), scratch.data(),
             residuals.data(), failures);
      return;
    }
    case AlsSolver::kAuto:
      if (p.factors > 128) {  // as als_plan: short rows exactly, long ones by CG
        const int64_t is_short = kindred::detail::als_short_row(p.factors);
        exact({0, is_short});
        return cg({is_short, any});
      }
      [[fallthrough]];
    case AlsSolver::kCholesky:
    case AlsSolver::kWoodbury:
      return exact({0, any});
  }
}

double als_loss(Context& ctx, const kindred::detail::AlsObjectiveProblem& problem) {
  const auto& rows = problem.rows;
  const bool is_explicit = problem.params.objective == AlsObjective::kExplicit;
  Array<double> parts(ctx, kLossBlocks, "als loss parts");
  launch(ctx, sum_entries, {kLossBlocks, kThreads},
         Objective{rows.offsets, rows.indices, rows.values, problem.x.data, problem.y.data, rows.rows, rows.nnz,
                   problem.x.cols, is_explicit, problem.params.biases, is_explicit ? double{problem.params.mean} : 0.0,
                   problem.observed_square},
         parts.data());
  double loss = total(ctx, parts);
  const auto ridges = [&](MatrixView<const float> x, const int64_t* offsets, const kindred::detail::AlsRidge& ridge) {
    launch(ctx, sum_ridges, {kLossBlocks, kThreads}, x.data, x.rows, x.cols, offsets, ridge.regularization, ridge.shift,
           ridge.exponent, parts.data());
    return total(ctx, parts);
  };
  loss += ridges(problem.x, rows.offsets, problem.row_ridge);
  loss += ridges(problem.y, problem.item_offsets.data, problem.item_ridge);
  if (problem.pair_weight > 0) {
    const auto gx = gram_of(ctx, problem.x), gy = gram_of(ctx, problem.y);
    double sum = 0;
    for (size_t e = 0; e < gx.size(); ++e) sum += gx[e] * gy[e];
    loss += problem.pair_weight * sum;
  }
  return loss;
}

}  // namespace kindred::cuda
