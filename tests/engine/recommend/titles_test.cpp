// SPDX-License-Identifier: Apache-2.0
#include "engine/recommend/titles.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace kindred {
namespace {

std::vector<std::string> films() {
  return {"Toy Story 2 (1999)",
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
          "Up (2009)",
          "Star Wars: Episode IV - A New Hope (1977)",
          "Star Wars: Episode VI - Return of the Jedi (1983)",
          "Star Trek IV: The Voyage Home (1986)",
          "Малыш (1921)"};
}

std::string best(const std::string& query) {
  const auto titles = films();
  const auto matches = TitleIndex(titles).find(query, 1);
  return matches.empty() ? "" : titles[static_cast<size_t>(matches[0].item)];
}

TEST(Titles, AreFoundThoughMisspelt) {
  EXPECT_EQ(best("juminji"), "Jumanji (1995)");
  EXPECT_EQ(best("the matirx"), "Matrix, The (1999)");
  EXPECT_EQ(best("toystory"), "Toy Story (1995)");
  EXPECT_EQ(best("starwars 4"), "Star Wars: Episode IV - A New Hope (1977)");
  EXPECT_EQ(best("toy sotry"), "Toy Story (1995)");
}

TEST(Titles, TheShorterOfTwoThatFitWins) {
  EXPECT_EQ(best("toy story"), "Toy Story (1995)");
  EXPECT_EQ(best("toy story 2"), "Toy Story 2 (1999)");
  EXPECT_EQ(best("matrix rel"), "Matrix Reloaded, The (2003)");
}

TEST(Titles, RomanNumbersAreNumbers) {
  EXPECT_EQ(best("star wars 4"), "Star Wars: Episode IV - A New Hope (1977)");
  EXPECT_EQ(best("star wars vi"), "Star Wars: Episode VI - Return of the Jedi (1983)");
  EXPECT_EQ(best("star trek 4"), "Star Trek IV: The Voyage Home (1986)");
  EXPECT_EQ(best("toy story II"), "Toy Story 2 (1999)");
}

TEST(Titles, CaseAccentsAndPunctuationDoNotCount) {
  EXPECT_EQ(best("AMELIE"), "Amélie (Fabuleux destin d'Amélie Poulain, Le) (2001)");
  EXPECT_EQ(best("amÉlie poulain"), "Amélie (Fabuleux destin d'Amélie Poulain, Le) (2001)");
  EXPECT_EQ(best("bugs life"), "A Bug's Life (1998)");
  EXPECT_EQ(best("se7en"), "Seven (a.k.a. Se7en) (1995)");
  EXPECT_EQ(best("東京物語"), "東京物語 (1953)");
  EXPECT_EQ(best("МАЛЫШ"), "Малыш (1921)");
}

TEST(Titles, WhatIsNotThereIsNotFound) {
  for (const char* query : {"", "  ", "!?", "zzzzqqq", "\xff\xc3"}) EXPECT_EQ(best(query), "") << query;
  EXPECT_TRUE(TitleIndex({}).find("jumanji", 5).empty());
  EXPECT_TRUE(TitleIndex(films()).find("toy story", 0).empty());
}

TEST(Titles, WhatIsNotThereBringsTheNearest) {
  const auto titles = films();
  const TitleIndex index(titles);
  EXPECT_EQ(index.nearest("jmnaji", 3).size(), 3u);
  EXPECT_EQ(titles[static_cast<size_t>(index.nearest("jmnaji", 3)[0].item)], "Jumanji (1995)");
  const std::string message = no_title_like(index, titles, "jmnaji");
  EXPECT_TRUE(message.starts_with("no title is like 'jmnaji'; the nearest are 'Jumanji (1995)', '")) << message;
  EXPECT_EQ(std::ranges::count(message, '\''), 8) << message;
  EXPECT_EQ(no_title_like(index, titles, "!?"), "no title is like '!?'");
}

// A search must give what comparing the query with every title gives.
TEST(Titles, AreThoseOfALookAtEachTitle) {
  const auto titles = films();
  const TitleIndex index(titles);
  for (const char* query : {"juminji", "star wars 4", "the matirx", "a bug", "1995", "life of the story"}) {
    std::vector<TitleMatch> expected;
    for (size_t t = 0; t < titles.size(); ++t)
      for (const TitleMatch& match : TitleIndex(std::span(titles).subspan(t, 1)).find(query, 1))
        expected.push_back({static_cast<int32_t>(t), match.similarity});
    const auto found = index.find(query, 100);
    std::ranges::stable_sort(expected, std::greater<>(), &TitleMatch::similarity);
    ASSERT_EQ(found.size(), expected.size()) << query;
    for (size_t m = 0; m < found.size(); ++m) {
      EXPECT_EQ(found[m].item, expected[m].item) << query;
      EXPECT_EQ(found[m].similarity, expected[m].similarity) << query;
    }
  }
}

TEST(Titles, ComeBestFirstAndAtMostAsManyAsAsked) {
  const auto matches = TitleIndex(films()).find("matrix", 9);
  ASSERT_EQ(matches.size(), 2u);
  EXPECT_EQ(matches[0].item, 3);
  EXPECT_EQ(matches[1].item, 4);
  EXPECT_GT(matches[0].similarity, matches[1].similarity);
  EXPECT_LE(matches[0].similarity, 1);
}

}  // namespace
}  // namespace kindred
