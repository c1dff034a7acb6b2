// SPDX-License-Identifier: Apache-2.0
// Lists in every format: their text to the letter, what is in files and databases, and that a target is whole or
// untouched.
#include "engine/store/sinks.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sqlite3.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/core/file.hpp"
#include "engine/core/output.hpp"
#include "engine/hdf5/hdf5.hpp"
#include "engine/store/text.hpp"
#include "tests/engine/store/random_model.hpp"
#include "tests/engine/support.hpp"

namespace kindred {
namespace {

using test::TemporaryFolder;
using ::testing::EndsWith;
using ::testing::HasSubstr;

class Sinks : public ::testing::Test {
 protected:
  void SetUp() override {
    items_ = Ids::integers({10, 20, 30});
    catalogue_.titles = {"Toy Story", "東京物語, \"Tokyo Story\"", "Amélie\x1b[31m"};
    info_.items = &items_;
    info_.model = "als";
    info_.content_hash = "0123456789abcdef";
  }

  ListBatch batch() const {
    return {.queries = queries_, .query_rows = rows_, .k = 2, .items = lists_, .scores = scores_, .because = {}};
  }
  void write_to(const std::string& target) const {
    const auto sink = open_sink(target, "table", info_);
    sink->write(batch());
    sink->finish();
  }
  /// What a sink writes to standard output.
  std::string printed(const std::string& format, const ListBatch& lists) const {
    ::testing::internal::CaptureStdout();
    const auto sink = open_sink("-", format, info_);
    sink->write(lists);
    sink->finish();
    return ::testing::internal::GetCapturedStdout();
  }
  std::string in_folder(const std::string& name) const { return (folder_ / name).string(); }

  /// Rows of a query, columns joined by '|'.
  std::vector<std::string> query(const std::string& sql) const {
    sqlite3* db = nullptr;
    sqlite3_open_v2(in_folder("recs.db").c_str(), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr);
    std::vector<std::string> found;
    char* error = nullptr;
    sqlite3_exec(
        db, sql.c_str(),
        [](void* to, int columns, char** values, char**) {
          std::string row;
          for (int c = 0; c < columns; ++c) row.append(c ? "|" : "").append(values[c] ? values[c] : "NULL");
          static_cast<std::vector<std::string>*>(to)->push_back(row);
          return 0;
        },
        &found, &error);
    EXPECT_EQ(error, nullptr) << error;
    sqlite3_close(db);
    return found;
  }

  TemporaryFolder folder_;
  Ids items_;
  Catalogue catalogue_;
  SinkInfo info_;
  std::vector<std::string> queries_ = {"1", "u,2", "3"};
  std::vector<int32_t> rows_ = {0, 1, -1};
  std::vector<int32_t> lists_ = {1, 2, 0, -1, -1, -1};
  std::vector<float> scores_ = {4.9f, 0.1f, -1e-20f, 0, 0, 0};
};

TEST_F(Sinks, Csv) {
  EXPECT_EQ(printed("csv", batch()), "user,rank,item,score\n1,1,20,4.9\n1,2,30,0.1\n\"u,2\",1,10,-1e-20\n");
  info_.catalogue = &catalogue_;
  info_.because = true;
  info_.query_column = "query";
  const std::vector<std::string> because = {"10;30", "", "a,b", "", "", ""};
  ListBatch lists = batch();
  lists.because = because;
  EXPECT_EQ(printed("csv", lists),
            "query,rank,item,score,title,because\n"
            "1,1,20,4.9,\"東京物語, \"\"Tokyo Story\"\"\",10;30\n"
            "1,2,30,0.1,Amélie\x1b[31m,\n"
            "\"u,2\",1,10,-1e-20,Toy Story,\"a,b\"\n");
}

TEST_F(Sinks, Json) {
  EXPECT_EQ(
      printed("json", batch()),
      "{\"user\":\"1\",\"items\":[{\"item\":\"20\",\"rank\":1,\"score\":4.9},{\"item\":\"30\",\"rank\":2,\"score\":"
      "0.1}]}\n"
      "{\"user\":\"u,2\",\"items\":[{\"item\":\"10\",\"rank\":1,\"score\":-1e-20}]}\n"
      "{\"user\":\"3\",\"items\":[]}\n");
  info_.catalogue = &catalogue_;
  catalogue_.titles[2] = "\x01\"\\ \xff";
  std::istringstream lines(printed("json", batch()));
  std::string line;
  std::getline(lines, line);
  const auto parsed = nlohmann::json::parse(line);
  EXPECT_EQ(parsed["items"][0]["title"], catalogue_.titles[1]);
  EXPECT_EQ(parsed["items"][1]["title"], "\x01\"\\ \xef\xbf\xbd") << "bytes that are no UTF-8 become U+FFFD";
}

TEST_F(Sinks, Table) {
  info_.catalogue = &catalogue_;
  EXPECT_EQ(printed("table", batch()),
            "user 1\n"
            "rank  item  title                    score\n"
            "   1  20    東京物語, \"Tokyo Story\"  4.9\n"
            "   2  30    Amélie\\x1b[31m           0.1\n"
            "\n"
            "user u,2\n"
            "rank  item  title      score\n"
            "   1  10    Toy Story  -1e-20\n"
            "\n"
            "user 3\n"
            "nothing to recommend\n");
}

TEST_F(Sinks, TextWidths) {
  EXPECT_EQ(display_width("abc"), 3u);
  EXPECT_EQ(display_width("é"), 1u);
  EXPECT_EQ(display_width("e\u0301"), 1u) << "a combining accent";
  EXPECT_EQ(display_width("東京"), 4u);
  EXPECT_EQ(display_width("🎬"), 2u);
  EXPECT_EQ(display_width("\xff\xc3"), 2u) << "no UTF-8: one column a byte";
  EXPECT_EQ(shorten("abcdef", 6), "abcdef");
  EXPECT_EQ(shorten("abcdefg", 6), "abcde…");
  EXPECT_EQ(shorten("東京物語", 5), "東京…");
  EXPECT_EQ(shorten("東京物語", 8), "東京物語");
}

TEST_F(Sinks, CsvFileAppearsWhole) {
  const std::string target = in_folder("lists.csv");
  {
    const auto sink = open_sink(target, "table", info_);
    sink->write(batch());
    EXPECT_FALSE(std::filesystem::exists(target));
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path())) << "nothing is left without finish()";
  write_to(target);
  EXPECT_EQ(read_file(target), "user,rank,item,score\n1,1,20,4.9\n1,2,30,0.1\n\"u,2\",1,10,-1e-20\n");
}

TEST_F(Sinks, Hdf5) {
  const std::string target = in_folder("lists.h5");
  {
    const auto sink = open_sink(target, "table", info_);
    sink->write(batch());
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
  const auto sink = open_sink(target, "table", info_);
  for (int i = 0; i < 3; ++i) sink->write(batch());
  sink->finish();
  hdf5::Reader reader(target);
  const std::vector<std::string> paths = {
      "/users",     "/users/ids",       "/users/rows",           "/items",
      "/items/ids", "/recommendations", "/recommendations/rows", "/recommendations/scores"};
  reader.inspect(paths);
  EXPECT_EQ(reader.text("/", "model_content_hash"), "0123456789abcdef");
  EXPECT_EQ(reader.form("/recommendations/rows").extents, (std::vector<int64_t>{9, 2}));
  EXPECT_EQ(reader.form("/users/ids").extents, std::vector<int64_t>{9});
  const auto rows = reader.values<int32_t>("/recommendations/rows");
  const auto scores = reader.values<float>("/recommendations/scores");
  const auto query_rows = reader.values<int32_t>("/users/rows");
  for (size_t i = 0; i < 18; ++i) {
    EXPECT_EQ(rows[i], lists_[i % 6]);
    EXPECT_EQ(scores[i], scores_[i % 6]);
  }
  for (size_t i = 0; i < 9; ++i) EXPECT_EQ(query_rows[i], rows_[i % 3]);
  EXPECT_EQ(reader.values<int64_t>("/items/ids"), (std::vector<int64_t>{10, 20, 30}));
}

TEST_F(Sinks, Hdf5OfManyChunksAndOfNone) {
  const int k = 100;
  test::Rng rng(1);
  std::vector<int32_t> all;
  {
    const auto sink = open_sink(in_folder("many.h5"), "table", info_);
    for (int b = 0; b < 20; ++b) {
      const std::vector<std::string> queries(777, std::to_string(b));
      const std::vector<int32_t> query_rows(777, b);
      std::vector<int32_t> lists(777 * k);
      for (int32_t& item : lists) item = static_cast<int32_t>(test::draw(rng, -1, 2));
      sink->write({.queries = queries,
                   .query_rows = query_rows,
                   .k = k,
                   .items = lists,
                   .scores = test::random_floats(rng, 777 * k),
                   .because = {}});
      all.insert(all.end(), lists.begin(), lists.end());
    }
    sink->finish();
  }
  const std::vector<std::string> paths = {"/users", "/users/ids", "/recommendations", "/recommendations/rows"};
  hdf5::Reader many(in_folder("many.h5"));
  many.inspect(paths);
  EXPECT_EQ(many.values<int32_t>("/recommendations/rows"), all);
  EXPECT_EQ(many.form("/users/ids").type, hdf5::Type::kInt64) << "ids that are all integers stay integers";

  open_sink(in_folder("none.h5"), "table", info_)->finish();
  hdf5::Reader none(in_folder("none.h5"));
  none.inspect(paths);
  EXPECT_EQ(none.form("/recommendations/rows").extents, (std::vector<int64_t>{0, 0}));
}

TEST_F(Sinks, SqliteIsReplacedWhole) {
  info_.catalogue = &catalogue_;
  const std::string target = "sqlite:" + in_folder("recs.db");
  write_to(target);
  const std::string all = "SELECT * FROM recommendations ORDER BY user_id, rank";
  EXPECT_THAT(query(all), ::testing::ElementsAre("1|1|20|4.9|" + catalogue_.titles[1] + "|NULL|1",
                                                 "1|2|30|0.1|" + catalogue_.titles[2] + "|NULL|1",
                                                 "u,2|1|10|-1.0e-20|Toy Story|NULL|1"));
  EXPECT_THAT(query("SELECT generation, model, content_hash, users, rows, live FROM generations"),
              ::testing::ElementsAre("1|als|0123456789abcdef|3|3|1"));
  query("CREATE TABLE orders (id)");

  const auto old = query(all);
  {
    const auto sink = open_sink(target, "table", info_);
    sink->write(batch());
  }
  EXPECT_EQ(query(all), old) << "without finish() the old generation stays";
  lists_ = {0, -1, -1, -1, -1, -1};
  for (const char* call : {"open", "write", "sync"}) {
    faults().before = [call](std::string_view made, const std::filesystem::path&) { return made == call ? ENOSPC : 0; };
    EXPECT_THROW(write_to(target), IoError);
    faults().before = nullptr;
    EXPECT_EQ(query(all), old) << call;
  }
  write_to(target);
  EXPECT_THAT(query(all), ::testing::ElementsAre("1|1|10|4.9|Toy Story|NULL|2"));
  EXPECT_THAT(query("SELECT generation, live FROM generations ORDER BY 1"), ::testing::ElementsAre("1|0", "2|1"));
  EXPECT_EQ(query("SELECT name FROM sqlite_master WHERE name = 'orders'").size(), 1u) << "other tables stay";
}

TEST_F(Sinks, SqliteRefusesWhatIsNotItsOwn) {
  const std::string target = "sqlite:" + in_folder("recs.db");
  const auto message = [&] {
    try {
      write_to(target);
    } catch (const InputError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  {
    const auto sink = open_sink(target, "table", info_);
    sink->write(batch());
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path())) << "a database that was not there is none again";
  std::ofstream(in_folder("recs.db")) << std::string(5000, 'x');
  EXPECT_THAT(message(), EndsWith("recs.db: not a SQLite database; choose another file"));
  EXPECT_EQ(read_file(in_folder("recs.db")), std::string(5000, 'x'));
  std::filesystem::remove(in_folder("recs.db"));
  query("CREATE TABLE recommendations (mine)");
  EXPECT_THAT(message(), HasSubstr("its table recommendations has the columns mine; expected user_id,rank,"));
  EXPECT_THAT(query("SELECT name FROM sqlite_master WHERE type = 'table'"), ::testing::ElementsAre("recommendations"));
}

TEST_F(Sinks, UnknownTargetsAndFormatsAreNamed) {
  const auto message = [&](const std::string& target, const std::string& format) {
    try {
      open_sink(target, format, info_);
    } catch (const InputError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_EQ(message("-", "tabel"), "--format: expected table, csv or json, found 'tabel'; did you mean 'table'?");
  EXPECT_EQ(message("lists.txt", "csv"),
            "--to: expected FILE.csv, FILE.json, FILE.h5 or sqlite:FILE, found 'lists.txt'");
  EXPECT_EQ(message("sqlite:", "csv"), "--to: expected FILE.csv, FILE.json, FILE.h5 or sqlite:FILE, found 'sqlite:'");
  EXPECT_THROW(open_sink("/nowhere/lists.csv", "csv", info_), IoError);
}

TEST_F(Sinks, AClosedPipeIsToldApart) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const int kept = dup(STDOUT_FILENO);
  const auto handler = std::signal(SIGPIPE, SIG_IGN);
  dup2(ends[1], STDOUT_FILENO);
  close(ends[0]);
  close(ends[1]);
  const auto sink = open_sink("-", "csv", info_);
  EXPECT_THROW(sink->finish(), ClosedPipe);
  dup2(kept, STDOUT_FILENO);
  close(kept);
  std::signal(SIGPIPE, handler);
}

}  // namespace
}  // namespace kindred
