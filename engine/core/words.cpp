// SPDX-License-Identifier: Apache-2.0
#include "engine/core/words.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

#include "engine/core/utf8.hpp"

namespace kindred {
namespace {

/// What a character of ASCII becomes: a letter or digit of a word; 0: an end of a word; "'": nothing ("Bug's" is one
/// word).
constexpr std::array<char, 128> kAscii = [] {
  std::array<char, 128> out{};
  for (char c = '0'; c <= '9'; ++c) out[static_cast<size_t>(c)] = c;
  for (char c = 'a'; c <= 'z'; ++c) out[static_cast<size_t>(c)] = out[static_cast<size_t>(c - 'a' + 'A')] = c;
  out['\''] = '\'';
  return out;
}();

/// The plain letter under an accented one of U+00C0 to U+017F; 0 for × and ÷.
char plain_letter(char32_t code) {
  constexpr std::string_view kLatin1 = "aaaaaaaceeeeiiiidnooooo.ouuuuytsaaaaaaaceeeeiiiidnooooo.ouuuuyty";
  constexpr std::string_view kLatinA =
      "aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiiiiijjkkkllllllllllnnnnnnnnnoooooooorrrrrrsssssssstttttt"
      "uuuuuuuuuuuuwwyyyzzzzzzs";
  const char letter = code < 0x100 ? kLatin1[code - 0xc0] : kLatinA[code - 0x100];
  return letter == '.' ? '\0' : letter;
}

/// Punctuation and spaces beyond ASCII, by block.
bool ends_word(char32_t code) {
  return code < 0xc0 || (code >= 0x2000 && code <= 0x206f) || (code >= 0x20a0 && code <= 0x20cf) ||
         (code >= 0x2190 && code <= 0x2bff) || (code >= 0x3000 && code <= 0x303f) || code == 0x30fb ||
         (code >= 0xfe10 && code <= 0xfe6f) || (code >= 0xff01 && code <= 0xff0f) || code == 0xff1a || code == 0xff1b ||
         code == 0xff1f;
}

/// Greek and Cyrillic in lower case.
char32_t lower(char32_t code) {
  if ((code >= 0x391 && code <= 0x3a9) || (code >= 0x410 && code <= 0x42f)) return code + 0x20;
  if (code >= 0x400 && code <= 0x40f) return code + 0x50;
  return code;
}

}  // namespace

std::span<const std::string_view> Words::read(std::string_view text) {
  if (folded_.size() < text.size()) folded_.resize(text.size());  // folding never lengthens, so that views stay valid
  words_.clear();
  char *begin = folded_.data(), *end = begin;
  const auto finish = [&] {
    if (end > begin) words_.emplace_back(begin, static_cast<size_t>(end - begin));
    begin = end;
  };
  while (!text.empty()) {
    const auto byte = static_cast<unsigned char>(text[0]);
    if (byte < 0x80) {
      const char c = kAscii[byte];
      if (c == 0)
        finish();
      else if (c != '\'')
        *end++ = c;
      text.remove_prefix(1);
      continue;
    }
    const Character c = first_character(text);
    const char32_t code = lower(c.code);
    if (c.code == 0x2019) {
      // an apostrophe
    } else if (!c.valid || ends_word(c.code)) {
      finish();
    } else if (c.code <= 0x17f) {
      if (const char letter = plain_letter(c.code))
        *end++ = letter;
      else
        finish();
    } else if (code != c.code) {
      *end++ = static_cast<char>(0xc0 | code >> 6);  // of two bytes
      *end++ = static_cast<char>(0x80 | (code & 0x3f));
    } else {
      end = std::copy_n(text.data(), c.bytes, end);
    }
    text.remove_prefix(c.bytes);
  }
  finish();
  return words_;
}

}  // namespace kindred
