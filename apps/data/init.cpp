// SPDX-License-Identifier: Apache-2.0
#include "apps/data/init.hpp"

#include <fmt/format.h>

#include "engine/core/error.hpp"
#include "engine/core/file.hpp"
#include "engine/experiment/starter.hpp"

namespace kindred {

void init(const InitOptions& options) {
  std::vector<FileProfile> profiles;
  for (const auto& file : options.files) profiles.push_back(profile_file(file));
  const DatasetGuess guess = guess_dataset(std::move(profiles));

  const bool print = options.config == "-";
  std::filesystem::path config = options.config;
  if (config.empty() || print) config = options.files[0].stem().string() + ".toml";
  const std::string text = starter_config(guess, config);
  if (print) {
    fmt::print("{}", text);
    return;
  }
  if (!options.force && std::filesystem::exists(config)) {
    throw InputError(config.string() + ": the file is there; name another one with -o, or replace it with --force");
  }
  write_file(config, text);
  fmt::print("{}\nwrote {}; look through it, then\n{}", describe(guess), config.generic_string(),
             next_steps(guess, config));
}

}  // namespace kindred
