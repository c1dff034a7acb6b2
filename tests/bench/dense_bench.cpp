// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/bench.hpp"

namespace kindred::bench {
namespace {

void product(benchmark::State& state) {
  const int64_t m = state.range(0), n = state.range(1), k = state.range(2);
  const auto a = random_matrix(m, k, 1), b = random_matrix(k, n, 2);
  Matrix<float> c(context(), m, n, "bench product");
  for (auto _ : state) {
    gemm(context(), 1, a.view(), Transpose::kNo, b.view(), Transpose::kNo, 0, c.view());
    context().wait();
  }
  report(state, 2.0 * static_cast<double>(m * n * k));
}
BENCHMARK(product)->Args({2048, 2048, 2048})->Args({138493, 64, 64})->Args({138493, 128, 128})->UseRealTime();

void gram_of_table(benchmark::State& state) {
  const int64_t rows = state.range(0), d = state.range(1);
  const auto a = random_matrix(rows, d, 1);
  Matrix<float> g(context(), d, d, "bench gram");
  for (auto _ : state) {
    gram(context(), a.view(), g.view());
    context().wait();
  }
  report(state, static_cast<double>(rows * d * d));
}
BENCHMARK(gram_of_table)->Args({138493, 64})->Args({138493, 128})->Args({138493, 256})->UseRealTime();

}  // namespace
}  // namespace kindred::bench

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  const kindred::CpuReport cpu = kindred::cpu_report();
  benchmark::AddCustomContext("cpu", cpu.model + ", " + cpu.in_use);
  benchmark::AddCustomContext("threads", std::to_string(kindred::bench::context().threads()));
  benchmark::AddCustomContext("sgemm GFLOP/s", std::to_string(static_cast<int>(kindred::bench::product_rate())));
  benchmark::RunSpecifiedBenchmarks();
}
