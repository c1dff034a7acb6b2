// SPDX-License-Identifier: Apache-2.0
// A half-sweep of alternating least squares: sorts the rows by falling degree, gives each range of degrees to the
// solver that the plan names (als_exact, als_dual, als_cg, als_block), and what those could not finish in fp32 to fp64
// (als_double). Blocks of every solver are persistent and draw rows, longest first.
//
// Woodbury's rows are solved by their dual systems where those are smaller than the primal ones, and by Cholesky
// otherwise: the answer is the same. AlsPrecision::kTf32 takes one tensor product for three; kBf16 means kTf32 here.
#include <algorithm>
#include <array>
#include <cub/device/device_radix_sort.cuh>
#include <vector>

#include "kernels/cuda/als.cuh"
#include "kernels/memory.hpp"

namespace kindred::cuda {
namespace {

constexpr int kThreads = 256;

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

/// Keys that ascend as degrees fall.
__global__ void __launch_bounds__(kThreads)
    degree_keys(const int64_t* offsets, int64_t rows, uint32_t* keys, int32_t* order) {
  for (int64_t row = grid_thread(); row < rows; row += grid_threads()) {
    keys[row] = ~static_cast<uint32_t>(offsets[row + 1] - offsets[row]);
    order[row] = static_cast<int32_t>(row);
  }
}

constexpr int kBounds = 6;
struct DegreeBounds {
  int64_t degree[kBounds];
};

/// places[b] = first place whose row has at most degree[b] entries.
__global__ void find_places(const uint32_t* keys, int64_t rows, DegreeBounds bounds, int64_t* places) {
  if (threadIdx.x >= kBounds) return;
  int64_t low = 0, high = rows, bound = 0;
#pragma unroll
  for (int b = 0; b < kBounds; ++b)  // indexed at compile time, it stays in registers
    if (static_cast<int>(threadIdx.x) == b) bound = bounds.degree[b];
  while (low < high) {
    const int64_t middle = (low + high) / 2;
    if (int64_t{~keys[middle]} > bound)
      low = middle + 1;
    else
      high = middle;
  }
  places[threadIdx.x] = low;
}

__global__ void __launch_bounds__(kThreads) clear_rows(AlsRows p, const int32_t* rows, int64_t count) {
  for (int64_t at = grid_thread(); at < count * p.factors; at += grid_threads())
    p.solved[int64_t{rows[at / p.factors]} * p.factors + at % p.factors] = 0;
}

/// Rows with an entry of negative weight become 0 and are reported.
__global__ void __launch_bounds__(kThreads) check_weights(AlsRows p, int64_t rows, int64_t nnz, FailureSink failures) {
  const int64_t begin = p.offsets[0];
  for (int64_t e = begin + grid_thread(); e < begin + nnz; e += grid_threads()) {
    if (p.weight(p.values[e]) >= 0) continue;
    int64_t row = 0;
    for (int64_t high = rows; high - row > 1;) {
      const int64_t middle = (row + high) / 2;
      (p.offsets[middle] <= e ? row : high) = middle;
    }
    failures.report(Failure::kAlsNegativeWeight, row);
    for (int k = 0; k < p.factors; ++k) p.solved[row * p.factors + k] = 0;
  }
}

AlsRows rows_of(const kindred::detail::AlsProblem& problem) {
  return {.offsets = problem.rows.offsets,
          .indices = problem.rows.indices,
          .values = problem.rows.values,
          .fixed = problem.fixed.data,
          .offset = problem.offset.empty() ? nullptr : problem.offset.data,
          .solved = problem.solved.data,
          .gram = problem.gram.data,
          .spectrum = problem.spectrum.empty() ? nullptr : problem.spectrum.data,
          .base_weight = problem.base_weight,
          .slope = problem.weight_slope,
          .shift = problem.weight_shift,
          .mean = problem.mean,
          .regularization = problem.ridge.regularization,
          .ridge_shift = problem.ridge.shift,
          .exponent = problem.ridge.exponent,
          .width = static_cast<int>(problem.width()),
          .factors = static_cast<int>(problem.factors())};
}

/// Rows by falling degree, and where degrees pass some bounds.
class RowOrder {
 public:
  RowOrder(Context& ctx, const CsrView& rows, const std::array<int64_t, kBounds>& bounds) : bounds_(bounds) {
    const int64_t count = rows.rows;
    Array<uint32_t> keys[2] = {{ctx, count, "als degrees"}, {ctx, count, "als degrees"}};
    Array<int32_t> order[2] = {{ctx, count, "als row order"}, {ctx, count, "als row order"}};
    const auto& device = device_of(ctx);
    launch(ctx, degree_keys, over_items(device.limits, count), rows.offsets, count, keys[0].data(), order[0].data());
    cub::DoubleBuffer<uint32_t> sorted_keys(keys[0].data(), keys[1].data());
    cub::DoubleBuffer<int32_t> sorted_order(order[0].data(), order[1].data());
    const auto sort = [&](void* temporary, size_t& bytes) {
      check(cub::DeviceRadixSort::SortPairs(temporary, bytes, sorted_keys, sorted_order, count, 0, 32, device.stream),
            "als_half_sweep: sort");
    };
    size_t bytes = 0;
    sort(nullptr, bytes);
    Array<unsigned char> temporary(ctx, static_cast<int64_t>(bytes), "als sort workspace");
    sort(temporary.data(), bytes);
    keys_ = std::move(keys[sorted_keys.selector]);
    order_ = std::move(order[sorted_order.selector]);
    Array<int64_t> places(ctx, kBounds, "als places");
    DegreeBounds limits{};
    std::copy(bounds.begin(), bounds.end(), limits.degree);
    launch(ctx, find_places, {1, kWarp}, keys_.data(), count, limits, places.data());
    download(ctx, places.view(), std::span<int64_t>(places_));
    check(cudaStreamSynchronize(device.stream), "als_half_sweep");
  }

  const int32_t* rows() const { return order_.data(); }
  /// The first place whose row has at most `degree` entries; one of the bounds.
  int64_t place(int64_t degree) const {
    return places_[static_cast<size_t>(std::find(bounds_.begin(), bounds_.end(), degree) - bounds_.begin())];
  }
  /// Degrees of the first `count` rows.
  std::vector<int64_t> degrees(Context& ctx, int64_t count) const {
    std::vector<uint32_t> keys(static_cast<size_t>(count));
    download(ctx, keys_.view().part(0, count), std::span<uint32_t>(keys));
    check(cudaStreamSynchronize(device_of(ctx).stream), "als_half_sweep");
    std::vector<int64_t> degrees(keys.size());
    std::transform(keys.begin(), keys.end(), degrees.begin(), [](uint32_t key) { return int64_t{~key}; });
    return degrees;
  }

 private:
  std::array<int64_t, kBounds> bounds_;
  std::array<int64_t, kBounds> places_{};
  Array<uint32_t> keys_;
  Array<int32_t> order_;
};

}  // namespace

void als_features(Context& ctx, MatrixView<const float> fixed, MatrixView<float> features, VectorView<float> offset) {
  launch(ctx, copy_features, over_items(device_of(ctx).limits, features.size()), fixed.data, fixed.rows, fixed.cols,
         features.cols, features.data, offset.empty() ? nullptr : offset.data);
}

void als_half_sweep(Context& ctx, const kindred::detail::AlsProblem& problem) {
  using kindred::detail::als_plan, kindred::detail::kAlsSegment;
  const AlsParams& params = problem.params;
  const AlsRows p = rows_of(problem);
  const int64_t count = problem.rows.rows, nnz = problem.rows.nnz;
  const int64_t is_short = kindred::detail::als_short_row(p.factors);
  const RowOrder order(ctx, problem.rows, {kAlsSegment, is_short, 128, 64, 32, 0});

  constexpr int kCounters = 16;  // a queue each, and the number of retries
  Array<int> counters(ctx, kCounters, "als counters");
  fill_zero(ctx, counters.view());
  Array<int32_t> retry_rows(ctx, count, "als retries");
  const AlsRetries retries{retry_rows.data(), counters.data()};
  int used = 1;
  const auto queue = [&](int64_t begin, int64_t end) {
    return AlsQueue{order.rows() + begin, nullptr, static_cast<int>(std::max<int64_t>(end - begin, 0)),
                    counters.data() + used++};
  };

  const auto exact = [&](int64_t begin, int64_t end) {
    if (p.width > kAlsWidestSystem) return als_double(ctx, p, queue(begin, end));
    const int64_t after_long = std::clamp(order.place(kAlsSegment), begin, std::max(begin, end));
    if (after_long > begin)
      als_exact_long(ctx, p, order.rows() + begin, order.degrees(ctx, after_long), params.precision, retries);
    als_exact(ctx, p, queue(after_long, end), params.precision, retries);
  };
  const auto woodbury = [&](int64_t begin, int64_t end) {
    // Dual systems of each size that is smaller than the primal one; what remains is longer.
    for (const int size : {32, 64, 128}) {
      const int64_t first = std::clamp(order.place(size), begin, end);
      if (p.width <= kAlsWidestSystem && size >= als_system_size(p.width)) break;
      als_dual(ctx, p, queue(first, end), size, retries);
      end = first;
    }
    exact(begin, end);
  };
  const auto solve = [&](AlsSolver solver, int64_t begin, int64_t end) {
    if (begin >= end) return;
    switch (solver) {
      case AlsSolver::kCg:
        return als_cg(ctx, p, queue(begin, end), nnz, params.cg_steps, retries);
      case AlsSolver::kBlock:
        return als_block(ctx, p, queue(begin, end), nnz, params.block_size, params.precision, retries);
      case AlsSolver::kWoodbury:
        return woodbury(begin, end);
      default:
        return exact(begin, end);
    }
  };
  const int64_t filled = order.place(0), shorts = std::min(order.place(is_short), filled);
  const AlsSolver for_long = als_plan(params, p.factors, is_short + 1),
                  for_short = als_plan(params, p.factors, is_short);
  if (for_long == for_short) {
    solve(for_long, 0, filled);
  } else {
    solve(for_long, 0, shorts);
    solve(for_short, shorts, filled);
  }
  launch(ctx, clear_rows, over_items(device_of(ctx).limits, (count - filled) * p.factors), p, order.rows() + filled,
         count - filled);
  als_double(ctx, p, {retries.rows, retries.count, static_cast<int>(count), counters.data() + used});
  if (p.values != nullptr && p.slope != 0)
    launch(ctx, check_weights, over_items(device_of(ctx).limits, nnz), p, count, nnz, failures_of(ctx));
}

int64_t als_scratch_bytes(int, const kindred::detail::AlsShape& shape, const AlsParams& params) {
  const int64_t sorted = 2 * (4 + 4) * shape.rows, retries = 4 * shape.rows;
  const int64_t residuals = params.solver == AlsSolver::kBlock ? 4 * shape.nnz : 0;
  const bool exact = kindred::detail::als_plan(params, shape.factors, shape.fixed_rows) == AlsSolver::kCholesky;
  const bool wide = shape.factors > kAlsWidestSystem;
  const bool has_long_rows = std::min(shape.nnz, shape.fixed_rows) > kindred::detail::kAlsSegment;
  return sorted + retries + residuals + als_double_bytes(shape.factors, exact && wide) +
         (exact && !wide && has_long_rows ? als_long_bytes() : 0);
}

}  // namespace kindred::cuda
