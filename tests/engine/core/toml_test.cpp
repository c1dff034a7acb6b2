// SPDX-License-Identifier: Apache-2.0
// TOML read with lines, set from the command line, and written so that it reads back.
#include "engine/core/toml.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "engine/core/error.hpp"

namespace kindred {
namespace {

using ::testing::StartsWith;

TomlValue parsed(const std::string& text) { return parse_toml("x = " + text, "test").at("x"); }

std::string error_of(const std::string& text) {
  try {
    parse_toml(text, "a.toml");
  } catch (const InputError& error) {
    return error.what();
  }
  return "(no error)";
}

TEST(Toml, EveryKindComesWithItsLine) {
  const TomlTable root = parse_toml("a = true\nb = 1\nc = 1.5\nd = \"x\"\ne = [1]\n[f]\ng = 2\n", "test");
  const std::vector<std::pair<std::string, std::string>> kinds{{"a", "true or false"}, {"b", "a whole number"},
                                                               {"c", "a number"},      {"d", "text"},
                                                               {"e", "a list"},        {"f", "a table"}};
  int line = 0;
  for (const auto& [key, kind] : kinds) {
    EXPECT_EQ(root.at(key).kind(), kind);
    EXPECT_EQ(root.at(key).line, ++line);
  }
  EXPECT_EQ(std::get<TomlTable>(root.at("f").value).at("g").line, 7);
}

TEST(Toml, ErrorsNameTheLine) {
  EXPECT_THAT(error_of("a = 1\nb = [1,,2]\n"), StartsWith("a.toml:2: not valid TOML: "));
  EXPECT_THAT(error_of("a = 1\na = 2\n"), StartsWith("a.toml:2: not valid TOML: "));
  EXPECT_EQ(error_of("a = 1\nb = 2026-11-24\n"), "a.toml:2: a date or time is no value here; put it in quotes");
}

TEST(Toml, TextOfAnyCharacterRoundTrips) {
  std::mt19937 random(1);
  const std::vector<std::string> characters{"a", "\"", "\\", "\n", "\t", "\x01", "\x7f", "é", "…", "#", "'", " "};
  for (int round = 0; round < 200; ++round) {
    std::string text;
    for (size_t n = random() % 12; n > 0; --n) text += characters[random() % characters.size()];
    EXPECT_EQ(std::get<std::string>(parsed(to_toml({text, 0})).value), text);
  }
}

TEST(Toml, NumbersRoundTrip) {
  using Limits = std::numeric_limits<double>;
  for (const double number :
       {0.1, 1.0, -2.5, 1e300, Limits::min(), Limits::max(), Limits::infinity(), -Limits::infinity()})
    EXPECT_EQ(std::get<double>(parsed(to_toml({number, 0})).value), number);
  EXPECT_EQ(to_toml({1.0, 0}), "1.0");  // stays a number, not a whole one
  for (const int64_t whole : {int64_t{0}, int64_t{-7}, std::numeric_limits<int64_t>::max()})
    EXPECT_EQ(std::get<int64_t>(parsed(to_toml({whole, 0})).value), whole);
  EXPECT_EQ(to_toml(parsed("[1, \"a\", { b = true }]")), "[1, \"a\", { b = true }]");
}

TEST(SetToml, TheRightSideIsTomlOrText) {
  TomlTable root;
  for (const char* pair : {"a.b.whole=3", "a.b.list=[1, 2]", "a.text=cuda:0", "a.quoted=\"1\"", "a.equals=x=y"})
    set_toml(root, pair);
  const auto& a = std::get<TomlTable>(root.at("a").value);
  const auto& b = std::get<TomlTable>(a.at("b").value);
  EXPECT_EQ(std::get<int64_t>(b.at("whole").value), 3);
  EXPECT_EQ(to_toml(b.at("list")), "[1, 2]");
  EXPECT_EQ(std::get<std::string>(a.at("text").value), "cuda:0");
  EXPECT_EQ(std::get<std::string>(a.at("quoted").value), "1");
  EXPECT_EQ(std::get<std::string>(a.at("equals").value), "x=y");
  EXPECT_EQ(a.at("text").line, 0);
}

TEST(SetToml, RefusesWhatIsNoPair) {
  TomlTable root;
  for (const char* pair : {"", "a", "=1", "a.=1"}) EXPECT_THROW(set_toml(root, pair), InputError) << pair;
}

}  // namespace
}  // namespace kindred
