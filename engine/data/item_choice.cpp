// SPDX-License-Identifier: Apache-2.0
#include "engine/data/item_choice.hpp"

#include <algorithm>
#include <cmath>

namespace kindred {
namespace {

// A user who takes more than this part of the items is drawn by a race over all items, not by rejection.
constexpr int64_t kRaceShare = 16;

}  // namespace

std::span<const int32_t> ItemChoice::draw(int64_t row, const PlantedUser& user, int64_t first, int64_t count) {
  chosen_.clear();
  if (options_.interactions >= options_.items) {
    for (int64_t item = placed_before(first); item < placed_before(first + count); ++item) mark(row, item);
  }
  if (count * kRaceShare >= options_.items) {
    race(row, user, count);
  } else {
    Draws draws(options_.seed, SynthStage::kChoice, row);
    while (static_cast<int64_t>(chosen_.size()) < count) {
      const int64_t item = planted_.item_of_rank(planted_.draw_rank(draws));
      if (draws.unit() < Planted::acceptance(planted_.affinity(user, item))) mark(row, item);
    }
  }
  std::sort(chosen_.begin(), chosen_.end());
  return chosen_;
}

// How many items are placed among the first interactions of all: item j stands at ceil(j K / M).
int64_t ItemChoice::placed_before(int64_t interactions) const {
  __extension__ using Wide = unsigned __int128;
  const auto all = static_cast<Wide>(options_.interactions);
  const Wide product = static_cast<Wide>(interactions) * static_cast<Wide>(options_.items);
  return static_cast<int64_t>((product + all - 1) / all);
}

void ItemChoice::mark(int64_t row, int64_t item) {
  int64_t& marked = marks_[static_cast<size_t>(item)];
  if (marked == row) return;
  marked = row;
  chosen_.push_back(static_cast<int32_t>(item));
}

// The same distribution at O(items), for users who would draw most items again and again: of exponential times with
// rates exposure x acceptance the first come first (Efraimidis and Spirakis 2006).
void ItemChoice::race(int64_t row, const PlantedUser& user, int64_t count) {
  Draws draws(options_.seed, SynthStage::kRace, row);
  times_.clear();
  for (int64_t rank = 0; rank < options_.items; ++rank) {
    const int64_t item = planted_.item_of_rank(rank);
    const double rate =
        planted_.exposure(rank) * static_cast<double>(Planted::acceptance(planted_.affinity(user, item)));
    const double time = -std::log(1. - static_cast<double>(draws.unit())) / rate;
    if (marks_[static_cast<size_t>(item)] != row) times_.emplace_back(time, static_cast<int32_t>(item));
  }
  const auto end = times_.begin() + (count - static_cast<int64_t>(chosen_.size()));
  std::nth_element(times_.begin(), end, times_.end());
  for (auto winner = times_.begin(); winner != end; ++winner) mark(row, winner->second);
}

}  // namespace kindred
