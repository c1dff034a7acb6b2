// SPDX-License-Identifier: Apache-2.0
// A synthetic data set whose best possible model is known: users with low-rank tastes, items with popularity, titles
// and tags, timed events of several kinds, friends.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>

namespace kindred {

struct SynthOptions {
  int64_t users = 1000, items = 500, interactions = 50000;
  uint64_t seed = 42;
  int factors = 8;  ///< rank of the planted taste
  int threads = 0;  ///< 0: all cores; the bytes are the same for any number
};

/// Writes ratings.csv, events.csv, items.csv, users.csv, friends.csv and truth.json into `folder`, streaming: memory
/// O(users + items), time O(interactions). Equal options give equal bytes. docs/synthetic-data.md has the formulas.
void write_synthetic(const std::filesystem::path& folder, const SynthOptions& options);

/// What is planted: the expected rating of a pair on the scale of ratings.csv before noise and rounding; and the
/// noise's standard deviation. A perfect model's RMSE on ratings.csv is close to noise() (see truth.json, key
/// "rmse_floor").
class SynthTruth {
 public:
  explicit SynthTruth(const SynthOptions& options);
  ~SynthTruth();
  double expected_rating(int64_t user, int64_t item) const;  ///< ids are 1-based rows: user 1 … users
  double noise() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kindred
