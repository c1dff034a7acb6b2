// SPDX-License-Identifier: Apache-2.0
// Weights of the entries of a sparse matrix, put in the place of its values before rows are compared: a column that all
// rows have says less than a rare one, a tenth repetition less than the first, a long row less than a short one. What
// is known of whole rows and columns comes in as factors.
#pragma once
#include "kernels/context.hpp"

namespace kindred {

enum class EntryWeight : uint8_t {
  kRoot,       ///< sqrt(v) column[c]                                     tf-idf: column = idf
  kSaturated,  ///< v (parameter + 1) / (parameter row[r] + v) column[c]  BM25: parameter = K1, row = relative length
  kPower       ///< v^parameter row[r] column[c]
};

/// out[e] = weight of entry e of `a` (m x n; without values each is 1). row: m, column: n, out: a.nnz, in the order of
/// entries. Values, factors and parameter are finite and at least 0, as the caller knows; then so are the weights
/// (kPower of 0: 0). Computed in fp64, rounded once. Cost: 12 bytes an entry.
void weigh_entries(Context& ctx, CsrView a, EntryWeight weight, float parameter, VectorView<const float> row,
                   VectorView<const float> column, VectorView<float> out);

}  // namespace kindred
