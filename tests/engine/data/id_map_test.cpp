// SPDX-License-Identifier: Apache-2.0
#include "engine/data/id_map.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <set>
#include <unordered_map>

namespace kindred {
namespace {

std::string bad_id(IdMap& map, std::string_view id) {
  try {
    map.number(id);
  } catch (const BadId& bad) {
    return bad.message;
  }
  return "(no error)";
}

std::string text(const IdMap& map, int32_t number) {
  std::string out;
  map.append_text(number, out);
  return out;
}

// Numbers follow first appearance, as with a standard map.
TEST(IdMap, NumbersLikeAStandardMap) {
  std::mt19937_64 random(5);
  IdMap map;
  std::unordered_map<std::string, int32_t> expected;
  for (int round = 0; round < 50000; ++round) {
    std::string id = std::to_string(static_cast<int64_t>(random() % 20000) - 10000);
    if (round % 3 == 0) id.insert(0, "id ");
    if (round % 7 == 0) id.insert(0, 1, '0');
    const int32_t number = expected.emplace(id, static_cast<int32_t>(expected.size())).first->second;
    ASSERT_EQ(map.number(id), number) << id;
    ASSERT_EQ(text(map, number), id);
  }
  EXPECT_EQ(map.size(), static_cast<int32_t>(expected.size()));
  EXPECT_FALSE(map.all_integers());
}

TEST(IdMap, IntegersAreCanonicalDecimals) {
  for (const char* id : {"0", "7", "-7", "9223372036854775807", "-9223372036854775808"}) {
    IdMap map;
    map.number(id);
    EXPECT_TRUE(map.all_integers()) << id;
  }
  for (const char* id : {"007", "+1", "-0", "1.0", "9223372036854775808", " 1", "1e3"}) {
    IdMap map;
    map.number(id);
    EXPECT_FALSE(map.all_integers()) << id;
  }
}

TEST(IdMap, MergesInAscendingOrder) {
  std::mt19937_64 random(6);
  for (const bool strings : {false, true}) {
    std::vector<IdMap> maps(4);  // the last stays empty
    std::set<int64_t> values;
    std::set<std::string> texts;
    for (int round = 0; round < 3000; ++round) {
      const auto value = static_cast<int64_t>(random() % 2000) - 1000;
      std::string id(strings && round % 2 ? "x" : "");
      id += std::to_string(value);
      maps[random() % 3].number(id);
      values.insert(value);
      texts.insert(id);
    }
    const MergedIds merged = merge_ids(maps, IdType::kAuto);
    EXPECT_EQ(merged.ids->integer(), !strings);
    std::vector<std::string> expected(texts.begin(), texts.end());
    if (!strings) {
      expected.clear();
      for (const int64_t value : values) expected.push_back(std::to_string(value));
    }
    ASSERT_EQ(merged.ids->size(), static_cast<int64_t>(expected.size()));
    for (int64_t row = 0; row < merged.ids->size(); ++row)
      ASSERT_EQ(merged.ids->text(row), expected[static_cast<size_t>(row)]);
    for (size_t m = 0; m < maps.size(); ++m) {
      for (int32_t n = 0; n < maps[m].size(); ++n) {
        ASSERT_EQ(merged.ids->text(merged.rows[m][static_cast<size_t>(n)]), text(maps[m], n));
      }
    }
  }
}

TEST(IdMap, StringsWhereAskedFor) {
  std::vector<IdMap> maps(1);
  for (const char* id : {"9", "10", "-3"}) maps[0].number(id);
  const MergedIds merged = merge_ids(maps, IdType::kString);
  ASSERT_FALSE(merged.ids->integer());
  EXPECT_EQ(merged.ids->text(0), "-3");
  EXPECT_EQ(merged.ids->text(1), "10");
  EXPECT_EQ(merged.ids->text(2), "9");
}

TEST(IdMap, RefusesWhatIsNoId) {
  IdMap map;
  EXPECT_EQ(bad_id(map, ""), "expected an id, found ''");
  EXPECT_EQ(bad_id(map, std::string(1024, 'x')), "(no error)");
  EXPECT_EQ(bad_id(map, std::string(1025, 'x')),
            "expected an id of at most 1,024 bytes, found 1025: '" + std::string(40, 'x') + "…'");
  EXPECT_EQ(bad_id(map, "caf\xE9"),
            "expected an id in UTF-8, found 'caf\\xe9'; set data.encoding = \"latin-1\" where the file is, or convert "
            "it with iconv");
  IdMap integers(IdType::kInteger);
  EXPECT_EQ(bad_id(integers, "12"), "(no error)");
  EXPECT_EQ(bad_id(integers, "007"), "expected a whole number as id, found '007'");
}

}  // namespace
}  // namespace kindred
