// SPDX-License-Identifier: Apache-2.0
// Delimited text (RFC 4180 and its relatives) in memory: records as views into the text, which is never copied.
#pragma once
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kindred {

struct Dialect {
  std::string delimiter = ",";
  bool quotes = true;  ///< fields may stand in double quotes, a quote inside them doubled
};

/// What is wrong with a record. Readers turn it into an InputError with file and line.
struct RecordError {
  size_t offset = 0;  ///< of the record's first byte
  std::string message;
};

/// Walks over the records of a text that begins and ends at record borders. Blank lines are passed over; lines end with
/// LF or CRLF, the last one may lack its end.
class RecordReader {
 public:
  RecordReader(std::string_view text, const Dialect& dialect);

  /// Moves to the next record; false at the end. Throws RecordError (offset within `text`).
  bool next();
  /// The record's fields, unquoted; valid until the next call.
  std::span<const std::string_view> fields() const { return fields_; }
  /// Where the record begins.
  size_t offset() const { return start_; }
  /// Where the next one begins.
  size_t end() const { return position_; }

 private:
  void split(std::string_view line);
  void split_quoted();
  std::string_view quoted_field();

  std::string_view text_;
  std::string delimiter_;
  bool quotes_;
  size_t position_ = 0, start_ = 0;
  std::vector<std::string_view> fields_;
  std::deque<std::string> unescaped_;  // fields with doubled quotes; a deque so that views stay valid
};

/// Cuts `text` at record borders into pieces of about `bytes`: the borders, from 0 to text.size(). Pieces depend on the
/// text alone. O(pieces) where the text has no quotes, else one pass.
std::vector<size_t> cut_at_records(std::string_view text, const Dialect& dialect, size_t bytes);

/// 1 + the line ends before `offset`.
int64_t line_number(std::string_view text, size_t offset);

}  // namespace kindred
