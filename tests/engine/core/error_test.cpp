// SPDX-License-Identifier: Apache-2.0
// Suggestions for misspelt names, and text that fits one line.
#include "engine/core/error.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace kindred {
namespace {

const std::vector<std::string> kNames{"factors", "epochs", "regularization", "block_size"};

TEST(Nearest, ForgivesATypoInThreeLetters) {
  EXPECT_EQ(nearest("factor", kNames), "factors");
  EXPECT_EQ(nearest("fatcors", kNames), "factors");  // a swap of neighbors is one edit
  EXPECT_EQ(nearest("Block-Size", kNames), "block_size");
  EXPECT_EQ(nearest("regularisation", kNames), "regularization");
}

TEST(Nearest, SaysNothingWhereNothingIsNear) {
  EXPECT_EQ(nearest("", kNames), "");
  EXPECT_EQ(nearest("xyz", kNames), "");
  EXPECT_EQ(nearest("factors", {}), "");
  EXPECT_EQ(did_you_mean("xyz", kNames), "");
  EXPECT_EQ(did_you_mean("epoch", kNames), "; did you mean 'epochs'?");
}

TEST(Nearest, TiesGoToTheEarlierCandidate) {
  EXPECT_EQ(nearest("cat", std::vector<std::string>{"bat", "rat"}), "bat");
  EXPECT_EQ(nearest("cat", std::vector<std::string>{"rat", "bat"}), "rat");
}

TEST(Printable, EscapesControlCharacters) {
  const std::string text{'a', '\n', '\t', '\r', '\x01', '\x7f', '\0', 'b'};
  EXPECT_EQ(printable(text), "a\\n\\t\\r\\x01\\x7f\\x00b");
}

TEST(Printable, CutsBetweenCharacters) {
  EXPECT_EQ(printable("abcdef", 6), "abcdef");
  EXPECT_EQ(printable("abcdefg", 6), "abcdef…");
  EXPECT_EQ(printable("abécd", 3), "abé…");  // the second byte of é comes along
}

}  // namespace
}  // namespace kindred
