// SPDX-License-Identifier: Apache-2.0
// Similar rows of a dense matrix are best scores (topk.hpp) of rows against rows, each row excluded from its own list:
// one implementation for all backends.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "kernels/cpu/threads.hpp"
#include "kernels/dense.hpp"
#include "kernels/detail/check.hpp"
#include "kernels/memory.hpp"
#include "kernels/similarity.hpp"
#include "kernels/topk.hpp"

namespace kindred {
namespace {

using detail::bad_argument, detail::check_device, detail::shape;
constexpr const char* kOp = "similar_rows";
constexpr float kMinusHalf[] = {-0.5f};

template <class T>
std::vector<T> to_host(Context& ctx, MatrixView<const T> view) {
  std::vector<T> out(static_cast<size_t>(view.size()));
  download<const T>(ctx, view.flat(), out);
  ctx.wait();
  return out;
}

}  // namespace

void exact_distances(Context& ctx, MatrixView<const float> queries, MatrixView<const float> rows,
                     MatrixView<int32_t> ids, MatrixView<float> similarities) {
  cpu::parallel_for(ctx, ids.rows, 16, [&](int64_t begin, int64_t end, int) {
    std::vector<std::pair<float, int32_t>> list;
    for (int64_t q = begin; q < end; ++q) {
      const float* const x = queries.row(q);
      list.clear();
      for (int64_t place = 0; place < ids.cols && ids.row(q)[place] >= 0; ++place) {
        const float* const y = rows.row(ids.row(q)[place]);
        double sum = 0;
        for (int64_t c = 0; c < rows.cols; ++c) sum += (double{x[c]} - y[c]) * (double{x[c]} - y[c]);
        list.emplace_back(static_cast<float>(std::sqrt(sum)), ids.row(q)[place]);
      }
      std::sort(list.begin(), list.end());
      for (size_t place = 0; place < list.size(); ++place)
        ids.row(q)[place] = list[place].second, similarities.row(q)[place] = -list[place].first;
    }
  });
}

void similar_rows(Context& ctx, MatrixView<const float> rows, int64_t first, SimilarityMetric metric,
                  MatrixView<int32_t> ids, MatrixView<float> similarities) {
  check_device(ctx, kOp, "rows", rows);
  if (metric != SimilarityMetric::kDot && metric != SimilarityMetric::kCosine && metric != SimilarityMetric::kEuclidean)
    bad_argument(kOp, "dense rows have dot, cosine and Euclidean similarities");
  if (first < 0 || first + ids.rows > rows.rows)
    bad_argument(kOp, "lists of rows " + std::to_string(first) + " to " + std::to_string(first + ids.rows) +
                          " are asked for; rows are " + shape(rows));
  if (ids.rows == 0) return;
  Matrix<float> unit;
  Array<float> bias;
  const Resident<float> half(ctx, kMinusHalf, "similarity scale");
  if (metric == SimilarityMetric::kCosine) {
    unit = Matrix<float>(ctx, rows.rows, rows.cols, "similarity unit rows");
    copy(ctx, rows.flat(), unit.view().flat());
    normalize_rows(ctx, unit.view());
  } else if (metric == SimilarityMetric::kEuclidean) {  // nearest: the largest x y - |y|^2 / 2
    bias = Array<float>(ctx, rows.rows, "similarity squares");
    row_squares(ctx, rows, bias.view());
    scale_rows(ctx, {bias.data(), 1, rows.rows, ctx.device()}, half.view());
  }
  std::vector<int64_t> offsets(static_cast<size_t>(ids.rows) + 1);
  std::vector<int32_t> own(static_cast<size_t>(ids.rows));
  std::iota(offsets.begin(), offsets.end(), int64_t{0});
  std::iota(own.begin(), own.end(), static_cast<int32_t>(first));
  const ResidentCsr self(ctx, offsets, own, {}, rows.rows, "similarity self");
  const MatrixView<const float> table = metric == SimilarityMetric::kCosine ? std::as_const(unit).view() : rows;
  top_k(ctx, table.part(first, ids.rows), table, bias.view(), self.view(), ids, similarities);
  if (metric == SimilarityMetric::kEuclidean) {
    const auto vectors = to_host(ctx, rows);
    auto found = to_host<int32_t>(ctx, ids);
    auto distances = to_host<float>(ctx, similarities);
    const MatrixView<const float> host{vectors.data(), rows.rows, rows.cols};
    exact_distances(ctx, host.part(first, ids.rows), host, {found.data(), ids.rows, ids.cols},
                    {distances.data(), ids.rows, ids.cols});
    upload<int32_t>(ctx, found, ids.flat());
    upload<float>(ctx, distances, similarities.flat());
    ctx.wait();  // these go
  }
  ctx.wait();  // the host's vectors go
}

}  // namespace kindred
