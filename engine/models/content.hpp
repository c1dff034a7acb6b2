// SPDX-License-Identifier: Apache-2.0
// Items by what is known of them, users by what they liked: a user's profile is the mean of his items' features,
// weighed by the values, and items are ranked by their cosine with it. Answers for items that nobody has had, too.
#pragma once
#include "engine/models/content_features.hpp"
#include "engine/models/fit.hpp"
#include "kernels/context.hpp"

namespace kindred {

/// `vectors`: items x d, or none. Values below 0 (data.normalize = "subtract-user-mean") push away. Logs the blocks.
/// Throws as content_features(). Cost: O(nnz x columns); memory: (users + items) x columns.
FittedModel fit_content(Context& ctx, const Interactions& train, const Catalogue& catalogue, const HostMatrix& vectors,
                        const ContentOptions& options);

}  // namespace kindred
