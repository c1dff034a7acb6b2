// SPDX-License-Identifier: Apache-2.0
// What the tests of models share: ids one after the other, and the small matrix of the baselines: three users, four
// items, the last of which nobody has had.
#pragma once
#include <numeric>

#include "engine/core/interactions.hpp"

namespace kindred::test {

/// `count` ids from `first` on.
inline std::shared_ptr<const Ids> numbered(int64_t count, int64_t first = 1) {
  std::vector<int64_t> ids(static_cast<size_t>(count));
  std::iota(ids.begin(), ids.end(), first);
  return std::make_shared<Ids>(Ids::integers(ids));
}

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
