// SPDX-License-Identifier: Apache-2.0
// Delimited text (RFC 4180 and its relatives) in memory: records as views into the text, which is never copied.
// Delimiters, line ends and quotes are found by vectors, a window of the text at a time.
#pragma once
#include <array>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kindred {

struct Dialect {
  std::string delimiter = ",";  ///< one byte, or "::"
  bool quotes = true;           ///< fields may stand in double quotes, a quote inside them doubled
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
  /// After a RecordError of next(): goes on behind the line on which that record begins.
  void skip_line();

 private:
  void move_to(size_t position);
  void fill_window(size_t from);
  void split_quoted(size_t position);
  std::string_view quoted_field(size_t& position);

  std::string_view text_;
  std::string delimiter_;
  bool quotes_;
  size_t position_ = 0, start_ = 0;
  static constexpr size_t kWindowBytes = 4096;
  std::array<uint64_t, kWindowBytes / 64> words_;  // a bit a byte of the window: delimiters, line ends and quotes
  size_t window_ = 0;                              // where the window begins
  size_t block_ = 0;                               // the 64 bytes that marks_ is about
  uint64_t marks_ = 0;                             // those of words_ from position_ on
  std::vector<std::string_view> fields_;
  std::deque<std::string> unescaped_;  // fields with doubled quotes; a deque so that views stay valid
};

/// Where the last whole record of a text ends that begins with a record: behind its line end; 0 where none does. And
/// whether the text ends inside quotes.
struct RecordEnd {
  size_t offset = 0;
  bool in_quotes = false;
};
RecordEnd last_record_end(std::string_view text, const Dialect& dialect);

/// Line ends in `text`.
int64_t count_lines(std::string_view text);

}  // namespace kindred
