// SPDX-License-Identifier: Apache-2.0
// Lists as text: tables for people, CSV and JSON lines for programs; to standard output or to a file that appears when
// it is whole.
#include <algorithm>

#include "engine/core/log.hpp"
#include "engine/core/output.hpp"
#include "engine/store/sinks_detail.hpp"
#include "engine/store/text.hpp"

namespace kindred {
namespace {

constexpr size_t kWidestTitle = 60;  // columns of a terminal
constexpr size_t kWidestId = 40;

/// A block of aligned columns for each query.
class TableSink : public ListSink {
 public:
  explicit TableSink(const SinkInfo& info) : info_(info), out_("-") {}

  void write(const ListBatch& batch) override {
    for (size_t q = 0; q < batch.queries.size(); ++q) {
      std::vector<std::vector<std::string>> rows = {{"rank", "item"}};
      if (has_titles(info_)) rows[0].push_back("title");
      rows[0].push_back("score");
      if (info_.because) rows[0].push_back("because");
      for_each_entry(batch, q, [&](int rank, size_t at, int32_t item) {
        std::vector<std::string> row = {std::to_string(rank), shorten(printable(info_.items->text(item)), kWidestId)};
        if (has_titles(info_)) row.push_back(shorten(printable(title_of(info_, item), kAll), kWidestTitle));
        row.push_back(format_float(batch.scores[at]));
        if (info_.because) row.push_back(printable(batch.because[at], kAll));
        rows.push_back(std::move(row));
      });
      if (!first_) out_.text += '\n';
      first_ = false;
      out_.text += info_.query_column + " " + printable(batch.queries[q]) + "\n";
      if (rows.size() == 1)
        out_.text += "nothing to recommend\n";
      else
        append_aligned(rows);
      out_.flush_if_full();
    }
  }
  void finish() override { out_.finish(); }

 private:
  static constexpr size_t kAll = SIZE_MAX / 2;

  /// Ranks to the right, the rest to the left, no spaces at the ends of lines.
  void append_aligned(const std::vector<std::vector<std::string>>& rows) {
    std::vector<size_t> widths(rows[0].size());
    for (const auto& row : rows)
      for (size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], display_width(row[c]));
    for (const auto& row : rows) {
      std::string line;
      for (size_t c = 0; c < row.size(); ++c) {
        const std::string padding(widths[c] - display_width(row[c]), ' ');
        line += (c == 0 ? padding + row[c] : row[c] + padding) + "  ";
      }
      out_.text.append(line, 0, line.find_last_not_of(' ') + 1);
      out_.text += '\n';
    }
  }

  const SinkInfo info_;
  Output out_;
  bool first_ = true;
};

class CsvSink : public ListSink {
 public:
  CsvSink(const std::filesystem::path& path, const SinkInfo& info) : info_(info), out_(path) {
    out_.text = info.query_column + ",rank,item,score";
    if (has_titles(info)) out_.text += ",title";
    if (info.because) out_.text += ",because";
    out_.text += '\n';
  }

  void write(const ListBatch& batch) override {
    std::string query, id;
    for (size_t q = 0; q < batch.queries.size(); ++q) {
      query.clear();
      append_csv(query, batch.queries[q]);
      for_each_entry(batch, q, [&](int rank, size_t at, int32_t item) {
        std::string& text = out_.text;
        id.clear();
        info_.items->append_text(item, id);
        text.append(query).append(1, ',').append(std::to_string(rank)).append(1, ',');
        append_csv(text, id);
        text.append(1, ',').append(format_float(batch.scores[at]));
        if (has_titles(info_)) append_csv(text += ',', title_of(info_, item));
        if (info_.because) append_csv(text += ',', batch.because[at]);
        text += '\n';
      });
      out_.flush_if_full();
    }
  }
  void finish() override { out_.finish(); }

 private:
  const SinkInfo info_;
  Output out_;
};

/// {"user":"1","items":[{"item":"260","rank":1,"score":4.9,"title":"…"}]}
class JsonSink : public ListSink {
 public:
  JsonSink(const std::filesystem::path& path, const SinkInfo& info) : info_(info), out_(path) {}

  void write(const ListBatch& batch) override {
    std::string id;
    for (size_t q = 0; q < batch.queries.size(); ++q) {
      std::string& text = out_.text;
      text.append("{\"").append(info_.query_column).append("\":");
      append_json(text, batch.queries[q]);
      text += ",\"items\":[";
      for_each_entry(batch, q, [&](int rank, size_t at, int32_t item) {
        id.clear();
        info_.items->append_text(item, id);
        if (rank > 1) text += ',';
        append_json(text += "{\"item\":", id);
        text.append(",\"rank\":").append(std::to_string(rank));
        text.append(",\"score\":").append(format_float(batch.scores[at]));
        if (has_titles(info_)) append_json(text += ",\"title\":", title_of(info_, item));
        if (info_.because) append_json(text += ",\"because\":", batch.because[at]);
        text += '}';
      });
      text += "]}\n";
      out_.flush_if_full();
    }
  }
  void finish() override { out_.finish(); }

 private:
  const SinkInfo info_;
  Output out_;
};

}  // namespace

std::unique_ptr<ListSink> table_sink(const SinkInfo& info) { return std::make_unique<TableSink>(info); }
std::unique_ptr<ListSink> csv_sink(const std::filesystem::path& path, const SinkInfo& info) {
  return std::make_unique<CsvSink>(path, info);
}
std::unique_ptr<ListSink> json_sink(const std::filesystem::path& path, const SinkInfo& info) {
  return std::make_unique<JsonSink>(path, info);
}

}  // namespace kindred
