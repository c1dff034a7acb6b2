// SPDX-License-Identifier: Apache-2.0
// A first config for somebody's files: commented, and it runs as it is.
#pragma once
#include <filesystem>
#include <string>

#include "engine/data/guess.hpp"

namespace kindred {

/// The config's text; paths in it are relative to the folder of `config`, where it is going to lie.
std::string starter_config(const DatasetGuess& guess, const std::filesystem::path& config);

/// What was found, for people: each file, what it is taken for, and what its columns are.
std::string describe(const DatasetGuess& guess);

/// The commands that come next.
std::string next_steps(const DatasetGuess& guess, const std::filesystem::path& config);

}  // namespace kindred
