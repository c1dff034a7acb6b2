// SPDX-License-Identifier: Apache-2.0
// Lists, candidates and pairs are brought to the judge: from a model by asking it, from lists by looking them up.
#include "engine/evaluate/evaluate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/core/error.hpp"
#include "engine/core/interrupt.hpp"
#include "engine/evaluate/bootstrap.hpp"
#include "engine/evaluate/judge.hpp"
#include "engine/recommend/fold_in.hpp"
#include "engine/recommend/neighbor_scores.hpp"
#include "kernels/topk.hpp"

namespace kindred {
namespace {

constexpr size_t kBatch = 4096;             // users whose lists are held at a time
constexpr size_t kPairs = size_t{4} << 20;  // scores that are held at a time

/// Scores of pairs of rows.
using Score = std::function<std::vector<float>(std::span<const int32_t> users, std::span<const int32_t> items)>;

/// Calls body(positions) for batches of ranked users.
template <class Body>
void for_batches(const Judge& judge, size_t batch, const Body& body) {
  const auto ranked = judge.ranked();
  for (size_t begin = 0; begin < ranked.size(); begin += batch) {
    check_interrupt();
    body(ranked.subspan(begin, std::min(batch, ranked.size() - begin)));
  }
}

/// Some items for each of a batch of users, with their scores.
struct Scored {
  std::vector<size_t> offsets{0};
  std::vector<int32_t> users, items;
  std::vector<float> scores;

  void add(int32_t user, std::span<const int32_t> of_user) {
    users.insert(users.end(), of_user.size(), user);
    items.insert(items.end(), of_user.begin(), of_user.end());
    offsets.push_back(items.size());
  }
  ListRow row(size_t q) const {
    const size_t begin = offsets[q], count = offsets[q + 1] - begin;
    return {std::span(items).subspan(begin, count), std::span(scores).subspan(begin, count), true};
  }
  /// Each user's items by (score descending, item ascending).
  void sort() {
    std::vector<std::pair<float, int32_t>> order;
    for (size_t q = 0; q + 1 < offsets.size(); ++q) {
      order.clear();
      for (size_t e = offsets[q]; e < offsets[q + 1]; ++e) order.emplace_back(-scores[e], items[e]);
      std::ranges::sort(order);
      for (size_t e = offsets[q]; const auto& [negative, item] : order) scores[e] = -negative, items[e++] = item;
    }
  }
};

void bring_pairs(Judge& judge, const HostCsr& held_out, const Score& score) {
  const auto users = judge.users();
  for (size_t begin = 0; begin < users.size(); begin += kBatch) {
    check_interrupt();
    const size_t end = std::min(users.size(), begin + kBatch);
    Scored pairs;
    for (size_t u = begin; u < end; ++u) pairs.add(users[u], held_out.row(users[u]));
    judge.take_pairs(begin, end, score(pairs.users, pairs.items));
  }
}

void bring_positives(Judge& judge, const Score& score) {
  std::vector<float> all;
  for_batches(judge, kBatch, [&](std::span<const size_t> positions) {
    Scored pairs;
    for (const size_t p : positions) pairs.add(judge.users()[p], judge.positives_of(p));
    const auto scores = score(pairs.users, pairs.items);
    all.insert(all.end(), scores.begin(), scores.end());
  });
  judge.take_positives(std::move(all));
}

/// Negatives and held-out items: their order is all there is to judge.
void bring_candidates(Judge& judge, const Score& score, bool lists) {
  for_batches(judge, kBatch, [&](std::span<const size_t> positions) {
    Scored candidates;
    for (const size_t p : positions) candidates.add(judge.users()[p], judge.candidates_of(p));
    candidates.scores = score(candidates.users, candidates.items);
    candidates.sort();
    const auto rows = [&](size_t q) { return candidates.row(q); };
    if (lists) judge.take_lists(positions, rows);
    if (judge.wants(MetricScope::kCandidates)) judge.take_candidates(positions, rows);
  });
}

// ---- models

ItemFacts facts_of(const FittedModel& model, const EvaluationData& data, const EvaluateOptions& options) {
  ItemFacts facts{.items = model.num_items(), .had_by = model.item_count, .users = model.num_users()};
  if (std::ranges::none_of(options.metrics, [](auto m) { return m.kind == MetricKind::kDiversity; })) return facts;
  if (const auto* factors = std::get_if<Factors>(&model.scorer)) {
    facts.unit_vectors = factors->items;
    for (int64_t i = 0; i < facts.unit_vectors.rows; ++i) {
      const auto row = facts.unit_vectors.row(i);
      const double length = std::sqrt(std::inner_product(row.begin(), row.end(), row.begin(), 0.0));
      for (float& v : row) v = length > 0 ? static_cast<float>(v / length) : 0;
    }
  } else if (data.catalogue != nullptr && data.catalogue->tags.rows() > 0) {
    facts.tags = &data.catalogue->tags;
  }
  return facts;
}

/// The model with the rows of those users whose histories are only given for the evaluation: folded in.
FittedModel with_given(Context& ctx, const FittedModel& model, const HostCsr& history, const HostCsr& given) {
  FittedModel out = model;
  HostCsr histories;
  histories.cols = given.cols;
  std::vector<int32_t> users;
  for (int64_t u = 0; u < given.rows(); ++u) {
    const auto items = given.row(u);
    if (items.empty()) continue;
    users.push_back(static_cast<int32_t>(u));
    histories.indices.insert(histories.indices.end(), items.begin(), items.end());
    const auto values = given.row_values(u);
    histories.values.insert(histories.values.end(), values.begin(), values.end());
    histories.offsets.push_back(histories.nnz());
  }
  const std::vector<UserScale> scales = scales_of(model, histories);
  for (size_t q = 0; q < users.size(); ++q) {
    if (!out.user_offset.empty()) out.user_offset[static_cast<size_t>(users[q])] = scales[q].offset;
    if (!out.user_scale.empty()) out.user_scale[static_cast<size_t>(users[q])] = scales[q].scale;
  }
  if (auto* neighbors = std::get_if<Neighbors>(&out.scorer)) {
    out.history = replace_rows(history, users, histories);
    if (neighbors->of == NeighborsOf::kItems) return out;
    neighbors->weights =
        replace_rows(neighbors->weights, users, fold_in_neighbors(ctx, model, history, histories).weights);
    neighbors->similarity.clear();
    return out;
  }
  auto* factors = std::get_if<Factors>(&out.scorer);
  if (factors == nullptr) return out;
  const FoldedIn folded = fold_in_rows(ctx, model, histories);
  for (size_t q = 0; q < users.size(); ++q) {
    std::ranges::copy(folded.factors.row(static_cast<int64_t>(q)), factors->users.row(users[q]).begin());
    if (!folded.bias.empty()) factors->user_bias[static_cast<size_t>(users[q])] = folded.bias[q];
  }
  return out;
}

void check_sense(const FittedModel& model, const EvaluationData& data, const EvaluateOptions& options) {
  const bool tags = data.catalogue != nullptr && data.catalogue->tags.rows() > 0;
  for (const auto& metric : options.metrics) {
    const auto reason = objection(metric, model.predicts_values, model.link == Link::kSigmoid,
                                  tags || std::holds_alternative<Factors>(model.scorer));
    if (!reason.empty()) throw InputError(fmt::format("{}; '{}' is none", reason, model.model));
  }
}

/// A list whose ties are open goes on, page by page, each without what the pages before it held, until they are
/// decided.
void bring_longer_list(Judge& judge, Recommender& recommender, size_t position, const Filters& exclude) {
  const int32_t user = judge.users()[position];
  std::vector<int32_t> items;
  std::vector<float> scores;
  bool whole = false;
  do {
    HostCsr listed;  // in this user's row; nothing in those before it
    listed.offsets.assign(static_cast<size_t>(user) + 1, 0);
    listed.offsets.push_back(static_cast<int64_t>(items.size()));
    listed.indices = items;
    std::ranges::sort(listed.indices);
    Filters both = exclude;
    both.excluded.push_back(&listed);
    const TopK page = recommender.for_users({&user, 1}, kMaxTopK, both);
    const auto end = std::ranges::find(page.items, -1);
    whole = end != page.items.end();
    items.insert(items.end(), page.items.begin(), end);
    scores.insert(scores.end(), page.scores.begin(), page.scores.begin() + (end - page.items.begin()));
  } while (!judge.take_lists({&position, 1}, [&](size_t) { return ListRow{items, scores, whole}; }).empty());
}

void bring_lists(Judge& judge, Recommender& recommender, const Filters& exclude) {
  for_batches(judge, kBatch, [&](std::span<const size_t> positions) {
    std::vector<int32_t> users;
    for (const size_t p : positions) users.push_back(judge.users()[p]);
    const TopK lists = recommender.for_users(users, judge.longest(), exclude);
    const auto open = judge.take_lists(positions, [&](size_t q) {
      const auto items = lists.row(static_cast<int64_t>(q));
      const auto length = static_cast<size_t>(std::ranges::find(items, -1) - items.begin());
      return ListRow{items.subspan(0, length), lists.row_scores(static_cast<int64_t>(q)).subspan(0, length),
                     length < items.size()};
    });
    for (const size_t q : open) bring_longer_list(judge, recommender, positions[q], exclude);
  });
}

/// visit(positions, scores of every item for the users there) for batches of ranked users.
template <class Visit>
void for_all_scores(const Judge& judge, Recommender& recommender, int64_t items, const Visit& visit) {
  for_batches(judge, std::max<size_t>(1, kPairs / static_cast<size_t>(std::max<int64_t>(1, items))),
              [&](std::span<const size_t> positions) {
                std::vector<int32_t> users;
                for (const size_t p : positions) users.push_back(judge.users()[p]);
                visit(positions, recommender.score_all(users));
              });
}

/// Every item's score for every user; what was seen is passed over by the judge. Positives are scored in the same way:
/// they are held against the other items' scores, where the last bit decides.
void bring_all_scores(Judge& judge, Recommender& recommender, int64_t items) {
  if (judge.wants(MetricKind::kAucGlobal)) {
    std::vector<float> positives;
    for_all_scores(judge, recommender, items, [&](std::span<const size_t> positions, const HostMatrix& scores) {
      for (size_t q = 0; q < positions.size(); ++q)
        for (const int32_t item : judge.positives_of(positions[q]))
          positives.push_back(scores.row(static_cast<int64_t>(q))[static_cast<size_t>(item)]);
    });
    judge.take_positives(std::move(positives));
  }
  std::vector<int32_t> every(static_cast<size_t>(items));
  std::iota(every.begin(), every.end(), 0);
  for_all_scores(judge, recommender, items, [&](std::span<const size_t> positions, const HostMatrix& scores) {
    judge.take_candidates(positions, [&](size_t q) {
      return ListRow{every, scores.row(static_cast<int64_t>(q)), true};
    });
  });
}

// ---- lists

/// The rows of lists that are candidates, in order.
Scored candidates_in(Judge& judge, const RankedLists& lists, const EvaluationData& data, const EvaluateOptions& options,
                     std::span<const size_t> positions) {
  Scored out;
  for (const size_t p : positions) {
    const int32_t user = judge.users()[p];
    const auto items = lists.matrix.row(user);
    const auto scores = lists.matrix.row_values(user);
    const std::vector<int32_t> candidates = options.only_negatives ? judge.candidates_of(p) : std::vector<int32_t>();
    for (size_t e = 0; e < items.size(); ++e) {
      const bool seen = options.filter_seen && std::ranges::any_of(data.seen, [&](const HostCsr* matrix) {
                          return std::ranges::binary_search(matrix->row(user), items[e]);
                        });
      if (seen || (options.only_negatives && !std::ranges::binary_search(candidates, items[e]))) continue;
      out.items.push_back(items[e]);
      out.scores.push_back(scores[e]);
    }
    out.offsets.push_back(out.items.size());
  }
  return out;
}

void bring_lists(Judge& judge, const RankedLists& lists, const EvaluationData& data, const EvaluateOptions& options) {
  if (data.seen.empty() && !options.only_negatives) {
    judge.take_lists(judge.ranked(), [&](size_t q) {
      const int32_t user = judge.users()[judge.ranked()[q]];
      return ListRow{lists.matrix.row(user), lists.matrix.row_values(user), true};
    });
    return;
  }
  for_batches(judge, kBatch, [&](std::span<const size_t> positions) {
    const Scored rows = candidates_in(judge, lists, data, options, positions);
    judge.take_lists(positions, [&](size_t q) { return rows.row(q); });
  });
}

/// Looks scores up; every pair must be in the lists.
std::vector<float> look_up(const RankedLists& lists, std::span<const int32_t> users, std::span<const int32_t> items,
                           const std::string& who_asks) {
  std::vector<float> out;
  std::vector<std::pair<int32_t, float>> by_item;
  int64_t missing = 0;
  for (size_t e = 0; e < users.size(); ++e) {
    if (e == 0 || users[e] != users[e - 1]) {
      by_item.clear();
      const auto row = lists.matrix.row(users[e]);
      for (size_t r = 0; r < row.size(); ++r) by_item.emplace_back(row[r], lists.matrix.row_values(users[e])[r]);
      std::ranges::sort(by_item);
    }
    const auto found = std::ranges::lower_bound(by_item, items[e], {}, &std::pair<int32_t, float>::first);
    const bool there = found != by_item.end() && found->first == items[e];
    missing += !there;
    out.push_back(there ? found->second : 0);
  }
  if (missing > 0)
    throw InputError(fmt::format("{} needs a score of every pair it is about; the lists lack {} of {}", who_asks,
                                 missing, users.size()));
  return out;
}

void check_sense(const RankedLists& lists, const EvaluationData& data, const EvaluateOptions& options) {
  const bool tags = data.catalogue != nullptr && data.catalogue->tags.rows() > 0;
  for (const auto& metric : options.metrics) {
    const auto name = metric.name();
    if (metric.kind == MetricKind::kDiversity && !tags) throw InputError(name + " of lists needs tags of the items");
    if ((metric.kind == MetricKind::kNovelty || metric.kind == MetricKind::kCoverage) && data.seen.empty())
      throw InputError(name + " of lists needs the train part: it says which items there are and who has had them");
    if (metric.scope() == MetricScope::kCandidates && !options.only_negatives)
      throw InputError(name + " of lists needs negatives: among all items most have no score");
    if (metric.kind == MetricKind::kLogloss &&
        !std::ranges::all_of(lists.matrix.values, [](float v) { return v >= 0 && v <= 1; }))
      throw InputError("logloss needs scores that are probabilities, from 0 to 1");
  }
}

ItemFacts facts_of(const RankedLists& lists, const EvaluationData& data) {
  ItemFacts facts{.items = lists.matrix.cols, .users = lists.matrix.rows()};
  if (!data.seen.empty()) {
    facts.had_by.resize(static_cast<size_t>(facts.items));
    for (const int32_t item : data.seen.front()->indices) ++facts.had_by[static_cast<size_t>(item)];
  }
  if (data.catalogue != nullptr && data.catalogue->tags.rows() > 0) facts.tags = &data.catalogue->tags;
  return facts;
}

}  // namespace

Evaluation evaluate(Context& ctx, const FittedModel& model, const EvaluationData& data,
                    const EvaluateOptions& options) {
  check_sense(model, data, options);
  if (const HostCsr& given = data.held_out.given; given.nnz() > 0) {
    HeldOut held_out = data.held_out;
    held_out.given = {};
    EvaluationData folded{held_out, data.seen, data.negatives, data.catalogue};
    folded.seen.push_back(&given);
    return evaluate(ctx, with_given(ctx, model, data.history != nullptr ? *data.history : model.history, given), folded,
                    options);
  }
  Judge judge(ctx, data, options, facts_of(model, data, options));
  Recommender recommender(ctx, model, data.history);
  const Score score = [&](auto users, auto items) { return recommender.score(users, items); };
  if (options.only_negatives) {
    if (judge.wants(MetricKind::kAucGlobal)) bring_positives(judge, score);
    if (judge.longest() > 0 || judge.wants(MetricScope::kCandidates)) bring_candidates(judge, score, true);
  } else {
    if (judge.longest() > 0)
      bring_lists(judge, recommender, {options.filter_seen ? data.seen : std::vector<const HostCsr*>{}});
    if (judge.wants(MetricScope::kCandidates)) bring_all_scores(judge, recommender, model.num_items());
  }
  if (judge.wants(MetricScope::kPairs)) bring_pairs(judge, data.held_out.matrix, score);
  Evaluation out = judge.finish();
  summarize(ctx, out, options.seed, options.intervals);
  return out;
}

Evaluation evaluate(Context& ctx, const RankedLists& lists, const EvaluationData& data,
                    const EvaluateOptions& options) {
  check_sense(lists, data, options);
  Judge judge(ctx, data, options, facts_of(lists, data));
  const auto scores_for = [&](const char* metric) {
    return Score([&lists, metric](auto users, auto items) { return look_up(lists, users, items, metric); });
  };
  if (judge.longest() > 0) bring_lists(judge, lists, data, options);
  if (judge.wants(MetricKind::kAucGlobal)) bring_positives(judge, scores_for("auc_global"));
  if (judge.wants(MetricScope::kCandidates)) bring_candidates(judge, scores_for("auc"), false);
  if (judge.wants(MetricScope::kPairs)) bring_pairs(judge, data.held_out.matrix, scores_for("a metric of pairs"));
  Evaluation out = judge.finish();
  summarize(ctx, out, options.seed, options.intervals);
  return out;
}

}  // namespace kindred
