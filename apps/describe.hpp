// SPDX-License-Identifier: Apache-2.0
// What --help says, said to shells and to man: from the options that a program has declared.
#pragma once
#include <string>

namespace CLI {
class App;
}

namespace kindred {

/// Completion of the program's options, their choices and its subcommands; elsewhere files. To be sourced.
std::string bash_completion(const CLI::App& app);
/// The same as a file for zsh's fpath, named _PROGRAM.
std::string zsh_completion(const CLI::App& app);

/// A page for section 1, in man's macros.
std::string man_page(const CLI::App& app, const std::string& version);

}  // namespace kindred
