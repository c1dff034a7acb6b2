// SPDX-License-Identifier: Apache-2.0
// Values are weighed, lists of the most similar rows come from the kernel, weights are made of them on the host. Where
// all neighbors are kept, rows are compared with a block of rows at a time that a list can hold whole.
#include "engine/core/neighbor_search.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "engine/core/error.hpp"
#include "engine/core/log.hpp"
#include "kernels/cpu/threads.hpp"
#include "kernels/sparse.hpp"
#include "kernels/topk.hpp"
#include "kernels/weighting.hpp"

namespace kindred {
namespace {

constexpr int64_t kQueries = 4096;  // compared with a block of rows at a time
constexpr int64_t kRowChunk = 64;

bool is_distance(SimilarityMetric metric) {
  return metric == SimilarityMetric::kEuclidean || metric == SimilarityMetric::kManhattan;
}

std::vector<float> to_host(Context& ctx, const Array<float>& from) {
  std::vector<float> out(static_cast<size_t>(from.size()));
  download<const float>(ctx, from.view(), out);
  ctx.wait();
  return out;
}

std::vector<float> sums_of_rows(Context& ctx, CsrView a) {
  Array<float> sums(ctx, a.rows, "row sums");
  row_sums(ctx, a, sums.view());
  return to_host(ctx, sums);
}

std::vector<float> sums_of_columns(Context& ctx, CsrView a) {
  Array<float> sums(ctx, a.cols, "column sums");
  column_sums(ctx, a, sums.view());
  return to_host(ctx, sums);
}

float power(float base, float exponent) { return base > 0 ? std::pow(base, exponent) : 0; }

/// Weighs matrices by the statistics of one of them.
class Weigher {
 public:
  Weigher(Context& ctx, CsrView rows, const NeighborSearch& search) : ctx_(ctx), search_(search) {
    if (search.weighting == Weighting::kNone) return;
    CsrView counted = rows;
    if (search.weighting != Weighting::kRp3Beta) counted.values = nullptr;  // df: each entry is 1
    column_ = sums_of_columns(ctx, counted);
    for (float& c : column_) {
      const double n = std::max<double>(1, static_cast<double>(rows.rows));
      c = search.weighting == Weighting::kRp3Beta
              ? power(c, -search.rp3_alpha / 2)
              : static_cast<float>(std::max(0.0, std::log(n) - std::log1p(double{c})));
    }
    if (search.weighting != Weighting::kBm25) return;
    const auto lengths = sums_of_rows(ctx, rows);
    mean_length_ =
        std::accumulate(lengths.begin(), lengths.end(), 0.0) / std::max<double>(1, static_cast<double>(lengths.size()));
  }

  /// The matrix with weights for values; `into` holds them.
  CsrView weigh(CsrView a, Array<float>& into) const {
    if (search_.weighting == Weighting::kNone || a.nnz == 0) return a;
    check_values(a);
    std::vector<float> row(static_cast<size_t>(a.rows), 1.f);
    EntryWeight weight = EntryWeight::kRoot;
    float parameter = 0;
    if (search_.weighting != Weighting::kTfIdf) {
      row = sums_of_rows(ctx_, a);
      const bool bm25 = search_.weighting == Weighting::kBm25;
      weight = bm25 ? EntryWeight::kSaturated : EntryWeight::kPower;
      parameter = bm25 ? search_.bm25_k1 : search_.rp3_alpha;
      for (float& r : row)
        r = bm25 ? static_cast<float>(1 - search_.bm25_b + (mean_length_ > 0 ? search_.bm25_b * r / mean_length_ : 0))
                 : power(r, -search_.rp3_alpha);
    }
    const Resident<float> row_factors(ctx_, row, "row factors"), column_factors(ctx_, column_, "column factors");
    into = Array<float>(ctx_, a.nnz, "weighted values");
    weigh_entries(ctx_, a, weight, parameter, row_factors.view(), column_factors.view(), into.view());
    ctx_.wait();
    // A view's values are looked up at its offsets, which begin at 0 in all matrices that come here.
    a.values = into.data();
    return a;
  }

  /// What rp3beta adds to a list's row: |x|^(alpha - beta), for |x|^-alpha is in its values already. Empty: nothing.
  std::vector<float> scales(CsrView a) const {
    if (search_.weighting != Weighting::kRp3Beta) return {};
    std::vector<float> out = sums_of_rows(ctx_, a);
    for (float& r : out) r = power(r, search_.rp3_alpha - search_.rp3_beta);
    return out;
  }

 private:
  void check_values(CsrView a) const {
    if (a.values == nullptr) return;
    std::vector<float> values(static_cast<size_t>(a.nnz));
    download<const float>(ctx_, {a.values, a.nnz, a.device}, values);
    ctx_.wait();
    const auto low = std::ranges::min_element(values);
    if (*low < 0)
      throw InputError("model.weighting: there are values below 0 (" + format_float(*low) +
                       "); a weighting needs values of 0 and more: leave others out with data.min_value = 0.0");
  }

  Context& ctx_;
  const NeighborSearch& search_;
  std::vector<float> column_;
  double mean_length_ = 0;
};

/// Lists of the kernel on the host.
struct Found {
  int64_t k = 0;
  std::vector<int32_t> ids;
  std::vector<float> similarities;

  void fetch(Context& ctx, MatrixView<int32_t> from_ids, MatrixView<float> from_similarities) {
    k = from_ids.cols;
    ids.resize(static_cast<size_t>(from_ids.size()));
    similarities.resize(ids.size());
    download<int32_t>(ctx, from_ids.flat(), ids);
    download<float>(ctx, from_similarities.flat(), similarities);
    ctx.wait();
  }
};

struct Entry {
  int32_t row;
  float similarity;
};

/// Turns entries into lists, row after row.
class Collector {
 public:
  Collector(const NeighborSearch& search, int64_t cols)
      : search_(search), distance_(is_distance(search.similarity.metric)) {
    out_.weights.cols = cols;
  }

  /// `entries` in their order. scale: of the row's weights.
  void add(std::span<const Entry> entries, float scale) {
    double sum = 0;
    const auto begin = out_.weights.indices.size();
    for (const Entry& entry : entries) {
      if (!std::isfinite(entry.similarity) || (!distance_ && !(entry.similarity > 0))) continue;
      const float weight = (distance_ ? 1 / (1 - entry.similarity) : entry.similarity) * scale;
      if (!(weight > 0)) continue;
      out_.weights.indices.push_back(entry.row);
      out_.weights.values.push_back(weight);
      if (distance_ || search_.normalize) out_.similarity.push_back(entry.similarity);
      sum += weight;
    }
    for (size_t e = begin; search_.normalize && e < out_.weights.values.size(); ++e)
      out_.weights.values[e] = static_cast<float>(out_.weights.values[e] / sum);
    out_.weights.offsets.push_back(out_.weights.nnz());
  }

  NeighborLists take() { return std::move(out_); }

 private:
  const NeighborSearch& search_;
  bool distance_;
  NeighborLists out_;
};

/// The part of a matrix's rows; `offsets`: its own on the host.
CsrView part(CsrView a, std::span<const int64_t> offsets, int64_t begin, int64_t end) {
  CsrView out = a;
  out.offsets = a.offsets + begin;
  out.rows = end - begin;
  out.nnz = offsets[static_cast<size_t>(end)] - offsets[static_cast<size_t>(begin)];
  return out;
}

std::vector<int64_t> offsets_of(Context& ctx, CsrView a) {
  std::vector<int64_t> out(static_cast<size_t>(a.rows + 1));
  download<const int64_t>(ctx, {a.offsets, a.rows + 1, a.device}, out);
  ctx.wait();
  return out;
}

/// Every similar pair. same: queries are the rows themselves, and nobody is his own neighbor.
void find_all(Context& ctx, CsrView queries, CsrView rows, bool same, const SimilarityParams& params,
              std::span<const float> scales, Collector& out) {
  if (params.missing == Missing::kColumnMean && rows.rows > kMaxTopK)
    throw InputError("model.neighbors = \"all\" with model.missing = \"column-mean\" goes up to " +
                     std::to_string(kMaxTopK) + " rows, there are " + std::to_string(rows.rows) +
                     "; set model.neighbors to a number");
  const auto query_offsets = offsets_of(ctx, queries), row_offsets = offsets_of(ctx, rows);
  for (int64_t first = 0; first < queries.rows; first += kQueries) {
    const int64_t count = std::min(kQueries, queries.rows - first);
    std::vector<std::vector<Entry>> entries(static_cast<size_t>(count));
    for (int64_t begin = 0; begin < rows.rows; begin += kMaxTopK) {
      const int64_t k = std::min<int64_t>(kMaxTopK, rows.rows - begin);
      std::vector<int32_t> self(same ? static_cast<size_t>(count) : 0);
      for (size_t q = 0; q < self.size(); ++q) {
        const int64_t own = first + static_cast<int64_t>(q) - begin;
        self[q] = own >= 0 && own < k ? static_cast<int32_t>(own) : -1;
      }
      const Resident<int32_t> selves(ctx, self, "similarity queries");
      Matrix<int32_t> ids(ctx, count, k, "neighbors");
      Matrix<float> similarities(ctx, count, k, "neighbors");
      similar_rows(ctx, part(queries, query_offsets, first, first + count), selves.view(),
                   part(rows, row_offsets, begin, begin + k), params, ids.view(), similarities.view());
      Found found;
      found.fetch(ctx, ids.view(), similarities.view());
      cpu::parallel_for(ctx, count, kRowChunk, [&](int64_t from, int64_t to, int) {
        for (int64_t q = from; q < to; ++q)
          for (int64_t e = q * k; e < (q + 1) * k && found.ids[static_cast<size_t>(e)] >= 0; ++e)
            entries[static_cast<size_t>(q)].push_back({found.ids[static_cast<size_t>(e)] + static_cast<int32_t>(begin),
                                                       found.similarities[static_cast<size_t>(e)]});
      });
    }
    cpu::parallel_for(ctx, count, kRowChunk, [&](int64_t from, int64_t to, int) {
      for (int64_t q = from; q < to; ++q)  // blocks come by row: a stable sort keeps that order among equals
        std::ranges::stable_sort(entries[static_cast<size_t>(q)], std::greater<>(), &Entry::similarity);
    });
    for (int64_t q = 0; q < count; ++q)
      out.add(entries[static_cast<size_t>(q)], scales.empty() ? 1 : scales[static_cast<size_t>(first + q)]);
  }
}

void collect(std::span<const int32_t> ids, std::span<const float> similarities, int64_t rows,
             std::span<const float> scales, Collector& out) {
  const auto k = rows > 0 ? ids.size() / static_cast<size_t>(rows) : 0;
  std::vector<Entry> entries;
  for (size_t q = 0; q < static_cast<size_t>(rows); ++q) {
    entries.clear();
    for (size_t e = q * k; e < (q + 1) * k && ids[e] >= 0; ++e) entries.push_back({ids[e], similarities[e]});
    out.add(entries, scales.empty() ? 1 : scales[q]);
  }
}

/// The best of each row.
void find_best(Context& ctx, std::optional<CsrView> queries, CsrView rows, int64_t k, const SimilarityParams& params,
               std::span<const float> scales, Collector& out) {
  const int64_t count = queries ? queries->rows : rows.rows;
  Found found;
  {
    Matrix<int32_t> ids(ctx, count, k, "neighbors");
    Matrix<float> similarities(ctx, count, k, "neighbors");
    if (queries)
      similar_rows(ctx, *queries, {}, rows, params, ids.view(), similarities.view());
    else
      log_info("similarities", {{"rows", count},
                                {"by", name(similar_rows(ctx, rows, params, ids.view(), similarities.view()).method)}});
    found.fetch(ctx, ids.view(), similarities.view());
  }
  collect(found.ids, found.similarities, count, scales, out);
}

NeighborLists find(Context& ctx, std::optional<CsrView> queries, CsrView rows, const NeighborSearch& search) {
  const Weigher weigher(ctx, rows, search);
  Array<float> row_values, query_values;
  const CsrView weighed = weigher.weigh(rows, row_values);
  const std::vector<float> scales = weigher.scales(queries ? *queries : rows);
  if (queries) queries = weigher.weigh(*queries, query_values);
  const int64_t others = queries ? rows.rows : rows.rows - 1;
  Collector out(search, rows.rows);
  if (others < 1) {
    for (int64_t q = 0; q < (queries ? queries->rows : rows.rows); ++q) out.add({}, 1);
  } else if (search.neighbors == 0) {
    find_all(ctx, queries ? *queries : weighed, weighed, !queries, search.similarity, scales, out);
  } else {
    find_best(ctx, queries, weighed, std::min<int64_t>({search.neighbors, others, kMaxTopK}), search.similarity, scales,
              out);
  }
  return out.take();
}

}  // namespace

NeighborLists find_neighbors(Context& ctx, CsrView rows, const NeighborSearch& search) {
  return find(ctx, std::nullopt, rows, search);
}

NeighborLists find_neighbors(Context& ctx, CsrView queries, CsrView rows, const NeighborSearch& search) {
  return find(ctx, queries, rows, search);
}

NeighborLists weigh_neighbors(std::span<const int32_t> ids, std::span<const float> similarities, int64_t rows,
                              int64_t cols, const NeighborSearch& search) {
  Collector out(search, cols);
  collect(ids, similarities, rows, {}, out);
  return out.take();
}

}  // namespace kindred
