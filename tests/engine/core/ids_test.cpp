// SPDX-License-Identifier: Apache-2.0
// Ids found by their text, and lists of ids that are refused.
#include "engine/core/ids.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <set>

#include "engine/core/error.hpp"

namespace kindred {
namespace {

constexpr auto kLeast = std::numeric_limits<int64_t>::min(), kMost = std::numeric_limits<int64_t>::max();

Ids strings(const std::set<std::string>& sorted) {
  std::string blob;
  std::vector<int64_t> offsets{0};
  for (const auto& id : sorted) {
    blob += id;
    offsets.push_back(static_cast<int64_t>(blob.size()));
  }
  return Ids::strings(blob, offsets);
}

TEST(Ids, IntegersAreFoundByTheirCanonicalText) {
  const Ids ids = Ids::integers({kLeast, -7, 0, 12, kMost});
  ASSERT_EQ(ids.size(), 5);
  for (int32_t row = 0; row < 5; ++row) EXPECT_EQ(ids.find(ids.text(row)), row);
  for (const char* absent : {"", "-", "+12", "012", "-0", "12 ", " 12", "1", "12.0", "9223372036854775808"})
    EXPECT_EQ(ids.find(absent), -1) << absent;
}

TEST(Ids, RandomStringsOfAnyBytesAreFound) {
  std::mt19937 random(1);
  for (int round = 0; round < 50; ++round) {
    std::set<std::string> sorted;
    for (const size_t n = random() % 40; sorted.size() < n;) {
      std::string id;
      for (size_t length = random() % 4; length > 0; --length) id += static_cast<char>(random() % 256);
      sorted.insert(id);
    }
    const Ids ids = strings(sorted);
    ASSERT_EQ(ids.size(), static_cast<int64_t>(sorted.size()));
    int32_t row = 0;
    for (const auto& id : sorted) {
      EXPECT_EQ(ids.text(row), id);
      EXPECT_EQ(ids.find(id), row++);
      EXPECT_EQ(ids.find(id + "longer than any"), -1);
    }
  }
}

TEST(Ids, NoIds) {
  EXPECT_EQ(Ids().size(), 0);
  EXPECT_EQ(Ids().find("a"), -1);
  EXPECT_EQ(Ids::integers({}).find("1"), -1);
  EXPECT_EQ(strings({}).size(), 0);
}

TEST(Ids, RefusesWhatDoesNotAscend) {
  EXPECT_THROW(Ids::integers({1, 1}), InputError);
  EXPECT_THROW(Ids::integers({2, 1}), InputError);
  EXPECT_THROW(Ids::strings("ba", {0, 1, 2}), InputError);
  EXPECT_THROW(Ids::strings("aa", {0, 1, 2}), InputError);
}

TEST(Ids, RefusesOffsetsThatLeaveTheText) {
  const std::vector<std::vector<int64_t>> wrong{{},         {1, 2},        {0, 1},        {0, 3, 2},
                                                {0, -1, 2}, {0, kMost, 2}, {0, kLeast, 2}};
  for (const auto& offsets : wrong) EXPECT_THROW(Ids::strings("ab", offsets), InputError);
}

TEST(CanonicalInteger, PrintsBackAsItself) {
  int64_t value = 0;
  for (const char* text : {"0", "7", "-7", "9223372036854775807", "-9223372036854775808"}) {
    ASSERT_TRUE(parse_canonical_integer(text, value)) << text;
    EXPECT_EQ(std::to_string(value), text);
  }
  for (const char* text : {"", "-", "-0", "00", "007", "-07", "+1", "1 ", "0x1", "1e3", "9223372036854775808"})
    EXPECT_FALSE(parse_canonical_integer(text, value)) << text;
}

}  // namespace
}  // namespace kindred
