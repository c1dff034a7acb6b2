// SPDX-License-Identifier: Apache-2.0
// Values with their lines, --set in all its forms, and text that parses back.
#include "engine/core/toml.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>
#include <random>

#include "engine/core/error.hpp"
#include "engine/core/file.hpp"
#include "tests/engine/support.hpp"

namespace kindred {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

/// The value at a dotted key.
const TomlValue& at(const TomlTable& root, std::string_view key) {
  const size_t dot = key.find('.');
  const TomlValue& value = root.at(std::string(key.substr(0, dot)));
  return dot == std::string_view::npos ? value : at(std::get<TomlTable>(value.value), key.substr(dot + 1));
}

TomlTable set(const std::string& pair, std::string_view text = "") {
  TomlTable root = parse_toml(text, "c.toml");
  set_toml(root, pair);
  return root;
}

TEST(Toml, TypesAndLines) {
  const TomlTable root = parse_toml(
      "name = \"x\"\n"
      "[model]\n"
      "factors = 64\n"
      "\n"
      "alpha = 1.5  # a remark\n"
      "biases = true\n"
      "sizes = [1, \"two\"]\n"
      "columns = { user = \"u\" }\n",
      "c.toml");
  const auto check = [&](std::string_view key, std::string_view kind, int line) {
    EXPECT_EQ(at(root, key).kind(), kind) << key;
    EXPECT_EQ(at(root, key).line, line) << key;
  };
  check("name", "text", 1);
  check("model", "a table", 2);
  check("model.factors", "a whole number", 3);
  check("model.alpha", "a number", 5);
  check("model.biases", "true or false", 6);
  check("model.sizes", "a list", 7);
  check("model.columns.user", "text", 8);
  EXPECT_EQ(std::get<int64_t>(at(root, "model.factors").value), 64);
  EXPECT_EQ(std::get<TomlArray>(at(root, "model.sizes").value).size(), 2U);
}

TEST(Toml, DottedKeysAreTables) {
  const TomlTable root = parse_toml("split.files.train = \"t\"\nsplit.\"files\".test = \"u\"\n", "c.toml");
  EXPECT_EQ(std::get<std::string>(at(root, "split.files.train").value), "t");
  EXPECT_EQ(std::get<std::string>(at(root, "split.files.test").value), "u");
}

TEST(Toml, ErrorsNameFileAndLine) {
  const auto error = [](std::string_view text) { return test::input_error([&] { parse_toml(text, "c.toml"); }); };
  EXPECT_THAT(error("a = 1\nb = \n"), StartsWith("c.toml:2: not valid TOML: "));
  EXPECT_THAT(error("a = 1\na = 2\n"), StartsWith("c.toml:2: not valid TOML: "));
  EXPECT_THAT(error("a = \"\xff\"\n"), StartsWith("c.toml:1: not valid TOML: "));
  for (const std::string date : {"1979-05-27", "07:32:00", "1979-05-27T07:32:00Z"})
    EXPECT_EQ(error("x = 1\nwhen = " + date), "c.toml:2: a date or time is no value here; put it in quotes");
  EXPECT_EQ(error("when = [1979-05-27]"), "c.toml:1: a date or time is no value here; put it in quotes");
}

TEST(Toml, NamesThatStartBadlyAreErrors) {
  using namespace std::string_view_literals;
  for (const std::string_view text :
       {"[=]"sv, "[.a]"sv, "[ ,]"sv, "[\0a]"sv, "[\n]"sv, "[[#]]"sv, "[é]"sv, "[a.=]"sv}) {
    EXPECT_THAT(test::input_error([&] { parse_toml(text, "c.toml"); }), StartsWith("c.toml:1: not valid TOML: "))
        << text;
  }
}

TEST(Toml, LettersBehindValuesAreErrors) {
  for (const std::string_view text :
       {"x = 2é", "x = 2ɞ", "x é = 2", "x = [1,ґ]", "x = true ñ", "x = 2\u3001", "é = 1"}) {
    EXPECT_THAT(test::input_error([&] { parse_toml(text, "c.toml"); }), StartsWith("c.toml:1: not valid TOML: "))
        << text;
  }
}

TEST(Toml, ReadsAFileOrSaysWhyNot) {
  const test::TemporaryFolder folder;
  write_file(folder / "c.toml", "a = 1\n[b\n");
  EXPECT_THAT(test::input_error([&] { read_toml(folder / "c.toml"); }),
              StartsWith((folder / "c.toml").string() + ":2: "));
  EXPECT_THAT(test::input_error([&] { read_toml(folder / "none.toml"); }), HasSubstr("cannot read: No such file"));
}

TEST(Set, TheRightSideIsTomlOrText) {
  EXPECT_EQ(std::get<int64_t>(at(set("model.factors=128"), "model.factors").value), 128);
  EXPECT_EQ(std::get<double>(at(set("x=1e-3"), "x").value), 1e-3);
  EXPECT_EQ(std::get<bool>(at(set("x=true"), "x").value), true);
  EXPECT_EQ(std::get<std::string>(at(set("x=\"a b\""), "x").value), "a b");
  EXPECT_EQ(std::get<TomlArray>(at(set("x=[\"a\", \"b\"]"), "x").value).size(), 2U);
  EXPECT_EQ(std::get<std::string>(at(set("x={a = \"b\"}"), "x.a").value), "b");
  EXPECT_EQ(std::get<std::string>(at(set("x=hu-koren"), "x").value), "hu-koren");
  EXPECT_EQ(std::get<std::string>(at(set("x=../a=b.csv"), "x").value), "../a=b.csv");
  EXPECT_EQ(std::get<std::string>(at(set("x="), "x").value), "");
}

TEST(Set, WinsOverTheFileAndKeepsTheRest) {
  const TomlTable root = set("model.factors=128", "[model]\nfactors = 64\nalpha = 1.0\n");
  EXPECT_EQ(std::get<int64_t>(at(root, "model.factors").value), 128);
  EXPECT_EQ(std::get<double>(at(root, "model.alpha").value), 1.0);
  EXPECT_EQ(std::get<int64_t>(at(set("a.b=2", "a = 1"), "a.b").value), 2);
}

TEST(Set, StandsOnNoLine) {
  const TomlTable root = set("x={a = [1], b = {c = 2}}", "y = 1\n");
  EXPECT_EQ(at(root, "x").line, 0);
  EXPECT_EQ(at(root, "x.a").line, 0);
  EXPECT_EQ(std::get<TomlArray>(at(root, "x.a").value)[0].line, 0);
  EXPECT_EQ(at(root, "x.b.c").line, 0);
  EXPECT_EQ(at(root, "y").line, 1);
}

TEST(Set, WhatIsNoPair) {
  for (const std::string pair : {"model.factors", "=1", ""})
    EXPECT_EQ(test::input_error([&] { set(pair); }), "--set: expected key=value, found '" + pair + "'");
  EXPECT_EQ(test::input_error([&] { set("model.=1"); }), "--set: 'model.' is no key");
}

TEST(ToToml, IsShortAndOfTheSameType) {
  EXPECT_EQ(to_toml({0.1, 0}), "0.1");
  EXPECT_EQ(to_toml({2.0, 0}), "2.0");
  EXPECT_EQ(to_toml({1e300, 0}), "1e+300");
  EXPECT_EQ(to_toml({-std::numeric_limits<double>::infinity(), 0}), "-inf");
  EXPECT_EQ(to_toml({int64_t{-3}, 0}), "-3");
  EXPECT_EQ(to_toml({true, 0}), "true");
  EXPECT_EQ(to_toml({std::string("a\"b\\c\nd é"), 0}), "\"a\\\"b\\\\c\\u000Ad é\"");
}

bool equal(const TomlValue& a, const TomlValue& b) {
  if (a.value.index() != b.value.index()) return false;
  if (const auto* list = std::get_if<TomlArray>(&a.value))
    return std::ranges::equal(*list, std::get<TomlArray>(b.value), equal);
  if (const auto* table = std::get_if<TomlTable>(&a.value))
    return std::ranges::equal(*table, std::get<TomlTable>(b.value), [](const auto& x, const auto& y) {
      return x.first == y.first && equal(x.second, y.second);
    });
  if (const auto* number = std::get_if<double>(&a.value)) return *number == std::get<double>(b.value);
  return to_toml(a) == to_toml(b);
}

TomlValue random_value(std::mt19937_64& random, int depth) {
  const auto text = [&] {
    std::string out(random() % 5, ' ');
    for (char& c : out) c = static_cast<char>(random() % 128);
    return out;
  };
  switch (random() % (depth > 0 ? 6 : 4)) {
    case 0:
      return {random() % 2 == 0, 0};
    case 1:
      return {static_cast<int64_t>(random()), 0};
    case 2:
      return {std::ldexp(static_cast<double>(random()), static_cast<int>(random() % 200) - 100), 0};
    case 3:
      return {text(), 0};
    case 4: {
      TomlArray list;
      for (size_t i = random() % 4; i > 0; --i) list.push_back(random_value(random, depth - 1));
      return {list, 0};
    }
    default: {
      TomlTable table;
      for (size_t i = random() % 4; i > 0; --i) table[text()] = random_value(random, depth - 1);
      return {table, 0};
    }
  }
}

TEST(ToToml, ExtremesParseBack) {
  using Limits = std::numeric_limits<double>;
  for (const double number : {Limits::min(), Limits::denorm_min(), Limits::max(), Limits::lowest(), Limits::infinity()})
    EXPECT_EQ(std::get<double>(parse_toml("x = " + to_toml({number, 0}), "x").at("x").value), number);
  for (const int64_t whole : {std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max()})
    EXPECT_EQ(std::get<int64_t>(parse_toml("x = " + to_toml({whole, 0}), "x").at("x").value), whole);
  EXPECT_NE(to_toml({Limits::quiet_NaN(), 0}).find("nan"), std::string::npos);
}

TEST(ToToml, ParsesBackAsItself) {
  std::mt19937_64 random(11);
  for (int round = 0; round < 500; ++round) {
    const TomlValue value = random_value(random, 3);
    const std::string text = to_toml(value);
    EXPECT_TRUE(equal(parse_toml("x = " + text, "x").at("x"), value)) << text;
  }
}

}  // namespace
}  // namespace kindred
