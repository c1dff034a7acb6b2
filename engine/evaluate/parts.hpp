// SPDX-License-Identifier: Apache-2.0
// Interactions with ids of their own, brought to the ids of a model or of lists.
#pragma once
#include "engine/data/dataset.hpp"

namespace kindred {

/// The pairs of `part` over these ids: items that are not among them are counted for each user, users that are not
/// among them are dropped and counted.
HeldOut over_ids(const Interactions& part, const Ids& users, const Ids& items);

}  // namespace kindred
