// SPDX-License-Identifier: Apache-2.0
// Which files a table of interactions stands in: one path, or a list whose entries may have columns and a kind of event
// of their own.
#pragma once
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace kindred {

/// A column by name, or by number from 1 where the file has no header; "" where the config names none.
struct InteractionColumns {
  std::string user{}, item{}, value{}, time{}, event{};
  bool operator==(const InteractionColumns&) const = default;
};

struct InputFile {
  std::string path{};            ///< or a glob; "-" is standard input
  std::string event{};           ///< the kind of all its rows; "": a column says it
  InteractionColumns columns{};  ///< what it names comes before [data]'s columns
  bool operator==(const InputFile&) const = default;
};

struct InputFiles {
  std::vector<InputFile> list{};

  InputFiles() = default;
  InputFiles(const std::filesystem::path& path) {
    if (!path.empty()) list.push_back({path.string()});
  }
  explicit InputFiles(std::vector<InputFile> files) : list(std::move(files)) {}

  bool empty() const { return list.empty(); }
  /// For messages: "views.csv", "views.csv and 2 more".
  std::string string() const;
  bool operator==(const InputFiles&) const = default;
};

/// The files themselves, globs replaced by what they match in ascending order. Throws InputError where a glob matches
/// nothing.
std::vector<InputFile> expand(const InputFiles& files);

}  // namespace kindred
