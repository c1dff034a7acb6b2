// SPDX-License-Identifier: Apache-2.0
// A delimited file, opened: its delimiter and header found, its columns looked up by name.
#pragma once
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/file.hpp"
#include "engine/data/csv.hpp"

namespace kindred {

/// A column that a reader wants.
struct ColumnWish {
  std::string_view what;                ///< "user"
  std::string_view key;                 ///< the config key that names it: "data.columns.user"
  std::string name;                     ///< as configured: a name or a number from 1; "": look for `usual`
  std::vector<std::string_view> usual;  ///< names to look for, in lower case without '_', in order of preference
  bool required = false;
};

/// What was found for a wish.
struct Column {
  int index = -1;     ///< -1: the file has no such column
  std::string label;  ///< for messages: the header's name, or "column 3"
};

class Table {
 public:
  /// Opens `path`, finds the delimiter (, tab ; | ::), the header and the wished columns.
  /// Throws InputError: no such file, empty, header alone, a column missing (with what was found and the nearest name).
  Table(const std::filesystem::path& path, std::span<const ColumnWish> wishes);

  /// The records behind the header.
  std::string_view records() const { return file_.view().substr(records_); }
  const Dialect& dialect() const { return dialect_; }
  const Column& column(size_t wish) const { return columns_[wish]; }
  size_t width() const { return width_; }
  /// The header's names; empty where the file has none.
  const std::vector<std::string>& header() const { return names_; }
  /// Says in the log what was found.
  void log_findings() const;

  /// The line on which the record at `offset` in records() begins.
  int64_t line(int64_t offset) const;
  /// Throws InputError "path:line: message" for the record at `offset` in records().
  [[noreturn]] void fail(size_t offset, const std::string& message) const;

 private:
  Column find_column(const ColumnWish& wish, const std::vector<std::string>& first) const;
  void find_dialect(std::span<const ColumnWish> wishes, size_t start);
  bool has_header(std::span<const ColumnWish> wishes, const std::vector<std::string>& first, size_t second) const;
  std::vector<std::string> record_at(size_t start, size_t* end) const;

  std::string name_;
  MappedFile file_;
  Dialect dialect_;
  size_t records_ = 0, width_ = 0;
  std::vector<std::string> names_;  // empty: no header
  std::string findings_;            // "user=userId item=movieId"
  std::vector<Column> columns_;
};

/// A name as columns are compared: lower case, without '_' and spaces.
std::string loose_name(std::string_view name);

/// Opens a file that must have content behind a byte order mark; returns where that content starts. Throws InputError
/// for an empty file and for UTF-16.
size_t content_start(std::string_view text, const std::string& name);

}  // namespace kindred
