// SPDX-License-Identifier: Apache-2.0
// Lists as tables of a SQLite database, replaced whole in one transaction: whoever reads sees all of the old
// generation or all of the new one.
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include <cstring>
#include <ctime>
#include <utility>

#include "engine/core/file.hpp"
#include "engine/core/log.hpp"
#include "engine/store/sinks_detail.hpp"

namespace kindred {
namespace {

constexpr int kBusyMilliseconds = 10'000;

struct CloseDatabase {
  void operator()(sqlite3* db) const { sqlite3_close(db); }
};
struct FinalizeStatement {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

constexpr int kColumns = 7;
constexpr size_t kRowsAtOnce = 16;  // a statement of many rows costs little more than one of one

/// A row of recommendations, but for its generation.
struct Row {
  std::string_view user;
  int rank;
  std::string item;
  float score;
  std::string_view title, because;
};

class SqliteSink : public ListSink {
 public:
  SqliteSink(const std::filesystem::path& path, const SinkInfo& info)
      : info_(info), path_(path), existed_(std::filesystem::exists(path)) {
    try {
      begin();
    } catch (...) {
      abandon();
      throw;
    }
  }
  ~SqliteSink() override { abandon(); }

  void write(const ListBatch& batch) override {
    inject("write");
    std::vector<Row> rows;  // of one call of SQLite
    const auto insert = [&](const Statement& statement) {
      for (size_t r = 0; r < rows.size(); ++r) bind(statement.get(), static_cast<int>(r) * kColumns, rows[r]);
      step(statement.get());
      rows.clear();
    };
    for (size_t q = 0; q < batch.queries.size(); ++q) {
      for_each_entry(batch, q, [&](int rank, size_t at, int32_t item) {
        rows.push_back({batch.queries[q], rank, info_.items->text(item), batch.scores[at],
                        has_titles(info_) ? title_of(info_, item) : std::string_view(),
                        info_.because ? std::string_view(batch.because[at]) : std::string_view()});
        if (rows.size() == kRowsAtOnce) insert(insert_many_);
        ++rows_;
      });
    }
    for (auto& row : std::exchange(rows, {})) {  // the rest, one by one
      rows.push_back(std::move(row));
      insert(insert_one_);
    }
    queries_ += static_cast<int64_t>(batch.queries.size());
  }

  void finish() override {
    execute("UPDATE generations SET live = 0");
    Statement note = prepare("INSERT INTO generations VALUES (?, ?, ?, ?, ?, ?, 1)");
    sqlite3_bind_int64(note.get(), 1, generation_);
    sqlite3_bind_text(note.get(), 2, info_.model.c_str(), -1, SQLITE_TRANSIENT);
    sqlite3_bind_text(note.get(), 3, info_.content_hash.c_str(), -1, SQLITE_TRANSIENT);
    const std::string now = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
    sqlite3_bind_text(note.get(), 4, now.c_str(), -1, SQLITE_TRANSIENT);
    sqlite3_bind_int64(note.get(), 5, queries_);
    sqlite3_bind_int64(note.get(), 6, rows_);
    step(note.get());
    note.reset();
    inject("sync");
    execute("COMMIT");
    finished_ = true;
  }

 private:
  void begin() {
    inject("open");
    sqlite3* db = nullptr;
    const int code = sqlite3_open_v2(path_.c_str(), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr);
    db_.reset(db);
    if (code != SQLITE_OK) fail();
    sqlite3_busy_timeout(db, kBusyMilliseconds);
    execute("BEGIN IMMEDIATE");
    require_columns("recommendations", "user_id,rank,item_id,score,title,because,generation");
    require_columns("generations", "generation,model,content_hash,generated_at,users,rows,live");
    execute(
        "CREATE TABLE IF NOT EXISTS recommendations (user_id TEXT NOT NULL, rank INTEGER NOT NULL, "
        "item_id TEXT NOT NULL, score REAL NOT NULL, title TEXT, because TEXT, generation INTEGER NOT NULL, "
        "PRIMARY KEY (user_id, rank)) WITHOUT ROWID");
    execute(
        "CREATE TABLE IF NOT EXISTS generations (generation INTEGER PRIMARY KEY, model TEXT NOT NULL, "
        "content_hash TEXT NOT NULL, generated_at TEXT NOT NULL, users INTEGER NOT NULL, rows INTEGER NOT NULL, "
        "live INTEGER NOT NULL)");
    execute("DELETE FROM recommendations");
    const Statement last = prepare("SELECT COALESCE(MAX(generation), 0) FROM generations");
    step(last.get());
    generation_ = sqlite3_column_int64(last.get(), 0) + 1;
    insert_one_ = prepare_insert(1);
    insert_many_ = prepare_insert(kRowsAtOnce);
  }

  /// Closing rolls back what was not committed; a file that was not there is none again.
  void abandon() {
    insert_one_.reset();
    insert_many_.reset();
    db_.reset();
    if (!finished_ && !existed_) {
      std::error_code ignored;
      std::filesystem::remove(path_, ignored);
    }
  }

  /// A table of this name may be there only if it is one of ours.
  void require_columns(const std::string& table, const std::string& expected) {
    const Statement columns = prepare("SELECT name FROM pragma_table_info('" + table + "') ORDER BY cid");
    std::string found;
    while (step(columns.get())) {
      if (!found.empty()) found += ',';
      found += reinterpret_cast<const char*>(sqlite3_column_text(columns.get(), 0));
    }
    if (!found.empty() && found != expected)
      throw InputError(fmt::format("{}: its table {} has the columns {}; expected {}: choose another file",
                                   path_.string(), table, printable(found, 200), expected));
  }

  Statement prepare_insert(size_t rows) {
    std::string sql = "INSERT OR REPLACE INTO recommendations VALUES ";
    for (size_t r = 0; r < rows; ++r) sql += r == 0 ? "(?, ?, ?, ?, ?, ?, ?)" : ", (?, ?, ?, ?, ?, ?, ?)";
    Statement out = prepare(sql);
    for (size_t r = 1; r <= rows; ++r) sqlite3_bind_int64(out.get(), static_cast<int>(r) * kColumns, generation_);
    return out;
  }

  /// Binds a row to the columns behind `first`; its texts must live until the statement is stepped.
  void bind(sqlite3_stmt* statement, int first, const Row& row) const {
    const auto text = [&](int column, std::string_view value) {
      sqlite3_bind_text64(statement, first + column, value.data(), value.size(), SQLITE_STATIC, SQLITE_UTF8);
    };
    text(1, row.user);
    sqlite3_bind_int(statement, first + 2, row.rank);
    text(3, row.item);
    // The shortest text that round-trips, as a double: 4.9 and not 4.90000009536743.
    sqlite3_bind_double(statement, first + 4, std::strtod(format_float(row.score).c_str(), nullptr));
    if (has_titles(info_)) text(5, row.title);
    if (info_.because) text(6, row.because);
  }

  Statement prepare(const std::string& sql) {
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v2(db_.get(), sql.c_str(), -1, &statement, nullptr) != SQLITE_OK) fail();
    return Statement(statement);
  }

  /// True where there is a row.
  bool step(sqlite3_stmt* statement) {
    const int code = sqlite3_step(statement);
    if (code == SQLITE_ROW) return true;
    if (code != SQLITE_DONE) fail();
    sqlite3_reset(statement);
    return false;
  }

  void execute(const char* sql) {
    if (sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) fail();
  }

  void inject(std::string_view call) const {
    const int error = faults().before ? faults().before(call, path_) : 0;
    if (error != 0) throw IoError(fmt::format("{}: cannot {}: {}", path_.string(), call, std::strerror(error)));
  }

  [[noreturn]] void fail() const {
    const std::string file = path_.string();
    switch (sqlite3_errcode(db_.get())) {
      case SQLITE_NOTADB:
        throw InputError(file + ": not a SQLite database; choose another file");
      case SQLITE_CANTOPEN:
        throw IoError(file + ": cannot open: " + std::strerror(sqlite3_system_errno(db_.get())));
      case SQLITE_READONLY:
        throw IoError(file + ": read-only; choose a file that may be written to");
      case SQLITE_FULL:
        throw IoError(file + ": disk full; its old content is unchanged; free some space or write elsewhere");
      case SQLITE_BUSY:
        throw IoError(file + ": locked by another program for 10 s; its old content is unchanged; try again");
      default:
        throw IoError(file + ": SQLite: " + sqlite3_errmsg(db_.get()) + "; its old content is unchanged");
    }
  }

  const SinkInfo info_;
  const std::filesystem::path path_;
  const bool existed_;
  std::unique_ptr<sqlite3, CloseDatabase> db_;
  Statement insert_one_, insert_many_;
  int64_t generation_ = 0, queries_ = 0, rows_ = 0;
  bool finished_ = false;
};

}  // namespace

std::unique_ptr<ListSink> sqlite_sink(const std::filesystem::path& path, const SinkInfo& info) {
  return std::make_unique<SqliteSink>(path, info);
}

}  // namespace kindred
