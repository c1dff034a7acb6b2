// SPDX-License-Identifier: Apache-2.0
// A TOML file as flat, typed values with the line each stands on. The schema (engine/experiment/schema.hpp) says what
// they mean; nothing else reads a config.
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace kindred {

struct TomlValue;
using TomlTable = std::map<std::string, TomlValue>;
using TomlArray = std::vector<TomlValue>;

struct TomlValue {
  std::variant<bool, int64_t, double, std::string, TomlArray, TomlTable> value;
  int line = 0;  ///< 0: from the command line
  /// "a whole number", "text", "a list" …: for messages.
  std::string_view kind() const;
};

/// Parses a file. InputError "FILE:LINE: …" for what is not TOML, dates included.
TomlTable read_toml(const std::filesystem::path& path);
TomlTable parse_toml(std::string_view text, const std::string& name);

/// Sets a dotted key as `--set model.factors=128` does. The right side is TOML; where it isn't, it is text.
void set_toml(TomlTable& root, std::string_view key_equals_value);

/// A value as TOML text on one line: strings escaped, floats the shortest that round-trip.
std::string to_toml(const TomlValue& value);

}  // namespace kindred
