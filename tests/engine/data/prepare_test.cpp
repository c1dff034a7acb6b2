// SPDX-License-Identifier: Apache-2.0
// From files to train, validation and test: prepare() and merge().
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "data_files.hpp"

namespace kindred {
namespace {

using namespace std::string_literals;

using test::input_error;
using test::Pairs;
using test::pairs;
using test::read_all;
using test::TemporaryFolder;

struct Row {
  std::string user, item;
  int halves;
  int64_t time;
};

std::vector<Row> random_rows(std::mt19937& random, int64_t count, int64_t users, int64_t items) {
  std::vector<Row> rows;
  for (int64_t r = 0; r < count; ++r) {
    rows.push_back({std::to_string(static_cast<int64_t>(random()) % users), "i"s + std::to_string(random() % items),
                    static_cast<int>(1 + random() % 10), 1'600'000'000 + static_cast<int64_t>(random() % 1000)});
  }
  return rows;
}

std::string text_of(const std::vector<Row>& rows, const std::string& delimiter, const std::string& line_end,
                    const std::string& header) {
  std::string text = header;
  for (const Row& row : rows) {
    text += row.user + delimiter + row.item + delimiter + std::to_string(row.halves / 2) +
            (row.halves % 2 ? ".5" : "") + delimiter + std::to_string(row.time) + line_end;
  }
  return text;
}

/// The value of the newest row of each pair, the last in the file among equally new ones.
Pairs newest(std::vector<Row> rows) {
  std::ranges::stable_sort(rows, {}, &Row::time);
  Pairs values;
  for (const Row& row : rows) values[{row.user, row.item}] = static_cast<float>(row.halves) / 2;
  return values;
}

// Every delimiter and line end, with a byte order mark and without: the pairs, the newest value.
TEST(Prepare, ReadsWhatStandsInTheFile) {
  std::mt19937 random(11);
  const TemporaryFolder folder;
  for (const std::string delimiter : {",", "\t", ";", "|", "::"}) {
    for (const std::string line_end : {"\n", "\r\n"}) {
      const std::vector<Row> rows = random_rows(random, 3000, 50, 80);
      const std::string header =
          "\xEF\xBB\xBFuserId" + delimiter + "movie_id" + delimiter + "Rating" + delimiter + "timestamp" + line_end;
      std::string text = text_of(rows, delimiter, line_end, header);
      text.resize(text.size() - line_end.size());  // the last line has no end
      const PreparedData data = read_all({.interactions = folder.write("ratings.csv", text)});

      const Pairs values = newest(rows);
      std::map<std::pair<std::string, std::string>, int64_t> times;
      for (const Row& row : rows) {
        int64_t& time = times[{row.user, row.item}];
        time = std::max(time, row.time);
      }
      ASSERT_EQ(pairs(data.train), values);
      ASSERT_EQ(data.rows_read, 3000);
      ASSERT_EQ(data.duplicates, 3000 - static_cast<int64_t>(values.size()));
      EXPECT_TRUE(data.train.users->integer());
      EXPECT_FALSE(data.train.items->integer());
      for (int64_t u = 0; u < data.train.num_users(); ++u) {
        for (auto e = data.train.matrix.offsets[static_cast<size_t>(u)];
             e < data.train.matrix.offsets[static_cast<size_t>(u) + 1]; ++e) {
          const std::string item = data.train.items->text(data.train.matrix.indices[static_cast<size_t>(e)]);
          ASSERT_EQ(data.train.times[static_cast<size_t>(e)], (times[{data.train.users->text(u), item}]) * 1'000'000);
        }
      }
    }
  }
}

TEST(Prepare, WithoutValuesRowsAreCounted) {
  const TemporaryFolder folder;
  const PreparedData data =
      read_all({.interactions = folder.write("clicks.csv", "user,item\n1,5\n1,6\n2,5\n1,5\n1,5\n")});
  EXPECT_EQ(pairs(data.train), (Pairs{{{"1", "5"}, 3.f}, {{"1", "6"}, 1.f}, {{"2", "5"}, 1.f}}));
  EXPECT_EQ(data.duplicates, 2);
  EXPECT_TRUE(data.train.times.empty());

  const PreparedData once = read_all({.interactions = folder.write("clicks.csv", "user,item\n1,5\n2,5\n")});
  EXPECT_TRUE(once.train.matrix.values.empty());
  EXPECT_EQ(once.train.matrix.value(1), 1.f);
}

TEST(Prepare, ColumnsByNameAndByNumber) {
  const TemporaryFolder folder;
  const Pairs expected{{{"1", "a"}, 4.f}, {{"2", "b"}, 5.f}};
  DataOptions options;
  options.interactions = folder.write("odd.csv", "weight;what;who;when\n4;a;1;2020-01-01\n5;b;2;2020-01-02\n");
  options.columns = {.user = "who", .item = "what", .value = "weight", .time = "when", .event = ""};
  const PreparedData named = read_all(options);
  EXPECT_EQ(pairs(named.train), expected);
  EXPECT_EQ(named.train.times, (std::vector<int64_t>{1'577'836'800'000'000, 1'577'923'200'000'000}));

  options.columns = {.user = "3", .item = "2", .value = "1", .time = "", .event = ""};
  EXPECT_EQ(pairs(read_all(options).train), expected);
  options.interactions = folder.write("bare.csv", "4;a;1;2020-01-01\n5;b;2;2020-01-02\n");
  EXPECT_EQ(pairs(read_all(options).train), expected);
}

TEST(Prepare, KindsOfEvents) {
  const TemporaryFolder folder;
  DataOptions options;
  options.interactions = folder.write("e.csv", "user,item,kind\n1,9,view\n1,8,view\n1,9,buy\n2,8,like\n");
  const Interactions all = read_all(options).train;
  EXPECT_EQ(all.kind_names, (std::vector<std::string>{"buy", "like", "view"}));
  EXPECT_EQ(pairs(all), (Pairs{{{"1", "8"}, 1.f}, {{"1", "9"}, 2.f}, {{"2", "8"}, 1.f}}));
  EXPECT_EQ(all.kinds, (std::vector<uint8_t>{2, 0, 1}));  // 1 9: the last row's

  options.interactions = folder.write("e.csv", "user,item,kind\n1,9,view\n1,8,\n");
  EXPECT_EQ(input_error(folder, [&] { read_all(options); }), "e.csv:3: kind: expected a kind in UTF-8, found ''");
  std::string many = "user,item,kind\n";
  for (int k = 0; k < 257; ++k)
    many.append("1,").append(std::to_string(k)).append(",k").append(std::to_string(k)) += '\n';
  options.interactions = folder.write("e.csv", many);
  EXPECT_EQ(input_error(folder, [&] { read_all(options); }),
            "e.csv:258: kind: expected at most 256 kinds, found 'k256'");
}

TEST(Prepare, QuotedIdsWithDelimitersQuotesAndLineEnds) {
  const TemporaryFolder folder;
  const PreparedData data = read_all(
      {.interactions = folder.write("q.csv", "user,item,rating\n\"a,b\",\"say \"\"hi\"\"\",1\n\"two\nlines\",x,2\n")});
  EXPECT_EQ(pairs(data.train), (Pairs{{{"a,b", "say \"hi\""}, 1.f}, {{"two\nlines", "x"}, 2.f}}));
}

TEST(Prepare, IntegersOnlyWhereEveryIdIsOne) {
  const TemporaryFolder folder;
  const auto ids = [&](const std::string& text, const std::string& type, const std::string& catalogue = "") {
    DataOptions options;
    options.interactions = folder.write("r.csv", text);
    options.id_type = type;
    if (!catalogue.empty()) options.items.file = folder.write("items.csv", catalogue);
    const PreparedData data = read_all(options);
    std::string out = data.train.items->integer() ? "integers" : "strings";
    for (int64_t i = 0; i < data.train.num_items(); ++i) out.append(" ").append(data.train.items->text(i));
    return out;
  };
  EXPECT_EQ(ids("user,item\n1,10\n1,9\n1,-3\n", "auto"), "integers -3 9 10");
  EXPECT_EQ(ids("user,item\n1,10\n1,9\n1,-3\n", "string"), "strings -3 10 9");
  EXPECT_EQ(ids("user,item\n1,10\n1,9\n1,007\n", "auto"), "strings 007 10 9");
  EXPECT_EQ(ids("user,item\n1,10\n1,9\n", "auto", "id,title\n9,Nine\n"), "integers 9 10");
  EXPECT_EQ(ids("user,item\n1,10\n1,9\n", "auto", "id,title\n9,Nine\nx,Letter\n"), "strings 10 9");
  EXPECT_EQ(ids("user,item\n1,10\n1,9\n", "integer", "id,title\n9,Nine\nx,Letter\n"), "integers 9 10");
}

TEST(Prepare, AdjacencyLists) {
  const TemporaryFolder folder;
  DataOptions options;
  options.interactions = folder.write("train.txt", "0 3 1 2\n1\n2\t3  5 3\r\n\n4 1");
  options.format = "adjacency";
  const PreparedData data = read_all(options);
  EXPECT_EQ(data.train.num_users(), 4);  // a user without items is a user
  EXPECT_EQ(pairs(data.train), (Pairs{{{"0", "1"}, 1.f},
                                      {{"0", "2"}, 1.f},
                                      {{"0", "3"}, 1.f},
                                      {{"2", "3"}, 2.f},
                                      {{"2", "5"}, 1.f},
                                      {{"4", "1"}, 1.f}}));
}

// Train, validation, test, and what is given of held-out users, as text, so that runs can be compared.
std::array<Pairs, 5> parts(const PreparedData& data) {
  const auto of = [&](const HostCsr& part) {
    return part.rows() > 0 ? pairs(part, *data.train.users, *data.train.items) : Pairs{};
  };
  return {pairs(data.train), of(data.validation.matrix), of(data.test.matrix), of(data.validation.given),
          of(data.test.given)};
}

TEST(Prepare, TheOrderOfRowsAndThreadsDoNotMatter) {
  std::mt19937 random(12);
  const TemporaryFolder folder;
  std::vector<Row> rows = random_rows(random, 20000, 300, 400);
  std::sort(rows.begin(), rows.end(),
            [](const Row& a, const Row& b) { return std::tie(a.user, a.item) < std::tie(b.user, b.item); });
  rows.erase(
      std::unique(rows.begin(), rows.end(),
                  [](const Row& a, const Row& b) { return std::tie(a.user, a.item) == std::tie(b.user, b.item); }),
      rows.end());
  for (const bool per_user : {true, false}) {
    SplitOptions split;
    split.per_user = per_user;
    const auto run = [&](int threads, uint64_t seed) {
      const std::string text = text_of(rows, ",", "\n", "user,item,rating,time\n");
      return prepare({.interactions = folder.write("r.csv", text)}, split, seed, threads);
    };
    const PreparedData first = run(1, 42);
    std::shuffle(rows.begin(), rows.end(), random);
    for (const int threads : {1, 2, 5}) {
      const PreparedData again = run(threads, 42);
      EXPECT_EQ(parts(again), parts(first));
      EXPECT_EQ(again.train.times, first.train.times);
    }
    EXPECT_NE(parts(run(2, 43)), parts(first));

    // Together they are the file, and no pair is in two.
    Pairs all;
    for (const Pairs& part : parts(first)) {
      for (const auto& [pair, value] : part) EXPECT_TRUE(all.emplace(pair, value).second);
    }
    EXPECT_EQ(all.size(), rows.size());
    for (const Row& row : rows) EXPECT_EQ((all.at({row.user, row.item})), static_cast<float>(row.halves) / 2);
  }
}

// Rows that span several pieces of the file: the order within a pair, and the lines in messages.
TEST(Prepare, FilesOfSeveralPieces) {
  std::mt19937 random(13);
  const TemporaryFolder folder;
  std::vector<Row> rows = random_rows(random, 500'000, 2000, 3000);
  std::string text = text_of(rows, ",", "\n", "user,item,rating,time\n");
  ASSERT_GT(text.size(), size_t{8} << 20);
  const Pairs expected = newest(rows);
  DataOptions options;
  options.interactions = folder.write("r.csv", text);
  const PreparedData one = read_all(options, 1), three = read_all(options, 3);
  EXPECT_EQ(pairs(one.train), expected);
  EXPECT_TRUE(test::operator==(one.train.matrix, three.train.matrix));
  EXPECT_EQ(one.train.times, three.train.times);

  // The same column read as kinds: each entry has that of the newest row, whichever thread met the kind first.
  folder.write("r.csv", text_of(rows, ",", "\n", "user,item,kind,time\n"));
  for (int halves = 1; halves <= 10; ++halves)
    options.events[std::to_string(halves / 2) + (halves % 2 ? ".5" : "")] = 1;
  const Interactions kinds = read_all(options, 3).train;
  ASSERT_EQ(kinds.matrix.indices, one.train.matrix.indices);
  for (size_t e = 0; e < kinds.kinds.size(); ++e) {
    ASSERT_EQ(std::stof(kinds.kind_names[kinds.kinds[e]]), one.train.matrix.values[e]);
  }

  for (const int64_t bad : {0, 250'000, 499'999}) {  // two bad rows: the first is told
    std::vector<Row> broken = rows;
    broken[static_cast<size_t>(bad)].item = "";
    broken.back().user = "";
    folder.write("r.csv", text_of(broken, ",", "\n", "user,item,rating,time\n"));
    EXPECT_EQ(input_error(folder, [&] { read_all(options, 3); }),
              bad == 499'999 ? "r.csv:500001: user: expected an id, found ''"
                             : "r.csv:" + std::to_string(bad + 2) + ": item: expected an id, found ''");
  }
}

TEST(Prepare, LinesAreCountedThroughQuotedLineEnds) {
  const TemporaryFolder folder;
  const auto path = folder.write("r.csv", "user,item,rating\n\"a\nb\nc\",x,1\n\nd,x,five\n");
  EXPECT_EQ(input_error(folder, [&] { read_all({.interactions = path}); }),
            "r.csv:6: rating: expected a number, found 'five'");
}

TEST(Prepare, EveryErrorNamesPlaceAndCause) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder.path() / "folder.csv");
  const auto error = [&](const std::string& content, const DataOptions& base = {}) {
    DataOptions options = base;
    options.interactions = folder.write("r.csv", content);
    return input_error(folder, [&] { read_all(options); });
  };
  const auto error_of_path = [&](const std::string& name) {
    return input_error(folder, [&] { read_all({.interactions = folder.path() / name}); });
  };
  EXPECT_THAT(error_of_path("absent.csv"), ::testing::StartsWith("absent.csv: cannot read: No such file"));
  EXPECT_THAT(error_of_path("folder.csv"), ::testing::StartsWith("folder.csv: cannot read: is a folder"));
  EXPECT_EQ(error(""), "r.csv: the file is empty");
  EXPECT_EQ(error("\xEF\xBB\xBF\r\n"), "r.csv: the file is empty");
  EXPECT_EQ(error("\xFF\xFEu"), "r.csv: the file is UTF-16; convert it to UTF-8 (iconv -f utf-16 -t utf-8)");
  EXPECT_EQ(error("user,item,rating\n"), "r.csv: a header and no rows");
  EXPECT_EQ(error("user,item,rating"), "r.csv: a header and no rows");
  EXPECT_EQ(
      error("usr,item,rating\n1,2,3\n"),
      "r.csv: no column for the user; found usr, item, rating; set data.columns.user to a name; did you mean 'usr'?");
  EXPECT_EQ(error("person,item\n1,2\n"),
            "r.csv: no column for the user; found person, item; set data.columns.user to a name");
  EXPECT_EQ(
      error("1 2 3\n4 5 6\n"),
      "r.csv: no column for the user; found 1 2 3 (columns are parted by , tab ; | or ::); set data.columns.user to a "
      "name, or to a number from 1 where the file has no header");
  const DataOptions named{.columns = {.user = "userID", .item = "", .value = "", .time = "", .event = ""}};
  EXPECT_EQ(error("userId,item\n1,2\n", named),
            "r.csv: no column 'userID'; found userId, item; set data.columns.user to a name; did you mean 'userId'?");
  const DataOptions numbered{.columns = {.user = "1", .item = "7", .value = "", .time = "", .event = ""}};
  EXPECT_EQ(error("1,2\n3,4\n", numbered), "r.csv: data.columns.item = 7: the file has 2 columns");

  const std::string header = "user,item,rating,time\n";
  EXPECT_EQ(error(header + "1,2,five,6\n"), "r.csv:2: rating: expected a number, found 'five'");
  EXPECT_EQ(error(header + "1,2,nan,6\n"), "r.csv:2: rating: expected a number, found 'nan'");
  EXPECT_EQ(error(header + "1,2,-inf,6\n"), "r.csv:2: rating: expected a number, found '-inf'");
  EXPECT_EQ(error(header + "1,2,1e99,6\n"), "r.csv:2: rating: expected a number, found '1e99'");
  EXPECT_EQ(error(header + "1,2,3\n"), "r.csv:2: expected 4 fields, found 3");
  EXPECT_EQ(error(header + "1,2,3,4\n1,2,3,4,5\n"),
            "r.csv:3: expected 4 fields, found 5; a field with ',' in it needs double quotes");
  EXPECT_EQ(error(header + ",2,3,4\n"), "r.csv:2: user: expected an id, found ''");
  EXPECT_EQ(error(header + "1," + std::string(1025, 'x') + ",3,4\n"),
            "r.csv:2: item: expected an id of at most 1,024 bytes, found 1025: '" + std::string(40, 'x') + "…'");
  EXPECT_EQ(
      error(header + "1,caf\xE9,3,4\n"),
      "r.csv:2: item: expected an id in UTF-8, found 'caf\\xe9'; set data.encoding = \"latin-1\" where the file is, or "
      "convert it with iconv");
  EXPECT_EQ(error(header + "1,2,3,4\n1,\"2,3,4\n"),
            "r.csv:3: a quoted field is never closed; close it, or set data.quote = \"none\" where quotes are text");
  EXPECT_EQ(error(header + "1,2,3,4\n1,3,4,soon\n"),
            "r.csv:3: time: expected a Unix time in whole numbers as in the first row, found 'soon'");
  EXPECT_EQ(error(header + "1,2,3,2020-01-01\n1,3,4,5\n"),
            "r.csv:3: time: expected an ISO 8601 time as in the first row, found '5'");
  EXPECT_EQ(error(header + "1,2,3,4.5\n1,3,4,2020-01-01\n"),
            "r.csv:3: time: expected a Unix time as in the first row, found '2020-01-01'");
  EXPECT_EQ(error("1,2,x\n1,2,3\n", {.columns = {.user = "1", .item = "2", .value = "3", .time = "", .event = ""}}),
            "no InputError");  // a header of numbers and a name
  EXPECT_EQ(error("1,2,3\n1,2,x\n", {.columns = {.user = "1", .item = "2", .value = "3", .time = "", .event = ""}}),
            "r.csv:2: column 3: expected a number, found 'x'");
  EXPECT_EQ(error(header + "x,2,3,4\n", {.id_type = "integer"}),
            "r.csv:2: user: expected a whole number as id, found 'x'");
  EXPECT_EQ(error("\n", {.format = "adjacency"}), "r.csv: the file is empty");
  EXPECT_EQ(error("1\n2\n", {.format = "adjacency"}), "r.csv: no line has an item; expected lines 'user item item …'");
  EXPECT_EQ(
      error("1 2\n3 caf\xE9\n", {.format = "adjacency"}),
      "r.csv:2: item: expected an id in UTF-8, found 'caf\\xe9'; set data.encoding = \"latin-1\" where the file is, or "
      "convert it with iconv");
  EXPECT_EQ(error("x", {.format = "parquet"}),
            "data.format: expected \"csv\", \"adjacency\" or \"hdf5\", found 'parquet'");
}

TEST(Prepare, WrongSplits) {
  const TemporaryFolder folder;
  const auto path = folder.write("r.csv", "user,item\n1,2\n1,3\n");
  const auto error = [&](const SplitOptions& split) {
    return input_error(folder, [&] { prepare({.interactions = path}, split, 1, 1); });
  };
  EXPECT_EQ(error({.test = 0.5, .validation = 0.5}),
            "split: expected test and validation of at least 0 and together below 1, found 0.5 and 0.5");
  EXPECT_EQ(error({.test = -0.1}),
            "split: expected test and validation of at least 0 and together below 1, found -0.1 and 0.1");
  EXPECT_EQ(error({.protocol = "by-magic"}),
            "split.protocol: expected \"random\", \"by-time\", \"leave-one-out\", \"files\", \"k-fold\", \"users\" or "
            "\"none\", found 'by-magic'");
  EXPECT_EQ(error({.protocol = "by-time"}),
            "split.protocol: \"by-time\" needs times, and the data has none; name their column with data.columns.time, "
            "or use \"random\"");
  EXPECT_EQ(error({.protocol = "users", .test = 1}),
            "split: expected test and validation of at least 0 and together below 1, found 1 and 0.1");
  EXPECT_EQ(error({.protocol = "k-fold", .folds = 3}),
            "split.folds: user 1 has 2 interactions for 3 folds; set split.per_user = false to draw folds from all "
            "interactions together, or raise data.min_user_interactions, or lower split.folds");
  EXPECT_EQ(error({.protocol = "k-fold", .per_user = false, .folds = 3}),
            "split.folds: there are 2 interactions for 3 folds; lower split.folds");
  EXPECT_EQ(error({.protocol = "k-fold", .folds = 1}), "split.folds: expected 2 to 255, found 1");
  EXPECT_EQ(error({.protocol = "files"}), "split.files.train: protocol \"files\" needs the path of a train file");
}

TEST(Prepare, PartsFromFiles) {
  const TemporaryFolder folder;
  DataOptions options;
  options.format = "adjacency";
  SplitOptions split;
  split.protocol = "files";
  split.files.train = folder.write("train.txt", "1 10 11 12\n2 10\n3 12 13\n");
  // User 2 has two unknown items (one written twice), user 9 is unknown, the pair 3 12 is in train too.
  split.files.test = folder.write("test.txt", "1 13\n2 77 12 88 77\n3 12\n9 10 77\n");
  const PreparedData data = prepare(options, split, 1, 2);
  EXPECT_EQ(pairs(data.train).size(), 6u);
  EXPECT_EQ(pairs(data.test.matrix, *data.train.users, *data.train.items),
            (Pairs{{{"1", "13"}, 1.f}, {{"2", "12"}, 1.f}, {{"3", "12"}, 1.f}}));
  EXPECT_EQ(data.test.unknown, (std::vector<int32_t>{0, 2, 0}));
  EXPECT_EQ(data.test.dropped_users, 1);
  EXPECT_TRUE(data.validation.empty());
  EXPECT_EQ(data.rows_read, 6 + 8);
  EXPECT_EQ(data.duplicates, 1);

  // Validation is drawn from train where the config asks.
  split.validation_given = true;
  split.validation = 0.3;
  const PreparedData drawn = prepare(options, split, 1, 2);
  EXPECT_EQ(drawn.train.size(), 4);
  EXPECT_EQ(drawn.validation.matrix.nnz(), 2);  // 1 of 3, none of 1, 1 of 2
  EXPECT_EQ(drawn.test.matrix.nnz(), 3);

  // A file of its own comes before that.
  split.files.validation = folder.write("validation.txt", "2 13\n");
  const PreparedData given = prepare(options, split, 1, 2);
  EXPECT_EQ(given.train.size(), 6);
  EXPECT_EQ(pairs(given.validation.matrix, *given.train.users, *given.train.items), (Pairs{{{"2", "13"}, 1.f}}));
}

TEST(Prepare, HeldOutFilesKeepTheirValues) {
  const TemporaryFolder folder;
  SplitOptions split;
  split.protocol = "files";
  split.files.train = folder.write("train.csv", "user,item,rating\na,x,1\nb,y,2\n");
  split.files.test = folder.write("test.csv", "user,item,rating\na,y,3\na,new,4\nb,x,5\na,y,4.5\n");
  const PreparedData data = prepare({}, split, 1, 2);
  EXPECT_EQ(pairs(data.test.matrix, *data.train.users, *data.train.items),
            (Pairs{{{"a", "y"}, 4.5f}, {{"b", "x"}, 5.f}}));
  EXPECT_EQ(data.test.unknown, (std::vector<int32_t>{1, 0}));
}

// --- protocols ---

class Protocol : public ::testing::TestWithParam<SplitOptions> {};

// Each entry is in one part, whatever the order of the file's rows and the number of threads, in every round.
TEST_P(Protocol, PartsTheWholeTheSameWayInAnyOrderOfRows) {
  std::mt19937 random(15);
  const TemporaryFolder folder;
  std::vector<Row> rows;  // no pair twice, times that often tie
  for (const Row& row : random_rows(random, 6000, 60, 90)) {
    const bool seen =
        std::ranges::any_of(rows, [&](const Row& other) { return other.user == row.user && other.item == row.item; });
    if (!seen) rows.push_back(row), rows.back().time = 1'600'000'000 + row.time % 7;
  }
  const std::string header = "user,item,rating,time\n";
  const DataOptions options{.interactions = folder.write("r.csv", text_of(rows, ",", "\n", header))};
  const SplitOptions split = GetParam();
  const Pairs all = pairs(read_all(options).train);
  ASSERT_EQ(all.size(), rows.size());
  PreparedData data = prepare(options, split, 3, 1);
  std::ranges::shuffle(rows, random);
  folder.write("r.csv", text_of(rows, ",", "\n", header));
  PreparedData shuffled = prepare(options, split, 3, 3);
  PreparedData other = prepare(options, split, 4, 3);

  std::map<std::pair<std::string, std::string>, int> tested;
  bool seed_matters = false;
  for (int round = 0; round < split.rounds(); ++round) {
    const auto found = parts(take_round(data, round, split, 3, 1));
    EXPECT_EQ(found, parts(take_round(shuffled, round, split, 3, 3)));
    seed_matters |= found != parts(take_round(other, round, split, 4, 3));
    Pairs together;
    size_t count = 0;
    for (const Pairs& part : found) {
      together.insert(part.begin(), part.end());
      count += part.size();
    }
    EXPECT_EQ(count, all.size());
    EXPECT_EQ(together, all);
    const auto& [train, validation, test, given_validation, given_test] = found;
    for (const auto& [pair, value] : test) ++tested[pair];
    EXPECT_FALSE(test.empty());
    EXPECT_EQ(given_test.empty(), split.protocol != "users");
    EXPECT_EQ(given_validation.empty(), split.protocol != "users");
    EXPECT_EQ(validation.empty(), split.protocol == "k-fold" && !split.validation_given);
  }
  EXPECT_TRUE(seed_matters);
  if (split.rounds() > 1) {
    EXPECT_EQ(tested.size(), all.size());
    for (const auto& [pair, times] : tested) EXPECT_EQ(times, 1) << pair.first << " " << pair.second;
  }
}

INSTANTIATE_TEST_SUITE_P(, Protocol,
                         ::testing::Values(SplitOptions{.protocol = "random"},
                                           SplitOptions{.protocol = "random", .per_user = false},
                                           SplitOptions{.protocol = "by-time"},
                                           SplitOptions{.protocol = "by-time", .per_user = false},
                                           SplitOptions{.protocol = "leave-one-out"}, SplitOptions{.protocol = "users"},
                                           SplitOptions{.protocol = "k-fold"},
                                           SplitOptions{.protocol = "k-fold", .per_user = false, .folds = 2},
                                           SplitOptions{.protocol = "k-fold", .validation_given = true}));

TEST(Prepare, NegativesAreCandidatesNotHeldOut) {
  const TemporaryFolder folder;
  SplitOptions split;
  split.protocol = "files";
  split.files.train = folder.write("train.csv", "user,item\na,x\nb,y\nb,z\n");
  split.files.test = folder.write("test.csv", "user,item\na,y\nb,x\n");
  split.files.negatives = folder.write("negatives.csv", "user,item\na,z\na,new\nc,x\n");
  const PreparedData data = prepare({}, split, 1, 2);
  EXPECT_EQ(pairs(data.negatives, *data.train.users, *data.train.items), (Pairs{{{"a", "z"}, 1.f}}));
  EXPECT_EQ(data.test.dropped_users, 0);

  const auto error = [&] { return input_error(folder, [&] { prepare({}, split, 1, 2); }); };
  folder.write("negatives.csv", "user,item\na,z\nb,x\n");
  EXPECT_EQ(error(),
            "negatives.csv: user b, item x: is in the test part too; a negative is none of the user's held-out items, "
            "remove it");
  split.files.validation = folder.write("validation.csv", "user,item\na,z\n");
  EXPECT_THAT(error(), ::testing::StartsWith("negatives.csv: user a, item z: is in the validation part too"));
  split.files.negatives = folder / "absent.csv";
  EXPECT_THAT(error(), ::testing::StartsWith("absent.csv: cannot read"));
}

TEST(Merge, TrainAndHeldOutAreTheWholeAgain) {
  std::mt19937 random(14);
  const TemporaryFolder folder;
  const auto path =
      folder.write("r.csv", text_of(random_rows(random, 4000, 60, 90), ",", "\n", "user,item,rating,time\n"));
  const Interactions all = read_all({.interactions = path}).train;
  SplitOptions split;
  split.test = split.validation = 0.2;
  const PreparedData data = prepare({.interactions = path}, split, 3, 2);
  const Interactions merged = merge(merge(data.train, data.validation.matrix), data.test.matrix);
  EXPECT_TRUE(test::operator==(merged.matrix, all.matrix));
  EXPECT_EQ(*merged.users, *all.users);
  EXPECT_EQ(*merged.items, *all.items);
}

TEST(Merge, AnEmptyPartChangesNothing) {
  const TemporaryFolder folder;
  const Interactions train = read_all({.interactions = folder.write("r.csv", "user,item,time\n1,2,5\n1,3,6\n")}).train;
  const Interactions merged = merge(train, HostCsr{});
  EXPECT_TRUE(test::operator==(merged.matrix, train.matrix));
  EXPECT_EQ(merged.times, train.times);
}

// Values 1 that are not written down are there when the other side has values; of a pair in both train's counts.
TEST(Merge, FillsInValuesOfOne) {
  Interactions train;
  train.users = std::make_shared<const Ids>(Ids::integers({1, 2}));
  train.items = std::make_shared<const Ids>(Ids::integers({5, 6, 7}));
  train.matrix = {{0, 2, 2}, {0, 2}, {}, 3};
  const HostCsr more{{0, 2, 3}, {1, 2, 0}, {4, 5, 6}, 3};
  const Interactions merged = merge(train, more);
  EXPECT_EQ(merged.matrix.offsets, (std::vector<int64_t>{0, 3, 4}));
  EXPECT_EQ(merged.matrix.indices, (std::vector<int32_t>{0, 1, 2, 0}));
  EXPECT_EQ(merged.matrix.values, (std::vector<float>{1, 4, 1, 6}));
}

}  // namespace
}  // namespace kindred
