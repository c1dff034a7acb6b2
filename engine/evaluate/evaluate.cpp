// SPDX-License-Identifier: Apache-2.0
// One pass over the users: lists of the longest k give every list metric, scores of the held-out pairs give rmse and
// mae.
#include "engine/evaluate/evaluate.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/philox.hpp"
#include "kernels/topk.hpp"

namespace kindred {
namespace {

constexpr uint32_t kSampleStage = 20, kBootstrapStage = 21;
constexpr int kBootstrapDraws = 1000;
constexpr size_t kBatch = 4096;  // users whose lists are held at a time

/// A user's relevant held-out items, ascending, with their gains; and how many there are, unknown ones included.
struct Relevant {
  std::vector<int32_t> items;
  std::vector<float> gains, ideal;
  int64_t count = 0;
};

Relevant relevant_of(const HeldOut& held_out, int32_t user, const EvaluateOptions& options) {
  Relevant out;
  const auto& m = held_out.matrix;
  for (int64_t e = m.offsets[static_cast<size_t>(user)]; e < m.offsets[static_cast<size_t>(user) + 1]; ++e) {
    const float value = m.value(e);
    if (value < options.relevant_min || (options.gain_by_value && !(value > 0))) continue;
    out.items.push_back(m.indices[static_cast<size_t>(e)]);
    out.gains.push_back(options.gain_by_value ? value : 1.f);
  }
  out.ideal = out.gains;
  const int32_t unknown = held_out.unknown.empty() ? 0 : held_out.unknown[static_cast<size_t>(user)];
  if (!options.gain_by_value) out.ideal.insert(out.ideal.end(), static_cast<size_t>(unknown), 1.f);
  std::ranges::sort(out.ideal, std::greater<>());
  out.count = static_cast<int64_t>(out.items.size()) + unknown;
  return out;
}

/// Users with something relevant held out; a sample of them by the seed where `most` is above 0.
std::vector<int32_t> users_to_evaluate(const HeldOut& held_out, const EvaluateOptions& options) {
  std::vector<int32_t> users;
  for (int64_t u = 0; u < held_out.matrix.rows(); ++u)
    if (relevant_of(held_out, static_cast<int32_t>(u), options).count > 0) users.push_back(static_cast<int32_t>(u));
  if (options.users > 0 && static_cast<int64_t>(users.size()) > options.users) {
    // The users with the smallest keys: the same sample whatever the order of rows.
    const Philox philox{options.seed, kSampleStage};
    const auto key = [&](int32_t user) {
      const auto draw = philox(static_cast<uint64_t>(user));
      return std::pair(uint64_t{draw[0]} << 32 | draw[1], user);
    };
    std::ranges::nth_element(users, users.begin() + options.users, {}, key);
    users.resize(static_cast<size_t>(options.users));
    std::ranges::sort(users);
  }
  return users;
}

/// The gains of a list of which the first k count. Within equal scores items without gain come first; false where equal
/// scores at the end of the list leave open whether a relevant one would be among the first k.
bool gains_of(std::span<const int32_t> items, std::span<const float> scores, const Relevant& relevant, size_t k,
              std::vector<float>& gains) {
  gains.assign(items.size(), 0.f);
  size_t length = 0;
  while (length < items.size() && items[length] >= 0) ++length;
  const bool complete = length < items.size();  // there are no more candidates
  for (size_t begin = 0, end; begin < length; begin = end) {
    for (end = begin + 1; end < length && scores[end] == scores[begin];) ++end;
    std::vector<float> hits;
    for (size_t r = begin; r < end; ++r) {
      const auto at = std::ranges::lower_bound(relevant.items, items[r]);
      if (at != relevant.items.end() && *at == items[r])
        hits.push_back(relevant.gains[static_cast<size_t>(at - relevant.items.begin())]);
    }
    std::ranges::sort(hits);
    const size_t others = end - begin - hits.size();
    if (end == length && !complete) {  // more items of this score may follow, each of which goes before the hits
      if (!hits.empty() && begin + others < k) return false;
      hits.clear();
    }
    std::ranges::copy(hits, gains.begin() + static_cast<std::ptrdiff_t>(begin + others));
  }
  gains.resize(std::min(k, items.size()));
  return true;
}

/// The same for one user whose ties the list of a batch leaves open: the list goes on, page by page, each without what
/// the pages before it held, until the ties are decided.
void decide_ties(Recommender& recommender, int32_t user, const Exclusions& exclude, const Relevant& relevant, size_t k,
                 std::vector<float>& gains) {
  std::vector<int32_t> items;
  std::vector<float> scores;
  do {
    HostCsr listed;  // in this user's row; nothing in those before it
    listed.offsets.assign(static_cast<size_t>(user) + 1, 0);
    listed.offsets.push_back(static_cast<int64_t>(items.size()));
    listed.indices = items;
    std::ranges::sort(listed.indices);
    Exclusions both = exclude;
    both.matrices.push_back(&listed);
    const TopK page = recommender.for_users({&user, 1}, kMaxTopK, both);
    items.insert(items.end(), page.items.begin(), page.items.end());
    scores.insert(scores.end(), page.scores.begin(), page.scores.end());
  } while (!gains_of(items, scores, relevant, k, gains));
}

std::vector<MetricValue> summarize(const Evaluation& evaluation, const EvaluateOptions& options,
                                   const std::vector<std::vector<double>>& sums, const std::vector<double>& weights) {
  const size_t users = evaluation.users.size(), metrics = evaluation.metrics.size();
  // A metric's mean is sum / weight over users: weight 1 for lists, the number of pairs for rmse and mae.
  const auto mean = [&](size_t m, double sum, double weight, double count) {
    const MetricKind kind = evaluation.metrics[m].kind;
    if (kind == MetricKind::kRmse) return std::sqrt(sum / std::max(1.0, weight));
    return sum / (kind == MetricKind::kMae ? std::max(1.0, weight) : count);
  };
  std::vector<MetricValue> out(metrics);
  const double pairs = std::accumulate(weights.begin(), weights.end(), 0.0);
  for (size_t m = 0; m < metrics; ++m) {
    const double sum = std::accumulate(sums[m].begin(), sums[m].end(), 0.0);
    out[m].mean = out[m].low = out[m].high = users > 0 ? mean(m, sum, pairs, static_cast<double>(users)) : 0;
  }
  if (!options.intervals || users == 0) return out;

  std::vector<std::vector<double>> draws(metrics, std::vector<double>(kBootstrapDraws));
  const Philox philox{options.seed, kBootstrapStage};
  std::vector<double> sum(metrics);
  for (int draw = 0; draw < kBootstrapDraws; ++draw) {
    std::ranges::fill(sum, 0.0);
    double weight = 0;
    for (size_t u = 0; u < users; u += 4) {
      const auto four = philox(u / 4, static_cast<uint32_t>(draw));
      for (size_t l = 0; l < std::min<size_t>(4, users - u); ++l) {
        const auto who = static_cast<size_t>(uint64_t{four[l]} * users >> 32);
        for (size_t m = 0; m < metrics; ++m) sum[m] += sums[m][who];
        weight += weights[who];
      }
    }
    for (size_t m = 0; m < metrics; ++m)
      draws[m][static_cast<size_t>(draw)] = mean(m, sum[m], weight, static_cast<double>(users));
  }
  for (size_t m = 0; m < metrics; ++m) {
    std::ranges::sort(draws[m]);
    out[m].low = draws[m][kBootstrapDraws / 40];
    out[m].high = draws[m][kBootstrapDraws - 1 - kBootstrapDraws / 40];
  }
  return out;
}

}  // namespace

Evaluation evaluate(Context& ctx, const FittedModel& model, const std::vector<const HostCsr*>& seen,
                    const HeldOut& held_out, const EvaluateOptions& options) {
  Evaluation out;
  out.metrics = options.metrics;
  out.users = users_to_evaluate(held_out, options);
  out.per_user.assign(out.metrics.size(), std::vector<double>(out.users.size()));
  std::vector<std::vector<double>> sums(out.metrics.size(), std::vector<double>(out.users.size()));
  std::vector<double> weights(out.users.size(), 1.0);

  int longest = 0;
  bool pairs = false;
  for (const auto& metric : out.metrics) longest = std::max(longest, metric.k), pairs = pairs || metric.k == 0;
  Recommender recommender(ctx, model);
  const Exclusions exclude{options.filter_seen ? seen : std::vector<const HostCsr*>{}};

  for (size_t begin = 0; begin < out.users.size() && longest > 0; begin += kBatch) {
    const auto users = std::span(out.users).subspan(begin, std::min(kBatch, out.users.size() - begin));
    const TopK lists = recommender.for_users(users, longest, exclude);
    std::vector<float> gains;
    for (size_t q = 0; q < users.size(); ++q) {
      const Relevant relevant = relevant_of(held_out, users[q], options);
      const auto k = static_cast<size_t>(longest);
      if (!gains_of(lists.row(static_cast<int64_t>(q)), lists.row_scores(static_cast<int64_t>(q)), relevant, k, gains))
        decide_ties(recommender, users[q], exclude, relevant, k, gains);
      for (size_t m = 0; m < out.metrics.size(); ++m)
        if (out.metrics[m].k > 0)
          out.per_user[m][begin + q] = sums[m][begin + q] =
              list_metric(out.metrics[m], gains, relevant.ideal, relevant.count);
    }
  }
  if (pairs) {
    for (size_t begin = 0; begin < out.users.size(); begin += kBatch) {
      const size_t end = std::min(out.users.size(), begin + kBatch);
      std::vector<int32_t> who, what;
      for (size_t u = begin; u < end; ++u)
        for (const int32_t item : held_out.matrix.row(out.users[u])) who.push_back(out.users[u]), what.push_back(item);
      const std::vector<float> scores = recommender.score(who, what);
      size_t at = 0;
      for (size_t u = begin; u < end; ++u) {
        const int64_t first = held_out.matrix.offsets[static_cast<size_t>(out.users[u])];
        const auto count = static_cast<int64_t>(held_out.matrix.row(out.users[u]).size());
        double squares = 0, distances = 0;
        for (int64_t e = 0; e < count; ++e, ++at) {
          const double error = double{scores[at]} - held_out.matrix.value(first + e);
          squares += error * error;
          distances += std::abs(error);
        }
        weights[u] = static_cast<double>(count);
        for (size_t m = 0; m < out.metrics.size(); ++m) {
          if (out.metrics[m].k > 0) continue;
          const bool rmse = out.metrics[m].kind == MetricKind::kRmse;
          sums[m][u] = rmse ? squares : distances;
          const double n = std::max<double>(1, weights[u]);
          out.per_user[m][u] = rmse ? std::sqrt(squares / n) : distances / n;
        }
      }
    }
  }
  out.values = summarize(out, options, sums, weights);
  return out;
}

}  // namespace kindred
