// SPDX-License-Identifier: Apache-2.0
// Half-sweeps of each solver over 20,000 rows of 20 to some thousand entries among 10,000. The rate of the exact
// solvers is in the FLOP of Cholesky, whatever they spend.
#include "kernels/als.hpp"
#include "tests/bench/bench.hpp"
#include "tests/kernels/cases/als.hpp"

namespace kindred::bench {
namespace {

const cases::HostCsr& matrix() {
  static const cases::HostCsr rows = [] {
    std::mt19937 random(1);
    std::lognormal_distribution<double> degree(4, 1.2);
    std::vector<int64_t> degrees(20000);
    for (auto& d : degrees) d = std::min<int64_t>(9000, 20 + static_cast<int64_t>(degree(random)));
    return cases::random_csr(degrees, 10000, 2);
  }();
  return rows;
}

/// range(0): factors, range(1): solver.
void half_sweep(benchmark::State& state) {
  const int64_t factors = state.range(0);
  AlsParams params;
  params.solver = static_cast<AlsSolver>(state.range(1));
  const auto& host = matrix();
  const ResidentCsr rows(context(), host.offsets, host.indices, host.values, host.cols, "bench rows");
  auto x = random_matrix(host.rows(), factors, 1), y = random_matrix(host.cols, factors, 2);
  const Array<float> scale = [&] {
    Array<float> out(context(), host.cols, "bench scale");
    fill_uniform(context(), out.view(), 0.05f, 0.15f, 1, 3);
    return out;
  }();
  scale_rows(context(), y.view(), scale.view());
  for (auto _ : state) {
    als_half_sweep(context(), rows.view(), y.view(), x.view(), params);
    context().wait();
  }
  report(state, params.solver == AlsSolver::kCg ? cases::cg_flop(host, factors, params.cg_steps)
                                                : cases::cholesky_flop(host, factors));
}

void solvers(benchmark::internal::Benchmark* bench) {
  for (const int64_t factors : {32, 64, 128, 256})
    for (const auto solver : {AlsSolver::kAuto, AlsSolver::kCholesky, AlsSolver::kCg, AlsSolver::kBlock})
      bench->Args({factors, static_cast<int64_t>(solver)});
}
BENCHMARK(half_sweep)->Apply(solvers)->ArgNames({"factors", "solver"})->Unit(benchmark::kMillisecond)->UseRealTime();

/// The objective; range(0): factors.
void loss(benchmark::State& state) {
  const int64_t factors = state.range(0);
  const auto& host = matrix();
  const auto columns = cases::transposed(host);
  const ResidentCsr rows(context(), host.offsets, host.indices, host.values, host.cols, "bench rows");
  const Resident<int64_t> item_offsets(context(), columns.offsets, "bench item offsets");
  const auto x = random_matrix(host.rows(), factors, 1), y = random_matrix(host.cols, factors, 2);
  for (auto _ : state)
    benchmark::DoNotOptimize(als_loss(context(), rows.view(), x.view(), y.view(), item_offsets.view()));
}
BENCHMARK(loss)->Arg(64)->Arg(256)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace kindred::bench
