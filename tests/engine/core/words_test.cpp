// SPDX-License-Identifier: Apache-2.0
#include "engine/core/words.hpp"

#include <gtest/gtest.h>

namespace kindred {
namespace {

std::vector<std::string> words(std::string_view text) {
  Words reader;
  const auto found = reader.read(text);
  return {found.begin(), found.end()};
}
using List = std::vector<std::string>;

TEST(Words, WithoutCaseAccentsAndPunctuation) {
  EXPECT_EQ(words("Matrix, The (1999)"), (List{"matrix", "the", "1999"}));
  EXPECT_EQ(words("L'Été d\u2019AMÉLIE"), (List{"lete", "damelie"}));
  EXPECT_EQ(words("Straße\u2014Łódź"), (List{"strase", "lodz"}));
  EXPECT_EQ(words("3\u00d74\u00f75"), (List{"3", "4", "5"}));
}

TEST(Words, OfOtherScripts) {
  EXPECT_EQ(words("ЁЛКИ Ялта"), words("ёлки ялта"));
  EXPECT_EQ(words("ΑΘΗΝΑ"), words("αθηνα"));
  EXPECT_EQ(words("東京物語、1953"), (List{"東京物語", "1953"}));
  EXPECT_EQ(words("שלום עולם"), (List{"שלום", "עולם"}));
}

TEST(Words, BrokenTextEndsAWord) {
  EXPECT_EQ(words("ab\xff"
                  "cd\xc3"),
            (List{"ab", "cd"}));
  EXPECT_EQ(words(""), List{});
  EXPECT_EQ(words(" '\u2019' "), List{});
}

TEST(Words, AReaderCanBeUsedAgain) {
  Words reader;
  EXPECT_EQ(reader.read("one two three").size(), 3u);
  const auto again = reader.read("four");
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(again[0], "four");
}

}  // namespace
}  // namespace kindred
