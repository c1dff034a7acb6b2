// SPDX-License-Identifier: Apache-2.0
// kindred-data init: from somebody's files to a config that runs.
#pragma once
#include <filesystem>
#include <vector>

namespace kindred {

struct InitOptions {
  std::vector<std::filesystem::path> files;
  std::filesystem::path config;  ///< "": the first file's name with .toml, in the working directory; "-": stdout
  bool force = false;            ///< replace a config that is there
};

/// Looks at the files, writes the config, says what was found and what comes next.
void init(const InitOptions& options);

}  // namespace kindred
