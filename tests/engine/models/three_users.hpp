// SPDX-License-Identifier: Apache-2.0
// The small matrix of the baselines' tests: three users, four items, the last of which nobody has had.
#pragma once
#include "engine/core/interactions.hpp"

namespace kindred::test {

inline Interactions three_users(std::vector<float> values) {
  Interactions out;
  out.users = std::make_shared<Ids>(Ids::integers({1, 2, 3}));
  out.items = std::make_shared<Ids>(Ids::integers({7, 8, 9, 10}));
  out.matrix.cols = 4;
  out.matrix.offsets = {0, 3, 3, 5};
  out.matrix.indices = {0, 1, 2, 0, 1};
  out.matrix.values = std::move(values);
  return out;
}

}  // namespace kindred::test
