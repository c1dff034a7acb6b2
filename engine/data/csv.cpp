// SPDX-License-Identifier: Apache-2.0
#include "engine/data/csv.hpp"

#include <algorithm>
#include <cstring>

namespace kindred {
namespace {

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
    : text_(text),
      delimiter_(dialect.delimiter),
      quotes_(dialect.quotes && text.find('"') != std::string_view::npos) {}  // most number files have none

bool RecordReader::next() {
  while (position_ < text_.size()) {
    start_ = position_;
    fields_.clear();
    const size_t line_end = find_byte(text_, '\n', start_);
    const std::string_view line = text_.substr(start_, line_end - start_);
    if (quotes_ && line.find('"') != std::string_view::npos) {
      split_quoted();
      return true;
    }
    position_ = std::min(line_end + 1, text_.size());
    const std::string_view content = without_cr(line);
    if (content.empty()) continue;
    split(content);
    return true;
  }
  return false;
}

void RecordReader::split(std::string_view line) {
  const char* const end = line.data() + line.size();
  const char* field = line.data();
  if (delimiter_.size() == 1) {
    const char delimiter = delimiter_[0];
    for (const char* c = field; c != end; ++c) {
      if (*c != delimiter) continue;
      fields_.emplace_back(field, static_cast<size_t>(c - field));
      field = c + 1;
    }
  } else {
    for (size_t from = 0, found; (found = line.find(delimiter_, from)) != std::string_view::npos;) {
      fields_.emplace_back(field, static_cast<size_t>(line.data() + found - field));
      from = found + delimiter_.size();
      field = line.data() + from;
    }
  }
  fields_.emplace_back(field, static_cast<size_t>(end - field));
}

// A record in which a quote occurs. A quote opens a quoted field only as its first byte; elsewhere it is text.
void RecordReader::split_quoted() {
  unescaped_.clear();
  position_ = start_;
  for (;;) {
    const bool quoted = position_ < text_.size() && text_[position_] == '"';
    if (quoted) {
      fields_.push_back(quoted_field());
    } else {
      const size_t begin = position_;
      const size_t line_end = find_byte(text_, '\n', begin);
      const size_t delimiter = text_.substr(0, line_end).find(delimiter_, begin);
      position_ = std::min(delimiter, line_end);
      const std::string_view field = text_.substr(begin, position_ - begin);
      fields_.push_back(position_ == line_end ? without_cr(field) : field);
    }
    if (text_.compare(position_, delimiter_.size(), delimiter_) == 0) {
      position_ += delimiter_.size();
      continue;
    }
    if (quoted && text_.compare(position_, 2, "\r\n") == 0) ++position_;
    if (quoted && text_.compare(position_, 1, "\r") == 0 && position_ + 1 == text_.size()) ++position_;
    if (position_ < text_.size() && text_[position_] != '\n') {
      throw RecordError{start_, "text stands after a field's closing quote; write a quote inside a field twice"};
    }
    position_ = std::min(position_ + 1, text_.size());
    return;
  }
}

// Reads from the opening quote to behind the closing one.
std::string_view RecordReader::quoted_field() {
  const size_t begin = ++position_;
  bool doubled = false;
  for (;;) {
    position_ = find_byte(text_, '"', position_);
    if (position_ == text_.size()) throw RecordError{start_, "a quoted field is never closed"};
    if (position_ + 1 >= text_.size() || text_[position_ + 1] != '"') break;
    doubled = true;
    position_ += 2;
  }
  const std::string_view raw = text_.substr(begin, position_ - begin);
  ++position_;
  if (!doubled) return raw;
  std::string& plain = unescaped_.emplace_back();
  for (size_t i = 0; i < raw.size(); ++i) {
    plain += raw[i];
    if (raw[i] == '"') ++i;
  }
  return plain;
}

std::vector<size_t> cut_at_records(std::string_view text, const Dialect& dialect, size_t bytes) {
  std::vector<size_t> borders{0};
  if (!dialect.quotes || text.find('"') == std::string_view::npos) {
    while (borders.back() < text.size()) {
      const size_t line_end = find_byte(text, '\n', borders.back() + bytes - 1);
      borders.push_back(std::min(line_end + 1, text.size()));
    }
    return borders;
  }
  // A line end inside quotes is no border: one pass that follows the quotes as RecordReader does.
  bool field_start = true;
  for (size_t i = 0; i < text.size();) {
    if (field_start && text[i] == '"') {
      for (++i; i < text.size(); ++i) {
        if (text[i] != '"') continue;
        if (i + 1 >= text.size() || text[i + 1] != '"') break;
        ++i;
      }
      i = std::min(i + 1, text.size());
      field_start = false;
    } else if (text[i] == '\n') {
      ++i;
      field_start = true;
      if (i - borders.back() >= bytes) borders.push_back(i);
    } else if (text.compare(i, dialect.delimiter.size(), dialect.delimiter) == 0) {
      i += dialect.delimiter.size();
      field_start = true;
    } else {
      ++i;
      field_start = false;
    }
  }
  if (borders.back() < text.size()) borders.push_back(text.size());
  return borders;
}

int64_t line_number(std::string_view text, size_t offset) {
  return 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(offset), '\n');
}

}  // namespace kindred
