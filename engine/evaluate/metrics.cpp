// SPDX-License-Identifier: Apache-2.0
// The definitions; docs/evaluation.md says how other libraries differ.
#include "engine/evaluate/metrics.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "engine/core/error.hpp"
#include "kernels/topk.hpp"

namespace kindred {
namespace {

struct Named {
  std::string_view name;
  MetricKind kind;
  MetricScope scope;
};

constexpr Named kMetrics[] = {{"precision", MetricKind::kPrecision, MetricScope::kHits},
                              {"recall", MetricKind::kRecall, MetricScope::kHits},
                              {"hit", MetricKind::kHit, MetricScope::kHits},
                              {"ndcg", MetricKind::kNdcg, MetricScope::kHits},
                              {"map", MetricKind::kMap, MetricScope::kHits},
                              {"mrr", MetricKind::kMrr, MetricScope::kHits},
                              {"coverage", MetricKind::kCoverage, MetricScope::kItems},
                              {"novelty", MetricKind::kNovelty, MetricScope::kItems},
                              {"diversity", MetricKind::kDiversity, MetricScope::kItems},
                              {"auc", MetricKind::kAuc, MetricScope::kCandidates},
                              {"auc_global", MetricKind::kAucGlobal, MetricScope::kCandidates},
                              {"rmse", MetricKind::kRmse, MetricScope::kPairs},
                              {"mae", MetricKind::kMae, MetricScope::kPairs},
                              {"logloss", MetricKind::kLogloss, MetricScope::kPairs}};

const Named& named(MetricKind kind) { return *std::ranges::find(kMetrics, kind, &Named::kind); }

/// 1 / log2(rank + 1).
double discount(int rank) {
  static const auto table = [] {
    std::array<double, kMaxTopK + 1> out{};
    for (int r = 1; r <= kMaxTopK; ++r) out[static_cast<size_t>(r)] = 1 / std::log2(r + 1.0);
    return out;
  }();
  return table[static_cast<size_t>(rank)];
}

}  // namespace

std::string MetricSpec::name() const { return std::string(named(kind).name) + (k > 0 ? "@" + std::to_string(k) : ""); }

MetricScope MetricSpec::scope() const { return named(kind).scope; }

MetricSpec parse_metric(std::string_view text) {
  const size_t at = text.find('@');
  const std::string_view word = text.substr(0, at);
  const auto* found = std::ranges::find(kMetrics, word, &Named::name);
  if (found == std::end(kMetrics)) {
    std::vector<std::string> names;
    for (const auto& metric : kMetrics) names.emplace_back(metric.name);
    throw InputError("metric '" + printable(text) + "' is unknown" + did_you_mean(word, names));
  }
  MetricSpec spec{found->kind, 0};
  const bool of_list = found->scope == MetricScope::kHits || found->scope == MetricScope::kItems;
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

std::string objection(const MetricSpec& metric, bool values, bool probabilities, bool likeness) {
  switch (metric.kind) {
    case MetricKind::kRmse:
    case MetricKind::kMae:
      return values ? "" : metric.name() + " needs a model that predicts values";
    case MetricKind::kLogloss:
      return probabilities ? "" : "logloss needs a model whose scores are probabilities";
    case MetricKind::kDiversity:
      return likeness ? "" : metric.name() + " needs vectors or tags of the items";
    default:
      return "";
  }
}

double list_metric(const MetricSpec& metric, std::span<const Hit> hits, std::span<const float> ideal,
                   int64_t relevant) {
  const auto end = std::ranges::upper_bound(hits, metric.k, {}, &Hit::rank);
  const std::span<const Hit> top(hits.begin(), end);
  switch (metric.kind) {
    case MetricKind::kRecall:
      return static_cast<double>(top.size()) / static_cast<double>(relevant);
    case MetricKind::kPrecision:
      return static_cast<double>(top.size()) / metric.k;
    case MetricKind::kHit:
      return top.empty() ? 0 : 1;
    case MetricKind::kMrr:
      return top.empty() ? 0 : 1.0 / top[0].rank;
    case MetricKind::kMap: {
      double sum = 0, so_far = 0;
      for (const Hit& hit : top) sum += ++so_far / hit.rank;
      return sum / static_cast<double>(std::min<int64_t>(metric.k, relevant));
    }
    case MetricKind::kNdcg: {
      double sum = 0, best = 0;
      for (const Hit& hit : top) sum += hit.gain * discount(hit.rank);
      const int most = static_cast<int>(std::min<size_t>(static_cast<size_t>(metric.k), ideal.size()));
      for (int r = 1; r <= most; ++r) best += ideal[static_cast<size_t>(r - 1)] * discount(r);
      return best > 0 ? sum / best : 0;
    }
    default:
      throw InvalidArgument("list_metric: " + metric.name() + " is no metric of hits");
  }
}

}  // namespace kindred
