// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/similarity_problem.hpp"

#include <cmath>
#include <numeric>

namespace kindred::cpu {
namespace {

using detail::PairPlan, detail::RowTerms;

ColumnMeans column_means(CsrView rows) {
  ColumnMeans out;
  out.mean.assign(static_cast<size_t>(rows.cols), 0);
  std::vector<int64_t> count(out.mean.size(), 0);
  for (int64_t e = rows.offsets[0]; e < rows.offsets[rows.rows]; ++e) {
    const auto c = static_cast<size_t>(rows.indices[e]);
    out.mean[c] += rows.values != nullptr ? double{rows.values[e]} : 1;
    ++count[c];
  }
  for (size_t c = 0; c < count.size(); ++c) {
    if (count[c] > 0) out.mean[c] /= static_cast<double>(count[c]);
    out.sum += out.mean[c], out.squares += out.mean[c] * out.mean[c];
  }
  return out;
}

bool all_positive(CsrView rows) {
  return rows.values == nullptr || std::all_of(rows.values + rows.offsets[0], rows.values + rows.offsets[rows.rows],
                                               [](float v) { return v > 0; });
}

}  // namespace

PreparedRows prepare_rows(Context& ctx, CsrView rows, const SimilarityParams& params, const PairPlan& plan,
                          const ColumnMeans& means) {
  PreparedRows out;
  out.rows = rows;
  if (plan.centered) out.centered = Array<float>(ctx, rows.nnz, "similarity values");
  out.terms.resize(static_cast<size_t>(rows.rows));
  const bool by_row = plan.centered && params.missing == Missing::kRowMean;
  parallel_for(ctx, rows.rows, kRowChunk, [&](int64_t first, int64_t last, int) {
    for (int64_t r = first; r < last; ++r) {
      const int64_t begin = rows.offsets[r], end = rows.offsets[r + 1];
      const auto value = [&](int64_t e) { return rows.values != nullptr ? double{rows.values[e]} : 1.0; };
      detail::RowSums s;
      if (by_row && end > begin) {
        for (int64_t e = begin; e < end; ++e) s.mean += value(e);
        s.mean /= static_cast<double>(end - begin);
      }
      for (int64_t e = begin; e < end; ++e) {
        double v = value(e);
        if (plan.centered) {
          const double column = means.mean.empty() ? 0 : means.mean[static_cast<size_t>(rows.indices[e])];
          const float rounded = static_cast<float>(v - (by_row ? s.mean : column));
          out.centered.data()[e - rows.offsets[0]] = rounded;
          v = double{rounded};
          s.along += v * column;
        }
        s.count += 1, s.sum += v, s.squares += v * v, s.absolute += std::abs(v);
      }
      out.terms[static_cast<size_t>(r)] = detail::row_terms(s, params.metric, params.missing, plan.formula,
                                                            static_cast<double>(rows.cols), means.sum, means.squares);
    }
  });
  return out;
}

SimilarityProblem::SimilarityProblem(Context& ctx, CsrView matrix, CsrView queries, const SimilarityParams& asked)
    : params(asked),
      pair(detail::pair_plan(params, matrix.values != nullptr || queries.values != nullptr,
                             all_positive(matrix) && all_positive(queries))),
      means(params.missing == Missing::kColumnMean && pair.centered ? column_means(matrix) : ColumnMeans{}),
      rows(prepare_rows(ctx, matrix, params, pair, means)),
      order(ctx, matrix.rows, "similarity order"),
      rank(ctx, matrix.rows, "similarity order"),
      terms(params, pair, matrix.cols, means.sum, means.squares) {
  int32_t* const row_of = order.data();
  std::iota(row_of, row_of + size(), 0);
  std::stable_sort(row_of, row_of + size(), [&](int32_t x, int32_t y) { return rows.entries(x) > rows.entries(y); });
  for (int32_t number = 0; number < size(); ++number) {
    rank.data()[row_of[number]] = number;
    const RowTerms& of_row = rows.terms[static_cast<size_t>(row_of[number])];
    a.push_back(of_row.a), b.push_back(of_row.b), w.push_back(of_row.w);
  }
}

}  // namespace kindred::cpu
