// SPDX-License-Identifier: Apache-2.0
#include "engine/recommend/titles.hpp"

#include <gtest/gtest.h>

namespace kindred {
namespace {

Catalogue films() {
  Catalogue out;
  out.titles = {"Toy Story 2 (1999)",
                "Toy Story (1995)",
                "Jumanji (1995)",
                "Matrix, The (1999)",
                "Matrix Reloaded, The (2003)",
                "Amélie (Fabuleux destin d'Amélie Poulain, Le) (2001)",
                "A Bug's Life (1998)",
                "",
                "Seven (a.k.a. Se7en) (1995)",
                "Straße (2001)",
                "東京物語 (1953)",
                "Up (2009)"};
  return out;
}

std::string best(const std::string& query) {
  const auto matches = find_titles(films(), query, 1);
  return matches.empty() ? "" : films().titles[static_cast<size_t>(matches[0].item)];
}

TEST(Titles, AreFoundThoughMisspelt) {
  EXPECT_EQ(best("juminji"), "Jumanji (1995)");
  EXPECT_EQ(best("the matirx"), "Matrix, The (1999)");
  EXPECT_EQ(best("toystory"), "");  // tokens are compared, not letters across them
  EXPECT_EQ(best("toy sotry"), "Toy Story (1995)");
}

TEST(Titles, TheShorterOfTwoThatFitWins) {
  EXPECT_EQ(best("toy story"), "Toy Story (1995)");
  EXPECT_EQ(best("toy story 2"), "Toy Story 2 (1999)");
  EXPECT_EQ(best("matrix rel"), "Matrix Reloaded, The (2003)");
}

TEST(Titles, CaseAccentsAndPunctuationDoNotCount) {
  EXPECT_EQ(best("AMELIE"), "Amélie (Fabuleux destin d'Amélie Poulain, Le) (2001)");
  EXPECT_EQ(best("amÉlie poulain"), "Amélie (Fabuleux destin d'Amélie Poulain, Le) (2001)");
  EXPECT_EQ(best("bugs life"), "A Bug's Life (1998)");
  EXPECT_EQ(best("se7en"), "Seven (a.k.a. Se7en) (1995)");
  EXPECT_EQ(best("東京物語"), "東京物語 (1953)");
}

TEST(Titles, WhatIsNotThereIsNotFound) {
  for (const char* query : {"", "  ", "!?", "zzzzqqq", "\xff\xc3"}) EXPECT_EQ(best(query), "") << query;
  EXPECT_TRUE(find_titles({}, "jumanji", 5).empty());
  EXPECT_TRUE(find_titles(films(), "toy story", 0).empty());
}

TEST(Titles, ComeBestFirstAndAtMostAsManyAsAsked) {
  const auto matches = find_titles(films(), "matrix", 9);
  ASSERT_EQ(matches.size(), 2u);
  EXPECT_EQ(matches[0].item, 3);
  EXPECT_EQ(matches[1].item, 4);
  EXPECT_GT(matches[0].similarity, matches[1].similarity);
  EXPECT_LE(matches[0].similarity, 1);
}

}  // namespace
}  // namespace kindred
