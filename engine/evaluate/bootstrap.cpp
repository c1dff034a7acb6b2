// SPDX-License-Identifier: Apache-2.0
#include "engine/evaluate/bootstrap.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "kernels/cpu/threads.hpp"
#include "kernels/philox.hpp"

namespace kindred {
namespace {

constexpr uint32_t kBootstrapStage = 21;
constexpr int kDraws = 1000;

/// A metric from its sums over users.
double value_of(MetricKind kind, double sum, double weight) {
  const double mean = weight > 0 ? sum / weight : 0;
  return kind == MetricKind::kRmse ? std::sqrt(mean) : mean;
}

/// How often each of n users is drawn when n are drawn from them; the same for all metrics and evaluations of n users.
void draw_users(uint64_t seed, int draw, std::vector<uint32_t>& times) {
  const Philox philox{seed, kBootstrapStage};
  const size_t n = times.size();
  std::ranges::fill(times, 0u);
  for (size_t u = 0; u < n; u += 4) {
    const auto four = philox(u / 4, static_cast<uint32_t>(draw));
    for (size_t l = 0; l < std::min<size_t>(4, n - u); ++l) ++times[uint64_t{four[l]} * n >> 32];
  }
}

/// Four sums side by side: as fast as the memory, and in the same order on every machine.
double dot(const std::vector<uint32_t>& times, const std::vector<double>& values) {
  double sums[4] = {};
  size_t u = 0;
  for (; u + 4 <= times.size(); u += 4)
    for (size_t l = 0; l < 4; ++l) sums[l] += times[u + l] * values[u + l];
  for (; u < times.size(); ++u) sums[0] += times[u] * values[u];
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

/// [metric][draw]; empty for metrics that are no means over users.
std::vector<std::vector<double>> resampled(Context& ctx, const Evaluation& evaluation, uint64_t seed) {
  const size_t metrics = evaluation.metrics.size();
  std::vector<std::vector<double>> out(metrics);
  for (size_t m = 0; m < metrics; ++m)
    if (!evaluation.sums[m].empty()) out[m].resize(kDraws);
  cpu::parallel_for(ctx, kDraws, 10, [&](int64_t begin, int64_t end, int) {
    std::vector<uint32_t> times(evaluation.users.size());
    for (auto draw = begin; draw < end; ++draw) {
      draw_users(seed, static_cast<int>(draw), times);
      for (size_t m = 0; m < metrics; ++m)
        if (!out[m].empty())
          out[m][static_cast<size_t>(draw)] =
              value_of(evaluation.metrics[m].kind, dot(times, evaluation.sums[m]), dot(times, evaluation.weights[m]));
    }
  });
  return out;
}

/// The middle 95 % of the draws.
void set_interval(MetricValue& value, std::vector<double> draws) {
  if (draws.empty()) return;
  std::ranges::sort(draws);
  value.low = draws[kDraws / 40];
  value.high = draws[kDraws - 1 - kDraws / 40];
}

double total(const std::vector<double>& values) { return dot(std::vector<uint32_t>(values.size(), 1), values); }

void set_means(Evaluation& evaluation) {
  for (size_t m = 0; m < evaluation.metrics.size(); ++m)
    if (evaluation.metrics[m].kind != MetricKind::kCoverage)
      evaluation.values[m].mean =
          value_of(evaluation.metrics[m].kind, total(evaluation.sums[m]), total(evaluation.weights[m]));
}

/// An evaluation cut down to some of its users.
Evaluation part_of(const Evaluation& whole, const std::vector<size_t>& positions) {
  Evaluation out;
  out.metrics = whole.metrics;
  out.values = whole.values;
  for (const size_t p : positions) out.users.push_back(whole.users[p]);
  for (const auto* from : {&whole.sums, &whole.weights}) {
    auto& to = from == &whole.sums ? out.sums : out.weights;
    for (const auto& values : *from) {
      auto& kept = to.emplace_back();
      if (values.empty()) continue;
      for (const size_t p : positions) kept.push_back(values[p]);
    }
  }
  return out;
}

}  // namespace

void summarize(Context& ctx, Evaluation& evaluation, uint64_t seed, bool intervals) {
  set_means(evaluation);
  if (!intervals || evaluation.users.empty()) return;
  auto draws = resampled(ctx, evaluation, seed);
  for (size_t m = 0; m < draws.size(); ++m) set_interval(evaluation.values[m], std::move(draws[m]));
}

double Evaluation::of_user(size_t metric, size_t position) const {
  if (!metrics[metric].of_users() || weights[metric][position] == 0) return std::numeric_limits<double>::quiet_NaN();
  return value_of(metrics[metric].kind, sums[metric][position], weights[metric][position]);
}

Comparison compare(Context& ctx, const Evaluation& first, const Ids& first_users, const Evaluation& second,
                   const Ids& second_users, uint64_t seed, bool intervals) {
  if (!std::ranges::equal(first.metrics, second.metrics, {}, &MetricSpec::name, &MetricSpec::name))
    throw InvalidArgument("compare: the evaluations have different metrics");
  std::vector<size_t> in_first, in_second;
  for (size_t p = 0; p < first.users.size(); ++p) {
    const int32_t row = second_users.find(first_users.text(first.users[p]));
    const auto found = std::ranges::lower_bound(second.users, row);
    if (row < 0 || found == second.users.end() || *found != row) continue;
    in_first.push_back(p);
    in_second.push_back(static_cast<size_t>(found - second.users.begin()));
  }
  Evaluation a = part_of(first, in_first), b = part_of(second, in_second);
  summarize(ctx, a, seed, intervals);
  summarize(ctx, b, seed, intervals);
  Comparison out{static_cast<int64_t>(in_first.size()), a.values, b.values, {}};
  std::vector<std::vector<double>> draws(a.metrics.size());
  if (intervals && out.users > 0) {
    draws = resampled(ctx, a, seed);
    const auto others = resampled(ctx, b, seed);
    for (size_t m = 0; m < draws.size(); ++m)
      for (size_t d = 0; d < draws[m].size(); ++d) draws[m][d] -= others[m][d];
  }
  for (size_t m = 0; m < draws.size(); ++m) {
    out.difference.push_back({a.values[m].mean - b.values[m].mean});
    set_interval(out.difference[m], std::move(draws[m]));
  }
  return out;
}

}  // namespace kindred
