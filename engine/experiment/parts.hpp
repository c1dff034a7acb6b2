// SPDX-License-Identifier: Apache-2.0
// The parts of a config's split as files, for other tools to train and be judged on the same data.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "engine/experiment/config.hpp"

namespace kindred {

struct WrittenPart {
  std::filesystem::path file;
  int64_t interactions = 0;
};

/// Writes train.csv, validation.csv and test.csv, those that the split has, into `folder`: columns user, item, value
/// and time where the data has them; ids as in the data, values as training gets them but not normalized, times in Unix
/// seconds. Protocol "users" adds validation_given.csv and test_given.csv, the histories that are folded in; "k-fold"
/// makes a folder fold-1, fold-2 … each; negatives.csv where the config has them. Reads the data twice.
std::vector<WrittenPart> write_parts(const Config& config, const std::filesystem::path& folder);

}  // namespace kindred
