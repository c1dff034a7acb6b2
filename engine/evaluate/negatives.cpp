// SPDX-License-Identifier: Apache-2.0
#include "engine/evaluate/negatives.hpp"

#include <algorithm>

#include "kernels/philox.hpp"

namespace kindred {
namespace {

constexpr uint32_t kNegativeStage = 22;

}  // namespace

std::vector<int32_t> draw_negatives(std::span<const int32_t> had, int64_t items, int count, uint64_t seed,
                                    int32_t user) {
  // Places among the items that were not had, without repeats (Floyd; Bentley 1987): one draw for each.
  const int64_t pool = items - static_cast<int64_t>(had.size()), most = std::min<int64_t>(count, pool);
  const Philox philox{seed, kNegativeStage};
  std::vector<int32_t> out;
  for (int64_t last = pool - most; last < pool; ++last) {
    const auto draw = philox(static_cast<uint64_t>(user), static_cast<uint32_t>(last - (pool - most)));
    const auto place = static_cast<int32_t>(to_unit_double(draw[0], draw[1]) * static_cast<double>(last + 1));
    const auto at = std::ranges::lower_bound(out, place);
    if (at == out.end() || *at != place)
      out.insert(at, place);
    else
      out.push_back(static_cast<int32_t>(last));  // the largest so far
  }
  // From places to items: each item had that lies before moves the place on by one.
  size_t before = 0;
  for (int32_t& place : out) {
    while (before < had.size() && had[before] <= place + static_cast<int32_t>(before)) ++before;
    place += static_cast<int32_t>(before);
  }
  return out;
}

}  // namespace kindred
