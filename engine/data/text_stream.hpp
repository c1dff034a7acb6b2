// SPDX-License-Identifier: Apache-2.0
// The text of a file from its beginning to its end, as UTF-8: plain, gzip, or standard input; and that text in pieces
// of whole records, so that a file of any size needs the memory of the pieces in work alone.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "engine/data/csv.hpp"

namespace kindred {

enum class Encoding : uint8_t { kUtf8, kLatin1 };

class TextStream {
 public:
  /// "-": standard input. Throws InputError: no such file, a folder, empty, UTF-16.
  TextStream(const std::filesystem::path& path, Encoding encoding);

  const std::string& name() const { return name_; }
  /// The beginning behind a byte order mark: up to 1 MiB, less only where the text is shorter.
  std::string_view head() const { return std::string_view(head_).substr(start_); }
  /// Whether head() is all there is.
  bool head_is_all() const { return source_ended_; }
  /// Passes over the first `bytes` of the head. Before the first read().
  void skip(size_t bytes) { served_ += bytes; }
  /// Fills `to`, but for a last byte where a character needs two. Throws InputError where a gzip file is cut off or
  /// damaged.
  size_t read(char* to, size_t bytes);
  bool compressed() const;
  /// Whether everything has been read.
  bool ended() const { return source_ended_ && served_ == head_.size(); }

 private:
  size_t read_bytes(char* to, size_t bytes);
  size_t read_text(char* to, size_t bytes);

  struct Close {
    void operator()(void* file) const;
  };
  std::string name_;
  Encoding encoding_;
  std::unique_ptr<void, Close> file_;  // zlib reads plain files as they are
  std::string head_, latin_;
  size_t start_ = 0, served_ = 0;
  bool source_ended_ = false;
};

/// All of a stream.
std::string read_text(TextStream& stream);

/// Where the content of a text begins: behind a byte order mark. Throws InputError for an empty file and for UTF-16.
size_t content_start(std::string_view text, const std::string& name);

/// Memory for a piece, not filled with zeros first.
class TextBuffer {
 public:
  void clear() { size_ = 0; }
  void append(std::string_view text);
  /// Reads from a stream until there are `bytes` in it, or the stream ends.
  void fill(TextStream& stream, size_t bytes);
  void cut(size_t size) { size_ = size; }
  std::string_view view() const { return {data_.get(), size_}; }

 private:
  void reserve(size_t bytes);
  std::unique_ptr<char[]> data_;
  size_t size_ = 0, capacity_ = 0;
};

/// Cuts a stream behind records. Pieces depend on the text alone.
class PieceReader {
 public:
  /// Pieces of `bytes`; longer where a record is longer. `longest`: of one record.
  PieceReader(TextStream& stream, const Dialect& dialect, size_t bytes, size_t longest = size_t{16} << 20);
  /// The next piece; false at the end. A record whose quotes are never closed comes as a piece that is its first line.
  /// Throws RecordError at offset 0 for a line that is longer than a record may be.
  bool next(TextBuffer& piece);

 private:
  TextStream& stream_;
  Dialect dialect_;
  size_t bytes_, longest_;
  std::string rest_;  // read, not yet given out
};

}  // namespace kindred
