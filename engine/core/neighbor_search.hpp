// SPDX-License-Identifier: Apache-2.0
// Neighbors as models keep them: weights of the most similar rows. Training finds those of items or users among
// themselves; a history that comes later finds its own among the users of training, by the same search.
#pragma once
#include "engine/core/interactions.hpp"
#include "kernels/memory.hpp"
#include "kernels/similarity.hpp"

namespace kindred {

/// What stands in the place of a value v before rows x are compared; columns c, n rows.
enum class Weighting : uint8_t {
  kNone,
  kTfIdf,   ///< sqrt(v) idf_c, idf_c = ln n - ln(1 + entries of c)
  kBm25,    ///< v (k1 + 1) / (k1 (1 - b + b |x| / mean |x|) + v) idf_c, |x| = sum of x's values
  kRp3Beta  ///< random walks of three steps (Paudel et al. 2017): weight of y for x = sum_c (v_xc v_yc)^alpha /
            ///< (|c|^alpha |y|^alpha |x|^beta)
};

struct NeighborSearch {
  SimilarityParams similarity;
  Weighting weighting = Weighting::kNone;
  float bm25_k1 = 1.2f, bm25_b = 0.75f;
  float rp3_alpha = 1, rp3_beta = 0.6f;
  int neighbors = 100;     ///< of a row at most; 0: all
  bool normalize = false;  ///< each row's weights add up to 1
};

/// Row q: who is near, weight descending, then by row. A similarity of 0 or less is no neighbor; a distance d weighs
/// 1 / (1 + d).
struct NeighborLists {
  HostCsr weights;
  std::vector<float> similarity;  ///< an entry each; empty: the weights themselves
};

/// Neighbors of rows among themselves. Throws InputError where values are below 0 and the weighting cannot take that.
/// Memory: as similar_rows; where all are kept, 8 bytes a pair of similar rows.
NeighborLists find_neighbors(Context& ctx, CsrView rows, const NeighborSearch& search);

/// Neighbors of `queries` among `rows`, both over the same columns, all rows being candidates.
NeighborLists find_neighbors(Context& ctx, CsrView queries, CsrView rows, const NeighborSearch& search);

/// Neighbors from lists of another search: `rows` lists, row-major, -1 where one ends, among `cols` rows.
NeighborLists weigh_neighbors(std::span<const int32_t> ids, std::span<const float> similarities, int64_t rows,
                              int64_t cols, const NeighborSearch& search);

}  // namespace kindred
