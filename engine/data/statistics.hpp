// SPDX-License-Identifier: Apache-2.0
// A first look at a data set: how much there is, how it is spread, what is liked, what is missing or odd. Linear in the
// interactions; memory beside them: a copy of their values, and a few numbers for each user and item.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/data/dataset.hpp"

namespace kindred {

/// Where quantiles are taken, and their names. Between two numbers they are interpolated (NumPy's default).
constexpr std::array<double, 9> kQuantiles{0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1};
constexpr std::array<const char*, 9> kQuantileNames{"min", "p1", "p5", "p25", "median", "p75", "p95", "p99", "max"};

/// Numbers from `low` on and below `high`, or, where both are equal, this number alone.
struct Bin {
  double low = 0, high = 0;
  int64_t count = 0;
};

/// How numbers are spread: population deviation; bins that cover them all, without empty ones at the ends.
struct Spread {
  double mean = 0, deviation = 0;
  std::array<double, kQuantiles.size()> quantiles{};
  std::vector<Bin> bins;
  bool log_bins = false;  ///< each bin is twice as wide as the one before

  double median() const { return quantiles[4]; }
  double most() const { return quantiles.back(); }
};

struct Period {
  std::string start;  ///< "2018", "2018-09", "2018-09-24", "2018-09-24T17"
  int64_t count = 0;
};

/// An item among the most rated, best or worst. `score` is its Bayesian average.
struct RankedItem {
  std::string id, title;
  int64_t count = 0;
  double mean = 0, score = 0;
};

struct TagCount {
  std::string tag;
  int64_t items = 0, interactions = 0;
  double mean = 0;
};

struct Statistics {
  int64_t users = 0, items = 0, interactions = 0;  ///< users and items that have an interaction
  double density = 0;                              ///< interactions / (users x items)
  std::optional<Spread> values;                    ///< where the data has values
  Spread of_user, of_item;                         ///< interactions of a user, of an item

  std::array<double, 101> lorenz{};  ///< [p]: the share that the p % of items with the fewest interactions have
  double gini = 0;                   ///< 0: all items alike; near 1: one has everything

  std::string period;           ///< "hour", "day", "month" or "year"; "" without times
  std::vector<Period> periods;  ///< without a gap
  std::string first_time, last_time;

  std::vector<RankedItem> most_rated;
  std::optional<double> usual_count, mean_of_means;  ///< C and m of the Bayesian averages; where there are values
  std::vector<RankedItem> best, worst;
  int64_t distinct_tags = 0;
  std::vector<TagCount> tags;  ///< those with most interactions

  int64_t rows_read = 0, merged = 0, rejected = 0;
  std::vector<RejectedRow> rejected_rows;      ///< the first few
  int64_t untimed = 0;                         ///< interactions whose time is not known, where the data has times
  int64_t listed_unseen = 0;                   ///< items of the catalogue that nobody has had
  std::optional<int64_t> untitled, untagged;   ///< items without title, without tags; where the catalogue has such
  int64_t constant_users = 0;                  ///< users with kConstantLeast or more values, all equal
  int64_t single_users = 0, single_items = 0;  ///< with one interaction

  std::vector<std::string> warnings;  ///< whole sentences, the weightiest first
};

constexpr int64_t kConstantLeast = 5;

struct StatisticsOptions {
  size_t items = 10, tags = 20, rejected = 10;  ///< length of the lists
};

/// `all` holds everything in `train` (protocol "none").
Statistics statistics(const PreparedData& all, const StatisticsOptions& options = {});

}  // namespace kindred
