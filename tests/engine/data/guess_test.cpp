// SPDX-License-Identifier: Apache-2.0
// What files and columns are taken for.
#include "engine/data/guess.hpp"

#include <gtest/gtest.h>

#include <random>

#include "data_files.hpp"

namespace kindred {
namespace {

using test::TemporaryFolder;

// Rows "user<delimiter>item<delimiter>rest" of 40 users and 30 items; rest(row) follows the item.
template <class Rest>
std::string rows(const std::string& delimiter, Rest&& rest, int count = 600) {
  std::mt19937 random(3);
  std::string out;
  for (int r = 0; r < count; ++r) {
    out += std::to_string(100 + random() % 40) + delimiter + std::to_string(random() % 30);
    const std::string more = rest(r);
    if (!more.empty()) out += delimiter + more;
    out += '\n';
  }
  return out;
}
std::string rows(const std::string& delimiter) {
  return rows(delimiter, [](int) { return std::string(); });
}

class Guess : public testing::Test {
 protected:
  DatasetGuess guess(std::initializer_list<std::pair<const char*, std::string>> files) {
    std::vector<FileProfile> profiles;
    for (const auto& [name, content] : files) profiles.push_back(profile_file(folder_.write(name, content)));
    return guess_dataset(std::move(profiles));
  }
  FileGuess one(const std::string& content) { return guess({{"f.csv", content}}).files[0]; }
  ValueKind values(const std::function<std::string(int)>& value) {
    return one("user,item,value\n" + rows(",", value)).values;
  }
  TemporaryFolder folder_;
};

std::vector<int> places(const FileGuess& guess) {
  return {guess.user, guess.item, guess.value, guess.time, guess.event};
}
using Places = std::vector<int>;

TEST_F(Guess, ColumnsByNameInAnyOrder) {
  EXPECT_EQ(places(one("timestamp,rating,movieId,userId\n1600000000,4.5,7,1\n1600000001,3,8,1\n")),
            Places({3, 2, 1, 0, -1}));
  EXPECT_EQ(places(one("Customer_Number;Product_Code;Qty\nk1;p1;3\nk2;p1;1\n")), Places({0, 1, 2, -1, -1}));
}

TEST_F(Guess, ColumnsByPlaceWithoutNames) {
  for (const std::string delimiter : {"\t", ",", ";", "|", "::"}) {
    const FileGuess found = one(
        rows(delimiter, [&](int r) { return std::to_string(1 + r % 5) + delimiter + std::to_string(1600000000 + r); }));
    EXPECT_EQ(found.profile.delimiter, delimiter);
    EXPECT_FALSE(found.profile.header);
    EXPECT_EQ(places(found), Places({0, 1, 2, 3, -1}));
    EXPECT_EQ(found.values, ValueKind::kStars);
  }
  const FileGuess times_first = one("wann,wer,was\n" + std::string("2024-01-01,anna,brot\n2024-01-02,anna,milch\n") +
                                    "2024-01-02,bert,brot\n2024-01-03,bert,milch\n");
  EXPECT_EQ(places(times_first), Places({1, 2, -1, 0, -1}));
}

TEST_F(Guess, TextsAloneHaveAHeaderWhereItStandsApart) {
  std::string text;
  for (int r = 0; r < 20; ++r)
    text.append(1, 'u').append(std::to_string(r % 4)).append(",i").append(std::to_string(r % 5)).append("\n");
  EXPECT_FALSE(one(text).profile.header);
  const FileGuess named = one("wer,was\n" + text);
  EXPECT_TRUE(named.profile.header);
  EXPECT_EQ(named.profile.rows, 20);
  EXPECT_EQ(named.profile.columns[0].name, "wer");
}

TEST_F(Guess, KindsOfValues) {
  EXPECT_EQ(values([](int r) { return std::to_string(1 + r % 5); }), ValueKind::kStars);
  EXPECT_EQ(values([](int r) { return std::to_string((1 + r % 10) / 2) + ".5"; }), ValueKind::kStars);
  EXPECT_EQ(values([](int) { return std::string("1"); }), ValueKind::kConstant);
  EXPECT_EQ(values([](int r) { return std::to_string(1 + r * r % 977); }), ValueKind::kCounts);
  EXPECT_EQ(values([](int r) { return std::to_string(r % 40 ? 1 : 1 + r % 7); }), ValueKind::kCounts);
  EXPECT_EQ(values([](int r) { return std::to_string(r * 0.37); }), ValueKind::kAmounts);
  EXPECT_EQ(values([](int r) { return std::to_string(r % 3 - 1); }), ValueKind::kSigned);
}

TEST_F(Guess, ColumnsThatHoldSomethingElseAreLeftOutAndNamed) {
  const FileGuess found = one("user,item,rating,date\na,x,good,yesterday\nb,x,bad,today\n");
  EXPECT_EQ(places(found), Places({0, 1, -1, -1, -1}));
  EXPECT_EQ(found.remark,
            "date: 'yesterday' is no time that can be read (Unix or ISO 8601); rating: holds other things than numbers "
            "('good')");
  EXPECT_EQ(one("user;item;rating\na;x;3,5\nb;x;4,0\n").remark,
            "rating: has decimal commas ('3,5'); write points to use it");
  EXPECT_EQ(one("user,item,event\n" + rows(",", [](int) { return std::string("1"); })).remark,
            "event: is always 1, no kind of event");
}

TEST_F(Guess, EventsAndTheirWeights) {
  const DatasetGuess found =
      guess({{"log.csv", "user,item,event\n" + rows(",", [](int r) {
                           return std::vector<std::string>{"view", "addtocart", "transaction", "dislike"}[r % 4];
                         })}});
  EXPECT_EQ(found.files[0].event, 2);
  const std::vector<std::pair<std::string, double>> expected = {
      {"addtocart", 3}, {"dislike", 0}, {"transaction", 10}, {"view", 1}};
  EXPECT_EQ(found.events, expected);
}

TEST_F(Guess, FilesOfOneKindEach) {
  const std::string text = "user,item\n" + rows(",");
  const DatasetGuess found =
      guess({{"shop_view_2024.csv", text}, {"shop_add_to_cart_2024.csv", text}, {"shop_purchase_2024.csv", text}});
  std::vector<std::string> kinds;
  for (const FileGuess& file : found.files) kinds.push_back(file.event_kind);
  EXPECT_EQ(kinds, (std::vector<std::string>{"view", "add_to_cart", "purchase"}));
  const std::vector<std::pair<std::string, double>> weights = {{"view", 1}, {"add_to_cart", 3}, {"purchase", 10}};
  EXPECT_EQ(found.events, weights);
}

TEST_F(Guess, TablesBesideTheInteractions) {
  std::string items = "id,name,genres\n", users = "user,age\n";
  for (int i = 0; i < 30; ++i) items += std::to_string(i) + ",Item " + std::to_string(i) + ",a; b\n";
  for (int u = 100; u < 140; ++u) users += std::to_string(u) + ",30\n";
  const DatasetGuess found = guess({{"items.csv", items},
                                    {"friends.csv", "user,friend\n100,101\n100,102\n"},
                                    {"ratings.csv", "user,item,rating\n" + rows(",", [](int) { return "4"; })},
                                    {"users.csv", users},
                                    {"comments.csv", "user,item,text\n100,1,nice\n100,2,nice too\n"}});
  std::vector<FileKind> kinds;
  for (const FileGuess& file : found.files) kinds.push_back(file.kind);
  EXPECT_EQ(kinds, (std::vector<FileKind>{FileKind::kItems, FileKind::kFriends, FileKind::kInteractions,
                                          FileKind::kUsers, FileKind::kUnused}));
  EXPECT_EQ(found.files[0].id, 0);
  EXPECT_EQ(found.files[0].title, 1);
  EXPECT_EQ(found.files[0].tags, 2);
  EXPECT_EQ(found.files[0].tag_separator, ";");
  EXPECT_EQ(found.files[4].remark, "other columns than ratings.csv");
}

TEST_F(Guess, AdjacencyAndTablesOfTexts) {
  EXPECT_EQ(one("1 2 3 4\n2 5\n3 7 8\n").profile.form, FileForm::kAdjacency);
  EXPECT_EQ(one("1 2\n2 5\n").profile.form, FileForm::kAdjacency);
  EXPECT_EQ(one("user\titem\nanna maria\tthe long way\nbob\tbread\n").profile.form, FileForm::kTable);
}

TEST_F(Guess, NothingLikeInteractionsIsAnError) {
  EXPECT_EQ(
      test::input_error(folder_, [&] { one("price\n1.5\n2.5\n"); }),
      "f.csv: nothing looks like interactions; expected a table with a column of users and one of items (a header "
      "with the names user and item settles it)");
  EXPECT_EQ(test::input_error(folder_, [&] { one("user,item\na,b\nc\n"); }), "f.csv:3: expected 2 fields, found 1");
}

TEST_F(Guess, TheHeadOfALongFileIsEnough) {
  std::string text = "user,item\n";
  for (int r = 0; r < 30'000; ++r) text += std::to_string(10'000 + r) + ",1\n";
  const FileProfile profile = profile_file(folder_.write("long.csv", text), 10'000);
  EXPECT_EQ(profile.rows, 10'000);
  EXPECT_NEAR(profile.rows_estimated, 30'000, 300);  // the header counts as a row
  EXPECT_FALSE(profile.whole);
}

}  // namespace
}  // namespace kindred
