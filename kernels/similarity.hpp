// SPDX-License-Identifier: Apache-2.0
// The k most similar other rows of each row of a sparse or a dense matrix; the n x n matrix of similarities is never
// written.
//
// Rows x and y (items, say, over users). n: columns that both have; sums run over those, or over all columns with what
// Missing puts in place of what is not there:
//   kDot        sum x y
//   kCosine     sum x y / sqrt(sum x^2 sum y^2)
//   kPearson    the same of x - mean x and y - mean y
//   kMsd        1 / (mean (x - y)^2 + 1)
//   kEuclidean  -sqrt(sum (x - y)^2)                          (a distance: nearer is larger)
//   kManhattan  -sum |x - y|                                  (Missing: kZero or kIgnore)
//   kJaccard    n / (columns that either has); no values
// Where a denominator is 0 (no norm, all values equal under Pearson) the similarity is 0.
//
// Names elsewhere: scikit-learn's and implicit's cosine is kCosine with kZero; Surprise's cosine, msd and pearson are
// kCosine, kMsd and kPearson with kIgnore; LensKit's centred cosine is kPearson with kRowMean; the adjusted cosine of
// Sarwar et al. 2001 is kCosine with kIgnore of values less their column's mean.
#pragma once
#include "kernels/context.hpp"

namespace kindred {

enum class SimilarityMetric : uint8_t { kDot, kCosine, kPearson, kMsd, kEuclidean, kManhattan, kJaccard };

/// What stands where a row has no entry. None of them makes the matrix dense.
enum class Missing : uint8_t {
  kZero,       ///< 0
  kIgnore,     ///< columns that one of the two lacks do not count
  kRowMean,    ///< the mean of the row's entries
  kColumnMean  ///< the mean of the column's entries
};

struct SimilarityParams {
  SimilarityMetric metric = SimilarityMetric::kCosine;
  Missing missing = Missing::kZero;
  /// Similarity times (n - shrink_from) / (n - shrink_from + shrinkage): few common columns say little. 0: as it is;
  /// not for distances. Surprise's pearson_baseline: 100 from 1.
  float shrinkage = 0;
  int shrink_from = 0;
  /// Rows with fewer common columns are no neighbors. 0: all rows may be.
  int64_t min_overlap = 1;
};

/// The ways to find the lists. All give the same lists.
enum class SimilarityMethod : uint8_t {
  kRows,     ///< for each row, the entries of its columns are added up: sum over columns of entries^2 multiply-adds
  kHalves,   ///< the same for each pair once: half of the multiply-adds, n^2 / 2 similarities
  kBits,     ///< without values: 512 rows a step. Entries times n / 1,024 steps, n^2 / 2 similarities
  kProducts  ///< cosine and Pearson of values: products of dense blocks, n^2 m FLOP; sums to 1e-5 of the rows' norms
};
/// The way that was taken, as the one whose steps are the least by count.
struct SimilarityPlan {
  SimilarityMethod method = SimilarityMethod::kRows;
  double cost = 0;  ///< nanoseconds of one core, estimated; 0 on CUDA, which has one way
};
const char* name(SimilarityMethod method);

/// For each row of `rows` (n x m) its k most similar other rows, in order (similarity descending, row ascending). ids,
/// similarities: n x k; where fewer than k are left the rest is -1 and kNoScore (topk.hpp). k from 1 to kMaxTopK.
/// Sums are in fp64 (counts are exact) but for kProducts. Memory: 16 bytes an entry at most, 16 n k bytes, a tile of 16
/// MiB.
SimilarityPlan similar_rows(Context& ctx, CsrView rows, const SimilarityParams& params, MatrixView<int32_t> ids,
                            MatrixView<float> similarities);

/// The same for rows of another matrix over the same columns, `queries` (q x m). self[q]: the row that query q must not
/// get, -1 for none; empty: none at all. ids, similarities: q x k.
SimilarityPlan similar_rows(Context& ctx, CsrView queries, VectorView<const int32_t> self, CsrView rows,
                            const SimilarityParams& params, MatrixView<int32_t> ids, MatrixView<float> similarities);

/// Dense rows (embeddings): for rows [first, first + ids.rows) of `rows` (n x d) the k most similar other rows of it by
/// kDot, kCosine or kEuclidean. ids, similarities as above. Scores are fp32 products (top_k); the distances of the
/// neighbors found are taken again from differences in fp64, on the host. Cost: 2 n d operations a list; memory: a copy
/// of the rows for kCosine.
void similar_rows(Context& ctx, MatrixView<const float> rows, int64_t first, SimilarityMetric metric,
                  MatrixView<int32_t> ids, MatrixView<float> similarities);

/// Gives lists of rows that are near by |x|^2 - 2 x y + |y|^2 in fp32, which has few digits left for near ones, their
/// distances from differences in fp64, and the order of these. All in host memory; queries: q x d, rows: n x d; ids,
/// similarities: q x k as from similar_rows, -distance being the similarity. Cost: 3 q k d FLOP.
void exact_distances(Context& ctx, MatrixView<const float> queries, MatrixView<const float> rows,
                     MatrixView<int32_t> ids, MatrixView<float> similarities);

}  // namespace kindred
