// SPDX-License-Identifier: Apache-2.0
#include "engine/data/profile.hpp"

#include <algorithm>
#include <cmath>

#include "engine/core/error.hpp"
#include "engine/core/ids.hpp"
#include "engine/core/utf8.hpp"
#include "engine/data/guess.hpp"
#include "engine/data/parse.hpp"
#include "engine/data/table.hpp"
#include "engine/data/text_stream.hpp"

namespace kindred {
namespace {

constexpr size_t kStepBytes = size_t{1} << 20, kMostBytes = size_t{64} << 20;

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

FileForm form_of(std::string_view head) {
  if (head.starts_with("\x89HDF\r\n\x1a\n")) return FileForm::kHdf5;
  return is_adjacency(head) ? FileForm::kAdjacency : FileForm::kTable;
}

// The beginning of a file, up to some lines, and whether that is all.
struct Head {
  std::string text;
  bool whole = false;
};

Head read_head(TextStream& stream, int64_t lines) {
  Head out;
  int64_t found = 0;
  while (!stream.ended() && found <= lines && out.text.size() < kMostBytes) {
    const size_t size = out.text.size();
    out.text.resize(size + kStepBytes);
    out.text.resize(size + stream.read(out.text.data() + size, kStepBytes));
    found += count_lines(std::string_view(out.text).substr(size));
  }
  out.whole = stream.ended();
  return out;
}

void look_at_lines(FileProfile& out, std::string_view text, int64_t most, size_t& position) {
  while (position < text.size() && out.rows < most) {
    const size_t end = std::min(text.find('\n', position), text.size());
    out.rows += end > position;
    position = std::min(end + 1, text.size());
  }
}

void look_at_table(FileProfile& out, const Head& head, int64_t most, size_t& position) {
  const std::vector<ColumnWish> wishes = usual_columns();
  const std::string name = out.file.string();
  const Layout layout = find_layout(head.text, name, wishes, Quote::kAuto);
  const std::string_view records = std::string_view(head.text).substr(layout.records);
  const auto fail = [&](size_t offset, const std::string& message) {
    throw InputError(name + ":" + std::to_string(layout.line + count_lines(records.substr(0, offset))) + ": " +
                     message);
  };
  out.delimiter = layout.dialect.delimiter;
  out.header = !layout.header.empty();
  out.columns.resize(layout.width);
  std::vector<std::vector<double>> numbers(layout.width);
  std::vector<std::string> first;
  RecordReader reader(records, layout.dialect);
  try {
    while (out.rows < most && reader.next()) {
      if (reader.end() == records.size() && !head.whole) break;  // cut
      const auto fields = reader.fields();
      if (fields.size() != layout.width) {
        fail(reader.offset(),
             "expected " + std::to_string(layout.width) + " fields, found " + std::to_string(fields.size()));
      }
      if (first.empty()) first.assign(fields.begin(), fields.end());
      ++out.rows;
      for (size_t c = 0; c < layout.width; ++c) {
        look_at(out.columns[c], numbers[c], fields[c]);
        out.latin1 = out.latin1 || !valid_utf8(fields[c]);
      }
    }
  } catch (const RecordError& error) {
    if (head.whole) fail(error.offset, error.message);  // else the cut may have made it
  }
  position = layout.records + reader.end();
  if (!out.header && stands_apart(out.columns, first, out.rows)) {
    out.header = true;
    --out.rows;
    for (size_t c = 0; c < layout.width; ++c) {
      out.columns[c].counts.erase(first[c]);
      out.columns[c].first = out.columns[c].counts.empty() ? "" : out.columns[c].counts.begin()->first;
    }
  }
  for (size_t c = 0; c < layout.width; ++c) {
    if (out.header) out.columns[c].name = layout.header.empty() ? first[c] : layout.header[c];
    summarize(out.columns[c], numbers[c]);
    out.latin1 = out.latin1 || !valid_utf8(out.columns[c].name);
  }
}

FileProfile profile_as(const std::filesystem::path& file, int64_t most, Encoding encoding) {
  FileProfile out{.file = file};
  TextStream stream(file, encoding);
  out.form = form_of(stream.head());
  if (out.form == FileForm::kHdf5) return out;
  const Head head = read_head(stream, most);
  size_t position = 0;  // behind the rows seen
  if (out.form == FileForm::kAdjacency) {
    look_at_lines(out, head.text, most, position);
  } else {
    look_at_table(out, head, most, position);
  }
  out.whole = head.whole && position == head.text.size();
  if (out.whole) {
    out.rows_estimated = out.rows;
  } else if (!stream.compressed() && position > 0) {
    const auto bytes = static_cast<double>(std::filesystem::file_size(file));
    out.rows_estimated = static_cast<int64_t>(static_cast<double>(out.rows) * bytes / static_cast<double>(position));
  }
  return out;
}

}  // namespace

FileProfile profile_file(const std::filesystem::path& file, int64_t most) {
  FileProfile out = profile_as(file, most, Encoding::kUtf8);
  if (!out.latin1) return out;
  out = profile_as(file, most, Encoding::kLatin1);
  out.latin1 = true;
  return out;
}

std::string format_of(FileForm form) {
  return form == FileForm::kHdf5 ? "hdf5" : form == FileForm::kAdjacency ? "adjacency" : "csv";
}

FileForm find_form(const std::filesystem::path& file) { return form_of(TextStream(file, Encoding::kUtf8).head()); }

}  // namespace kindred
