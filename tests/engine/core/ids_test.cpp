// SPDX-License-Identifier: Apache-2.0
// Ids of both types against a sorted map, at the edges of their ranges.
#include "engine/core/ids.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <random>
#include <set>

#include "engine/core/error.hpp"
#include "tests/engine/support.hpp"

namespace kindred {
namespace {

constexpr int64_t kLeast = std::numeric_limits<int64_t>::min(), kMost = std::numeric_limits<int64_t>::max();

Ids strings(const std::vector<std::string>& ascending) {
  std::string blob;
  std::vector<int64_t> offsets{0};
  for (const auto& text : ascending) {
    blob += text;
    offsets.push_back(static_cast<int64_t>(blob.size()));
  }
  return Ids::strings(blob, offsets);
}

TEST(Ids, IntegersOfTheWholeRange) {
  const Ids ids = Ids::integers({kLeast, -7, 0, 12, kMost});
  ASSERT_EQ(ids.size(), 5);
  EXPECT_TRUE(ids.integer());
  EXPECT_EQ(ids.text(0), "-9223372036854775808");
  EXPECT_EQ(ids.text(4), "9223372036854775807");
  for (int32_t row = 0; row < 5; ++row) EXPECT_EQ(ids.find(ids.text(row)), row);
  EXPECT_EQ(ids.find("1"), -1);
  EXPECT_EQ(ids.find("012"), -1);                  // not how 12 is written
  EXPECT_EQ(ids.find("9223372036854775808"), -1);  // beyond the range
  EXPECT_EQ(ids.find("x"), -1);
  EXPECT_EQ(ids.find(""), -1);
}

TEST(Ids, StringsOfAnyBytesAscendByBytes) {
  using namespace std::string_literals;
  const std::vector<std::string> texts{""s, "\0"s, "\0a"s, "a"s, "a\0"s, "a\0b"s, "ab"s, "Ä"s, "東京"s, "\xff"s};
  const Ids ids = strings(texts);
  ASSERT_EQ(ids.size(), static_cast<int64_t>(texts.size()));
  EXPECT_FALSE(ids.integer());
  for (size_t row = 0; row < texts.size(); ++row) {
    EXPECT_EQ(ids.text(static_cast<int64_t>(row)), texts[row]);
    EXPECT_EQ(ids.string(static_cast<int64_t>(row)), texts[row]);
    EXPECT_EQ(ids.find(texts[row]), static_cast<int32_t>(row));
  }
  EXPECT_EQ(ids.find("b"), -1);
  EXPECT_EQ(ids.find("a\0c"s), -1);
}

TEST(Ids, EmptyOnesKnowNobody) {
  for (const Ids& ids : {Ids(), Ids::integers({}), strings({})}) {
    EXPECT_EQ(ids.size(), 0);
    EXPECT_EQ(ids.find("1"), -1);
  }
}

TEST(Ids, AppendKeepsWhatWasThere) {
  std::string text = "user ";
  Ids::integers({-3}).append_text(0, text);
  strings({"é"}).append_text(0, text);
  EXPECT_EQ(text, "user -3é");
}

TEST(Ids, AgreeWithASortedMap) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 20; ++round) {
    std::set<int64_t> numbers;
    std::set<std::string> texts;
    const size_t size = random() % 200;
    while (numbers.size() < size) numbers.insert(static_cast<int64_t>(random() >> random() % 64));
    while (texts.size() < size) {
      std::string text(random() % 6, ' ');
      const unsigned alphabet = round % 2 == 0 ? 3 : 256;  // many near each other; any bytes
      for (char& c : text) c = static_cast<char>(random() % alphabet);
      texts.insert(text);
    }
    const Ids integer = Ids::integers({numbers.begin(), numbers.end()});
    const Ids string = strings({texts.begin(), texts.end()});
    int32_t row = 0;
    for (const int64_t number : numbers) EXPECT_EQ(integer.find(std::to_string(number)), row++);
    row = 0;
    for (const auto& text : texts) EXPECT_EQ(string.find(text), row++);
    for (int i = 0; i < 100; ++i) {
      std::string text(random() % 6, ' ');
      for (char& c : text) c = static_cast<char>(random() % 4);
      EXPECT_EQ(string.find(text) >= 0, texts.contains(text));
    }
  }
}

TEST(Ids, RefuseWhatDoesNotAscend) {
  EXPECT_EQ(test::input_error([] { Ids::integers({1, 2, 2}); }), "ids: 2 does not ascend at row 2");
  EXPECT_EQ(test::input_error([] { Ids::integers({1, -1}); }), "ids: -1 does not ascend at row 1");
  EXPECT_EQ(test::input_error([] { strings({"b", "a"}); }), "ids: 'a' does not ascend at row 1");
  EXPECT_EQ(test::input_error([] { strings({"a", "a"}); }), "ids: 'a' does not ascend at row 1");
}

TEST(Ids, RefuseOffsetsThatDoNotFit) {
  EXPECT_EQ(test::input_error([] { Ids::strings("ab", {}); }), "ids: offsets do not cover the text");
  EXPECT_EQ(test::input_error([] { Ids::strings("ab", {1, 2}); }), "ids: offsets do not cover the text");
  EXPECT_EQ(test::input_error([] { Ids::strings("ab", {0, 1}); }), "ids: offsets do not cover the text");
  EXPECT_EQ(test::input_error([] { Ids::strings("ab", {0, 3, 2}); }), "ids: offsets do not ascend at row 0");
  EXPECT_EQ(test::input_error([] { Ids::strings("ab", {0, 2, 1, 2}); }), "ids: offsets do not ascend at row 1");
  for (const int64_t wild : {int64_t{-1}, kLeast, kMost})
    EXPECT_EQ(test::input_error([=] {
                Ids::strings("ab", {0, wild, 2});
              }),
              "ids: offsets do not ascend at row 0")
        << wild;
}

TEST(CanonicalInteger, PrintsBackAsItself) {
  const std::map<std::string, int64_t> good{
      {"0", 0}, {"12", 12}, {"-7", -7}, {"9223372036854775807", kMost}, {"-9223372036854775808", kLeast}};
  for (const auto& [text, expected] : good) {
    int64_t value = 1;
    EXPECT_TRUE(parse_canonical_integer(text, value)) << text;
    EXPECT_EQ(value, expected);
  }
  for (const std::string text : {"", "-", "007", "+1", "-0", "-01", "1 ", " 1", "1.0", "1e3", "0x1", "a",
                                 "9223372036854775808", "-9223372036854775809", "--1"}) {
    int64_t value = 0;
    EXPECT_FALSE(parse_canonical_integer(text, value)) << text;
  }
}

}  // namespace
}  // namespace kindred
