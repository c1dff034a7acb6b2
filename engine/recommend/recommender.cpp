// SPDX-License-Identifier: Apache-2.0
// Every question becomes calls of top_k or pair_scores on batches of query rows; what is added afterwards (mean, user
// bias, offset, scale, link) is the same for all items of a user and keeps the order.
#include "engine/recommend/recommender.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "engine/core/error.hpp"
#include "engine/recommend/fold_in.hpp"
#include "kernels/dense.hpp"
#include "kernels/memory.hpp"
#include "kernels/topk.hpp"

namespace kindred {
namespace {

constexpr int64_t kBatch = 4096;  // queries a call of top_k

/// Rows of a table, one after the other.
HostMatrix gather(const HostMatrix& table, std::span<const int32_t> rows) {
  HostMatrix out(static_cast<int64_t>(rows.size()), table.cols);
  for (size_t q = 0; q < rows.size(); ++q)
    std::ranges::copy(table.row(rows[q]), out.row(static_cast<int64_t>(q)).begin());
  return out;
}

/// The union of the rows `users` of several matrices.
HostCsr merge_rows(const std::vector<const HostCsr*>& matrices, std::span<const int32_t> users, int64_t cols) {
  HostCsr out;
  out.cols = cols;
  for (const int32_t user : users) {
    const auto begin = static_cast<std::ptrdiff_t>(out.indices.size());
    for (const HostCsr* matrix : matrices)
      if (matrix != nullptr && user < matrix->rows()) {
        const auto row = matrix->row(user);
        out.indices.insert(out.indices.end(), row.begin(), row.end());
      }
    if (matrices.size() > 1) {
      std::sort(out.indices.begin() + begin, out.indices.end());
      out.indices.erase(std::unique(out.indices.begin() + begin, out.indices.end()), out.indices.end());
    }
    out.offsets.push_back(static_cast<int64_t>(out.indices.size()));
  }
  return out;
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

std::vector<float> as_floats(std::span<const int64_t> counts) { return {counts.begin(), counts.end()}; }

}  // namespace

struct Recommender::Impl {
  Context& ctx;
  const FittedModel& model;
  // The scorer as tables: a constant one is a table of one column, scored by queries of 1.
  HostMatrix constant, unit_users, unit_items;
  const HostMatrix* items = nullptr;
  Resident<float> item_table, item_bias, item_counts;
  std::vector<float> counts;
  std::optional<Resident<float>> users_resident;  // for pairs; once
  std::optional<std::vector<float>> gram;         // for reasons; once

  Impl(Context& context, const FittedModel& fitted) : ctx(context), model(fitted) {
    if (const auto* factors = std::get_if<Factors>(&model.scorer)) {
      items = &factors->items;
      if (model.metric == Metric::kCosine) {
        unit_users = normalized(ctx, factors->users);
        unit_items = normalized(ctx, factors->items);
        items = &unit_items;
      }
      item_bias = Resident<float>(ctx, factors->item_bias, "item biases");
    } else {
      const auto& scores = std::get<Constant>(model.scorer).items;
      constant = HostMatrix(static_cast<int64_t>(scores.size()), 1);
      constant.data = scores;
      items = &constant;
    }
    item_table = Resident<float>(ctx, items->data, "item factors");
    counts = as_floats(model.item_count);
    item_counts = Resident<float>(ctx, counts, "item counts");
  }

  const Factors& factors(const char* question) const {
    const auto* found = std::get_if<Factors>(&model.scorer);
    if (found == nullptr)
      throw InputError("model '" + model.model + "' has no factors; " + question +
                       " needs a model with factors, like als");
    return *found;
  }
  const HostMatrix& user_table() const {
    const auto& found = factors("this question");
    return model.metric == Metric::kCosine ? unit_users : found.users;
  }

  /// Lists of raw scores for one batch.
  void lists(const HostMatrix& queries, MatrixView<const float> table, VectorView<const float> bias,
             const HostCsr& excluded, int k, int32_t* ids, float* scores) {
    const int64_t count = queries.rows;
    const Resident<float> device_queries(ctx, queries.data, "queries");
    const ResidentCsr device_excluded(ctx, excluded.offsets, excluded.indices, {}, excluded.cols, "excluded items");
    Matrix<int32_t> out_ids(ctx, count, k, "top-k items");
    Matrix<float> out_scores(ctx, count, k, "top-k scores");
    top_k(ctx, device_queries.matrix(queries.cols), table, bias,
          excluded.rows() > 0 ? device_excluded.view() : CsrView{}, out_ids.view(), out_scores.view());
    download<int32_t>(ctx, out_ids.view().flat(), {ids, static_cast<size_t>(count * k)});
    download<float>(ctx, out_scores.view().flat(), {scores, static_cast<size_t>(count * k)});
    ctx.wait();
  }

  /// Best items for rows of `queries`. Where a row is all zeros and there are no biases, the model knows nothing of the
  /// person: items come by count, which is their score too unless the model predicts values (then the mean remains).
  void answer(const HostMatrix& queries, const HostCsr& excluded, int k, int32_t* ids, float* scores) {
    lists(queries, item_table.matrix(items->cols), item_bias.view(), excluded, k, ids, scores);
    if (!item_bias.view().empty()) return;
    std::vector<int32_t> unknown;
    for (int64_t q = 0; q < queries.rows; ++q)
      if (std::ranges::all_of(queries.row(q), [](float v) { return v == 0; }))
        unknown.push_back(static_cast<int32_t>(q));
    if (unknown.empty() || counts.empty()) return;
    HostMatrix ones(static_cast<int64_t>(unknown.size()), 1);
    std::ranges::fill(ones.data, 1.f);
    const HostCsr theirs = excluded.rows() > 0 ? merge_rows({&excluded}, unknown, excluded.cols) : HostCsr{};
    std::vector<int32_t> popular(unknown.size() * static_cast<size_t>(k));
    std::vector<float> popular_scores(popular.size());
    lists(ones, item_counts.matrix(1), {}, theirs, k, popular.data(), popular_scores.data());
    for (size_t u = 0; u < unknown.size(); ++u) {
      std::copy_n(popular.begin() + static_cast<std::ptrdiff_t>(u) * k, k, ids + int64_t{unknown[u]} * k);
      if (!model.predicts_values)
        std::copy_n(popular_scores.begin() + static_cast<std::ptrdiff_t>(u) * k, k, scores + int64_t{unknown[u]} * k);
    }
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
    return found != nullptr && !found->user_bias.empty() ? found->user_bias[static_cast<size_t>(user)] : 0;
  }

  /// Neighbours of rows of a table within it, themselves left out.
  TopK similar(const HostMatrix& table, std::span<const int32_t> rows, int k, Similarity similarity) {
    const HostMatrix unit = similarity == Similarity::kCosine ? normalized(ctx, table) : HostMatrix{};
    const HostMatrix& space = similarity == Similarity::kCosine ? unit : table;
    // Euclidean order is the order of x.y - |y|^2 / 2.
    std::vector<float> bias;
    if (similarity == Similarity::kEuclidean)
      for (int64_t r = 0; r < table.rows; ++r)
        bias.push_back(-0.5f * std::inner_product(table.row(r).begin(), table.row(r).end(), table.row(r).begin(), 0.f));
    const Resident<float> device(ctx, space.data, "similarity table"), device_bias(ctx, bias, "half squares");
    TopK out{k, std::vector<int32_t>(rows.size() * static_cast<size_t>(k)), {}};
    out.scores.resize(out.items.size());
    for (size_t begin = 0; begin < rows.size(); begin += kBatch) {
      const auto part = rows.subspan(begin, std::min<size_t>(kBatch, rows.size() - begin));
      HostCsr self;
      self.cols = table.rows;
      for (const int32_t row : part) {
        self.indices.push_back(row);
        self.offsets.push_back(static_cast<int64_t>(self.indices.size()));
      }
      const size_t at = begin * static_cast<size_t>(k);
      lists(gather(space, part), device.matrix(space.cols), device_bias.view(), self, k, &out.items[at],
            &out.scores[at]);
    }
    if (similarity == Similarity::kEuclidean) distances(table, rows, out);
    return out;
  }

  /// Exact distances of the neighbours found (the trick above loses digits for near ones), in their order.
  static void distances(const HostMatrix& table, std::span<const int32_t> rows, TopK& lists) {
    for (size_t q = 0; q < rows.size(); ++q) {
      std::vector<std::pair<float, int32_t>> row;
      const size_t at = q * static_cast<size_t>(lists.k);
      for (size_t r = at; r < at + static_cast<size_t>(lists.k) && lists.items[r] >= 0; ++r) {
        double sum = 0;
        for (int64_t c = 0; c < table.cols; ++c) {
          const double gap =
              double{table.row(rows[q])[static_cast<size_t>(c)]} - table.row(lists.items[r])[static_cast<size_t>(c)];
          sum += gap * gap;
        }
        row.emplace_back(static_cast<float>(std::sqrt(sum)), lists.items[r]);
      }
      std::ranges::sort(row);
      for (size_t r = 0; r < row.size(); ++r) lists.items[at + r] = row[r].second, lists.scores[at + r] = -row[r].first;
    }
  }
};

Recommender::Recommender(Context& ctx, const FittedModel& model) : impl_(std::make_unique<Impl>(ctx, model)) {}
Recommender::~Recommender() = default;

TopK Recommender::for_users(std::span<const int32_t> users, int k, const Exclusions& exclude) {
  Impl& my = *impl_;
  TopK out{k, std::vector<int32_t>(users.size() * static_cast<size_t>(k)), {}};
  out.scores.resize(out.items.size());
  const bool constant = std::holds_alternative<Constant>(my.model.scorer);
  for (size_t begin = 0; begin < users.size(); begin += kBatch) {
    const auto part = users.subspan(begin, std::min<size_t>(kBatch, users.size() - begin));
    HostMatrix queries;
    if (constant) {
      queries = HostMatrix(static_cast<int64_t>(part.size()), 1);
      std::ranges::fill(queries.data, 1.f);
    } else {
      queries = gather(my.user_table(), part);
    }
    const HostCsr excluded =
        exclude.matrices.empty() ? HostCsr{} : merge_rows(exclude.matrices, part, my.model.num_items());
    const size_t at = begin * static_cast<size_t>(k);
    my.answer(queries, excluded, k, &out.items[at], &out.scores[at]);
    for (size_t q = 0; q < part.size(); ++q)
      for (size_t r = at + q * static_cast<size_t>(k); r < at + (q + 1) * static_cast<size_t>(k); ++r)
        if (out.items[r] >= 0) out.scores[r] = my.finish(out.scores[r], my.scale_of(part[q]), my.user_bias(part[q]));
  }
  return out;
}

TopK Recommender::for_histories(const HostCsr& histories, int k, bool include_seen) {
  Impl& my = *impl_;
  TopK out{k, std::vector<int32_t>(static_cast<size_t>(histories.rows() * k)), {}};
  out.scores.resize(out.items.size());
  HostMatrix queries;
  std::vector<float> bias(static_cast<size_t>(histories.rows()), 0.f);
  if (std::holds_alternative<Constant>(my.model.scorer)) {
    queries = HostMatrix(histories.rows(), 1);
    std::ranges::fill(queries.data, 1.f);
  } else {
    FoldedIn folded = fold_in_rows(my.ctx, my.model, histories);
    queries = std::move(folded.factors);
    if (!folded.bias.empty()) bias = std::move(folded.bias);
    if (my.model.metric == Metric::kCosine) queries = normalized(my.ctx, queries);
  }
  std::vector<int32_t> rows(static_cast<size_t>(histories.rows()));
  std::iota(rows.begin(), rows.end(), 0);
  const HostCsr excluded = include_seen ? HostCsr{} : merge_rows({&histories}, rows, my.model.num_items());
  my.answer(queries, excluded, k, out.items.data(), out.scores.data());
  const std::vector<UserScale> scales = scales_of(my.model, histories);
  for (size_t r = 0; r < out.items.size(); ++r)
    if (out.items[r] >= 0) {
      const size_t q = r / static_cast<size_t>(k);
      out.scores[r] = my.finish(out.scores[r], scales[q], bias[q]);
    }
  return out;
}

TopK Recommender::similar_items(std::span<const int32_t> items, int k, Similarity similarity) {
  return impl_->similar(impl_->factors("similarity of items").items, items, k, similarity);
}

TopK Recommender::similar_users(std::span<const int32_t> users, int k, Similarity similarity) {
  return impl_->similar(impl_->factors("similarity of users").users, users, k, similarity);
}

std::vector<float> Recommender::score(std::span<const int32_t> users, std::span<const int32_t> items) {
  Impl& my = *impl_;
  std::vector<float> out(users.size(), 0.f);
  const auto* factors = std::get_if<Factors>(&my.model.scorer);
  const std::vector<float>* by_item = nullptr;  // what an item adds for every user
  if (factors == nullptr) {
    by_item = &std::get<Constant>(my.model.scorer).items;
  } else {
    by_item = &factors->item_bias;
    std::vector<int32_t> known_users, known_items;
    std::vector<size_t> places;
    for (size_t e = 0; e < out.size(); ++e)
      if (users[e] >= 0 && items[e] >= 0)
        places.push_back(e), known_users.push_back(users[e]), known_items.push_back(items[e]);
    if (!my.users_resident) my.users_resident.emplace(my.ctx, my.user_table().data, "user factors");
    const Resident<int32_t> rows(my.ctx, known_users, "pairs"), cols(my.ctx, known_items, "pairs");
    Array<float> products(my.ctx, static_cast<int64_t>(places.size()), "pair scores");
    pair_scores(my.ctx, my.users_resident->matrix(factors->users.cols), my.item_table.matrix(my.items->cols),
                rows.view(), cols.view(), products.view());
    std::vector<float> host(places.size());
    download<float>(my.ctx, products.view(), host);
    my.ctx.wait();
    for (size_t p = 0; p < places.size(); ++p) out[places[p]] = host[p];
  }
  for (size_t e = 0; e < out.size(); ++e) {
    const float item = items[e] >= 0 && !by_item->empty() ? (*by_item)[static_cast<size_t>(items[e])] : 0;
    out[e] = my.finish(out[e] + item, my.scale_of(users[e]), users[e] >= 0 ? my.user_bias(users[e]) : 0);
  }
  return out;
}

HostMatrix Recommender::fold_in(const HostCsr& histories) {
  return fold_in_rows(impl_->ctx, impl_->model, histories).factors;
}

std::vector<std::vector<Reason>> Recommender::explain(int32_t user, std::span<const int32_t> items) {
  const HostCsr& history = impl_->model.history;
  if (user < 0 || user >= history.rows()) return {};
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
  if (!impl_->gram) impl_->gram = item_gram(impl_->ctx, impl_->model);
  return explain_row(impl_->model, *impl_->gram, history, values, items);
}

}  // namespace kindred
