// SPDX-License-Identifier: Apache-2.0
// Every question becomes calls of rank or pair_scores on batches of query rows; what is added afterwards (mean, user
// bias, offset, scale, link) is the same for all items of a user and keeps the order.
#include "engine/recommend/recommender.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "engine/core/error.hpp"
#include "engine/recommend/fold_in.hpp"
#include "engine/recommend/neighbor_scores.hpp"
#include "engine/recommend/rank.hpp"
#include "kernels/dense.hpp"
#include "kernels/memory.hpp"
#include "kernels/similarity.hpp"
#include "kernels/topk.hpp"

namespace kindred {
namespace {

constexpr size_t kBatch = 4096;  // queries a call of top_k

std::vector<int32_t> numbers(size_t begin, size_t count) {
  std::vector<int32_t> out(count);
  std::iota(out.begin(), out.end(), static_cast<int32_t>(begin));
  return out;
}

std::vector<int32_t> nobody(size_t count) { return std::vector<int32_t>(count, -1); }

TopK empty_lists(size_t queries, int k) {
  TopK out;
  out.k = k;
  out.items.resize(queries * static_cast<size_t>(k));
  out.scores.resize(out.items.size());
  return out;
}

/// Ends lists above scores below `least`, and notes the range that they had.
void cut(TopK& lists, float least) {
  for (size_t r = 0; r < lists.items.size(); ++r) {
    if (lists.items[r] < 0) continue;
    lists.lowest = std::min(lists.lowest, lists.scores[r]);
    lists.highest = std::max(lists.highest, lists.scores[r]);
    if (lists.scores[r] < least) lists.items[r] = -1, lists.scores[r] = kNoScore;
  }
}

HostMatrix normalized(Context& ctx, const HostMatrix& table) {
  Matrix<float> rows(ctx, table.rows, table.cols, "normalized table");
  upload<float>(ctx, table.data, rows.view().flat());
  normalize_rows(ctx, rows.view());
  HostMatrix out(table.rows, table.cols);
  download<float>(ctx, rows.view().flat(), out.data);
  ctx.wait();
  return out;
}

float linked(Link link, float value) {
  switch (link) {
    case Link::kIdentity:
      return value;
    case Link::kSigmoid:
      return 1 / (1 + std::exp(-value));
    case Link::kRelu:
      return std::max(0.f, value);
  }
  return value;
}

/// The queries of one batch: who asks, and what may be given.
struct Batch {
  HostMatrix queries;
  HostCsr sources;  // instead of queries, for neighbors
  std::vector<UserScale> scales;
  std::vector<float> bias;
  BatchFilters filters;
};

}  // namespace

struct Recommender::Impl {
  Context& ctx;
  const FittedModel& model;
  // The scorer as tables: a constant one is a table of one column, scored by queries of 1.
  HostMatrix constant, unit_users, unit_items;
  const HostMatrix* items = nullptr;
  Resident<float> item_table;
  std::span<const float> item_bias;
  std::optional<NeighborScores> neighbors;
  const HostCsr& history;
  // Made once, by the first question that needs them.
  std::optional<Resident<float>> users_resident;  // for pairs
  std::optional<std::vector<double>> shared;      // for reasons
  std::vector<float> counts;                      // for people of whom nothing is known
  std::optional<Resident<float>> count_table;

  Impl(Context& context, const FittedModel& fitted, const HostCsr* own)
      : ctx(context), model(fitted), history(own != nullptr ? *own : fitted.history) {
    if (std::holds_alternative<Neighbors>(model.scorer)) {
      neighbors.emplace(ctx, model, history);
      return;
    }
    if (const auto* factors = std::get_if<Factors>(&model.scorer)) {
      items = &factors->items;
      if (model.metric == Metric::kCosine) {
        unit_users = normalized(ctx, factors->users);
        unit_items = normalized(ctx, factors->items);
        items = &unit_items;
      }
      item_bias = factors->item_bias;
    } else {
      const auto& scores = std::get<Constant>(model.scorer).items;
      constant = HostMatrix(static_cast<int64_t>(scores.size()), 1);
      constant.data = scores;
      items = &constant;
    }
    item_table = Resident<float>(ctx, items->data, "item factors");
  }

  bool is_constant() const { return std::holds_alternative<Constant>(model.scorer); }
  const Factors& factors(const char* question) const {
    const auto* found = std::get_if<Factors>(&model.scorer);
    if (found == nullptr)
      throw InputError("model '" + model.model + "' has no factors" +
                       (neighbors ? " and no neighbors for it; " : "; ") + question +
                       " needs a model with factors, like als");
    return *found;
  }
  const HostMatrix& user_table() const {
    const auto& found = factors("this question");
    return model.metric == Metric::kCosine ? unit_users : found.users;
  }

  /// A batch's lists, on the model's scale. Where a row of factors is all zeros and items have no bias, the model knows
  /// nothing of the person: items come by count, which is their score too unless the model predicts values (then the
  /// mean remains).
  void answer(const Batch& batch, int k, std::span<int32_t> ids, std::span<float> scores) {
    std::vector<int32_t> unknown;
    if (neighbors)
      unknown = neighbors->rank(batch.sources, batch.filters, k, ids, scores);
    else
      rank(ctx, batch.queries, item_table.matrix(items->cols), item_bias, batch.filters, k, ids, scores);
    for (size_t r = 0; r < ids.size(); ++r) {
      const size_t q = r / static_cast<size_t>(k);
      if (ids[r] >= 0) scores[r] = finish(scores[r], batch.scales[q], batch.bias[q]);
    }
    if (!neighbors && item_bias.empty())
      for (int64_t q = 0; q < batch.queries.rows; ++q)
        if (std::ranges::all_of(batch.queries.row(q), [](float v) { return v == 0; }))
          unknown.push_back(static_cast<int32_t>(q));
    if (!unknown.empty() && !model.item_count.empty()) answer_unknown(batch, unknown, k, ids, scores);
  }

  void answer_unknown(const Batch& batch, std::span<const int32_t> unknown, int k, std::span<int32_t> ids,
                      std::span<float> scores) {
    if (!count_table) {
      counts.assign(model.item_count.begin(), model.item_count.end());
      count_table.emplace(ctx, counts, "item counts");
    }
    const auto theirs = [&](const HostCsr& matrix) {
      const HostCsr* const one = &matrix;
      return matrix.rows() > 0 ? merge_rows({&one, 1}, unknown, matrix.cols) : HostCsr{};
    };
    BatchFilters filters{theirs(batch.filters.excluded), std::nullopt, batch.filters.allowed};
    if (batch.filters.candidates) filters.candidates = theirs(*batch.filters.candidates);
    const auto length = static_cast<size_t>(k);
    std::vector<int32_t> their_ids(unknown.size() * length);
    std::vector<float> their_scores(their_ids.size());
    rank(ctx, everybody(unknown.size()), count_table->matrix(1), {}, filters, k, their_ids, their_scores);
    for (size_t u = 0; u < unknown.size(); ++u) {
      const size_t to = static_cast<size_t>(unknown[u]) * length;
      std::ranges::copy(std::span(their_ids).subspan(u * length, length),
                        ids.begin() + static_cast<std::ptrdiff_t>(to));
      if (!model.predicts_values)
        std::ranges::copy(std::span(their_scores).subspan(u * length, length),
                          scores.begin() + static_cast<std::ptrdiff_t>(to));
    }
  }

  /// Filters as the queries from `begin` on see them; `users`: their rows in the model, -1 for people who are not in
  /// it.
  static BatchFilters of_batch(const Filters& filters, size_t begin, std::span<const int32_t> users, int64_t cols) {
    BatchFilters out;
    const std::vector<int32_t> queries = numbers(begin, users.size());
    if (!filters.excluded.empty()) out.excluded = merge_rows(filters.excluded, users, cols);
    if (!filters.refused.empty()) {
      const HostCsr refused = merge_rows(filters.refused, queries, cols);
      const HostCsr* const both[] = {&out.excluded, &refused};
      out.excluded = filters.excluded.empty() ? refused : merge_rows(both, numbers(0, users.size()), cols);
    }
    if (filters.candidates != nullptr)
      out.candidates = slice_rows(*filters.candidates, static_cast<int64_t>(begin), static_cast<int64_t>(users.size()));
    out.allowed = filters.allowed;
    return out;
  }

  /// Queries to a constant scorer.
  static HostMatrix everybody(size_t count) {
    HostMatrix out(static_cast<int64_t>(count), 1);
    std::ranges::fill(out.data, 1.f);
    return out;
  }

  /// A user's offset and scale; user -1: what is expected of somebody of whom nothing is known.
  UserScale scale_of(int32_t user) const {
    if (user < 0) return model.predicts_values ? user_scale(model.normalization, {}, {}) : UserScale{};
    UserScale out;
    if (!model.user_offset.empty()) out.offset = model.user_offset[static_cast<size_t>(user)];
    if (!model.user_scale.empty()) out.scale = model.user_scale[static_cast<size_t>(user)];
    return out;
  }
  /// A raw score on the model's scale.
  float finish(float raw, const UserScale& scale, float bias) const {
    return linked(model.link, scale.offset + scale.scale * (model.global_mean + bias + raw));
  }
  float user_bias(int32_t user) const {
    const auto* found = std::get_if<Factors>(&model.scorer);
    return found != nullptr && user >= 0 && !found->user_bias.empty() ? found->user_bias[static_cast<size_t>(user)] : 0;
  }

  /// Raw scores of pairs; what is not known of one side adds nothing.
  std::vector<float> products(std::span<const int32_t> of_users, std::span<const int32_t> of_items) {
    std::vector<float> out(of_users.size(), 0.f);
    const auto* factors = std::get_if<Factors>(&model.scorer);
    if (factors != nullptr) {
      std::vector<int32_t> known_users, known_items;
      std::vector<size_t> places;
      for (size_t e = 0; e < out.size(); ++e)
        if (of_users[e] >= 0 && of_items[e] >= 0)
          places.push_back(e), known_users.push_back(of_users[e]), known_items.push_back(of_items[e]);
      if (!users_resident) users_resident.emplace(ctx, user_table().data, "user factors");
      const Resident<int32_t> rows(ctx, known_users, "pairs"), cols(ctx, known_items, "pairs");
      Array<float> found(ctx, static_cast<int64_t>(places.size()), "pair scores");
      pair_scores(ctx, users_resident->matrix(factors->users.cols), item_table.matrix(items->cols), rows.view(),
                  cols.view(), found.view());
      std::vector<float> host(places.size());
      download<float>(ctx, found.view(), host);
      ctx.wait();
      for (size_t p = 0; p < places.size(); ++p) out[places[p]] = host[p];
    }
    const std::span<const float> by_item = factors != nullptr ? item_bias : std::get<Constant>(model.scorer).items;
    for (size_t e = 0; e < out.size() && !by_item.empty(); ++e)
      if (of_items[e] >= 0) out[e] += by_item[static_cast<size_t>(of_items[e])];
    return out;
  }

  /// The same by neighbors, a run of equal users at a time.
  std::vector<float> neighbor_scores(std::span<const int32_t> of_users, std::span<const int32_t> of_items) const {
    std::vector<int32_t> people;
    HostCsr pairs;
    std::vector<size_t> places;
    std::vector<float> out(of_users.size(), neighbors->of_unknown_item());
    for (size_t e = 0; e < out.size(); ++e) {
      if (of_items[e] < 0) continue;
      if (people.empty() || people.back() != of_users[e]) {
        if (!people.empty()) pairs.offsets.push_back(pairs.nnz());
        people.push_back(of_users[e]);
      }
      pairs.indices.push_back(of_items[e]);
      places.push_back(e);
    }
    if (people.empty()) return out;
    pairs.offsets.push_back(pairs.nnz());
    const auto found = neighbors->score(neighbors->sources_of(people), pairs);
    for (size_t p = 0; p < places.size(); ++p) out[places[p]] = found[p];
    return out;
  }

  /// Reasons from one row of sources, on the scale of scores.
  std::vector<std::vector<Reason>> reasons(const HostCsr& sources, std::span<const int32_t> of_items,
                                           UserScale scale) const {
    auto out = neighbors->explain(sources, of_items);
    if (model.predicts_values)
      for (auto& list : out)
        for (Reason& reason : list) reason.part *= scale.scale;
    return out;
  }

  /// Neighbors that the model keeps; null where there are none of this side or others are asked for.
  const Neighbors* kept(NeighborsOf of, Similarity similarity, const char* question) const {
    const auto* found = std::get_if<Neighbors>(&model.scorer);
    if (found == nullptr || found->of != of) return nullptr;
    if (similarity != Similarity::kModel)
      throw InputError(std::string(question) + ": model '" + model.model +
                       "' keeps the similarities that it was trained with; leave --metric out");
    return found;
  }

  TopK similar(const Neighbors& found, std::span<const int32_t> rows, int k, const Filters& filters) const {
    TopK out = empty_lists(rows.size(), k);
    for (size_t q = 0; q < rows.size(); ++q) {
      const auto one = of_batch(filters, q, nobody(1), found.weights.cols);
      const auto ids = out.part(q, 1);
      const auto scores = out.part_scores(q, 1);
      std::ranges::fill(ids, -1);
      std::ranges::fill(scores, kNoScore);
      const auto begin = static_cast<size_t>(found.weights.offsets[static_cast<size_t>(rows[q])]);
      const auto listed = found.weights.row(rows[q]);
      for (size_t e = 0, kept = 0; e < listed.size() && kept < ids.size(); ++e) {
        const auto row = static_cast<size_t>(listed[e]);
        if ((!one.allowed.empty() && one.allowed[row] == 0) ||
            (one.excluded.rows() > 0 && std::ranges::binary_search(one.excluded.row(0), listed[e])) ||
            (one.candidates && !std::ranges::binary_search(one.candidates->row(0), listed[e])))
          continue;
        ids[kept] = listed[e];
        scores[kept++] = found.similarity.empty() ? found.weights.value(static_cast<int64_t>(begin + e))
                                                  : found.similarity[begin + e];
      }
    }
    cut(out, filters.min_score);
    return out;
  }

  /// Neighbours of rows of a table within it, themselves left out.
  TopK similar(const HostMatrix& table, std::span<const int32_t> rows, int k, Similarity similarity,
               const Filters& filters) {
    const HostMatrix unit = similarity == Similarity::kCosine ? normalized(ctx, table) : HostMatrix{};
    const HostMatrix& space = similarity == Similarity::kCosine ? unit : table;
    // Euclidean order is the order of x.y - |y|^2 / 2.
    std::vector<float> bias;
    if (similarity == Similarity::kEuclidean)
      for (int64_t r = 0; r < table.rows; ++r)
        bias.push_back(-0.5f * std::inner_product(table.row(r).begin(), table.row(r).end(), table.row(r).begin(), 0.f));
    const Resident<float> device(ctx, space.data, "similarity table");
    HostCsr self;  // row q: query q
    self.cols = table.rows;
    for (const int32_t row : rows) {
      self.indices.push_back(row);
      self.offsets.push_back(self.nnz());
    }
    Filters all = filters;
    all.refused.push_back(&self);
    TopK out = empty_lists(rows.size(), k);
    for (size_t begin = 0; begin < rows.size(); begin += kBatch) {
      const auto part = rows.subspan(begin, std::min(kBatch, rows.size() - begin));
      const HostMatrix queries = gather(space, part);
      const auto ids = out.part(begin, part.size());
      const auto scores = out.part_scores(begin, part.size());
      rank(ctx, queries, device.matrix(space.cols), bias, of_batch(all, begin, nobody(part.size()), table.rows), k, ids,
           scores);
      if (similarity == Similarity::kEuclidean)
        exact_distances(ctx, {queries.data.data(), queries.rows, queries.cols},
                        {table.data.data(), table.rows, table.cols}, {ids.data(), queries.rows, k},
                        {scores.data(), queries.rows, k});
    }
    cut(out, filters.min_score);
    return out;
  }
};

Recommender::Recommender(Context& ctx, const FittedModel& model, const HostCsr* history)
    : impl_(std::make_unique<Impl>(ctx, model, history)) {}
Recommender::~Recommender() = default;

TopK Recommender::for_users(std::span<const int32_t> users, int k, const Filters& filters) {
  Impl& my = *impl_;
  TopK out = empty_lists(users.size(), k);
  for (size_t begin = 0; begin < users.size(); begin += kBatch) {
    const auto part = users.subspan(begin, std::min(kBatch, users.size() - begin));
    Batch batch;
    batch.filters = Impl::of_batch(filters, begin, part, my.model.num_items());
    if (my.neighbors)
      batch.sources = my.neighbors->sources_of(part);
    else
      batch.queries = my.is_constant() ? my.everybody(part.size()) : gather(my.user_table(), part);
    for (const int32_t user : part) {
      batch.scales.push_back(my.scale_of(user));
      batch.bias.push_back(my.user_bias(user));
    }
    my.answer(batch, k, out.part(begin, part.size()), out.part_scores(begin, part.size()));
  }
  cut(out, filters.min_score);
  return out;
}

TopK Recommender::for_histories(const HostCsr& histories, int k, const Filters& filters) {
  Impl& my = *impl_;
  const auto count = static_cast<size_t>(histories.rows());
  TopK out = empty_lists(count, k);
  for (size_t begin = 0; begin < count; begin += kBatch) {
    const size_t size = std::min(kBatch, count - begin);
    const HostCsr own = slice_rows(histories, static_cast<int64_t>(begin), static_cast<int64_t>(size));
    Batch batch;
    batch.scales = scales_of(my.model, own);
    batch.bias.assign(size, 0.f);
    batch.filters = Impl::of_batch(filters, begin, nobody(size), my.model.num_items());
    if (my.neighbors) {
      batch.sources = my.neighbors->sources_of(own);
    } else if (my.is_constant()) {
      batch.queries = my.everybody(size);
    } else {
      FoldedIn folded = fold_in_rows(my.ctx, my.model, own);
      batch.queries =
          my.model.metric == Metric::kCosine ? normalized(my.ctx, folded.factors) : std::move(folded.factors);
      if (!folded.bias.empty()) batch.bias = std::move(folded.bias);
    }
    my.answer(batch, k, out.part(begin, size), out.part_scores(begin, size));
  }
  cut(out, filters.min_score);
  return out;
}

TopK Recommender::similar_items(std::span<const int32_t> items, int k, Similarity similarity, const Filters& filters) {
  if (const auto* kept = impl_->kept(NeighborsOf::kItems, similarity, "similarity of items"))
    return impl_->similar(*kept, items, k, filters);
  return impl_->similar(impl_->factors("similarity of items").items, items, k, similarity, filters);
}

TopK Recommender::similar_users(std::span<const int32_t> users, int k, Similarity similarity, const Filters& filters) {
  if (const auto* kept = impl_->kept(NeighborsOf::kUsers, similarity, "similarity of users"))
    return impl_->similar(*kept, users, k, filters);
  return impl_->similar(impl_->factors("similarity of users").users, users, k, similarity, filters);
}

std::vector<float> Recommender::score(std::span<const int32_t> users, std::span<const int32_t> items) {
  Impl& my = *impl_;
  std::vector<float> out = my.neighbors ? my.neighbor_scores(users, items) : my.products(users, items);
  for (size_t e = 0; e < out.size(); ++e) out[e] = my.finish(out[e], my.scale_of(users[e]), my.user_bias(users[e]));
  return out;
}

HostMatrix Recommender::score_all(std::span<const int32_t> users) {
  Impl& my = *impl_;
  const int64_t items = my.model.num_items();
  HostMatrix out(static_cast<int64_t>(users.size()), items);
  if (std::get_if<Factors>(&my.model.scorer) == nullptr) {
    const std::vector<int32_t> every = numbers(0, static_cast<size_t>(items));
    for (size_t q = 0; q < users.size(); ++q)
      std::ranges::copy(score(std::vector<int32_t>(every.size(), users[q]), every),
                        out.row(static_cast<int64_t>(q)).begin());
    return out;
  }
  const HostMatrix queries = gather(my.user_table(), users);
  const Resident<float> rows(my.ctx, queries.data, "queries");
  Matrix<float> products(my.ctx, out.rows, items, "scores");
  gemm(my.ctx, 1, rows.matrix(queries.cols), Transpose::kNo, my.item_table.matrix(my.items->cols), Transpose::kYes, 0,
       products.view());
  download<float>(my.ctx, products.view().flat(), out.data);
  my.ctx.wait();
  for (size_t q = 0; q < users.size(); ++q) {
    const auto row = out.row(static_cast<int64_t>(q));
    const UserScale scale = my.scale_of(users[q]);
    const float bias = my.user_bias(users[q]);
    for (size_t i = 0; i < row.size(); ++i)
      row[i] = my.finish(row[i] + (my.item_bias.empty() ? 0 : my.item_bias[i]), scale, bias);
  }
  return out;
}

HostMatrix Recommender::fold_in(const HostCsr& histories) {
  return fold_in_rows(impl_->ctx, impl_->model, histories).factors;
}

std::vector<std::vector<Reason>> Recommender::explain(int32_t user, std::span<const int32_t> items) {
  const HostCsr& history = impl_->history;
  if (user < 0 || user >= history.rows()) return {};
  if (impl_->neighbors) return impl_->reasons(impl_->neighbors->sources_of({&user, 1}), items, impl_->scale_of(user));
  std::vector<float> ones;
  auto values = history.row_values(user);
  if (values.empty()) {
    ones.assign(history.row(user).size(), 1.f);
    values = ones;
  }
  return explain_history(history.row(user), values, items);
}

std::vector<std::vector<Reason>> Recommender::explain_history(std::span<const int32_t> history,
                                                              std::span<const float> values,
                                                              std::span<const int32_t> items) {
  if (impl_->neighbors) {
    HostCsr own;
    own.cols = impl_->model.num_items();
    own.indices.assign(history.begin(), history.end());
    own.values.assign(values.begin(), values.end());
    own.offsets.push_back(own.nnz());
    return impl_->reasons(impl_->neighbors->sources_of(own), items, scales_of(impl_->model, own)[0]);
  }
  if (!impl_->shared) impl_->shared = shared_part(impl_->ctx, impl_->model);
  return explain_row(impl_->model, *impl_->shared, history, values, items);
}

}  // namespace kindred
