// SPDX-License-Identifier: Apache-2.0
#include "engine/core/utf8.hpp"

namespace kindred {

Character first_character(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char head = byte(0);
  if (head < 0x80) return {head, 1, true};
  const size_t length = head >= 0xc2 && head < 0xe0   ? 2
                        : head >= 0xe0 && head < 0xf0 ? 3
                        : head >= 0xf0 && head < 0xf5 ? 4
                                                      : 0;
  if (length == 0 || text.size() < length) return {};
  char32_t code = head & (0xffu >> (length + 1));
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    code = code << 6 | (byte(i) & 0x3f);
  }
  constexpr char32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code < kLeast[length] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return {};
  return {code, length, true};
}

bool valid_utf8(std::string_view text) {
  while (!text.empty()) {
    const Character c = first_character(text);
    if (!c.valid || c.code == 0) return false;
    text.remove_prefix(c.bytes);
  }
  return true;
}

}  // namespace kindred
