// SPDX-License-Identifier: Apache-2.0
#include "engine/recommend/neighbor_scores.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/core/error.hpp"
#include "engine/recommend/fold_in.hpp"
#include "kernels/cpu/threads.hpp"
#include "kernels/memory.hpp"
#include "kernels/topk.hpp"

namespace kindred {
namespace {

constexpr int64_t kRowChunk = 16;     // people of a task
constexpr int64_t kUserChunk = 1024;  // users whose values are prepared in a task

/// Values of a matrix of people by items, each as f(row's scale, item, value).
template <class F>
void for_each_value(Context& ctx, const FittedModel& model, const HostCsr& m, std::vector<float>& out, const F& f) {
  out.resize(m.indices.size());
  cpu::parallel_for(ctx, m.rows(), kUserChunk, [&](int64_t begin, int64_t end, int) {
    for (int64_t u = begin; u < end; ++u) {
      const UserScale scale = user_scale(model.normalization, m.row(u), m.row_values(u));
      for (int64_t e = m.offsets[static_cast<size_t>(u)]; e < m.offsets[static_cast<size_t>(u) + 1]; ++e)
        out[static_cast<size_t>(e)] = f(scale, m.indices[static_cast<size_t>(e)], m.value(e));
    }
  });
}

/// A person's scale is 0 where all his values are 0 and the model divides by their mean: nothing to compare.
float scaled(UserScale scale, float value) { return scale.scale > 0 ? (value - scale.offset) / scale.scale : 0; }

}  // namespace

/// The sum over a row's neighbors, of one item.
struct NeighborScores::Sum {
  double sum = 0, weights = 0;
  int32_t count = 0;

  void add(double weight, double value) { sum += weight * value, weights += std::abs(weight), ++count; }
};

/// Of one thread; clean between rows.
struct NeighborScores::Scratch {
  std::vector<Sum> sums;         // of an item
  std::vector<int32_t> touched;  // items with a sum
  std::vector<float> source;     // of an item or a user: the row's value
  std::vector<uint8_t> present;  // whether the row has one
  std::vector<uint8_t> excluded;
  std::vector<std::pair<float, int32_t>> best;  // score negated: ascending is best first, then by row
};

NeighborScores::NeighborScores(Context& ctx, const FittedModel& model, const HostCsr& history)
    : ctx_(ctx), model_(model), neighbors_(std::get<Neighbors>(model.scorer)), history_(history) {
  const std::vector<float>& c = neighbors_.center;
  if (neighbors_.of == NeighborsOf::kUsers) {
    for_each_value(ctx, model, history, residuals_, [&](UserScale scale, int32_t item, float value) {
      return scaled(scale, value) - (c.empty() ? 0 : c[static_cast<size_t>(item)]);
    });
  } else if (neighbors_.used == 0) {
    const HostCsr& w = neighbors_.weights;
    column_offsets_.assign(static_cast<size_t>(w.cols) + 1, 0);
    for (const int32_t j : w.indices) ++column_offsets_[static_cast<size_t>(j) + 1];
    for (size_t j = 1; j < column_offsets_.size(); ++j) column_offsets_[j] += column_offsets_[j - 1];
    column_rows_.resize(w.indices.size());
    column_weights_.resize(w.indices.size());
    std::vector<int64_t> next(column_offsets_.begin(), column_offsets_.end() - 1);
    for (int64_t i = 0; i < w.rows(); ++i)
      for (int64_t e = w.offsets[static_cast<size_t>(i)]; e < w.offsets[static_cast<size_t>(i) + 1]; ++e) {
        const auto to = static_cast<size_t>(next[static_cast<size_t>(w.indices[static_cast<size_t>(e)])]++);
        column_rows_[to] = static_cast<int32_t>(i);
        column_weights_[to] = w.value(e);
      }
  }
}

HostCsr NeighborScores::sources_of(std::span<const int32_t> users) const {
  const bool named = std::ranges::any_of(users, [](int32_t user) { return user >= 0; });
  if (named && history_.rows() == 0)
    throw InputError("model '" + model_.model +
                     "' answers from what people have had, and its file keeps no history (export.history); ask with "
                     "--history");
  const bool of_items = neighbors_.of == NeighborsOf::kItems;
  const HostCsr& from = of_items ? history_ : neighbors_.weights;
  HostCsr out = gather_rows(from, users);
  return of_items ? sources_of(out) : out;
}

HostCsr NeighborScores::sources_of(const HostCsr& histories) const {
  HostCsr out;
  if (neighbors_.of == NeighborsOf::kUsers) {
    out = fold_in_neighbors(ctx_, model_, history_, histories).weights;
    if (out.values.empty()) out.values.assign(out.indices.size(), 1.f);
    return out;
  }
  const std::vector<float>& c = neighbors_.center;
  out.cols = histories.cols;
  out.offsets = histories.offsets;
  out.indices = histories.indices;
  for_each_value(ctx_, model_, histories, out.values, [&](UserScale scale, int32_t item, float value) {
    return scaled(scale, value) - (c.empty() ? 0 : c[static_cast<size_t>(item)]);
  });
  return out;
}

float NeighborScores::of_item(int32_t item) const {
  const auto i = static_cast<size_t>(item);
  return (neighbors_.center.empty() ? 0 : neighbors_.center[i]) +
         (neighbors_.item_bias.empty() ? 0 : neighbors_.item_bias[i]);
}

/// A center of items' means gives way to the mean of all, which is what stands in one that no normalization made.
float NeighborScores::of_unknown_item() const {
  if (!neighbors_.weighted_average || neighbors_.center.empty()) return 0;
  if (model_.normalization.method == Normalize::kSubtractItemMean) return model_.normalization.mean;
  return model_.normalization.items.empty() ? neighbors_.center.front() : 0;
}

float NeighborScores::raw(int32_t item, const Sum& sum) const {
  double value = sum.sum;
  if (neighbors_.weighted_average) value = sum.weights > 0 ? value / sum.weights : 0;
  return static_cast<float>(value + of_item(item));
}

std::vector<NeighborScores::Scratch> NeighborScores::scratch() const {
  return std::vector<Scratch>(static_cast<size_t>(ctx_.threads()));
}

/// The row's sources, to be looked up.
void NeighborScores::enter(const HostCsr& sources, int64_t q, Scratch& scratch) const {
  scratch.source.resize(static_cast<size_t>(sources.cols));
  scratch.present.resize(scratch.source.size());
  const auto rows = sources.row(q);
  for (size_t e = 0; e < rows.size(); ++e) {
    scratch.source[static_cast<size_t>(rows[e])] = sources.row_values(q)[e];
    scratch.present[static_cast<size_t>(rows[e])] = 1;
  }
}

void NeighborScores::leave(const HostCsr& sources, int64_t q, Scratch& scratch) const {
  for (const int32_t row : sources.row(q)) scratch.present[static_cast<size_t>(row)] = 0;
}

/// visit(neighbor, weight, value) for the neighbors that have a part in the score of `item`, by falling weight.
template <class Visit>
void NeighborScores::for_each_part(const HostCsr& sources, int64_t q, int32_t item, const Scratch& scratch,
                                   const Visit& visit) const {
  const int most = neighbors_.used > 0 ? neighbors_.used : std::numeric_limits<int>::max();
  int taken = 0;
  if (neighbors_.of == NeighborsOf::kItems) {
    const HostCsr& w = neighbors_.weights;
    const auto i = static_cast<size_t>(item);
    for (int64_t e = w.offsets[i]; e < w.offsets[i + 1] && taken < most; ++e) {
      const auto j = static_cast<size_t>(w.indices[static_cast<size_t>(e)]);
      if (scratch.present[j]) visit(static_cast<int32_t>(j), w.value(e), scratch.source[j]), ++taken;
    }
    return;
  }
  const auto users = sources.row(q);
  for (size_t s = 0; s < users.size() && taken < most; ++s) {
    const auto had = history_.row(users[s]);
    const auto found = std::ranges::lower_bound(had, item);
    if (found == had.end() || *found != item) continue;
    const auto e = static_cast<size_t>(history_.offsets[static_cast<size_t>(users[s])] + (found - had.begin()));
    visit(users[s], sources.row_values(q)[s], residuals_[e]), ++taken;
  }
}

/// Sums of all items that a neighbor leads to.
void NeighborScores::add_all(const HostCsr& sources, int64_t q, Scratch& scratch) const {
  scratch.sums.resize(static_cast<size_t>(model_.num_items()));
  const auto sum_of = [&](int32_t item) -> Sum& {
    Sum& sum = scratch.sums[static_cast<size_t>(item)];
    if (sum.count == 0) scratch.touched.push_back(item);
    return sum;
  };
  const auto rows = sources.row(q);
  const auto values = sources.row_values(q);
  if (neighbors_.of == NeighborsOf::kUsers) {
    for (size_t s = 0; s < rows.size(); ++s)
      for (int64_t e = history_.offsets[static_cast<size_t>(rows[s])];
           e < history_.offsets[static_cast<size_t>(rows[s]) + 1]; ++e) {
        Sum& sum = sum_of(history_.indices[static_cast<size_t>(e)]);
        if (neighbors_.used == 0 || sum.count < neighbors_.used)
          sum.add(double{values[s]}, double{residuals_[static_cast<size_t>(e)]});
      }
  } else if (neighbors_.used == 0) {
    for (size_t s = 0; s < rows.size(); ++s) {
      const auto j = static_cast<size_t>(rows[s]);
      for (auto e = static_cast<size_t>(column_offsets_[j]); e < static_cast<size_t>(column_offsets_[j + 1]); ++e)
        sum_of(column_rows_[e]).add(double{column_weights_[e]}, double{values[s]});
    }
  } else {
    enter(sources, q, scratch);
    for (int32_t item = 0; item < model_.num_items(); ++item)
      for_each_part(sources, q, item, scratch,
                    [&](int32_t, double weight, double value) { sum_of(item).add(weight, value); });
    leave(sources, q, scratch);
  }
}

/// The k best of one row are the first of scratch.best.
void NeighborScores::rank_row(int64_t q, const BatchFilters& filters, int k, Scratch& scratch) const {
  auto& best = scratch.best;
  best.clear();
  float least = std::numeric_limits<float>::infinity();  // negated, of the k best so far
  const auto prune = [&](size_t kept) {
    kept = std::min(kept, best.size());
    std::partial_sort(best.begin(), best.begin() + static_cast<std::ptrdiff_t>(kept), best.end());
    best.resize(kept);
  };
  const auto length = static_cast<size_t>(k), most = 4 * length + 64;
  const auto offer = [&](int32_t item) {
    const auto i = static_cast<size_t>(item);
    if (scratch.excluded[i] || (!filters.allowed.empty() && filters.allowed[i] == 0)) return;
    const float score = raw(item, scratch.sums[i]);
    if (-score > least) return;
    best.emplace_back(-score, item);
    if (best.size() < most) return;
    prune(length);
    least = best.back().first;
  };

  scratch.excluded.resize(scratch.sums.size());
  const auto exclude = [&](uint8_t flag) {
    if (filters.excluded.rows() == 0) return;
    for (const int32_t item : filters.excluded.row(q)) scratch.excluded[static_cast<size_t>(item)] = flag;
  };
  exclude(1);
  if (filters.candidates) {
    for (const int32_t item : filters.candidates->row(q))
      if (knows_items() || scratch.sums[static_cast<size_t>(item)].count > 0) offer(item);
  } else if (knows_items()) {
    for (int32_t item = 0; item < model_.num_items(); ++item) offer(item);
  } else {
    std::ranges::for_each(scratch.touched, offer);
  }
  exclude(0);
  prune(length);
}

std::vector<int32_t> NeighborScores::rank(const HostCsr& sources, const BatchFilters& filters, int k,
                                          std::span<int32_t> ids, std::span<float> scores) const {
  std::vector<Scratch> scratches = scratch();
  std::vector<uint8_t> silent(static_cast<size_t>(sources.rows()));
  cpu::parallel_for(ctx_, sources.rows(), kRowChunk, [&](int64_t begin, int64_t end, int thread) {
    Scratch& mine = scratches[static_cast<size_t>(thread)];
    for (int64_t q = begin; q < end; ++q) {
      add_all(sources, q, mine);
      silent[static_cast<size_t>(q)] = mine.touched.empty() && !knows_items();
      rank_row(q, filters, k, mine);
      for (const int32_t item : mine.touched) mine.sums[static_cast<size_t>(item)] = {};
      mine.touched.clear();
      for (size_t r = 0; r < static_cast<size_t>(k); ++r) {
        const size_t at = static_cast<size_t>(q) * static_cast<size_t>(k) + r;
        ids[at] = r < mine.best.size() ? mine.best[r].second : -1;
        scores[at] = r < mine.best.size() ? -mine.best[r].first : kNoScore;
      }
    }
  });
  std::vector<int32_t> out;
  for (size_t q = 0; q < silent.size(); ++q)
    if (silent[q]) out.push_back(static_cast<int32_t>(q));
  return out;
}

std::vector<float> NeighborScores::score(const HostCsr& sources, const HostCsr& pairs) const {
  std::vector<Scratch> scratches = scratch();
  std::vector<float> out(pairs.indices.size());
  cpu::parallel_for(ctx_, sources.rows(), kRowChunk, [&](int64_t begin, int64_t end, int thread) {
    Scratch& mine = scratches[static_cast<size_t>(thread)];
    for (int64_t q = begin; q < end; ++q) {
      enter(sources, q, mine);
      for (int64_t e = pairs.offsets[static_cast<size_t>(q)]; e < pairs.offsets[static_cast<size_t>(q) + 1]; ++e) {
        const int32_t item = pairs.indices[static_cast<size_t>(e)];
        Sum sum;
        for_each_part(sources, q, item, mine, [&](int32_t, double weight, double value) { sum.add(weight, value); });
        out[static_cast<size_t>(e)] = raw(item, sum);
      }
      leave(sources, q, mine);
    }
  });
  return out;
}

std::vector<std::vector<Reason>> NeighborScores::explain(const HostCsr& sources, std::span<const int32_t> items) const {
  Scratch mine;
  enter(sources, 0, mine);
  std::vector<std::vector<Reason>> out;
  for (const int32_t item : items) {
    auto& reasons = out.emplace_back();
    double weights = 0;
    for_each_part(sources, 0, item, mine, [&](int32_t row, double weight, double value) {
      reasons.push_back({row, static_cast<float>(weight * value)});
      weights += std::abs(weight);
    });
    if (neighbors_.weighted_average)
      for (Reason& reason : reasons) reason.part = weights > 0 ? static_cast<float>(reason.part / weights) : 0;
    std::ranges::stable_sort(reasons, std::greater<>(), &Reason::part);
  }
  return out;
}

NeighborLists fold_in_neighbors(Context& ctx, const FittedModel& model, const HostCsr& history,
                                const HostCsr& histories) {
  const auto* recipe = std::get_if<NeighborsFoldIn>(&model.fold_in);
  if (recipe == nullptr || history.rows() == 0)
    throw InputError("model '" + model.model +
                     "' cannot fold in a history: its file keeps no history of its own users (export.history), or no "
                     "recipe (/fold_in)");
  const auto values_of = [&](const HostCsr& m) {
    std::vector<float> out = m.values;
    if (recipe->normalized)
      for_each_value(ctx, model, m, out, [&](UserScale scale, int32_t item, float value) {
        return scaled(scale, value) - model.normalization.item(item);
      });
    return out;
  };
  const std::vector<float> own = values_of(history), asked = values_of(histories);
  const ResidentCsr rows(ctx, history.offsets, history.indices, own, history.cols, "history");
  const ResidentCsr queries(ctx, histories.offsets, histories.indices, asked, histories.cols, "histories");
  return find_neighbors(ctx, queries.view(), rows.view(), recipe->search);
}

}  // namespace kindred
