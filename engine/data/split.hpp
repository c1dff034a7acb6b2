// SPDX-License-Identifier: Apache-2.0
// Random parts of a matrix. Which part an entry falls into depends on the seed, its user, its item and the shares,
// never on the order of a file or on threads.
#pragma once
#include <cstdint>
#include <vector>

#include "engine/core/interactions.hpp"
#include "kernels/context.hpp"

namespace kindred {

enum class Part : uint8_t { kTrain, kValidation, kTest };

/// A part for each entry. Entries are ranked by draws of Philox (seed, user, item), within each user where `per_user`,
/// else over all; the first go to test, the next to validation. Of n entries a part gets its share rounded down, at
/// least 1 where the share is above 0, as long as train keeps at least 1.
std::vector<Part> draw_parts(Context& ctx, const HostCsr& matrix, double test, double validation, bool per_user,
                             uint64_t seed);

/// The entries of one part, in the same shape.
HostCsr take_part(const HostCsr& matrix, const std::vector<Part>& parts, Part part);

/// The interactions of one part with their times and kinds.
Interactions take_part(const Interactions& all, const std::vector<Part>& parts, Part part);

}  // namespace kindred
