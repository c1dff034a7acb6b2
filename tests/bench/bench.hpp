// SPDX-License-Identifier: Apache-2.0
// What the benchmarks share: a context, random tables, and this machine's product rate, against which others are told.
#pragma once
#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdlib>
#include <string>

#include "kernels/dense.hpp"
#include "kernels/memory.hpp"
#include "kernels/random.hpp"

namespace kindred::bench {

/// KINDRED_BENCH_DEVICE: "cpu" (default), "cuda".
inline Context& context() {
  static Context ctx({.device = std::getenv("KINDRED_BENCH_DEVICE") ? std::getenv("KINDRED_BENCH_DEVICE") : "cpu"});
  return ctx;
}

inline Matrix<float> random_matrix(int64_t rows, int64_t cols, uint32_t stage) {
  Matrix<float> out(context(), rows, cols, "bench matrix");
  fill_normal(context(), out.view().flat(), 0, 1, 1, stage);
  return out;
}

/// GFLOP/s of a product of two 2,048 x 2,048 matrices: the best of five.
inline double product_rate() {
  static const double rate = [] {
    const int64_t n = 2048;
    const auto a = random_matrix(n, n, 1), b = random_matrix(n, n, 2);
    Matrix<float> c(context(), n, n, "bench product");
    double best = 1e30;
    for (int turn = 0; turn < 5; ++turn) {
      const auto start = std::chrono::steady_clock::now();
      gemm(context(), 1, a.view(), Transpose::kNo, b.view(), Transpose::kNo, 0, c.view());
      context().wait();
      best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
    return 2e-9 * n * n * n / best;
  }();
  return rate;
}

/// Reports a rate of `flop` an iteration, and its share of product_rate().
inline void report(benchmark::State& state, double flop) {
  using benchmark::Counter;
  state.counters["FLOP/s"] = Counter(flop, Counter::kIsIterationInvariantRate);
  state.counters["of_sgemm"] = Counter(flop / (product_rate() * 1e9), Counter::kIsIterationInvariantRate);
}

}  // namespace kindred::bench
