// SPDX-License-Identifier: Apache-2.0
// The objective of alternating least squares in fp64: the entries' share, both ridges, and the sum over all pairs as
// the product of both Gram matrices. Work is dealt to a fixed number of blocks, whose parts the host adds in order: the
// sum does not depend on the device.
#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

#include "kernels/cuda/device/reduce.cuh"
#include "kernels/cuda/launch.cuh"
#include "kernels/detail/als.hpp"
#include "kernels/memory.hpp"

namespace kindred::cuda {
namespace {

constexpr int kThreads = 256, kWarps = kThreads / kWarp;
constexpr int kGramTile = 16;
constexpr int64_t kMostBlocks = 1024, kMostShards = 64, kShardRows = 256;
constexpr int64_t kGramDoubles = int64_t{1} << 22;  // of all shards' Gram matrices

/// Blocks over `warps` warps' worth of work: a number that depends on the problem alone.
unsigned blocks_for(int64_t warps) {
  return static_cast<unsigned>(std::clamp<int64_t>((warps + 2 * kWarps - 1) / (2 * kWarps), 1, kMostBlocks));
}

/// Adds up what the block's threads bring; thread 0 writes it.
__device__ void write_sum(double value, double* part) {
  __shared__ Shared<double, kWarps> scratch;
  const double sum = block_sum<kWarps>(value, static_cast<double*>(scratch));
  if (threadIdx.x == 0) *part = sum;
}

struct Objective {
  const int64_t* offsets;
  const int32_t* indices;
  const float* values;
  const float *x, *y;
  int64_t rows, nnz, factors;
  bool is_explicit, biases;
  double mean, observed_square;
};

/// parts[block] = the entries' share of the objective: a warp an entry, entries dealt to the blocks in turn.
__global__ void __launch_bounds__(kThreads) sum_entries(Objective p, double* parts) {
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
  write_sum(lane_id() == 0 ? sum : 0, parts + blockIdx.x);
}

/// parts[block] = sum of lambda_r |x_r|^2.
__global__ void __launch_bounds__(kThreads)
    sum_ridges(const float* x, int64_t rows, int64_t factors, const int64_t* offsets, double regularization,
               double shift, double exponent, double* parts) {
  double sum = 0;
  for (int64_t row = grid_warp(); row < rows; row += grid_warps()) {
    double square = 0;
    for (int64_t k = lane_id(); k < factors; k += kWarp) square += double{x[row * factors + k]} * x[row * factors + k];
    square = warp_sum(square);
    sum += regularization * pow(static_cast<double>(offsets[row + 1] - offsets[row]) + shift, exponent) * square;
  }
  write_sum(lane_id() == 0 ? sum : 0, parts + blockIdx.x);
}

/// A 16 x 16 tile of xᵀ x in fp64, on or above the diagonal, over the rows of shard blockIdx.y: shards[shard] is a
/// factors x factors matrix.
__global__ void __launch_bounds__(kGramTile* kGramTile)
    gram_double(const float* x, int64_t rows, int64_t factors, double* shards) {
  const int64_t tiles = (factors + kGramTile - 1) / kGramTile;
  const int64_t row0 = blockIdx.x / tiles * kGramTile, column0 = blockIdx.x % tiles * kGramTile;
  const int64_t i = row0 + threadIdx.x / kGramTile, j = column0 + threadIdx.x % kGramTile;
  if (column0 < row0 || i >= factors || j >= factors) return;
  const int64_t length = (rows + gridDim.y - 1) / gridDim.y, begin = blockIdx.y * length;
  const int64_t end = begin + length < rows ? begin + length : rows;
  double sum = 0;
  for (int64_t r = begin; r < end; ++r) sum += double{x[r * factors + i]} * x[r * factors + j];
  shards[blockIdx.y * factors * factors + i * factors + j] = sum;
}

/// parts[block] = weight times the sum of products of both Gram matrices' elements, each the sum of its shards.
__global__ void __launch_bounds__(kThreads)
    multiply_grams(const double* x, int64_t x_shards, const double* y, int64_t y_shards, int64_t factors, double weight,
                   double* parts) {
  const int64_t size = factors * factors;
  const auto element = [&](const double* shards, int64_t count, int64_t at) {
    double sum = 0;
    for (int64_t shard = 0; shard < count; ++shard) sum += shards[shard * size + at];
    return sum;
  };
  double sum = 0;
  for (int64_t at = grid_thread(); at < size; at += grid_threads()) {
    const int64_t i = at / factors, j = at % factors;
    if (i <= j) sum += (i == j ? 1 : 2) * element(x, x_shards, at) * element(y, y_shards, at);
  }
  write_sum(weight * sum, parts + blockIdx.x);
}

/// xᵀ x in shards of rows.
Array<double> gram_of(Context& ctx, MatrixView<const float> x) {
  const int64_t size = x.cols * x.cols, tiles = (x.cols + kGramTile - 1) / kGramTile;
  const int64_t most = std::clamp<int64_t>(kGramDoubles / size, 1, kMostShards);
  const int64_t shards = std::clamp<int64_t>(x.rows / kShardRows, 1, most);
  Array<double> sums(ctx, shards * size, "als loss grams");
  launch(ctx, gram_double,
         {dim3(static_cast<unsigned>(tiles * tiles), static_cast<unsigned>(shards)), kGramTile * kGramTile}, x.data,
         x.rows, x.cols, sums.data());
  return sums;
}

}  // namespace

double als_loss(Context& ctx, const kindred::detail::AlsObjectiveProblem& problem) {
  const auto& rows = problem.rows;
  const auto &x = problem.x, &y = problem.y;
  const bool is_explicit = problem.params.objective == AlsObjective::kExplicit;
  Array<double> parts(ctx, 4 * kMostBlocks, "als loss parts");
  int64_t used = 0;
  const auto take = [&](unsigned blocks) { return parts.data() + std::exchange(used, used + blocks); };

  const unsigned entry_blocks = blocks_for(rows.nnz);
  launch(ctx, sum_entries, {entry_blocks, kThreads},
         Objective{rows.offsets, rows.indices, rows.values, x.data, y.data, rows.rows, rows.nnz, x.cols, is_explicit,
                   problem.params.biases, is_explicit ? double{problem.params.mean} : 0.0, problem.observed_square},
         take(entry_blocks));
  const auto add_ridges = [&](MatrixView<const float> table, const int64_t* offsets,
                              const kindred::detail::AlsRidge& ridge) {
    const unsigned blocks = blocks_for(table.rows);
    launch(ctx, sum_ridges, {blocks, kThreads}, table.data, table.rows, table.cols, offsets, ridge.regularization,
           ridge.shift, ridge.exponent, take(blocks));
  };
  add_ridges(x, rows.offsets, problem.row_ridge);
  add_ridges(y, problem.item_offsets.data, problem.item_ridge);
  Array<double> x_gram, y_gram;
  if (problem.pair_weight > 0) {
    x_gram = gram_of(ctx, x), y_gram = gram_of(ctx, y);
    const int64_t size = x.cols * x.cols;
    const unsigned blocks = blocks_for((size + kWarp - 1) / kWarp);
    launch(ctx, multiply_grams, {blocks, kThreads}, x_gram.data(), x_gram.size() / size, y_gram.data(),
           y_gram.size() / size, x.cols, problem.pair_weight, take(blocks));
  }
  std::vector<double> host(static_cast<size_t>(used));
  download(ctx, parts.view().part(0, used), std::span<double>(host));
  ctx.wait();
  return std::accumulate(host.begin(), host.end(), 0.0);
}

}  // namespace kindred::cuda
