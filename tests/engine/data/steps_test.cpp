// SPDX-License-Identifier: Apache-2.0
// The data steps before the split (weights of events, duplicates, min_value, binarize, k-core) against references that
// follow their definitions with maps; the order of rows and threads do not show.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

#include "data_files.hpp"

namespace kindred {
namespace {

using test::input_error;
using test::Pairs;
using test::pairs;
using test::read_all;
using test::TemporaryFolder;

struct Row {
  std::string user, item, kind;
  int quarters;
  int64_t time;
};
using Key = std::pair<std::string, std::string>;

const std::map<std::string, double> kWeights{{"buy", 10}, {"cart", 3}, {"view", 0.5}};

/// Every (pair, time) once, so that the newest row is one.
std::vector<Row> random_rows(std::mt19937& random, int64_t count, int64_t users, int64_t items) {
  std::vector<Row> rows;
  std::set<std::tuple<std::string, std::string, int64_t>> seen;
  while (static_cast<int64_t>(rows.size()) < count) {
    Row row{std::to_string(std::min(random() % users, random() % users)), std::to_string(random() % items),
            std::next(kWeights.begin(), random() % 3)->first, static_cast<int>(random() % 41) - 8,
            1'600'000'000 + static_cast<int64_t>(random() % 5000)};
    if (seen.emplace(row.user, row.item, row.time).second) rows.push_back(std::move(row));
  }
  return rows;
}

std::string text_of(const std::vector<Row>& rows, bool values, bool times, bool kinds) {
  std::string text = "user,item";
  for (const auto& [has, name] : {std::pair(values, ",value"), {times, ",time"}, {kinds, ",event"}})
    if (has) text += name;
  text += "\n";
  for (const Row& row : rows) {
    text += row.user + "," + row.item;
    if (values) text.append(",").append(std::to_string(row.quarters / 4.));
    if (times) text.append(",").append(std::to_string(row.time));
    if (kinds) text.append(",").append(row.kind);
    text += "\n";
  }
  return text;
}

/// The rows of each pair, merged by the definition in double.
Pairs merged(const std::vector<Row>& rows, bool values, bool times, bool weighed, Duplicates duplicates) {
  std::map<Key, std::vector<std::pair<Row, double>>> groups;
  for (const Row& row : rows) {
    groups[{row.user, row.item}].emplace_back(row,
                                              (values ? row.quarters / 4. : 1) * (weighed ? kWeights.at(row.kind) : 1));
  }
  Pairs out;
  for (auto& [key, group] : groups) {
    if (times) std::ranges::stable_sort(group, {}, [](const auto& entry) { return entry.first.time; });
    double sum = 0, most = group[0].second;
    for (const auto& [row, value] : group) sum += value, most = std::max(most, value);
    const double last = group.back().second, mean = sum / static_cast<double>(group.size());
    out[key] = static_cast<float>(duplicates == Duplicates::kSum    ? sum
                                  : duplicates == Duplicates::kMax  ? most
                                  : duplicates == Duplicates::kMean ? mean
                                                                    : last);
  }
  return out;
}

TEST(Steps, DuplicatesByTheirDefinition) {
  std::mt19937 random(21);
  const TemporaryFolder folder;
  for (const Duplicates duplicates :
       {Duplicates::kAuto, Duplicates::kLast, Duplicates::kSum, Duplicates::kMax, Duplicates::kMean}) {
    for (int shape = 0; shape < 8; ++shape) {
      const bool values = shape & 1, times = shape & 2, weighed = shape & 4;
      const std::vector<Row> rows = random_rows(random, 2000, 30, 20);
      DataOptions options;
      options.interactions = folder.write("r.csv", text_of(rows, values, times, weighed));
      options.duplicates = duplicates;
      if (weighed) options.events = kWeights;
      const Duplicates meant = duplicates != Duplicates::kAuto ? duplicates
                               : weighed || !values            ? Duplicates::kSum
                                                               : Duplicates::kLast;
      const PreparedData data = read_all(options);
      const Pairs expected = merged(rows, values, times, weighed, meant);
      ASSERT_EQ(pairs(data.train), expected) << static_cast<int>(duplicates) << " " << shape;
      EXPECT_EQ(data.duplicates, 2000 - static_cast<int64_t>(expected.size()));
    }
  }
}

TEST(Steps, TheOrderOfRowsAndThreadsDoNotMatter) {
  std::mt19937 random(22);
  const TemporaryFolder folder;
  std::vector<Row> rows = random_rows(random, 20000, 150, 150);
  for (const Duplicates duplicates : {Duplicates::kLast, Duplicates::kSum, Duplicates::kMax, Duplicates::kMean}) {
    DataOptions options;
    options.duplicates = duplicates;
    options.events = {{"buy", 1.7}, {"cart", 0.1}, {"view", 1.3}};  // sums that round
    options.min_value = 0.3f;
    options.min_user_interactions = 25;
    options.min_item_interactions = 30;
    const auto run = [&](int threads) {
      options.interactions = folder.write("r.csv", text_of(rows, true, true, true));
      return read_all(options, threads).train;
    };
    const Interactions first = run(1);
    EXPECT_LT(first.num_users(), 150);
    for (const int threads : {1, 2, 5}) {
      std::shuffle(rows.begin(), rows.end(), random);
      const Interactions again = run(threads);
      EXPECT_TRUE(test::operator==(again.matrix, first.matrix));
      EXPECT_EQ(again.times, first.times);
      EXPECT_EQ(again.kinds, first.kinds);
      EXPECT_EQ(*again.users, *first.users);
      EXPECT_EQ(*again.items, *first.items);
    }
  }
}

TEST(Steps, TheLastIsTheNewestAndAmongEqualTimesTheLowerInTheFile) {
  const TemporaryFolder folder;
  const auto read = [&](const std::string& text) {
    return read_all({.interactions = folder.write("r.csv", text)}).train;
  };
  const Interactions old_last = read("user,item,rating,time,kind\n1,5,4,300,b\n1,5,3,200,a\n1,5,2,100,c\n");
  EXPECT_EQ(pairs(old_last), (Pairs{{{"1", "5"}, 4.f}}));
  EXPECT_EQ(old_last.times, (std::vector<int64_t>{300'000'000}));
  EXPECT_EQ(old_last.kind_names[old_last.kinds[0]], "b");
  EXPECT_EQ(pairs(read("user,item,rating,time\n1,5,4,300\n1,5,3,300\n1,5,2,100\n")), (Pairs{{{"1", "5"}, 3.f}}));
  EXPECT_EQ(pairs(read("user,item,rating\n1,5,4\n1,5,3\n1,5,2\n")), (Pairs{{{"1", "5"}, 2.f}}));
}

TEST(Steps, DuplicatesAsErrorsNameThePair) {
  const TemporaryFolder folder;
  DataOptions options;
  options.duplicates = Duplicates::kError;
  options.interactions = folder.write("r.csv", "user,item\na,x\nb,z\nb,y\nb,y\nc,x\nb,y\nc,x\n");
  const std::string cause =
      " occurs more than once (3 such rows in all); data.duplicates = \"error\" takes each pair once, \"last\", "
      "\"sum\", \"max\" or \"mean\" would merge them";
  EXPECT_EQ(input_error(folder, [&] { read_all(options); }), "r.csv: user 'b', item 'y'" + cause);
  SplitOptions split;  // ids that train does not know stand in the file's order behind the known ones
  split.protocol = "files";
  split.files.train = folder.write("train.csv", "user,item\na,x\n");
  split.files.test = options.interactions.list[0].path;
  EXPECT_EQ(input_error(folder, [&] { prepare(options, split, 1, 2); }), "r.csv: user 'b', item 'y'" + cause);
  options.interactions = folder.write("r.csv", "user,item\na,x\nb,x\n");
  EXPECT_EQ(read_all(options).train.size(), 2);
}

TEST(Steps, EventsWithoutWeightsAndWeightsWithoutEvents) {
  const TemporaryFolder folder;
  DataOptions options;
  options.events = {{"view", 1}, {"purchase", 10}};
  const auto error = [&](const std::string& text) {
    options.interactions = folder.write("e.csv", text);
    return input_error(folder, [&] { read_all(options); });
  };
  EXPECT_EQ(error("user,item,event\n1,2,view\n1,3,purchas\n"),
            "e.csv: data.events has no weight for the kind 'purchas'; it has 'purchase', 'view', the file has "
            "'purchas', 'view'; did you mean 'purchase'?");
  EXPECT_EQ(error("user,item\n1,2\n"),
            "e.csv: data.events gives weights, but there is no event column; set data.columns.event to a name");
  EXPECT_EQ(error("user,item,event,value\n1,2,view,3e38\n1,2,view,3e38\n"),
            "e.csv: user '1', item '2': weighed and merged, its value is inf; expected values up to 3.4e38");
  options.events.clear();
  EXPECT_EQ(error("user,item,event\n1,2,1\n1,3,1\n2,3,2.5\n"),
            "e.csv: the event column holds numbers ('1', '2.5'); set data.events to the weights of these kinds, or "
            "data.columns.value to the column where the numbers are values");
}

TEST(Steps, SmallValuesAreLeftOutBeforeValuesBecomeOne) {
  const TemporaryFolder folder;
  DataOptions options;
  options.interactions = folder.write("r.csv", "user,item,rating\na,x,1\na,y,4\nb,x,3.5\nc,y,5\nc,x,2\nd,z,1\n");
  options.min_value = 3.5f;
  const Interactions kept = read_all(options).train;
  EXPECT_EQ(pairs(kept), (Pairs{{{"a", "y"}, 4.f}, {{"b", "x"}, 3.5f}, {{"c", "y"}, 5.f}}));
  EXPECT_EQ(kept.num_users(), 3);  // d has nothing left
  EXPECT_EQ(kept.num_items(), 2);
  options.binarize = true;
  const Interactions ones = read_all(options).train;
  EXPECT_EQ(pairs(ones), (Pairs{{{"a", "y"}, 1.f}, {{"b", "x"}, 1.f}, {{"c", "y"}, 1.f}}));
  options.min_value = 6;
  EXPECT_EQ(input_error(folder, [&] { read_all(options); }),
            "data: no interaction is left; lower data.min_value (6), data.min_user_interactions (1) or "
            "data.min_item_interactions (1)");
}

/// The k-core by its definition: drop, count again, until nothing changes.
std::set<Key> core(std::set<Key> all, size_t least_of_user, size_t least_of_item) {
  for (;;) {
    std::map<std::string, size_t> users, items;
    for (const auto& [user, item] : all) ++users[user], ++items[item];
    std::set<Key> kept;
    for (const Key& pair : all)
      if (users[pair.first] >= least_of_user && items[pair.second] >= least_of_item) kept.insert(pair);
    if (kept.size() == all.size()) return kept;
    all = std::move(kept);
  }
}

TEST(Steps, TheCoreByItsDefinition) {
  std::mt19937 random(23);
  const TemporaryFolder folder;
  int empty = 0, partial = 0;
  for (int round = 0; round < 60; ++round) {
    const bool strings = round % 2;
    std::map<Key, float> values;
    for (int n = 0; n < 400; ++n) {
      const auto user = std::min(random() % 60, random() % 60), item = std::min(random() % 50, random() % 50);
      values[{std::string(strings ? "u" : "").append(std::to_string(user)),
              std::string(strings ? "i" : "").append(std::to_string(item))}] = static_cast<float>(n);
    }
    std::string text = "user,item,value\n";
    std::set<Key> all;
    for (const auto& [pair, value] : values) {
      text += pair.first + "," + pair.second + "," + std::to_string(value) + "\n";
      all.insert(pair);
    }
    DataOptions options;
    options.interactions = folder.write("r.csv", text);
    options.min_user_interactions = 1 + static_cast<int64_t>(random() % 9);
    options.min_item_interactions = 1 + static_cast<int64_t>(random() % 11);
    const std::set<Key> expected = core(all, static_cast<size_t>(options.min_user_interactions),
                                        static_cast<size_t>(options.min_item_interactions));
    if (expected.empty()) {
      EXPECT_THAT(input_error(folder, [&] { read_all(options); }),
                  ::testing::StartsWith("data: no interaction is left"));
      ++empty;
      continue;
    }
    Pairs found;
    std::set<std::string> users, items;
    for (const Key& pair : expected) found[pair] = values[pair], users.insert(pair.first), items.insert(pair.second);
    const Interactions kept = read_all(options).train;
    ASSERT_EQ(pairs(kept), found);
    EXPECT_EQ(kept.num_users(), static_cast<int64_t>(users.size()));
    EXPECT_EQ(kept.num_items(), static_cast<int64_t>(items.size()));
    partial += expected.size() < all.size();
  }
  EXPECT_GT(empty, 0);
  EXPECT_GT(partial, 20);
}

// A path: each round of the definition takes off its two ends, so that a core by rounds would be quadratic.
TEST(Steps, TheCoreOfALongPathIsEmptyAtOnce) {
  const TemporaryFolder folder;
  std::string text = "user,item\n";
  for (int n = 0; n < 200'000; ++n) {
    text.append(std::to_string(n)).append(",").append(std::to_string(n)).append("\n");
    text.append(std::to_string(n)).append(",").append(std::to_string(n + 1)).append("\n");
  }
  DataOptions options;
  options.interactions = folder.write("r.csv", text);
  options.min_user_interactions = options.min_item_interactions = 2;
  EXPECT_THAT(input_error(folder, [&] { read_all(options); }), ::testing::StartsWith("data: no interaction is left"));
}

// The limits to users and items are train's; values are weighed, merged and cut in each file.
TEST(Steps, HeldOutFilesGoThroughTheSameSteps) {
  const TemporaryFolder folder;
  SplitOptions split;
  split.protocol = "files";
  split.files.train = folder.write("train.csv", "user,item,kind\na,x,view\na,y,view\nb,x,view\nb,y,buy\nc,z,view\n");
  split.files.test =
      folder.write("test.csv", "user,item,kind\na,z,buy\nb,z,view\na,y,view\na,y,view\nc,x,view\nb,w,buy\n");
  DataOptions options;
  options.events = {{"view", 1}, {"buy", 5}};
  options.min_user_interactions = 2;
  const PreparedData data = prepare(options, split, 1, 2);
  EXPECT_EQ(pairs(data.train),
            (Pairs{{{"a", "x"}, 1.f}, {{"a", "y"}, 1.f}, {{"b", "x"}, 1.f}, {{"b", "y"}, 5.f}}));  // c, then z are gone
  EXPECT_EQ(pairs(data.test.matrix, *data.train.users, *data.train.items), (Pairs{{{"a", "y"}, 2.f}}));
  EXPECT_EQ(data.test.unknown, (std::vector<int32_t>{1, 2}));
  EXPECT_EQ(data.test.dropped_users, 1);
  options.min_value = 2;
  options.min_user_interactions = 1;
  const PreparedData cut = prepare(options, split, 1, 2);
  EXPECT_EQ(pairs(cut.train), (Pairs{{{"b", "y"}, 5.f}}));
  EXPECT_EQ(cut.test.unknown, (std::vector<int32_t>{1}));
}

}  // namespace
}  // namespace kindred
