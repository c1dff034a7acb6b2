// SPDX-License-Identifier: Apache-2.0
// How much figures would move with other users: resamples of the users, for one evaluation and for two on the same
// users.
#pragma once
#include <vector>

#include "engine/evaluate/evaluate.hpp"

namespace kindred {

/// Sets each metric's mean, and its interval where `intervals`: 1,000 draws of as many users as there are, by the seed.
void summarize(Context& ctx, Evaluation& evaluation, uint64_t seed, bool intervals);

/// Two evaluations of the same metrics on the users that are in both.
struct Comparison {
  int64_t users = 0;
  std::vector<MetricValue> first, second;  ///< as metrics; of the common users
  std::vector<MetricValue> difference;     ///< first - second; the interval is of the difference, user by user
};
/// Users are matched by id. Coverage, which is no mean over users, is compared as it stands, without an interval.
/// Throws InvalidArgument where the metrics differ.
Comparison compare(Context& ctx, const Evaluation& first, const Ids& first_users, const Evaluation& second,
                   const Ids& second_users, uint64_t seed, bool intervals);

}  // namespace kindred
