// SPDX-License-Identifier: Apache-2.0
#include "engine/data/text_stream.hpp"

#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "engine/core/error.hpp"
#include "engine/core/file.hpp"

namespace kindred {
namespace {

constexpr size_t kHeadBytes = size_t{1} << 20;
constexpr unsigned kUnpackBytes = 1 << 18;

gzFile gz(void* file) { return static_cast<gzFile>(file); }

// Latin-1 is the first 256 characters of Unicode.
size_t to_utf8(std::string_view latin, char* to) {
  char* const begin = to;
  for (const char c : latin) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x80) *to++ = static_cast<char>(0xC0 | byte >> 6);
    *to++ = static_cast<char>(byte >= 0x80 ? 0x80 | (byte & 0x3F) : byte);
  }
  return static_cast<size_t>(to - begin);
}

}  // namespace

void TextStream::Close::operator()(void* file) const { gzclose_r(gz(file)); }

TextStream::TextStream(const std::filesystem::path& path, Encoding encoding)
    : name_(path == "-" ? "standard input" : path.string()), encoding_(encoding) {
  const int fd = open_to_read(path);
  file_.reset(gzdopen(fd, "rb"));
  if (!file_) {
    ::close(fd);
    throw std::bad_alloc();
  }
  gzbuffer(gz(file_.get()), kUnpackBytes);
  head_.resize(kHeadBytes);
  head_.resize(read_text(head_.data(), head_.size()));
  start_ = served_ = content_start(head_, name_);
}

size_t TextStream::read_bytes(char* to, size_t bytes) {
  size_t size = 0;
  while (size < bytes) {
    const auto most = static_cast<unsigned>(std::min<size_t>(bytes - size, size_t{1} << 30));
    const int got = gzread(gz(file_.get()), to + size, most);
    if (got > 0) size += static_cast<size_t>(got);
    if (got == static_cast<int>(most)) continue;
    int error = Z_OK;
    std::string text = gzerror(gz(file_.get()), &error);
    text.erase(0, text.find(": ") == std::string::npos ? 0 : text.find(": ") + 2);  // "<fd:3>: "
    if (error == Z_BUF_ERROR)
      throw InputError(name_ + ": the gzip file ends too early: it is truncated; copy or download it again");
    if (error == Z_ERRNO) throw InputError(name_ + ": cannot read: " + std::strerror(errno) + "; expected a file");
    if (error != Z_OK)
      throw InputError(name_ + ": the gzip file is damaged (" + printable(text) + "); copy or download it again");
    source_ended_ = true;
    break;
  }
  return size;
}

size_t TextStream::read_text(char* to, size_t bytes) {
  if (encoding_ == Encoding::kUtf8) return read_bytes(to, bytes);
  size_t size = 0;
  while (bytes - size >= 2) {  // a byte may become two
    latin_.resize((bytes - size) / 2);
    const size_t got = read_bytes(latin_.data(), latin_.size());
    size += to_utf8({latin_.data(), got}, to + size);
    if (source_ended_) break;
  }
  return size;
}

size_t TextStream::read(char* to, size_t bytes) {
  const size_t of_head = std::min(bytes, head_.size() - served_);
  std::memcpy(to, head_.data() + served_, of_head);
  served_ += of_head;
  return of_head + (source_ended_ ? 0 : read_text(to + of_head, bytes - of_head));
}

size_t content_start(std::string_view text, const std::string& name) {
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF"))
    throw InputError(name + ": the file is UTF-16; convert it to UTF-8 (iconv -f utf-16 -t utf-8)");
  const size_t start = text.starts_with("\xEF\xBB\xBF") ? 3 : 0;
  if (text.find_first_not_of("\r\n", start) == std::string_view::npos) throw InputError(name + ": the file is empty");
  return start;
}

bool TextStream::compressed() const { return gzdirect(gz(file_.get())) == 0; }

std::string read_text(TextStream& stream) {
  std::string text(stream.head());
  stream.skip(text.size());
  TextBuffer buffer;
  for (; !stream.ended(); buffer.clear()) {
    buffer.fill(stream, size_t{4} << 20);
    text += buffer.view();
  }
  return text;
}

void TextBuffer::reserve(size_t bytes) {
  if (bytes <= capacity_) return;
  auto larger = std::make_unique_for_overwrite<char[]>(bytes);
  std::copy_n(data_.get(), size_, larger.get());
  data_ = std::move(larger);
  capacity_ = bytes;
}

void TextBuffer::append(std::string_view text) {
  reserve(size_ + text.size());
  std::copy(text.begin(), text.end(), data_.get() + size_);
  size_ += text.size();
}

void TextBuffer::fill(TextStream& stream, size_t bytes) {
  if (bytes <= size_) return;
  reserve(bytes);
  size_ += stream.read(data_.get() + size_, bytes - size_);
}

PieceReader::PieceReader(TextStream& stream, const Dialect& dialect, size_t bytes, size_t longest)
    : stream_(stream), dialect_(dialect), bytes_(bytes), longest_(longest) {}

bool PieceReader::next(TextBuffer& piece) {
  piece.clear();
  piece.append(rest_);
  rest_.clear();
  for (size_t bytes = bytes_;; bytes *= 2) {
    piece.fill(stream_, bytes);
    const bool ended = stream_.ended();
    const std::string_view text = piece.view();
    if (text.empty() && ended) return false;
    const RecordEnd last = last_record_end(text, dialect_);
    size_t end = last.offset;
    if (ended && !last.in_quotes) end = text.size();
    if (end == 0 && !ended && text.size() < longest_) continue;
    if (end == 0) {
      const size_t line_end = text.find('\n');
      if (line_end == std::string_view::npos && !ended)
        throw RecordError{0, "a line of more than 16 MiB; expected a table of interactions, a row a line"};
      end = line_end == std::string_view::npos ? text.size() : line_end + 1;
    }
    rest_ = text.substr(end);
    piece.cut(end);
    return true;
  }
}

}  // namespace kindred
