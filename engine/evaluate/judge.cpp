// SPDX-License-Identifier: Apache-2.0
#include "engine/evaluate/judge.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/evaluate/negatives.hpp"
#include "kernels/cpu/threads.hpp"
#include "kernels/philox.hpp"

namespace kindred {
namespace {

constexpr uint32_t kSampleStage = 20;
constexpr int64_t kUsersAChunk = 64;

/// Probabilities are kept this far from 0 and 1, or one wrong certainty would cost infinitely much.
constexpr double kSurest = std::numeric_limits<float>::epsilon();

}  // namespace

Judge::Judge(Context& ctx, const EvaluationData& data, const EvaluateOptions& options, ItemFacts facts)
    : ctx_(ctx), data_(data), options_(options), facts_(std::move(facts)) {
  out_.metrics = options.metrics;
  for (const auto& metric : out_.metrics) longest_ = std::max(longest_, metric.k);
  if (options.only_negatives) {
    out_.candidates = data.negatives != nullptr ? "/neg" : "/" + std::to_string(options.negatives) + "neg";
    candidate_.resize(static_cast<size_t>(facts_.items));
  }
  choose_users();
  const std::vector<double> zeros(out_.users.size());
  for (const auto& metric : out_.metrics) {
    const bool sums = metric.kind != MetricKind::kCoverage;
    out_.sums.push_back(sums ? zeros : std::vector<double>());
    out_.weights.push_back(out_.sums.back());
  }
  scratch_.resize(static_cast<size_t>(ctx.threads()));
  for (Scratch& scratch : scratch_) {
    scratch.gain_at.resize(static_cast<size_t>(facts_.items));
    if (wants(MetricKind::kCoverage)) scratch.first_rank.resize(static_cast<size_t>(facts_.items));
  }
}

bool Judge::wants(MetricScope scope) const {
  return std::ranges::any_of(out_.metrics, [&](const auto& metric) { return metric.scope() == scope; });
}
bool Judge::wants(MetricKind kind) const {
  return std::ranges::any_of(out_.metrics, [&](const auto& metric) { return metric.kind == kind; });
}

// ---- who and what

int64_t Judge::count_relevant(int32_t user) const {
  const HostCsr& m = data_.held_out.matrix;
  const auto u = static_cast<size_t>(user);
  int64_t count = data_.held_out.unknown.empty() ? 0 : data_.held_out.unknown[u];
  for (int64_t e = m.offsets[u]; e < m.offsets[u + 1]; ++e)
    count += m.value(e) >= options_.relevant_min && (!options_.gain_by_value || m.value(e) > 0);
  return count;
}

void Judge::relevant_of(int32_t user, Relevant& out) const {
  const HostCsr& m = data_.held_out.matrix;
  const auto u = static_cast<size_t>(user);
  out.items.clear();
  out.gains.clear();
  for (int64_t e = m.offsets[u]; e < m.offsets[u + 1]; ++e) {
    const float value = m.value(e);
    if (!(value >= options_.relevant_min) || (options_.gain_by_value && !(value > 0))) continue;
    out.items.push_back(m.indices[static_cast<size_t>(e)]);
    out.gains.push_back(options_.gain_by_value ? value : 1.f);
  }
  const int32_t unknown = data_.held_out.unknown.empty() ? 0 : data_.held_out.unknown[u];
  out.count = static_cast<int64_t>(out.items.size()) + unknown;
  out.ideal = out.gains;
  if (options_.gain_by_value)
    std::ranges::sort(out.ideal, std::greater<>());  // what an unknown item is worth is not known
  else
    out.ideal.insert(out.ideal.end(), static_cast<size_t>(unknown), 1.f);
}

void Judge::choose_users() {
  const HostCsr& held_out = data_.held_out.matrix;
  const bool pairs = wants(MetricScope::kPairs);
  for (int32_t u = 0; u < held_out.rows(); ++u)
    if (count_relevant(u) > 0 || (pairs && !held_out.row(u).empty())) out_.users.push_back(u);
  if (options_.users > 0 && static_cast<int64_t>(out_.users.size()) > options_.users) {
    // The users with the smallest keys: the same sample whatever the order of rows.
    const Philox philox{options_.seed, kSampleStage};
    const auto key = [&](int32_t user) {
      const auto draw = philox(static_cast<uint64_t>(user));
      return std::pair(uint64_t{draw[0]} << 32 | draw[1], user);
    };
    std::ranges::nth_element(out_.users, out_.users.begin() + options_.users, {}, key);
    out_.users.resize(static_cast<size_t>(options_.users));
    std::ranges::sort(out_.users);
  }
  for (size_t p = 0; p < out_.users.size(); ++p)
    if (count_relevant(out_.users[p]) > 0) ranked_.push_back(p);
  out_.users_with_relevant = static_cast<int64_t>(ranked_.size());
}

std::vector<int32_t> Judge::seen_by(int32_t user) const {
  std::vector<int32_t> out;
  for (const HostCsr* matrix : data_.seen) {
    if (matrix == nullptr || user >= matrix->rows()) continue;
    const auto row = matrix->row(user);
    out.insert(out.end(), row.begin(), row.end());
  }
  std::ranges::sort(out);
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

std::vector<int32_t> Judge::candidates_of(size_t position) {
  const int32_t user = out_.users[position];
  const auto held_out = data_.held_out.matrix.row(user);
  const std::vector<int32_t> seen = seen_by(user);
  std::vector<int32_t> negatives, all, out;
  if (data_.negatives != nullptr) {
    const auto given = data_.negatives->row(user);
    negatives.assign(given.begin(), given.end());
  } else {
    std::vector<int32_t> had;
    std::ranges::set_union(seen, held_out, std::back_inserter(had));
    negatives = draw_negatives(had, facts_.items, options_.negatives, options_.seed, user);
  }
  std::ranges::set_union(negatives, held_out, std::back_inserter(all));
  if (options_.filter_seen)
    std::ranges::set_difference(all, seen, std::back_inserter(out));
  else
    out = std::move(all);
  for (const int32_t item : out) candidate_[static_cast<size_t>(item)] = true;
  return out;
}

std::vector<int32_t> Judge::positives_of(size_t position) const {
  Relevant relevant;
  relevant_of(out_.users[position], relevant);
  if (!options_.filter_seen) return relevant.items;
  std::vector<int32_t> out;
  std::ranges::set_difference(relevant.items, seen_by(out_.users[position]), std::back_inserter(out));
  return out;
}

// ---- lists

/// Within equal scores items without gain come first. False where equal scores at the end of the list leave open
/// whether a relevant one would be among the first of the longest list.
bool Judge::find_hits(const ListRow& row, Scratch& scratch) const {
  scratch.hits.clear();
  const size_t length = row.items.size(), k = static_cast<size_t>(longest_);
  const auto gain = [&](size_t r) { return scratch.gain_at[static_cast<size_t>(row.items[r])]; };
  for (size_t begin = 0, end; begin < std::min(k, length); begin = end) {
    end = begin + 1;
    const bool last = end == length;
    if (last ? row.whole : row.scores[end] != row.scores[begin]) {  // no tie
      if (gain(begin) > 0) scratch.hits.push_back({static_cast<int>(end), gain(begin)});
      continue;
    }
    while (end < length && row.scores[end] == row.scores[begin]) ++end;
    scratch.tied.clear();
    for (size_t r = begin; r < end; ++r)
      if (gain(r) > 0) scratch.tied.push_back(gain(r));
    if (scratch.tied.empty()) continue;
    const size_t first = end - scratch.tied.size();
    if (end == length && !row.whole) {  // more items of this score may follow, each of which goes before the hits
      if (first < k) return false;
      continue;
    }
    std::ranges::sort(scratch.tied);
    for (size_t t = 0; t < scratch.tied.size() && first + t < k; ++t)
      scratch.hits.push_back({static_cast<int>(first + t) + 1, scratch.tied[t]});
  }
  return true;
}

double Judge::novelty(std::span<const int32_t> items) const {
  double sum = 0;
  for (const int32_t item : items) {
    const auto had_by = static_cast<double>(std::max<int64_t>(1, facts_.had_by[static_cast<size_t>(item)]));
    sum -= std::log2(had_by / static_cast<double>(facts_.users));
  }
  return sum / static_cast<double>(items.size());
}

/// The cosines of all pairs of n unit vectors add up to |their sum|^2 - n.
double Judge::diversity(std::span<const int32_t> items, std::vector<double>& sum) const {
  double cosines = 0;
  const auto n = static_cast<double>(items.size());
  if (facts_.tags == nullptr) {
    sum.assign(static_cast<size_t>(facts_.unit_vectors.cols), 0);
    for (const int32_t item : items) {
      const auto vector = facts_.unit_vectors.row(item);
      for (size_t c = 0; c < sum.size(); ++c) sum[c] += vector[c];
      for (const float v : vector) cosines -= double{v} * v;
    }
  } else {
    sum.assign(static_cast<size_t>(facts_.tags->cols), 0);
    for (const int32_t item : items) {
      const auto tags = facts_.tags->row(item);
      for (const int32_t tag : tags) sum[static_cast<size_t>(tag)] += 1 / std::sqrt(static_cast<double>(tags.size()));
      cosines -= !tags.empty();
    }
  }
  for (const double s : sum) cosines += s * s;
  return 1 - cosines / (n * (n - 1));
}

bool Judge::take_list(size_t position, const ListRow& row, Scratch& scratch) {
  relevant_of(out_.users[position], scratch.relevant);
  const Relevant& relevant = scratch.relevant;
  for (size_t i = 0; i < relevant.items.size(); ++i)
    scratch.gain_at[static_cast<size_t>(relevant.items[i])] = relevant.gains[i];
  const bool decided = find_hits(row, scratch);
  for (const int32_t item : relevant.items) scratch.gain_at[static_cast<size_t>(item)] = 0;
  if (!decided) return false;

  for (size_t m = 0; m < out_.metrics.size(); ++m) {
    const MetricSpec& metric = out_.metrics[m];
    const auto top = row.items.subspan(0, std::min(row.items.size(), static_cast<size_t>(metric.k)));
    if (metric.scope() == MetricScope::kHits)
      set(m, position, list_metric(metric, scratch.hits, relevant.ideal, relevant.count), 1);
    else if (metric.kind == MetricKind::kNovelty && !top.empty())
      set(m, position, novelty(top), 1);
    else if (metric.kind == MetricKind::kDiversity && top.size() > 1)
      set(m, position, diversity(top, scratch.sum), 1);
  }
  if (!scratch.first_rank.empty()) {
    const size_t most = std::min(row.items.size(), static_cast<size_t>(longest_));
    for (size_t r = 0; r < most; ++r) {
      int32_t& first = scratch.first_rank[static_cast<size_t>(row.items[r])];
      const auto rank = static_cast<int32_t>(r) + 1;
      if (first == 0 || rank < first) first = rank;
    }
  }
  return true;
}

std::vector<size_t> Judge::take_lists(std::span<const size_t> positions, const Rows& rows) {
  std::vector<char> open(positions.size());
  cpu::parallel_for(ctx_, static_cast<int64_t>(positions.size()), kUsersAChunk,
                    [&](int64_t begin, int64_t end, int thread) {
                      for (auto q = static_cast<size_t>(begin); q < static_cast<size_t>(end); ++q)
                        open[q] = !take_list(positions[q], rows(q), scratch_[static_cast<size_t>(thread)]);
                    });
  std::vector<size_t> out;
  for (size_t q = 0; q < open.size(); ++q)
    if (open[q]) out.push_back(q);
  return out;
}

void Judge::finish_coverage(size_t metric) {
  int64_t listed = 0, candidates = facts_.items;
  for (size_t i = 0; i < static_cast<size_t>(facts_.items); ++i)
    listed += std::ranges::any_of(scratch_, [&](const Scratch& scratch) {
      return scratch.first_rank[i] > 0 && scratch.first_rank[i] <= out_.metrics[metric].k;
    });
  if (!candidate_.empty()) candidates = std::ranges::count(candidate_, true);
  out_.values[metric].mean = candidates > 0 ? static_cast<double>(listed) / static_cast<double>(candidates) : 0;
}

// ---- candidates

void Judge::take_positives(std::vector<float> scores) {
  positives_ = std::move(scores);
  sorted_positives_ = positives_;
  std::ranges::sort(sorted_positives_);
  above_.assign(out_.users.size(), 0);
  negatives_.assign(out_.users.size(), 0);
  for (Scratch& scratch : scratch_) scratch.halves.assign(sorted_positives_.size() + 1, 0);
}

void Judge::take_order(size_t position, const ListRow& row, Scratch& scratch) {
  const int32_t user = out_.users[position];
  relevant_of(user, scratch.relevant);
  std::vector<int32_t> marked = scratch.relevant.items;
  for (const int32_t item : marked) scratch.gain_at[static_cast<size_t>(item)] = 1;
  if (options_.filter_seen)
    for (const int32_t item : seen_by(user)) scratch.gain_at[static_cast<size_t>(item)] = -1, marked.push_back(item);

  std::vector<float> positives;
  for (size_t i = 0; i < row.items.size(); ++i)
    if (scratch.gain_at[static_cast<size_t>(row.items[i])] > 0) positives.push_back(row.scores[i]);
  std::ranges::sort(positives);
  // Twice the number of positives above a score, equal ones once.
  const auto above = [](const std::vector<float>& sorted, std::ptrdiff_t low, std::ptrdiff_t high) {
    return 2 * std::ssize(sorted) - low - high;
  };
  const bool global = !scratch.halves.empty();
  int64_t own = 0, all = 0, negatives = 0;
  for (size_t i = 0; i < row.items.size(); ++i) {
    if (scratch.gain_at[static_cast<size_t>(row.items[i])] != 0) continue;
    ++negatives;
    const auto [low, high] = std::equal_range(positives.begin(), positives.end(), row.scores[i]);
    own += above(positives, low - positives.begin(), high - positives.begin());
    if (!global) continue;
    const auto range = std::equal_range(sorted_positives_.begin(), sorted_positives_.end(), row.scores[i]);
    const auto first = range.first - sorted_positives_.begin(), last = range.second - sorted_positives_.begin();
    all += above(sorted_positives_, first, last);
    ++scratch.halves[static_cast<size_t>(first)], ++scratch.halves[static_cast<size_t>(last)];
  }
  for (const int32_t item : marked) scratch.gain_at[static_cast<size_t>(item)] = 0;

  const double pairs = static_cast<double>(scratch.relevant.count) * static_cast<double>(negatives);
  for (size_t m = 0; m < out_.metrics.size(); ++m)
    if (out_.metrics[m].kind == MetricKind::kAuc && negatives > 0)
      set(m, position, static_cast<double>(own) / 2 / pairs, 1);
  if (global) above_[position] = static_cast<double>(all) / 2, negatives_[position] = negatives;
}

void Judge::take_candidates(std::span<const size_t> positions, const Rows& rows) {
  cpu::parallel_for(ctx_, static_cast<int64_t>(positions.size()), 1, [&](int64_t begin, int64_t end, int thread) {
    for (auto q = static_cast<size_t>(begin); q < static_cast<size_t>(end); ++q)
      take_order(positions[q], rows(q), scratch_[static_cast<size_t>(thread)]);
  });
}

/// The pooled AUC is A / (P N): of all pairs of a positive and a negative those in order. It is no mean over users, as
/// either may be of any user. Its interval comes from the first-order effect of drawing a user w times instead of once,
/// (w - 1) (A_u + B_u - AUC (P_u N + N_u P)) / (P N), where A_u are the user's positives' pairs in order and B_u the
/// negatives'; these effects add up to 0, so that AUC + n effect is a value for each of n users whose mean is the AUC.
void Judge::finish_auc_global(size_t metric) {
  std::vector<int64_t> halves(sorted_positives_.size() + 1);
  for (const Scratch& scratch : scratch_)
    for (size_t p = 0; p < scratch.halves.size(); ++p) halves[p] += scratch.halves[p];
  std::partial_sum(halves.begin(), halves.end(), halves.begin());  // [p]: twice the negatives below positive p

  const size_t users = out_.users.size();
  std::vector<double> own(users), relevant(users);
  double in_order = 0, positives = 0, negatives = 0;
  size_t at = 0;
  for (const size_t position : ranked_) {
    for (size_t left = positives_of(position).size(); left > 0; --left, ++at) {
      const auto place = std::ranges::lower_bound(sorted_positives_, positives_[at]) - sorted_positives_.begin();
      own[position] += static_cast<double>(halves[static_cast<size_t>(place)]) / 2;
    }
    relevant[position] = static_cast<double>(count_relevant(out_.users[position]));
    in_order += own[position], positives += relevant[position];
    negatives += static_cast<double>(negatives_[position]);
  }
  if (negatives == 0) return;
  const double pairs = positives * negatives, auc = in_order / pairs;
  for (const size_t position : ranked_) {
    const double effect =
        own[position] + above_[position] -
        auc * (relevant[position] * negatives + static_cast<double>(negatives_[position]) * positives);
    set(metric, position, auc + static_cast<double>(ranked_.size()) * effect / pairs, 1);
  }
}

// ---- pairs

void Judge::take_pairs(size_t begin, size_t end, std::span<const float> scores) {
  const HostCsr& held_out = data_.held_out.matrix;
  size_t at = 0;
  for (size_t position = begin; position < end; ++position) {
    const auto user = static_cast<size_t>(out_.users[position]);
    double squares = 0, distances = 0, surprise = 0;
    for (int64_t e = held_out.offsets[user]; e < held_out.offsets[user + 1]; ++e, ++at) {
      const double value = held_out.value(e), error = double{scores[at]} - value;
      squares += error * error;
      distances += std::abs(error);
      const bool relevant = value > 0 && value >= options_.relevant_min;
      surprise -= std::log(std::max(kSurest, relevant ? double{scores[at]} : 1 - double{scores[at]}));
    }
    const auto count = static_cast<double>(held_out.offsets[user + 1] - held_out.offsets[user]);
    for (size_t m = 0; m < out_.metrics.size(); ++m) {
      const MetricKind kind = out_.metrics[m].kind;
      if (kind == MetricKind::kRmse) set(m, position, squares, count);
      if (kind == MetricKind::kMae) set(m, position, distances, count);
      if (kind == MetricKind::kLogloss) set(m, position, surprise, count);
    }
  }
}

Evaluation Judge::finish() {
  out_.values.resize(out_.metrics.size());
  for (size_t m = 0; m < out_.metrics.size(); ++m) {
    if (out_.metrics[m].kind == MetricKind::kCoverage) finish_coverage(m);
    if (out_.metrics[m].kind == MetricKind::kAucGlobal) finish_auc_global(m);
  }
  return std::move(out_);
}

}  // namespace kindred
