// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <random>

#include "kernels/similarity.hpp"
#include "kernels/sparse.hpp"
#include "tests/bench/bench.hpp"

namespace kindred::bench {
namespace {

/// rows x cols, rows of skewed lengths with `mean` entries, popular columns more often; values 1 to 5 or none.
Csr skewed(int64_t rows, int64_t cols, int64_t mean, bool values) {
  std::mt19937 random(1);
  std::exponential_distribution<double> length(1 / static_cast<double>(mean));
  std::uniform_real_distribution<double> uniform;
  std::vector<int32_t> row, col;
  std::vector<float> value;
  for (int64_t r = 0; r < rows; ++r) {
    std::vector<int32_t> picked;
    for (auto left = static_cast<int64_t>(length(random)) + 1; left > 0; --left)
      picked.push_back(static_cast<int32_t>(static_cast<double>(cols) * std::pow(uniform(random), 3)));
    std::sort(picked.begin(), picked.end());
    picked.erase(std::unique(picked.begin(), picked.end()), picked.end());
    for (const int32_t c : picked) {
      row.push_back(static_cast<int32_t>(r)), col.push_back(c);
      if (values) value.push_back(static_cast<float>(1 + (r + c) % 5));
    }
  }
  const Resident<int32_t> rows_of(context(), row, "bench rows"), cols_of(context(), col, "bench columns");
  const Resident<float> values_of(context(), value, "bench values");
  return csr_from_pairs(context(), rows_of.view(), cols_of.view(), values_of.view(), rows, cols);
}

/// Top-100 of range(0) rows over range(1) columns with range(2) entries each on average. range(3): metric, range(4):
/// values.
void similar(benchmark::State& state) {
  const Csr rows = skewed(state.range(0), state.range(1), state.range(2), state.range(4) != 0);
  SimilarityParams params{.metric = static_cast<SimilarityMetric>(state.range(3))};
  if (params.metric == SimilarityMetric::kPearson) params.missing = Missing::kIgnore;
  Matrix<int32_t> ids(context(), rows.rows, 100, "bench ids");
  Matrix<float> similarities(context(), rows.rows, 100, "bench similarities");
  for (auto _ : state) {
    state.SetLabel(name(similar_rows(context(), rows.view(), params, ids.view(), similarities.view()).method));
    context().wait();
  }
}
BENCHMARK(similar)
    ->Args({20000, 50000, 20, int(SimilarityMetric::kCosine), 0})
    ->Args({20000, 50000, 200, int(SimilarityMetric::kCosine), 0})
    ->Args({20000, 50000, 200, int(SimilarityMetric::kCosine), 1})
    ->Args({3000, 6000, 200, int(SimilarityMetric::kPearson), 1})
    ->Args({150, 20000, 9000, int(SimilarityMetric::kCosine), 1})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

/// Top-100 of range(0) of range(1) dense rows of range(2) numbers by cosine.
void similar_dense(benchmark::State& state) {
  const int64_t q = state.range(0), n = state.range(1), d = state.range(2);
  const auto rows = random_matrix(n, d, 1);
  Matrix<int32_t> ids(context(), q, 100, "bench ids");
  Matrix<float> similarities(context(), q, 100, "bench similarities");
  for (auto _ : state) {
    similar_rows(context(), rows.view(), 0, SimilarityMetric::kCosine, ids.view(), similarities.view());
    context().wait();
  }
  report(state, 2.0 * static_cast<double>(q * n * d));
}
BENCHMARK(similar_dense)->Args({2048, 200000, 128})->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace kindred::bench
