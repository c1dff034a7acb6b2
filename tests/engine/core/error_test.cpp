// SPDX-License-Identifier: Apache-2.0
// Suggestions for misspelt names, and text that is safe in one line.
#include "engine/core/error.hpp"

#include <gtest/gtest.h>

#include <csignal>

namespace kindred {
namespace {

const std::vector<std::string> kKeys{"model.factors", "model.type", "train.epochs", "seed"};

TEST(Nearest, FindsWhatIsAFewLettersAway) {
  EXPECT_EQ(nearest("model.factor", kKeys), "model.factors");    // left out
  EXPECT_EQ(nearest("model.facttors", kKeys), "model.factors");  // too many
  EXPECT_EQ(nearest("model.fectors", kKeys), "model.factors");   // another
  EXPECT_EQ(nearest("train.ecophs", kKeys), "train.epochs");     // swapped, apart
  EXPECT_EQ(nearest("model.fatcors", kKeys), "model.factors");   // swapped
  EXPECT_EQ(nearest("sede", kKeys), "seed");                     // swapped: one edit, not two
}

TEST(Nearest, IgnoresCaseUnderscoresAndDashes) {
  EXPECT_EQ(nearest("Model.FACTORS", kKeys), "model.factors");
  EXPECT_EQ(nearest("model.fac-tors", std::vector<std::string>{"model.fac_tors"}), "model.fac_tors");
}

TEST(Nearest, AllowsAThirdOfTheLetters) {
  const std::vector<std::string> one{"abcdef"};
  EXPECT_EQ(nearest("abcdxy", one), "abcdef");  // 2 of 6
  EXPECT_EQ(nearest("abcxyz", one), "");        // 3 of 6
  EXPECT_EQ(nearest("xy", one), "");
  EXPECT_EQ(nearest("", one), "");
  EXPECT_EQ(nearest("abc", {}), "");
}

TEST(Nearest, TiesGoToTheEarlierAndTheClosestWins) {
  EXPECT_EQ(nearest("abcx", std::vector<std::string>{"abcd", "abce"}), "abcd");
  EXPECT_EQ(nearest("abcdef", std::vector<std::string>{"abcdxy", "abcdex", "abcdef"}), "abcdef");
}

TEST(DidYouMean, IsTheEndOfAMessageOrNothing) {
  EXPECT_EQ(did_you_mean("model.factor", kKeys), "; did you mean 'model.factors'?");
  EXPECT_EQ(did_you_mean("something else", kKeys), "");
}

TEST(Printable, EscapesControlCharactersAndKeepsUtf8) {
  EXPECT_EQ(printable("a\nb\tc\rd"), "a\\nb\\tc\\rd");
  EXPECT_EQ(printable(std::string_view("\0\x1b[31m\x7f", 7)), "\\x00\\x1b[31m\\x7f");
  EXPECT_EQ(printable("東京物語"), "東京物語");
  EXPECT_EQ(printable("\xc2\x9b"), "\\xc2\\x9b");  // U+009B begins a command to terminals
}

TEST(Printable, EscapesWhatIsNoUtf8) {
  EXPECT_EQ(printable("caf\xe9"), "caf\\xe9");
  EXPECT_EQ(printable("\xff\xc3\xa9\xc3"), "\\xffé\\xc3");
}

TEST(Printable, CutsBetweenCharacters) {
  EXPECT_EQ(printable("abcdef", 6), "abcdef");
  EXPECT_EQ(printable("abcdefg", 6), "abcdef…");
  EXPECT_EQ(printable("ééé", 3), "éé…");  // byte 3 lies within the second é, which is kept whole
}

TEST(Interrupted, KnowsItsSignal) {
  EXPECT_EQ(Interrupted(SIGINT).signal, SIGINT);
  EXPECT_STREQ(Interrupted(SIGINT).what(), "interrupted");
  EXPECT_STREQ(Interrupted(SIGTERM).what(), "terminated by signal 15");
}

}  // namespace
}  // namespace kindred
