// SPDX-License-Identifier: Apache-2.0
#include "engine/data/csv.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "engine/data/csv_simd.hpp"

namespace kindred {
namespace {

using detail::kMarkedBytes;

// The offset of `byte` in `text` from `from` on, or text.size().
size_t find_byte(std::string_view text, char byte, size_t from) {
  if (from >= text.size()) return text.size();
  const void* found = std::memchr(text.data() + from, byte, text.size() - from);
  return found ? static_cast<size_t>(static_cast<const char*>(found) - text.data()) : text.size();
}

std::string_view without_cr(std::string_view line) {
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line;
}

}  // namespace

RecordReader::RecordReader(std::string_view text, const Dialect& dialect)
    : text_(text), delimiter_(dialect.delimiter), quotes_(dialect.quotes) {
  fill_window(0);
  move_to(0);
}

// The marks of the window that begins at `from`; 0 behind the text.
void RecordReader::fill_window(size_t from) {
  window_ = from;
  const char quote = quotes_ ? '"' : '\n';
  const size_t rest = text_.size() - from;
  const size_t whole = std::min(rest / kMarkedBytes, words_.size());
  detail::find_marks(text_.data() + from, whole, delimiter_[0], '\n', quote, words_.data());
  if (whole == words_.size()) return;
  char last[kMarkedBytes] = {};
  const size_t size = rest % kMarkedBytes;
  if (size > 0) std::memcpy(last, text_.data() + (text_.size() - size), size);
  detail::find_marks(last, 1, delimiter_[0], '\n', quote, &words_[whole]);
  words_[whole] &= (uint64_t{1} << size) - 1;
  std::fill(words_.begin() + static_cast<ptrdiff_t>(whole) + 1, words_.end(), 0);
}

void RecordReader::move_to(size_t position) {
  position_ = position;
  block_ = position / kMarkedBytes * kMarkedBytes;
  if (block_ < window_ || block_ >= window_ + kWindowBytes) fill_window(block_);
  marks_ = words_[(block_ - window_) / kMarkedBytes] & (~uint64_t{0} << (position % kMarkedBytes));
}

void RecordReader::skip_line() { move_to(std::min(find_byte(text_, '\n', start_) + 1, text_.size())); }

bool RecordReader::next() {
  fields_.clear();
  start_ = position_;
  const char* const text = text_.data();
  const bool wide = delimiter_.size() > 1;
  for (size_t field = start_;;) {
    while (marks_ == 0) {
      block_ += kMarkedBytes;
      if (block_ < text_.size()) {
        if (block_ == window_ + kWindowBytes) fill_window(block_);
        marks_ = words_[(block_ - window_) / kMarkedBytes];
        continue;
      }
      if (start_ == text_.size()) return false;  // the last line lacks its end
      position_ = text_.size();
      fields_.push_back(without_cr(text_.substr(field)));
      if (fields_.size() > 1 || !fields_[0].empty()) return true;
      start_ = position_;
      return false;
    }
    const size_t at = block_ + static_cast<size_t>(std::countr_zero(marks_));
    marks_ &= marks_ - 1;
    const char mark = text[at];
    if (mark == '\n') {
      position_ = at + 1;
      std::string_view last(text + field, at - field);
      if (!last.empty() && last.back() == '\r') last.remove_suffix(1);
      if (!last.empty() || !fields_.empty()) {
        fields_.push_back(last);
        return true;
      }
      start_ = field = position_;  // a blank line
    } else if (mark == '"' && quotes_) {
      if (at != field) continue;  // a quote opens a quoted field only as its first byte; elsewhere it is text
      split_quoted(field);
      return true;
    } else if (!wide) {
      fields_.emplace_back(text + field, at - field);
      field = at + 1;
    } else if (at >= field && text_.compare(at, delimiter_.size(), delimiter_) == 0) {
      fields_.emplace_back(text + field, at - field);
      field = at + delimiter_.size();
    }
  }
}

// The rest of a record, from a field that begins with a quote on.
void RecordReader::split_quoted(size_t position) {
  unescaped_.clear();
  for (;;) {
    const bool quoted = position < text_.size() && text_[position] == '"';
    if (quoted) {
      fields_.push_back(quoted_field(position));
    } else {
      const size_t begin = position;
      const size_t line_end = find_byte(text_, '\n', begin);
      const size_t delimiter = text_.substr(0, line_end).find(delimiter_, begin);
      position = std::min(delimiter, line_end);
      const std::string_view field = text_.substr(begin, position - begin);
      fields_.push_back(position == line_end ? without_cr(field) : field);
    }
    if (text_.compare(position, delimiter_.size(), delimiter_) == 0) {
      position += delimiter_.size();
      continue;
    }
    if (quoted && text_.compare(position, 2, "\r\n") == 0) ++position;
    if (quoted && text_.compare(position, 1, "\r") == 0 && position + 1 == text_.size()) ++position;
    if (position < text_.size() && text_[position] != '\n')
      throw RecordError{start_, "text stands after a field's closing quote; write a quote inside a field twice"};
    move_to(std::min(position + 1, text_.size()));
    return;
  }
}

// Reads from the opening quote to behind the closing one.
std::string_view RecordReader::quoted_field(size_t& position) {
  const size_t begin = ++position;
  bool doubled = false;
  for (;;) {
    position = find_byte(text_, '"', position);
    if (position == text_.size())
      throw RecordError{start_,
                        "a quoted field is never closed; close it, or set data.quote = \"none\" where quotes are text"};
    if (position + 1 >= text_.size() || text_[position + 1] != '"') break;
    doubled = true;
    position += 2;
  }
  const std::string_view raw = text_.substr(begin, position - begin);
  ++position;
  if (!doubled) return raw;
  std::string& plain = unescaped_.emplace_back();
  for (size_t i = 0; i < raw.size(); ++i) {
    plain += raw[i];
    if (raw[i] == '"') ++i;
  }
  return plain;
}

RecordEnd last_record_end(std::string_view text, const Dialect& dialect) {
  RecordEnd last;
  // From quoted field to quoted field; only line ends between them are borders.
  for (size_t from = 0;;) {
    const auto opens = [&](size_t at) {  // as the first byte of a field; elsewhere a quote is text
      size_t run = 0;
      while (at - run > from && text[at - run - 1] == dialect.delimiter[0]) ++run;
      return at == 0 || text[at - 1] == '\n' || (run > 0 && run % dialect.delimiter.size() == 0);
    };
    size_t open = dialect.quotes ? find_byte(text, '"', from) : text.size();
    while (open < text.size() && !opens(open)) open = find_byte(text, '"', open + 1);
    const size_t line_end = text.substr(from, open - from).rfind('\n');
    if (line_end != std::string_view::npos) last.offset = from + line_end + 1;
    if (open == text.size()) return last;
    size_t close = find_byte(text, '"', open + 1);
    while (close + 1 < text.size() && text[close + 1] == '"') close = find_byte(text, '"', close + 2);
    if (close == text.size()) {
      last.in_quotes = true;
      return last;
    }
    from = close + 1;
  }
}

int64_t count_lines(std::string_view text) { return std::count(text.begin(), text.end(), '\n'); }

}  // namespace kindred
