// SPDX-License-Identifier: Apache-2.0
// The definitions; docs/evaluation.md says how other libraries differ.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "engine/core/error.hpp"
#include "engine/evaluate/evaluate.hpp"
#include "kernels/topk.hpp"

namespace kindred {
namespace {

constexpr std::pair<std::string_view, MetricKind> kNames[] = {
    {"recall", MetricKind::kRecall}, {"precision", MetricKind::kPrecision},
    {"hit", MetricKind::kHit},       {"ndcg", MetricKind::kNdcg},
    {"map", MetricKind::kMap},       {"mrr", MetricKind::kMrr},
    {"rmse", MetricKind::kRmse},     {"mae", MetricKind::kMae}};

}  // namespace

std::string MetricSpec::name() const {
  for (const auto& [name, named] : kNames)
    if (named == kind) return std::string(name) + (k > 0 ? "@" + std::to_string(k) : "");
  return "";
}

MetricSpec parse_metric(std::string_view text) {
  const size_t at = text.find('@');
  const std::string_view word = text.substr(0, at);
  const auto found = std::ranges::find(kNames, word, &std::pair<std::string_view, MetricKind>::first);
  if (found == std::end(kNames)) {
    std::vector<std::string> names;
    for (const auto& entry : kNames) names.emplace_back(entry.first);
    throw InputError("metric '" + printable(text) + "' is unknown" + did_you_mean(word, names));
  }
  MetricSpec spec{found->second, 0};
  const bool of_list = spec.kind != MetricKind::kRmse && spec.kind != MetricKind::kMae;
  if (of_list != (at != std::string_view::npos))
    throw InputError("metric '" + printable(text) + "': expected " + std::string(word) +
                     (of_list ? "@K, for example " + std::string(word) + "@20" : " without a list length"));
  if (of_list) {
    const std::string_view digits = text.substr(at + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), spec.k);
    if (error != std::errc() || end != digits.data() + digits.size() || spec.k < 1 || spec.k > kMaxTopK)
      throw InputError("metric '" + printable(text) + "': the list length is from 1 to " + std::to_string(kMaxTopK));
  }
  return spec;
}

double list_metric(const MetricSpec& metric, std::span<const float> hits, std::span<const float> ideal,
                   int64_t relevant) {
  const size_t k = std::min(hits.size(), static_cast<size_t>(metric.k));
  const auto found = static_cast<double>(
      std::count_if(hits.begin(), hits.begin() + static_cast<std::ptrdiff_t>(k), [](float gain) { return gain > 0; }));
  switch (metric.kind) {
    case MetricKind::kRecall:
      return found / static_cast<double>(relevant);
    case MetricKind::kPrecision:
      return found / metric.k;
    case MetricKind::kHit:
      return found > 0;
    case MetricKind::kMrr:
      for (size_t r = 0; r < k; ++r)
        if (hits[r] > 0) return 1 / static_cast<double>(r + 1);
      return 0;
    case MetricKind::kMap: {
      double sum = 0, so_far = 0;
      for (size_t r = 0; r < k; ++r)
        if (hits[r] > 0) sum += ++so_far / static_cast<double>(r + 1);
      return sum / static_cast<double>(std::min<int64_t>(metric.k, relevant));
    }
    case MetricKind::kNdcg: {
      const auto discounted = [](std::span<const float> gains, size_t most) {
        double sum = 0;
        for (size_t r = 0; r < std::min(most, gains.size()); ++r)
          sum += gains[r] / std::log2(static_cast<double>(r + 2));
        return sum;
      };
      const double best = discounted(ideal, static_cast<size_t>(metric.k));
      return best > 0 ? discounted(hits, k) / best : 0;
    }
    case MetricKind::kRmse:
    case MetricKind::kMae:
      break;
  }
  throw InvalidArgument("list_metric: " + metric.name() + " is no metric of a list");
}

}  // namespace kindred
