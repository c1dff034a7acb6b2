// SPDX-License-Identifier: Apache-2.0
#include "engine/store/text.hpp"

#include <algorithm>
#include <array>

#include "engine/core/utf8.hpp"

namespace kindred {
namespace {

struct Range {
  char32_t first, last;
};

// Unicode's East_Asian_Width W and F, and emoji, by block.
constexpr std::array kWide = {
    Range{0x1100, 0x115f},   Range{0x2e80, 0x303e},   Range{0x3041, 0x4dbf},   Range{0x4e00, 0xa4cf},
    Range{0xa960, 0xa97c},   Range{0xac00, 0xd7a3},   Range{0xf900, 0xfaff},   Range{0xfe30, 0xfe6f},
    Range{0xff00, 0xff60},   Range{0xffe0, 0xffe6},   Range{0x1f300, 0x1f64f}, Range{0x1f680, 0x1f6ff},
    Range{0x1f900, 0x1f9ff}, Range{0x20000, 0x3fffd},
};
// Combining marks, zero-width spaces and joiners, variation selectors.
constexpr std::array kNarrowest = {
    Range{0x0300, 0x036f}, Range{0x0483, 0x0489}, Range{0x0591, 0x05bd}, Range{0x064b, 0x065f}, Range{0x1ab0, 0x1aff},
    Range{0x1dc0, 0x1dff}, Range{0x200b, 0x200f}, Range{0x20d0, 0x20ff}, Range{0xfe00, 0xfe0f}, Range{0xfe20, 0xfe2f},
};

template <size_t n>
bool in(const std::array<Range, n>& ranges, char32_t code) {
  const auto after = std::upper_bound(ranges.begin(), ranges.end(), code,
                                      [](char32_t value, const Range& range) { return value < range.first; });
  return after != ranges.begin() && code <= std::prev(after)->last;
}

size_t width_of(char32_t code) { return code < 0x300 ? 1 : in(kNarrowest, code) ? 0 : in(kWide, code) ? 2 : 1; }

}  // namespace

size_t display_width(std::string_view text) {
  size_t width = 0;
  while (!text.empty()) {
    const Character c = first_character(text);
    width += width_of(c.code);
    text.remove_prefix(c.bytes);
  }
  return width;
}

std::string shorten(std::string_view text, size_t columns) {
  size_t width = 0, keep = 0;  // bytes that fit beside the ellipsis
  for (size_t at = 0; at < text.size();) {
    const Character c = first_character(text.substr(at));
    width += width_of(c.code);
    if (width > columns) return std::string(text.substr(0, keep)) + "…";
    at += c.bytes;
    if (width < columns) keep = at;
  }
  return std::string(text);
}

void append_json(std::string& to, std::string_view text) {
  constexpr const char* kHex = "0123456789abcdef";
  to += '"';
  while (!text.empty()) {
    const Character c = first_character(text);
    if (c.code == '"' || c.code == '\\') {
      to += '\\';
      to += static_cast<char>(c.code);
    } else if (c.code < 0x20) {
      to += c.code < 0x10 ? "\\u000" : "\\u001";
      to += kHex[c.code & 15];
    } else if (c.valid) {
      to += text.substr(0, c.bytes);
    } else {
      to += "\xef\xbf\xbd";
    }
    text.remove_prefix(c.bytes);
  }
  to += '"';
}

}  // namespace kindred
