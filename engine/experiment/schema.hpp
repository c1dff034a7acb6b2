// SPDX-License-Identifier: Apache-2.0
// The one table of config keys. From it come parsing, errors, help, the reference page and the resolved config; nothing
// else reads TOML, so a key that is not here cannot be read, and one that is here fills a field of Config.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "engine/experiment/config.hpp"

namespace kindred {

/// The settings under which a key means something: elsewhere it is refused and not part of the resolved config.
struct Condition {
  std::string text;  ///< "model.type = \"als\""; "" for always
  bool (*holds)(const Config&);
};

struct SchemaKey {
  std::string name;   ///< "model.factors"
  std::string type;   ///< "whole number", "number", "text", "true or false", "list of text", "folder", kInputFile …
  std::string range;  ///< "1 to 1024", "\"csv\" | \"adjacency\""; "" where anything of the type goes
  std::string sentence;  ///< what it does
  bool changes_results;  ///< false: speed or place alone
  Condition when;
  /// Takes a value from a file or command line; throws InputError without a place (the caller adds it).
  std::function<void(Config&, const TomlValue&)> read;
  /// The value as TOML; "" where it is unset and has no default.
  std::function<std::string(const Config&)> write;
};

/// The types of keys that name files to read: relative to the config's folder, or, from the command line, to the
/// working directory.
constexpr const char* kInputFile = "file";
constexpr const char* kInputFiles = "file or list of files";

/// All keys, in the order of the documentation.
const std::vector<SchemaKey>& schema();

/// Names that users know from elsewhere, with what to say: n_factors -> "did you mean 'model.factors'?".
const std::vector<std::pair<std::string, std::string>>& aliases();

}  // namespace kindred
