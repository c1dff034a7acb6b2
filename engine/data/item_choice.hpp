// SPDX-License-Identifier: Apache-2.0
// Which items a synthetic user takes: a weighted sample without replacement.
#pragma once
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "engine/data/planted.hpp"

namespace kindred {

/// Draws the items of users. One a thread: it holds a mark for each item.
class ItemChoice {
 public:
  ItemChoice(const SynthOptions& options, const Planted& planted)
      : options_(options), planted_(planted), marks_(static_cast<size_t>(options.items), -1) {}

  /// `count` distinct items, ascending, by successive draws with chances exposure x acceptance; valid until the next
  /// call. Each row once. `first` is the number of interactions of the users before: every items/interactions-th
  /// interaction of all is with the next item, whatever the taste, so that each item occurs.
  std::span<const int32_t> draw(int64_t row, const PlantedUser& user, int64_t first, int64_t count);

 private:
  int64_t placed_before(int64_t interactions) const;
  void mark(int64_t row, int64_t item);
  void race(int64_t row, const PlantedUser& user, int64_t count);

  const SynthOptions& options_;
  const Planted& planted_;
  std::vector<int64_t> marks_;  // the last user who took the item
  std::vector<int32_t> chosen_;
  std::vector<std::pair<double, int32_t>> times_;
};

}  // namespace kindred
