// SPDX-License-Identifier: Apache-2.0
// Scores of a batch of queries against all items, and the k best of each: score(q, i) = x_q . y_i + bias_i.
// The queries x items matrix is never written: scores are compared with each query's k-th best as they come.
#pragma once
#include <limits>

#include "kernels/context.hpp"

namespace kindred {

constexpr int kMaxTopK = 1024;
constexpr float kNoScore = -std::numeric_limits<float>::infinity();

/// The k items of the largest score of each query, in order (score descending, item ascending).
/// queries: q x d; items: n x d; item_bias: n or empty; excluded: q rows over n columns (values are not read), or empty
/// (rows = 0): items that a query must not get. ids, scores: q x k, k from 1 to kMaxTopK; where fewer than k items are
/// left the rest is -1 and kNoScore. A score of NaN is never returned.
/// Exact with regard to the fp32 score, and on the CPU a query's list is the same in any batch: where a first pass in 8
/// bits is used (32 queries and more, AVX-512 VNNI), its error bound decides what is scored in fp32. Cost: 2 q n d
/// operations; memory O(q k), independent of n.
void top_k(Context& ctx, MatrixView<const float> queries, MatrixView<const float> items,
           VectorView<const float> item_bias, CsrView excluded, MatrixView<int32_t> ids, MatrixView<float> scores);

/// out[e] = x_{row[e]} . y_{col[e]} for pairs of rows. x: m x d, y: n x d; row, col, out: equally long.
/// Rows out of range: InvalidArgument (CPU) or at ctx.wait() (CUDA). Cost: 2 d FLOP and 8 d bytes a pair.
void pair_scores(Context& ctx, MatrixView<const float> x, MatrixView<const float> y, VectorView<const int32_t> row,
                 VectorView<const int32_t> col, VectorView<float> out);

/// The same over the entries of a sparse matrix: out[e] for entry e of `pairs` (m x n; values are not read).
void pair_scores(Context& ctx, MatrixView<const float> x, MatrixView<const float> y, CsrView pairs,
                 VectorView<float> out);

}  // namespace kindred
