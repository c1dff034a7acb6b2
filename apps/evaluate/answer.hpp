// SPDX-License-Identifier: Apache-2.0
// What kindred-evaluate is asked, and its answer on standard output.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "engine/experiment/contender.hpp"

namespace kindred {

struct EvaluateRequest {
  std::filesystem::path path, against, per_user;
  TrialFiles files;
  EvaluateOptions options;
  std::vector<std::string> metrics, columns;
  std::string negatives;  ///< a file, or a number
  std::string gain = "binary", format = "table", device = "auto";
  bool include_seen = false, no_intervals = false;
  int threads = 0;
};

/// Throws InputError where the request or what it names is wrong.
void answer(EvaluateRequest request);

}  // namespace kindred
