// SPDX-License-Identifier: Apache-2.0
// Truncated SVD of the utility matrix, what is missing being 0 (PureSVD: Cremonesi, Koren, Turrin 2010): users U, items
// V S. Of centered values (data.normalize) what is missing is the mean.
#pragma once
#include "engine/models/fit.hpp"
#include "kernels/svd.hpp"

namespace kindred {

struct SvdOptions {
  int factors = 64;
  SvdParams params;  ///< the seed is the context's
};

/// Columns beyond the rank of the matrix are 0. Throws InputError where there are fewer users or items than factors.
FittedModel fit_svd(Context& ctx, const Interactions& train, const SvdOptions& options);

FitMemory svd_memory(const Context& ctx, const FitShape& shape, const SvdOptions& options);

}  // namespace kindred
