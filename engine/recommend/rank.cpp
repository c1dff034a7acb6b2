// SPDX-License-Identifier: Apache-2.0
#include "engine/recommend/rank.hpp"

#include <algorithm>

#include "kernels/memory.hpp"
#include "kernels/topk.hpp"

namespace kindred {
namespace {

/// A row that is not allowed has a bias of -infinity: its score is no score.
std::vector<float> masked(std::span<const float> bias, std::span<const uint8_t> allowed) {
  std::vector<float> out(bias.begin(), bias.end());
  if (allowed.empty()) return out;
  out.resize(allowed.size(), 0.f);
  for (size_t i = 0; i < allowed.size(); ++i)
    if (allowed[i] == 0) out[i] = kNoScore;
  return out;
}

/// Few rows a query: each pair is scored, the lists are sorted on the host.
void rank_candidates(Context& ctx, MatrixView<const float> queries, MatrixView<const float> table,
                     std::span<const float> bias, const BatchFilters& filters, int k, std::span<int32_t> ids,
                     std::span<float> scores) {
  const HostCsr& candidates = *filters.candidates;
  const ResidentCsr pairs(ctx, candidates.offsets, candidates.indices, {}, candidates.cols, "candidates");
  Array<float> products(ctx, candidates.nnz(), "candidates' scores");
  pair_scores(ctx, queries, table, pairs.view(), products.view());
  std::vector<float> found(candidates.indices.size());
  download<float>(ctx, products.view(), found);
  ctx.wait();
  std::vector<std::pair<float, int32_t>> list;  // score negated: ascending is best first, then by row
  for (int64_t q = 0; q < queries.rows; ++q) {
    list.clear();
    for (auto e = static_cast<size_t>(candidates.offsets[q]); e < static_cast<size_t>(candidates.offsets[q + 1]); ++e) {
      const int32_t item = candidates.indices[e];
      const float score = found[e] + (bias.empty() ? 0.f : bias[static_cast<size_t>(item)]);
      const bool excluded = filters.excluded.rows() > 0 && std::ranges::binary_search(filters.excluded.row(q), item);
      if (score > kNoScore && !excluded) list.emplace_back(-score, item);
    }
    const auto kept = std::min(list.size(), static_cast<size_t>(k));
    std::partial_sort(list.begin(), list.begin() + static_cast<std::ptrdiff_t>(kept), list.end());
    const size_t at = static_cast<size_t>(q) * static_cast<size_t>(k);
    for (size_t r = 0; r < static_cast<size_t>(k); ++r) {
      ids[at + r] = r < kept ? list[r].second : -1;
      scores[at + r] = r < kept ? -list[r].first : kNoScore;
    }
  }
}

}  // namespace

void rank(Context& ctx, const HostMatrix& queries, MatrixView<const float> table, std::span<const float> bias,
          const BatchFilters& filters, int k, std::span<int32_t> ids, std::span<float> scores) {
  const std::vector<float> biases = masked(bias, filters.allowed);
  const Resident<float> device_queries(ctx, queries.data, "queries");
  const auto query_rows = device_queries.matrix(queries.cols);
  if (filters.candidates) return rank_candidates(ctx, query_rows, table, biases, filters, k, ids, scores);
  const Resident<float> device_bias(ctx, biases, "biases");
  const HostCsr& excluded = filters.excluded;
  const ResidentCsr device_excluded(ctx, excluded.offsets, excluded.indices, {}, excluded.cols, "excluded items");
  Matrix<int32_t> out_ids(ctx, queries.rows, k, "top-k items");
  Matrix<float> out_scores(ctx, queries.rows, k, "top-k scores");
  top_k(ctx, query_rows, table, device_bias.view(), excluded.rows() > 0 ? device_excluded.view() : CsrView{},
        out_ids.view(), out_scores.view());
  download<int32_t>(ctx, out_ids.view().flat(), ids);
  download<float>(ctx, out_scores.view().flat(), scores);
  ctx.wait();
  for (size_t r = 0; r < ids.size(); ++r)
    if (scores[r] == kNoScore) ids[r] = -1;
}

HostCsr merge_rows(std::span<const HostCsr* const> matrices, std::span<const int32_t> rows, int64_t cols) {
  HostCsr out;
  out.cols = cols;
  for (const int32_t row : rows) {
    const auto begin = static_cast<std::ptrdiff_t>(out.indices.size());
    for (const HostCsr* matrix : matrices)
      if (matrix != nullptr && row >= 0 && row < matrix->rows()) {
        const auto entries = matrix->row(row);
        out.indices.insert(out.indices.end(), entries.begin(), entries.end());
      }
    if (matrices.size() > 1) {
      std::sort(out.indices.begin() + begin, out.indices.end());
      out.indices.erase(std::unique(out.indices.begin() + begin, out.indices.end()), out.indices.end());
    }
    out.offsets.push_back(static_cast<int64_t>(out.indices.size()));
  }
  return out;
}

HostCsr slice_rows(const HostCsr& matrix, int64_t begin, int64_t count) {
  HostCsr out;
  out.cols = matrix.cols;
  const int64_t first = matrix.offsets[begin], last = matrix.offsets[begin + count];
  for (int64_t r = 1; r <= count; ++r) out.offsets.push_back(matrix.offsets[begin + r] - first);
  out.indices.assign(matrix.indices.begin() + first, matrix.indices.begin() + last);
  if (!matrix.values.empty()) out.values.assign(matrix.values.begin() + first, matrix.values.begin() + last);
  return out;
}

HostCsr gather_rows(const HostCsr& matrix, std::span<const int32_t> rows) {
  HostCsr out;
  out.cols = matrix.cols;
  for (const int32_t row : rows) {
    if (row >= 0) {
      const auto entries = matrix.row(row);
      out.indices.insert(out.indices.end(), entries.begin(), entries.end());
      for (int64_t e = matrix.offsets[static_cast<size_t>(row)]; e < matrix.offsets[static_cast<size_t>(row) + 1]; ++e)
        out.values.push_back(matrix.value(e));
    }
    out.offsets.push_back(out.nnz());
  }
  return out;
}

HostCsr replace_rows(const HostCsr& matrix, std::span<const int32_t> rows, const HostCsr& by) {
  HostCsr out;
  out.cols = matrix.cols;
  size_t next = 0;
  for (int64_t r = 0; r < matrix.rows(); ++r) {
    const bool replaced = next < rows.size() && rows[next] == r;
    const HostCsr& from = replaced ? by : matrix;
    const auto row = static_cast<size_t>(replaced ? static_cast<int64_t>(next++) : r);
    for (int64_t e = from.offsets[row]; e < from.offsets[row + 1]; ++e) {
      out.indices.push_back(from.indices[static_cast<size_t>(e)]);
      out.values.push_back(from.value(e));
    }
    out.offsets.push_back(out.nnz());
  }
  return out;
}

HostMatrix gather(const HostMatrix& table, std::span<const int32_t> rows) {
  HostMatrix out(static_cast<int64_t>(rows.size()), table.cols);
  for (size_t q = 0; q < rows.size(); ++q)
    if (rows[q] >= 0) std::ranges::copy(table.row(rows[q]), out.row(static_cast<int64_t>(q)).begin());
  return out;
}

}  // namespace kindred
