// SPDX-License-Identifier: Apache-2.0
#include "engine/core/utf8.hpp"

#include <gtest/gtest.h>

namespace kindred {
namespace {

TEST(Utf8, IsToldFromOtherBytes) {
  for (const char* text :
       {"", "plain", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\xEF\xBF\xBF", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_TRUE(valid_utf8(text)) << text;
  }
  // A bare continuation, a cut sequence, Latin-1, overlong forms, a surrogate, above U+10FFFF.
  for (const char* text : {"\x80", "\xC3", "caf\xE9", "\xC0\xAF", "\xE0\x80\xAF", "\xF0\x80\x80\xAF", "\xED\xA0\x80",
                           "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xE2\x82"}) {
    EXPECT_FALSE(valid_utf8(text)) << text;
  }
  EXPECT_FALSE(valid_utf8(std::string_view("a\0b", 3)));
}

TEST(Utf8, IsTakenApart) {
  const auto expect = [](std::string_view text, char32_t code, size_t bytes, bool valid) {
    const Character c = first_character(text);
    EXPECT_EQ(c.code, code);
    EXPECT_EQ(c.bytes, bytes);
    EXPECT_EQ(c.valid, valid);
  };
  expect("az", U'a', 1, true);
  expect("\u00e9a", U'\u00e9', 2, true);
  expect("\u20aca", U'\u20ac', 3, true);
  expect("\U0001f600a", U'\U0001f600', 4, true);
  expect("\xe2\x82", 0xfffd, 1, false);
  expect("\xa9", 0xfffd, 1, false);
}

}  // namespace
}  // namespace kindred
