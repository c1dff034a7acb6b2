// SPDX-License-Identifier: Apache-2.0
#include "kernels/topk.hpp"
#include "tests/bench/bench.hpp"

namespace kindred::bench {
namespace {

/// Lists of k = 100 for range(0) queries over range(1) items with range(2) factors.
void lists(benchmark::State& state) {
  const int64_t q = state.range(0), n = state.range(1), d = state.range(2), k = 100;
  const auto x = random_matrix(q, d, 1), y = random_matrix(n, d, 2);
  Matrix<int32_t> ids(context(), q, k, "bench ids");
  Matrix<float> scores(context(), q, k, "bench scores");
  for (auto _ : state) {
    top_k(context(), x.view(), y.view(), {}, {}, ids.view(), scores.view());
    context().wait();
  }
  report(state, 2.0 * static_cast<double>(q * n * d));
}
BENCHMARK(lists)
    ->Args({1, 1000000, 64})
    ->Args({2048, 26744, 64})
    ->Args({2048, 1000000, 64})
    ->Args({2048, 1000000, 128})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}  // namespace
}  // namespace kindred::bench
