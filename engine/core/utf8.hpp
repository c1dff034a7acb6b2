// SPDX-License-Identifier: Apache-2.0
// The one decoder of UTF-8.
#pragma once
#include <cstddef>
#include <string_view>

namespace kindred {

struct Character {
  char32_t code = 0xfffd;  ///< U+FFFD for bytes that are no UTF-8
  size_t bytes = 1;
  bool valid = false;
};

/// The character at the start of `text`, which is not empty.
Character first_character(std::string_view text);

/// Whether `text` is UTF-8 without NUL.
bool valid_utf8(std::string_view text);

}  // namespace kindred
