// SPDX-License-Identifier: Apache-2.0
#include "engine/data/table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

#include "engine/core/error.hpp"
#include "engine/core/log.hpp"
#include "engine/data/parse.hpp"

namespace kindred {
namespace {

constexpr std::string_view kDelimiters[] = {",", "\t", ";", "|", "::"};
constexpr size_t kSampledRecords = 10;

// Tab, bar and double colon come from programs that do not quote.
bool quotes_usual(std::string_view delimiter) { return delimiter == "," || delimiter == ";"; }

// A column number from 1 as an index, -1 for anything else.
int column_number(std::string_view name) {
  int number = 0;
  const auto end = name.data() + name.size();
  const auto result = std::from_chars(name.data(), end, number);
  return result.ec == std::errc() && result.ptr == end && number >= 1 ? number - 1 : -1;
}

// The index of a header's name that answers the wish, -1 where there is none.
int find_name(const ColumnWish& wish, std::span<const std::string> header) {
  if (!wish.name.empty()) {
    const auto found = std::find(header.begin(), header.end(), wish.name);
    return found == header.end() ? -1 : static_cast<int>(found - header.begin());
  }
  for (const std::string_view usual : wish.usual) {
    for (size_t i = 0; i < header.size(); ++i) {
      if (loose_name(header[i]) == usual) return static_cast<int>(i);
    }
  }
  return -1;
}

// How many wishes a record answers by name. Numbers do not count: in a file without a header a value may look like one.
int64_t names_found(std::span<const ColumnWish> wishes, std::span<const std::string> record) {
  return std::count_if(wishes.begin(), wishes.end(), [&](const ColumnWish& wish) {
    return column_number(wish.name) < 0 && find_name(wish, record) >= 0;
  });
}

std::string_view delimiter_name(std::string_view delimiter) { return delimiter == "\t" ? "tab" : delimiter; }

std::string joined(std::span<const std::string> names) {
  constexpr size_t kMost = 12;
  std::string out;
  for (size_t i = 0; i < std::min(names.size(), kMost); ++i) out += (i ? ", " : "") + printable(names[i], 40);
  return names.size() > kMost ? out + ", …" : out;
}

}  // namespace

std::string loose_name(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c != '_' && c != ' ') out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return out;
}

size_t content_start(std::string_view text, const std::string& name) {
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF")) {
    throw InputError(name + ": the file is UTF-16; convert it to UTF-8 (iconv -f utf-16 -t utf-8)");
  }
  const size_t start = text.starts_with("\xEF\xBB\xBF") ? 3 : 0;
  if (text.find_first_not_of("\r\n", start) == std::string_view::npos) throw InputError(name + ": the file is empty");
  return start;
}

Table::Table(const std::filesystem::path& path, std::span<const ColumnWish> wishes)
    : name_(path.string()), file_(path) {
  const size_t start = content_start(file_.view(), name_);
  find_dialect(wishes, start);
  size_t second = 0;
  const std::vector<std::string> first = record_at(start, &second);
  width_ = first.size();
  if (has_header(wishes, first, second)) names_ = first;
  records_ = names_.empty() ? start : second;
  for (const ColumnWish& wish : wishes) {
    Column column = find_column(wish, first);
    if (column.index >= 0) findings_ += fmt::format("{}{}={}", findings_.empty() ? "" : " ", wish.what, column.label);
    columns_.push_back(std::move(column));
  }
  if (records().find_first_not_of("\r\n") == std::string_view::npos) {
    throw InputError(name_ + ": a header and no rows");
  }
}

void Table::log_findings() const {
  log_info("reading", {{"file", name_},
                       {"delimiter", delimiter_name(dialect_.delimiter)},
                       {"header", names_.empty() ? "no" : "yes"},
                       {"columns", findings_}});
}

Column Table::find_column(const ColumnWish& wish, const std::vector<std::string>& first) const {
  int index = names_.empty() ? -1 : find_name(wish, first);
  if (index < 0 && !wish.name.empty()) index = column_number(wish.name);
  if (index >= static_cast<int>(first.size())) {
    throw InputError(fmt::format("{}: {} = {}: the file has {} columns", name_, wish.key, wish.name, first.size()));
  }
  if (index >= 0) {
    const auto place = static_cast<size_t>(index);
    return {index, names_.empty() ? fmt::format("column {}", place + 1) : first[place]};
  }
  if (!wish.required && wish.name.empty()) return {};
  const bool named = !wish.name.empty();
  const std::string asked = named ? fmt::format("'{}'", printable(wish.name)) : fmt::format("for the {}", wish.what);
  throw InputError(fmt::format("{}: no column {}; found {}{}; set {} to a name{}{}", name_, asked, joined(first),
                               first.size() == 1 ? " (columns are parted by , tab ; | or ::)" : "", wish.key,
                               names_.empty() ? ", or to a number from 1 where the file has no header" : "",
                               did_you_mean(named ? std::string_view(wish.name) : wish.usual.front(), first)));
}

std::vector<std::string> Table::record_at(size_t start, size_t* end) const {
  RecordReader reader(file_.view().substr(start), dialect_);
  std::vector<std::string> fields;
  try {
    if (reader.next()) fields.assign(reader.fields().begin(), reader.fields().end());
  } catch (const RecordError& error) {
    throw InputError(fmt::format("{}:{}: {}", name_, line_number(file_.view(), start + error.offset), error.message));
  }
  if (end) *end = start + reader.end();
  return fields;
}

// The delimiter with which the first record has most of the wished names; then the one with which the first records
// have equally many fields; then the one that gives most fields.
void Table::find_dialect(std::span<const ColumnWish> wishes, size_t start) {
  const std::string_view text = file_.view().substr(start);
  std::array<int64_t, 3> best{-1, 0, 0};
  for (const std::string_view delimiter : kDelimiters) {
    const Dialect dialect{std::string(delimiter), quotes_usual(delimiter)};
    RecordReader reader(text, dialect);
    std::array<int64_t, 3> score{0, 1, 0};
    try {
      for (size_t row = 0; row < kSampledRecords && reader.next(); ++row) {
        const auto width = static_cast<int64_t>(reader.fields().size());
        if (row == 0) {
          const std::vector<std::string> first(reader.fields().begin(), reader.fields().end());
          score = {names_found(wishes, first), 1, width};
        } else if (width != score[2]) {
          score[1] = 0;
        }
      }
    } catch (const RecordError&) {
      score[1] = 0;  // said when the record is read with the delimiter chosen
    }
    if (score[2] == 1) score[1] = 0;
    if (score > best) {
      best = score;
      dialect_ = dialect;
    }
  }
}

// A wished name stands in it; or a field is no number where the next record has one.
bool Table::has_header(std::span<const ColumnWish> wishes, const std::vector<std::string>& first, size_t second) const {
  if (names_found(wishes, first) > 0) return true;
  const std::vector<std::string> next = record_at(second, nullptr);
  for (size_t i = 0; i < std::min(first.size(), next.size()); ++i) {
    float number = 0;
    if (!parse_number(first[i], number) && parse_number(next[i], number)) return true;
  }
  return false;
}

int64_t Table::line(int64_t offset) const { return line_number(file_.view(), records_ + static_cast<size_t>(offset)); }

void Table::fail(size_t offset, const std::string& message) const {
  throw InputError(fmt::format("{}:{}: {}", name_, line(static_cast<int64_t>(offset)), message));
}

}  // namespace kindred
