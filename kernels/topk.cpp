// SPDX-License-Identifier: Apache-2.0
#include "kernels/detail/topk.hpp"

#include "kernels/detail/check.hpp"

namespace kindred {
using detail::bad_argument, detail::check_device, detail::check_size, detail::shape;

void top_k(Context& ctx, MatrixView<const float> queries, MatrixView<const float> items,
           VectorView<const float> item_bias, CsrView excluded, MatrixView<int32_t> ids, MatrixView<float> scores) {
  check_device(ctx, "top_k", "queries", queries);
  check_device(ctx, "top_k", "items", items);
  check_device(ctx, "top_k", "item_bias", item_bias);
  check_device(ctx, "top_k", "excluded", excluded);
  check_device(ctx, "top_k", "ids", ids);
  check_device(ctx, "top_k", "scores", scores);
  if (queries.cols != items.cols)
    bad_argument("top_k", "queries are " + shape(queries) + ", items " + shape(items) + "; both need as many columns");
  if (!item_bias.empty()) check_size("top_k", "item_bias", item_bias.size, "an item each", items.rows);
  if (excluded.rows != 0 && (excluded.rows != queries.rows || excluded.cols != items.rows))
    bad_argument("top_k", "excluded is " + shape(excluded) + "; queries x items, " + std::to_string(queries.rows) +
                              " x " + std::to_string(items.rows) + ", is needed");
  if (ids.rows != queries.rows || scores.rows != queries.rows || ids.cols != scores.cols)
    bad_argument("top_k", "ids are " + shape(ids) + ", scores " + shape(scores) + "; both need queries x k, " +
                              std::to_string(queries.rows) + " rows");
  if (ids.cols < 1 || ids.cols > kMaxTopK)
    bad_argument("top_k",
                 "k is " + std::to_string(ids.cols) + "; from 1 to " + std::to_string(kMaxTopK) + " is possible");
  if (items.rows > INT32_MAX)
    bad_argument("top_k", std::to_string(items.rows) + " items; at most 2,147,483,647 are possible");
  if (queries.rows == 0) return;
  ctx.on_cuda() ? cuda::top_k(ctx, queries, items, item_bias, excluded, ids, scores)
                : cpu::top_k(ctx, queries, items, item_bias, excluded, ids, scores);
}

namespace {
void check_tables(Context& ctx, MatrixView<const float> x, MatrixView<const float> y, VectorView<float> out) {
  check_device(ctx, "pair_scores", "x", x);
  check_device(ctx, "pair_scores", "y", y);
  check_device(ctx, "pair_scores", "out", out);
  if (x.cols != y.cols)
    bad_argument("pair_scores", "x is " + shape(x) + ", y " + shape(y) + "; both need as many columns");
}
}  // namespace

void pair_scores(Context& ctx, MatrixView<const float> x, MatrixView<const float> y, VectorView<const int32_t> row,
                 VectorView<const int32_t> col, VectorView<float> out) {
  check_tables(ctx, x, y, out);
  check_device(ctx, "pair_scores", "row", row);
  check_device(ctx, "pair_scores", "col", col);
  check_size("pair_scores", "col", col.size, "a pair each", row.size);
  check_size("pair_scores", "out", out.size, "a pair each", row.size);
  if (row.empty()) return;
  ctx.on_cuda() ? cuda::pair_scores(ctx, x, y, row, col, out) : cpu::pair_scores(ctx, x, y, row, col, out);
}

void pair_scores(Context& ctx, MatrixView<const float> x, MatrixView<const float> y, CsrView pairs,
                 VectorView<float> out) {
  check_tables(ctx, x, y, out);
  check_device(ctx, "pair_scores", "pairs", pairs);
  if (pairs.rows != x.rows || pairs.cols != y.rows)
    bad_argument("pair_scores", "pairs is " + shape(pairs) + ", x " + shape(x) + ", y " + shape(y) +
                                    "; pairs needs x's rows and y's rows");
  check_size("pair_scores", "out", out.size, "an entry each", pairs.nnz);
  if (pairs.nnz == 0) return;
  ctx.on_cuda() ? cuda::pair_scores(ctx, x, y, pairs, out) : cpu::pair_scores(ctx, x, y, pairs, out);
}

}  // namespace kindred
