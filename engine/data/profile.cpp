// SPDX-License-Identifier: Apache-2.0
#include "engine/data/profile.hpp"

#include <algorithm>
#include <cmath>

#include "engine/core/error.hpp"
#include "engine/core/file.hpp"
#include "engine/core/ids.hpp"
#include "engine/core/utf8.hpp"
#include "engine/data/guess.hpp"
#include "engine/data/parse.hpp"
#include "engine/data/table.hpp"

namespace kindred {
namespace {

constexpr size_t kHeadBytes = size_t{16} << 20;

// "3,5": a number with a comma where programs write a point.
bool decimal_comma(std::string_view cell) {
  std::string text(cell);
  const size_t comma = text.find(',');
  if (comma == std::string::npos) return false;
  text[comma] = '.';
  float value = 0;
  return parse_number(text, value);
}

void look_at(ColumnProfile& column, std::vector<double>& numbers, std::string_view cell) {
  if (cell.empty()) {
    ++column.empty;
    return;
  }
  if (column.first.empty()) column.first = cell;
  ++column.counts[std::string(cell)];
  column.bars += cell.find('|') != std::string_view::npos;
  float value = 0;
  if (parse_number(cell, value)) {
    int64_t whole = 0;
    ++column.numbers;
    column.whole_numbers += std::floor(value) == value || parse_canonical_integer(cell, whole);
    column.halves += std::floor(value * 2) == value * 2;
    numbers.push_back(value);
    return;
  }
  column.decimal_commas += decimal_comma(cell);
  int64_t time = 0;
  column.iso_times += time_form(cell) == TimeForm::kIso && parse_time(cell, TimeForm::kIso, time);
}

void summarize(ColumnProfile& column, std::vector<double>& numbers) {
  if (numbers.empty()) return;
  std::ranges::sort(numbers);
  column.low = numbers.front();
  column.high = numbers.back();
  column.median = numbers[numbers.size() / 2];
}

// Rows in the file if those behind are as long as those seen.
int64_t estimate_rows(int64_t rows, size_t bytes_seen, size_t bytes) {
  if (bytes_seen >= bytes || bytes_seen == 0) return rows;
  return static_cast<int64_t>(static_cast<double>(rows) * static_cast<double>(bytes) / static_cast<double>(bytes_seen));
}

// Lines of ids with blanks between and of unequal lengths, without any of a table's delimiters; equally many tabs in
// each line are a table's too.
bool is_adjacency(std::string_view text) {
  size_t fewest = SIZE_MAX, most = 0, fewest_tabs = SIZE_MAX, most_tabs = 0;
  int64_t lines = 0;
  for (size_t begin = 0; begin < text.size() && lines < 100;) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view line = text.substr(begin, end - begin);
    begin = end + 1;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    if (line.find_first_of(",;|\"") != std::string_view::npos || line.find("::") != std::string_view::npos)
      return false;
    size_t words = 0, tabs = 0;
    for (size_t i = 0; i < line.size(); ++i) {
      const auto blank = [](char c) { return c == ' ' || c == '\t'; };
      words += !blank(line[i]) && (i == 0 || blank(line[i - 1]));
      tabs += line[i] == '\t';
    }
    ++lines;
    fewest = std::min(fewest, words);
    most = std::max(most, words);
    fewest_tabs = std::min(fewest_tabs, tabs);
    most_tabs = std::max(most_tabs, tabs);
  }
  if (most_tabs > 0 && most_tabs == fewest_tabs) return false;
  return most > fewest || (most > 1 && lines > 1);
}

FileProfile profile_adjacency(const std::filesystem::path& file, std::string_view text, int64_t most) {
  FileProfile out{.file = file, .form = FileForm::kAdjacency};
  size_t position = 0;
  while (position < text.size() && out.rows < most) {
    const size_t end = std::min(text.find('\n', position), text.size());
    out.rows += end > position;
    position = end + 1;
  }
  out.rows_estimated = estimate_rows(out.rows, position, text.size());
  return out;
}

// In a file without numbers: the first row is a header where no other row has one of its texts, and the others share
// texts among themselves or are times.
bool stands_apart(const std::vector<ColumnProfile>& columns, const std::vector<std::string>& first, int64_t rows) {
  bool repeats = false;
  for (size_t c = 0; c < columns.size(); ++c) {
    const auto found = columns[c].counts.find(first[c]);
    if (first[c].empty() || found == columns[c].counts.end() || found->second > 1) return false;
    repeats = repeats || columns[c].distinct() * 2 < rows || (rows > 1 && columns[c].iso_times == rows - 1);
  }
  return repeats;
}

}  // namespace

FileProfile profile_file(const std::filesystem::path& file, int64_t most) {
  const MappedFile mapped(file);
  const std::string_view text = mapped.view();
  if (text.starts_with("\x89HDF\r\n\x1a\n")) return {.file = file, .form = FileForm::kHdf5};
  const size_t start = content_start(text, file.string());
  if (is_adjacency(text.substr(start, kHeadBytes))) return profile_adjacency(file, text.substr(start), most);

  const std::vector<ColumnWish> wishes = usual_columns();
  const Table table(file, wishes);
  FileProfile out{.file = file, .delimiter = table.dialect().delimiter, .header = !table.header().empty()};
  out.columns.resize(table.width());
  std::vector<std::vector<double>> numbers(table.width());
  std::vector<std::string> first;
  // The head alone, so that a large file is not searched for quotes to its end.
  const std::string_view records = table.records(), head = records.substr(0, kHeadBytes);
  RecordReader reader(head, table.dialect());
  try {
    while (out.rows < most && reader.next()) {
      if (reader.end() == head.size() && head.size() < records.size()) break;  // cut
      if (reader.fields().size() != out.columns.size()) {
        table.fail(reader.offset(), "expected " + std::to_string(out.columns.size()) + " fields, found " +
                                        std::to_string(reader.fields().size()));
      }
      if (first.empty()) first.assign(reader.fields().begin(), reader.fields().end());
      ++out.rows;
      for (size_t c = 0; c < out.columns.size(); ++c) {
        look_at(out.columns[c], numbers[c], reader.fields()[c]);
        out.utf8 = out.utf8 && valid_utf8(reader.fields()[c]);
      }
    }
  } catch (const RecordError& error) {
    if (head.size() == records.size()) table.fail(error.offset, error.message);  // else the cut may have made it
  }
  if (!out.header && stands_apart(out.columns, first, out.rows)) {
    out.header = true;
    --out.rows;
    for (size_t c = 0; c < out.columns.size(); ++c) {
      out.columns[c].counts.erase(first[c]);
      out.columns[c].first = out.columns[c].counts.empty() ? "" : out.columns[c].counts.begin()->first;
    }
  }
  for (size_t c = 0; c < out.columns.size(); ++c) {
    if (out.header) out.columns[c].name = table.header().empty() ? first[c] : table.header()[c];
    summarize(out.columns[c], numbers[c]);
  }
  out.rows_estimated = estimate_rows(out.rows, reader.end(), records.size());
  return out;
}

}  // namespace kindred
