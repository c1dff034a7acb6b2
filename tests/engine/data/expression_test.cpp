// SPDX-License-Identifier: Apache-2.0
#include "engine/data/expression.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <fstream>
#include <map>
#include <random>

#include "tests/engine/support.hpp"

namespace kindred {
namespace {

double value(std::string_view text, std::span<const double> columns = {}) { return Expression(text).evaluate(columns); }

std::string error(std::string_view text) {
  return test::input_error([&] { Expression{text}; });
}

TEST(Expression, PrecedenceAndAssociation) {
  EXPECT_EQ(value("1 + 2*3"), 7);
  EXPECT_EQ(value("(1 + 2)*3"), 9);
  EXPECT_EQ(value("10 - 4 - 3"), 3);
  EXPECT_EQ(value("24 / 4 / 2"), 3);
  EXPECT_EQ(value("2^3^2"), 512);
  EXPECT_EQ(value("-2^2"), -4);
  EXPECT_EQ(value("2^-1"), 0.5);
  EXPECT_EQ(value("- -3"), 3);
  EXPECT_EQ(value("2*-3"), -6);
  EXPECT_EQ(value("1 + 1 < 3"), 1);
  EXPECT_EQ(value("(1 < 2) + (2 <= 2) + (3 > 4) + (4 >= 4) + (1 == 1) + (1 != 1)"), 4);
  EXPECT_EQ(value(".5 + 2. + 1e2 + 1.5E-1"), 102.65);
}

TEST(Expression, Functions) {
  EXPECT_EQ(value("if(1, 2, 3)"), 2);
  EXPECT_EQ(value("if(0, 2, 3)"), 3);
  EXPECT_EQ(value("if(2 > 1, if(0, 1, 5), 9)"), 5);
  EXPECT_EQ(value("min(3, 1, 2)"), 1);
  EXPECT_EQ(value("max(3, 1, 7, 2)"), 7);
  EXPECT_EQ(value("abs(-3) + sqrt(16)"), 7);
  EXPECT_EQ(value("log(exp(2))"), 2);
  EXPECT_EQ(value("log1p(0)"), 0);
}

// expression_cases.py wrote the values, with Python's arithmetic: the same operations in the same order.
TEST(Expression, AsPythonComputesThem) {
  std::ifstream file(KINDRED_SOURCE_DIR "/tests/engine/data/expression_cases.tsv");
  const std::map<std::string, double> columns{{"a", 0.5}, {"b", -2}, {"c", 3.25}, {"watch time", 0}};
  int cases = 0;
  for (std::string line; std::getline(file, line); ++cases) {
    const size_t tab = line.find('\t');
    const double expected = std::stod(line.substr(tab + 1));
    const Expression e(line.substr(0, tab));
    std::vector<double> values;
    for (const std::string& name : e.columns()) values.push_back(columns.at(name));
    EXPECT_NEAR(e.evaluate(values), expected, 1e-13 * std::abs(expected)) << line;
  }
  EXPECT_EQ(cases, 300);
}

TEST(Expression, ColumnsInOrderOfAppearance) {
  const Expression e("rating + hours + 2*likes + 5*shares + 2*comments + rating");
  EXPECT_EQ(e.columns(), (std::vector<std::string>{"rating", "hours", "likes", "shares", "comments"}));
  EXPECT_EQ(e.evaluate(std::array{1., 2., 3., 4., 5.}), 1 + 2 + 6 + 20 + 10 + 1);
}

TEST(Expression, NamesOfColumns) {
  const Expression e("a.b + `watch time` + größe + `3` + min + _x1");
  EXPECT_EQ(e.columns(), (std::vector<std::string>{"a.b", "watch time", "größe", "3", "min", "_x1"}));
  EXPECT_EQ(e.evaluate(std::array{1., 10., 100., 1000., 10000., 100000.}), 111111);
}

TEST(Expression, WhatIsNotFinite) {
  EXPECT_FALSE(std::isfinite(value("1/0")));
  EXPECT_TRUE(std::isnan(value("log(-1)")));
  EXPECT_TRUE(std::isnan(value("min(1, log(-1))")));
  EXPECT_TRUE(std::isnan(value("min(log(-1), 1)")));
  EXPECT_TRUE(std::isnan(value("max(log(-1), 1, 2)")));
  EXPECT_EQ(value("if(0, log(0), 4)"), 4);
  EXPECT_EQ(value("if(1, 4, 1/0)"), 4);
}

TEST(Expression, ErrorsSayWhereAndWhatWasExpected) {
  EXPECT_EQ(error(""), "at character 1: expected a number, a column or '(', found the end");
  EXPECT_EQ(error("rating + * 2"), "at character 10: expected a number, a column or '(', found '*'");
  EXPECT_EQ(error("größe + * 2"), "at character 9: expected a number, a column or '(', found '*'");
  EXPECT_EQ(error("rating hours"), "at character 8: expected an operator or the end, found 'hours'");
  EXPECT_EQ(error("(rating"), "at character 8: expected an operator or ')', found the end");
  EXPECT_EQ(error("rating)"), "at character 7: expected an operator or the end, found ')'");
  EXPECT_EQ(error("2x"), "at character 2: expected an operator behind the number, found 'x'");
  EXPECT_EQ(error("1e999"), "at character 1: expected a number up to 1.8e308, found '1e999'");
  EXPECT_EQ(error("."), "at character 1: expected a number, found '.'");
  EXPECT_EQ(error("a = 1"), "at character 3: expected an operator or the end, found '='");
  EXPECT_EQ(error("a < b < c"), "at character 7: expected one comparison at a time, (a < b) * (b < c), found '<'");
  EXPECT_EQ(error("min(a)"), "at character 6: expected ',' and argument 2 of min, found ')'");
  EXPECT_EQ(error("if(a, b)"), "at character 8: expected ',' and argument 3 of if, found ')'");
  EXPECT_EQ(error("sqrt(a, b)"), "at character 7: expected an operator or ')', found ','");
  EXPECT_EQ(error("min(a, b"), "at character 9: expected an operator, ',' or ')', found the end");
  EXPECT_EQ(error("sqrt()"), "at character 6: expected a number, a column or '(', found ')'");
  EXPECT_EQ(error("`likes"), "at character 7: expected '`' to close the column's name, found the end");
  EXPECT_EQ(error("``"), "at character 2: expected a column's name, found '`'");
  EXPECT_EQ(error("2*sqr(likes)"),
            "at character 3: no function 'sqr'; there are if, min, max, abs, sqrt, log, log1p, exp; did you mean "
            "'sqrt'?");
}

TEST(Expression, DeepNestingIsRefused) {
  const auto repeat = [](const std::string& text, int times) {
    std::string out;
    for (int i = 0; i < times; ++i) out += text;
    return out;
  };
  EXPECT_EQ(value(repeat("(", 50) + "1" + repeat(")", 50)), 1);
  EXPECT_EQ(value(repeat("1+", 100000) + "0"), 100000);  // a long sum is not deep
  const std::string too_deep = "expected brackets, signs and powers nested less deeply";
  for (const std::string& text : {repeat("(", 100000), repeat("-", 100000) + "1", repeat("2^", 100000) + "1",
                                  repeat("1+(2*(3^(", 25) + "1" + repeat(")", 75), repeat("sqrt(", 100000)}) {
    EXPECT_NE(error(text).find(too_deep), std::string::npos) << error(text);
  }
  std::string many = "0";
  for (size_t c = 0; c <= Expression::kMostColumns; ++c) many += "+c" + std::to_string(c);
  EXPECT_NE(error(many).find("expected at most 256 columns, found 'c256'"), std::string::npos) << error(many);
}

// Random text: an expression or an error, nothing else; what parses can be evaluated.
TEST(Expression, AnyTextIsReadOrRefused) {
  std::mt19937 random(7);
  const std::string_view pieces[] = {"a", "b1", "`x y`", "1", "2.5",  "(",   ")",    ",",     "+",    "-",
                                     "*", "/",  "^",     "<", "==",   "if(", "min(", "sqrt(", "log(", "\xc3",
                                     " ", "`",  "1e3",   "&", "\xff", ".",   "!=",   "max("};
  std::uniform_int_distribution<size_t> pick(0, std::size(pieces) - 1), length(1, 12);
  const std::vector<double> values(Expression::kMostColumns, 2.);
  int64_t parsed = 0, refused = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    for (size_t n = length(random); n > 0; --n) text += pieces[pick(random)];
    try {
      const Expression e(text);
      (void)e.evaluate(values);
      ++parsed;
    } catch (const InputError& error) {
      ASSERT_TRUE(std::string_view(error.what()).starts_with("at character ")) << error.what();
      ++refused;
    }
  }
  EXPECT_GT(parsed, 500);
  EXPECT_GT(refused, 5000);
}

}  // namespace
}  // namespace kindred
