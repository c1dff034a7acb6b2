// SPDX-License-Identifier: Apache-2.0
#include "engine/evaluate/lists.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <random>

#include "engine/evaluate/parts.hpp"

namespace kindred {
namespace {

using testing::ElementsAre;

struct Row {
  int32_t user, item;
  float score;
};

/// Rows in blocks of two threads, whose maps number users and items backwards and forwards.
RankedLists built(const std::vector<Row>& rows, int32_t users, int32_t items, int threads, bool ascending) {
  RawRows raw;
  std::vector<std::vector<int32_t>> user_rows(2, std::vector<int32_t>(static_cast<size_t>(users))), item_rows(2);
  std::iota(user_rows[0].begin(), user_rows[0].end(), 0);
  user_rows[1].assign(user_rows[0].rbegin(), user_rows[0].rend());
  item_rows.assign(2, std::vector<int32_t>(static_cast<size_t>(items)));
  for (auto& map : item_rows) std::iota(map.begin(), map.end(), 0);
  for (size_t begin = 0; begin < rows.size(); begin += 7) {
    auto& block = raw.blocks.emplace_back();
    block.thread = static_cast<int>(begin / 7 % 2);
    for (size_t r = begin; r < std::min(rows.size(), begin + 7); ++r) {
      block.users.push_back(block.thread == 0 ? rows[r].user : users - 1 - rows[r].user);
      block.items.push_back(rows[r].item);
      block.values.push_back(ascending ? -rows[r].score : rows[r].score);
    }
  }
  Context ctx({.device = "cpu", .threads = threads});
  return build_lists(ctx, raw, user_rows, item_rows, users, items, ascending);
}

TEST(Lists, AreSortedWithEachItemOnce) {
  std::mt19937 random(3);
  for (int round = 0; round < 60; ++round) {
    const auto users = static_cast<int32_t>(1 + random() % 9), items = static_cast<int32_t>(1 + random() % 20);
    std::vector<Row> rows;
    for (size_t r = random() % 200; r > 0; --r)
      rows.push_back({static_cast<int32_t>(random() % static_cast<unsigned>(users)),
                      static_cast<int32_t>(random() % static_cast<unsigned>(items)), static_cast<float>(random() % 5)});
    std::map<std::pair<int32_t, int32_t>, float> best;
    for (const Row& row : rows) {
      const auto [at, fresh] = best.try_emplace({row.user, row.item}, row.score);
      if (!fresh) at->second = std::max(at->second, row.score);
    }
    const RankedLists lists = built(rows, users, items, 1 + round % 3, round % 2 == 0);
    EXPECT_EQ(lists.repeated, std::ssize(rows) - std::ssize(best));
    for (int32_t u = 0; u < users; ++u) {
      std::vector<std::pair<float, int32_t>> expected, found;
      for (const auto& [pair, score] : best)
        if (pair.first == u) expected.emplace_back(-score, pair.second);
      std::ranges::sort(expected);
      for (size_t r = 0; r < lists.matrix.row(u).size(); ++r)
        found.emplace_back(-lists.matrix.row_values(u)[r], lists.matrix.row(u)[r]);
      EXPECT_EQ(found, expected);
    }
  }
}

TEST(Lists, UsersMayBePassedOver) {
  RawRows raw;
  raw.blocks.push_back({.users = {0, 1, 0}, .items = {0, 0, 1}, .values = {1, 2, 3}, .times = {}, .kinds = {}});
  Context ctx({.device = "cpu", .threads = 2});
  const RankedLists lists = build_lists(ctx, raw, {{-1, 0}}, {{0, 1}}, 1, 2, false);
  EXPECT_THAT(lists.matrix.indices, ElementsAre(0));
  EXPECT_THAT(lists.matrix.values, ElementsAre(2));
}

TEST(Parts, AreBroughtToOtherIds) {
  Interactions part;
  part.users = std::make_shared<Ids>(Ids::integers({2, 10}));
  part.items = std::make_shared<Ids>(Ids::integers({9, 10, 11}));
  part.matrix = HostCsr{{0, 3, 4}, {0, 1, 2, 0}, {1, 2, 3, 4}, 3};
  const Ids users = Ids::strings("2x", {0, 1, 2});   // "2", "x": user 10 is unknown
  const Ids items = Ids::strings("109", {0, 2, 3});  // "10" before "9": another order; 11 is unknown
  const HeldOut out = over_ids(part, users, items);
  EXPECT_THAT(out.matrix.offsets, ElementsAre(0, 2, 2));
  EXPECT_THAT(out.matrix.indices, ElementsAre(0, 1));
  EXPECT_THAT(out.matrix.values, ElementsAre(2, 1));
  EXPECT_THAT(out.unknown, ElementsAre(1, 0));
  EXPECT_EQ(out.dropped_users, 1);
}

}  // namespace
}  // namespace kindred
