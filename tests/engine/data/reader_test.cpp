// SPDX-License-Identifier: Apache-2.0
// Files of every form to rows: lists with kinds, HDF5, standard input, utility columns, rows set aside, and a table of
// what cannot be read.
#include "engine/data/reader.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <random>

#include "data_files.hpp"
#include "engine/hdf5/hdf5.hpp"

namespace kindred {
namespace {

using test::input_error;
using test::Pairs;
using test::pairs;
using test::read_all;
using test::TemporaryFolder;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(Reader, AListOfFilesWithKindsAndColumnsOfTheirOwn) {
  const TemporaryFolder folder;
  // As in retailrocket: a column called event, always 1, that is not the kind.
  folder.write("view.tsv", "visitorid\titemid\tevent\n1\t9\t1\n2\t8\t1\n");
  folder.write("buy.csv", "what;who\n9;1\n7;3\n");
  DataOptions options;
  options.columns = {.user = "visitorid", .item = "itemid"};
  options.interactions = InputFiles({{.path = folder / "view.tsv", .event = "view"},
                                     {.path = folder / "buy.csv", .event = "buy", .columns = {"who", "what"}}});
  const PreparedData data = read_all(options);
  EXPECT_EQ(data.train.kind_names, (std::vector<std::string>{"buy", "view"}));
  EXPECT_EQ(pairs(data.train), (Pairs{{{"1", "9"}, 2.f}, {{"2", "8"}, 1.f}, {{"3", "7"}, 1.f}}));
  EXPECT_EQ(data.rows_read, 4);

  options.interactions.list[0].event = "";
  options.interactions.list[0].path = folder.write("bare.tsv", "visitorid\titemid\n1\t9\n");
  EXPECT_EQ(input_error(folder, [&] { read_all(options); }),
            "bare.tsv: its rows have no kind of event, those of buy.csv have; name it: { file = \"bare.tsv\", event = "
            "\"…\" }");
}

TEST(Reader, GlobsInAscendingOrderAndFilesWithoutWhatOthersHave) {
  const TemporaryFolder folder;
  folder.write("part-2.csv", "user,item,rating\n1,9,2\n");
  folder.write("part-1.csv", "user,item,rating,time\n1,9,5,1600000000\n1,8,4,\n");
  folder.write("part-3.csv", "user,item\n2,9\n");
  const PreparedData data = read_all({.interactions = folder / "part-*.csv"});
  EXPECT_EQ(pairs(data.train), (Pairs{{{"1", "8"}, 4.f}, {{"1", "9"}, 5.f}, {{"2", "9"}, 1.f}}));
  EXPECT_EQ(data.train.times, (std::vector<int64_t>{kNoTime, 1'600'000'000'000'000, kNoTime}));
  EXPECT_EQ(input_error(folder, [&] { read_all({.interactions = folder / "no-*.csv"}); }),
            "no-*.csv: no file matches; expected at least one");
  folder.write("[a]*.csv", "user,item\n7,7\n");  // a name like a glob
  EXPECT_EQ(read_all({.interactions = folder / "[a]*.csv"}).train.size(), 1);
}

TEST(Reader, TimesOfEachFileByTheirMagnitude) {
  const TemporaryFolder folder;
  folder.write("t1.csv", "user,item,time\n1,1,1600000000\n");
  folder.write("t2.csv", "user,item,time\n1,2,1600000000000\n");
  folder.write("t3.csv", "user,item,time\n1,3,1600000000000000\n");
  folder.write("t4.csv", "user,item,time\n1,4,2020-09-13T12:26:40Z\n");
  const PreparedData data = read_all({.interactions = folder / "t?.csv"});
  EXPECT_EQ(data.train.times, (std::vector<int64_t>(4, 1'600'000'000'000'000)));
}

TEST(Reader, StandardInput) {
  const TemporaryFolder folder;
  const auto path = folder.write("in.csv", "user,item\n1,2\n1,3\n");
  const int before = dup(STDIN_FILENO), file = open(path.c_str(), O_RDONLY);
  ASSERT_GE(dup2(file, STDIN_FILENO), 0);
  EXPECT_EQ(read_all({.interactions = std::filesystem::path("-")}).train.size(), 2);
  dup2(before, STDIN_FILENO);
  close(before);
  close(file);
}

TEST(Reader, LatinOneAndQuotes) {
  const TemporaryFolder folder;
  DataOptions options;
  options.interactions = folder.write("l.csv", "user,item\ncaf\xE9,\"a\n\"b,x\n");
  options.text = {.quote = Quote::kNone, .encoding = Encoding::kLatin1};
  EXPECT_EQ(pairs(read_all(options).train), (Pairs{{{"caf\xC3\xA9", "\"a"}, 1.f}, {{"\"b", "x"}, 1.f}}));
  options.interactions = folder.write("t.tsv", "user\titem\n\"a\tb\"\t\"c\"\n");
  options.text = {.quote = Quote::kDouble};
  EXPECT_EQ(pairs(read_all(options).train), (Pairs{{{"a\tb", "c"}, 1.f}}));
}

TEST(Reader, UtilityOverColumns) {
  const TemporaryFolder folder;
  DataOptions options;
  options.utility = "rating + 2*likes";
  options.interactions = folder.write("u.csv", "likes,user,rating,item\n3,1,4,9\n,1,2.5,8\n");
  EXPECT_EQ(pairs(read_all(options).train), (Pairs{{{"1", "9"}, 10.f}, {{"1", "8"}, 2.5f}}));
  options.utility = "log(rating)";
  options.interactions = folder.write("u.csv", "user,item,rating\n1,9,1\n1,8,0\n");
  EXPECT_EQ(input_error(folder, [&] { read_all(options); }),
            "u.csv:3: data.utility: expected a finite result, found -inf");
  options.utility = "ratng";
  EXPECT_EQ(input_error(folder, [&] { read_all(options); }),
            "u.csv: no column 'ratng'; found user, item, rating; set data.utility to a name; did you mean 'rating'?");
  options.utility = "rating *";
  EXPECT_THAT(input_error(folder, [&] { read_all(options); }), StartsWith("data.utility: at character"));
}

TEST(Reader, EmptyOptionalCells) {
  const TemporaryFolder folder;
  const PreparedData data =
      read_all({.interactions = folder.write("e.csv", "user,item,rating,time\n1,1,,\n1,2,5,1600000000\n")});
  EXPECT_EQ(pairs(data.train), (Pairs{{{"1", "1"}, 1.f}, {{"1", "2"}, 5.f}}));
  EXPECT_EQ(data.train.times, (std::vector<int64_t>{kNoTime, 1'600'000'000'000'000}));
}

// ---- HDF5, as Kindred itself writes it; test_reader.py has what h5py writes.

TEST(Reader, Hdf5Columns) {
  const TemporaryFolder folder;
  const std::vector<int64_t> users{3, 1, 3}, times{1'600'000'000, 1'600'000'001, 1'600'000'002};
  const std::vector<std::string> items{"b", "a", "c"};
  const std::vector<float> values{1.5f, 2, -1};
  {
    hdf5::Writer writer(folder / "one.h5");
    writer.dataset("/user", hdf5::int64s({3}), std::as_bytes(std::span(users)));
    writer.strings("/item", 3, [&](int64_t r) { return std::string_view(items[static_cast<size_t>(r)]); });
    writer.dataset("/value", hdf5::floats({3}), std::as_bytes(std::span(values)));
    writer.dataset("/time", hdf5::int64s({3}), std::as_bytes(std::span(times)));
    writer.commit();
  }
  DataOptions options{.interactions = folder / "one.h5", .format = "hdf5"};
  const PreparedData data = read_all(options);
  EXPECT_EQ(pairs(data.train), (Pairs{{{"3", "b"}, 1.5f}, {{"1", "a"}, 2.f}, {{"3", "c"}, -1.f}}));
  EXPECT_EQ(data.train.times[0], 1'600'000'001'000'000);
  EXPECT_EQ(data.first_negative, (folder / "one.h5").string() + ": row 3: value: -1");

  options.utility = "10*value";
  EXPECT_EQ(pairs(read_all(options).train), (Pairs{{{"3", "b"}, 15.f}, {{"1", "a"}, 20.f}, {{"3", "c"}, -10.f}}));
  options.utility = "";
  {
    hdf5::Writer writer(folder / "two.h5");
    writer.dataset("/who", hdf5::int64s({3}), std::as_bytes(std::span(users)));
    writer.dataset("/item", hdf5::int64s({2}), std::as_bytes(std::span(users).first(2)));
    writer.commit();
  }
  options.interactions = folder / "two.h5";
  EXPECT_EQ(input_error(folder, [&] { read_all(options); }),
            "two.h5: no dataset /user for the user; found /item, /who; set data.columns.user to one");
  options.columns.user = "/who";
  EXPECT_EQ(input_error(folder, [&] { read_all(options); }),
            "two.h5: /who has 3 rows, /item has 2; expected columns of one length");
  options.interactions = folder.write("no.h5", "user,item\n1,2\n");
  EXPECT_THAT(input_error(folder, [&] { read_all(options); }), StartsWith("no.h5: not an HDF5 file, or damaged"));
}

// ---- rows set aside

TEST(Quarantine, BadRowsAreListedAndTheRestIsUsed) {
  const TemporaryFolder folder;
  DataOptions options;
  options.bad_rows = BadRows::kQuarantine;
  options.interactions = folder.write("q.csv",
                                      "user,item,rating\n1,9,5\n1,8,five\n2,9\n\n,7,1\n77,,1\n\"3\",9,4\n\"4\"x,9,1\n"
                                      "5,9,2\n6,\"9,1\n7,9,3\n");
  const PreparedData data = read_all(options);
  EXPECT_EQ(pairs(data.train), (Pairs{{{"1", "9"}, 5.f}, {{"3", "9"}, 4.f}, {{"5", "9"}, 2.f}, {{"7", "9"}, 3.f}}));
  EXPECT_EQ(data.train.num_users(), 4);  // ids of bad rows are no ids
  EXPECT_EQ(data.rows_read, 4);
  std::vector<std::tuple<int64_t, std::string, std::string>> rejected;
  for (const RejectedRow& row : data.rejected) {
    EXPECT_EQ(row.file, (folder / "q.csv").string());
    rejected.emplace_back(row.line, row.reason, row.text);
  }
  const std::string never =
      "a quoted field is never closed; close it, or set data.quote = \"none\" where quotes are text";
  EXPECT_EQ(rejected,
            (std::vector<std::tuple<int64_t, std::string, std::string>>{
                {3, "rating: expected a number, found 'five'", "1,8,five"},
                {4, "expected 3 fields, found 2", "2,9"},
                {6, "user: expected an id, found ''", ",7,1"},
                {7, "item: expected an id, found ''", "77,,1"},
                {9, "text stands after a field's closing quote; write a quote inside a field twice", "\"4\"x,9,1"},
                {11, never, "6,\"9,1"}}));

  options.interactions = folder.write("all.csv", "user,item,rating\n1,8,five\n2,9,six\n");
  EXPECT_EQ(input_error(folder, [&] { read_all(options); }),
            "all.csv:2: rating: expected a number, found 'five'; none of the file's rows is good");
}

// Random damage in a file of several pieces: as many rows are listed, with their lines, for any number of threads.
TEST(Quarantine, LinesAreRightInEveryPiece) {
  std::mt19937 random(21);
  const TemporaryFolder folder;
  std::string text = "user,item,rating\n";
  std::vector<int64_t> bad;
  int64_t good = 0;
  for (int64_t line = 2; line < 700'000; ++line) {
    const bool broken = random() % 1000 == 0;
    if (broken)
      bad.push_back(line);
    else
      ++good;
    text += std::to_string(random() % 1000) + "," + std::to_string(line) + (broken ? ",x\n" : ",4\n");
  }
  ASSERT_GT(text.size(), size_t{8} << 20);
  DataOptions options;
  options.interactions = folder.write("m.csv", text);
  options.bad_rows = BadRows::kQuarantine;
  for (const int threads : {1, 3}) {
    const PreparedData data = read_all(options, threads);
    std::vector<int64_t> lines;
    for (const RejectedRow& row : data.rejected) lines.push_back(row.line);
    EXPECT_EQ(lines, bad);
    EXPECT_EQ(data.rows_read, good);
  }
}

// ---- what cannot be read: one line that names place, cause and cure

TEST(Reader, BadFiles) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder / "folder.csv");
  const std::string header = "user,item,rating,time\n", row = "1,2,3,1600000000\n",
                    nul = std::string("1,a\0b,3,4\n", 10);
  struct Case {
    const char* what;
    std::string content;
    std::string message;
  };
  const Case cases[] = {
      {"wrong delimiter", "user item rating\n1 2 3\n",
       "f.csv: no column for the user; found user item rating (columns are parted by , tab ; | or ::); set "
       "data.columns.user to a name, or to a number from 1 where the file has no header"},
      {"long id", header + row + std::string(1025, 'x') + ",2,3,4\n",
       "f.csv:3: user: expected an id of at most 1,024 bytes, found 1025: '" + std::string(40, 'x') + "…'"},
      {"long line", header + row + std::string(1'000'000, 'x') + "\n", "f.csv:3: expected 4 fields, found 1"},
      {"long first line", std::string(1'000'000, 'x') + "\n",
       "f.csv: no column for the user; found " + std::string(40, 'x') +
           "… (columns are parted by , tab ; | or ::); set data.columns.user to a name, or to a number from 1 where "
           "the file has no header"},
      {"unclosed quote", header + row + "1,\"2,3,4\n" + row,
       "f.csv:3: a quoted field is never closed; close it, or set data.quote = \"none\" where quotes are text"},
      {"NUL", header + nul,
       "f.csv:2: item: expected an id in text, found a NUL byte in 'a\\x00b'; the file is damaged or binary"},
      {"broken UTF-8", header + "1,caf\xE9,3,4\n",
       "f.csv:2: item: expected an id in UTF-8, found 'caf\\xe9'; set data.encoding = \"latin-1\" where the file is, "
       "or "
       "convert it with iconv"},
  };
  for (const Case& c : cases) {
    const auto path = folder.write("f.csv", c.content);
    const std::string message = input_error(folder, [&] { read_all({.interactions = path}); });
    EXPECT_EQ(message, c.message) << c.what;
    EXPECT_EQ(message.find('\n'), std::string::npos);
  }
  EXPECT_EQ(input_error(folder, [&] { read_all({.interactions = folder / "folder.csv"}); }),
            "folder.csv: cannot read: is a folder; expected a file");
  EXPECT_EQ(input_error(folder, [&] { read_all({.interactions = folder / "folder.csv", .format = "hdf5"}); }),
            "folder.csv: cannot read: is a folder; expected a file");
  EXPECT_EQ(input_error(folder, [&] { read_all({.interactions = folder.write("k.csv", "user,item,event\n1,2,1\n")}); })
                .substr(0, 40),
            "k.csv: the event column holds numbers ('");
}

}  // namespace
}  // namespace kindred
