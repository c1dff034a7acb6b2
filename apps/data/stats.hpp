// SPDX-License-Identifier: Apache-2.0
// kindred-data stats: a look at a data set before anything is fitted to it.
#pragma once
#include <filesystem>
#include <vector>

namespace kindred {

struct StatsOptions {
  std::vector<std::filesystem::path> files;  ///< data, or one config
  std::filesystem::path html;                ///< "": none
  bool json = false;
  int threads = 0;
};

void stats(const StatsOptions& options);

}  // namespace kindred
