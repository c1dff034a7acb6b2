// SPDX-License-Identifier: Apache-2.0
// Which part of a split each interaction falls into. It depends on the seed, the ids and the times alone, never on the
// order of a file or on threads. docs/splitting.md describes the protocols.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "engine/core/interactions.hpp"
#include "kernels/context.hpp"

namespace kindred {

/// kGiven…: of users who are held out as a whole, what an evaluation may fold in.
enum class Part : uint8_t { kTrain, kValidation, kTest, kGivenValidation, kGivenTest };

/// What goes out of train, of each user's entries where `per_user`, else of all together. Of n entries a part gets its
/// share rounded down, at least 1 where the share is above 0, as long as train keeps at least 1.
struct Draw {
  double test = 0, validation = 0;
  bool one = false;  ///< one entry for each part whose share is above 0 (leave-one-out)
  bool per_user = true;
  /// The latest go to test, those before them to validation, equal times by draw. Empty: all by draws of Philox
  /// (seed, user, item).
  std::span<const int64_t> times{};
};
std::vector<Part> draw_parts(Context& ctx, const HostCsr& matrix, const Draw& draw, uint64_t seed);

/// Whole users go out of train: shares of the users with at least two entries, rounded as above; all others stay. Of a
/// held-out user's entries the share `fold_in` is given and the rest, at least 1, is to be found.
std::vector<Part> draw_users(Context& ctx, const HostCsr& matrix, double test, double validation, double fold_in,
                             uint64_t seed);

/// A fold for each entry, from 0. Sizes of folds differ by at most 1: within each user where `per_user`, else in all.
std::vector<uint8_t> draw_folds(Context& ctx, const HostCsr& matrix, int folds, bool per_user, uint64_t seed);

/// The entries of one part, in the same shape.
HostCsr take_part(const HostCsr& matrix, const std::vector<Part>& parts, Part part);

/// The interactions of one part with their times and kinds.
Interactions take_part(const Interactions& all, const std::vector<Part>& parts, Part part);

}  // namespace kindred
