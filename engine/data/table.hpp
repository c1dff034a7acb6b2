// SPDX-License-Identifier: Apache-2.0
// A delimited file, opened: its delimiter and header found, its columns looked up by name.
#pragma once
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/file.hpp"
#include "engine/data/csv.hpp"
#include "engine/data/text_stream.hpp"

namespace kindred {

/// How text is to be taken, where that cannot be seen in it.
enum class Quote : uint8_t { kAuto, kNone, kDouble };  ///< kAuto: comma and semicolon quote, tab, bar and :: don't
struct TextForm {
  Quote quote = Quote::kAuto;
  Encoding encoding = Encoding::kUtf8;
};

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

/// A name as columns are compared: lower case, without '_' and spaces.
std::string loose_name(std::string_view name);

/// The place among `names` of what is wished for, by name alone; -1 where there is none.
int find_name(const ColumnWish& wish, std::span<const std::string> names);

/// What the beginning of a delimited file says about it.
struct Layout {
  Dialect dialect;
  std::vector<std::string> header;  ///< its names; empty where the file has none
  std::vector<std::string> first;   ///< fields of the first record that is not the header; empty where none can be read
  size_t records = 0;               ///< where they begin
  int64_t line = 1;                 ///< the line on which they begin
  size_t width = 0;
  std::vector<Column> columns;  ///< in the order of the wishes

  /// Says in the log what was found.
  void log(const std::string& file, std::span<const ColumnWish> wishes) const;
};

/// Finds the delimiter (, tab ; | ::), the header and the wished columns. Throws InputError: header alone, a column
/// missing (with what was found and the nearest name).
Layout find_layout(std::string_view head, const std::string& file, std::span<const ColumnWish> wishes, Quote quote);

/// A file at once, for those that fit in memory.
class Table {
 public:
  /// Throws InputError as TextStream and find_layout do.
  Table(const std::filesystem::path& path, std::span<const ColumnWish> wishes, const TextForm& form = {});

  /// The records behind the header.
  std::string_view records() const { return text().substr(layout_.records); }
  const Dialect& dialect() const { return layout_.dialect; }
  const Column& column(size_t wish) const { return layout_.columns[wish]; }
  size_t width() const { return layout_.width; }
  /// The header's names; empty where the file has none.
  const std::vector<std::string>& header() const { return layout_.header; }
  /// Says in the log what was found.
  void log_findings() const { layout_.log(name_, wishes_); }

  /// The line on which the record at `offset` in records() begins.
  int64_t line(int64_t offset) const;
  /// Throws InputError "path:line: message" for the record at `offset` in records().
  [[noreturn]] void fail(size_t offset, const std::string& message) const;

 private:
  std::string_view text() const { return mapped_ ? mapped_->view().substr(start_) : std::string_view(unpacked_); }

  std::string name_;
  std::vector<ColumnWish> wishes_;
  std::optional<MappedFile> mapped_;  // plain UTF-8; anything else is unpacked
  std::string unpacked_;
  size_t start_ = 0;
  Layout layout_;
};

}  // namespace kindred
