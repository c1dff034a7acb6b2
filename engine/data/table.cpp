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

int find_name(const ColumnWish& wish, std::span<const std::string> names) {
  if (!wish.name.empty()) {
    const auto found = std::find(names.begin(), names.end(), wish.name);
    return found == names.end() ? -1 : static_cast<int>(found - names.begin());
  }
  for (const std::string_view usual : wish.usual) {
    for (size_t i = 0; i < names.size(); ++i) {
      if (loose_name(names[i]) == usual) return static_cast<int>(i);
    }
  }
  return -1;
}

namespace {

// The first record of a text that can be read.
std::vector<std::string> first_record(std::string_view text, const Dialect& dialect) {
  RecordReader reader(text, dialect);
  for (;;) {
    try {
      if (!reader.next()) return {};
      return {reader.fields().begin(), reader.fields().end()};
    } catch (const RecordError&) {  // said when the records are read
      reader.skip_line();
    }
  }
}

// The delimiter with which the first record has most of the wished names; then the one with which the first records
// have equally many fields; then the one that gives most fields.
Dialect find_dialect(std::string_view text, std::span<const ColumnWish> wishes, Quote quote) {
  Dialect found;
  std::array<int64_t, 3> best{-1, 0, 0};
  for (const std::string_view delimiter : kDelimiters) {
    const bool quotes = quote == Quote::kDouble || (quote == Quote::kAuto && quotes_usual(delimiter));
    const Dialect dialect{std::string(delimiter), quotes};
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
      found = dialect;
    }
  }
  return found;
}

// A wished name stands in it; or a field is no number where the next record has one.
bool is_header(std::span<const ColumnWish> wishes, const std::vector<std::string>& first,
               const std::vector<std::string>& next) {
  if (names_found(wishes, first) > 0) return true;
  for (size_t i = 0; i < std::min(first.size(), next.size()); ++i) {
    float number = 0;
    if (!parse_number(first[i], number) && parse_number(next[i], number)) return true;
  }
  return false;
}

Column find_column(const ColumnWish& wish, const Layout& layout, const std::vector<std::string>& top,
                   const std::string& file) {
  int index = find_name(wish, layout.header);
  if (index < 0 && !wish.name.empty()) index = column_number(wish.name);
  if (index >= static_cast<int>(top.size()))
    throw InputError(fmt::format("{}: {} = {}: the file has {} columns", file, wish.key, wish.name, top.size()));
  if (index >= 0) {
    const auto place = static_cast<size_t>(index);
    return {index, layout.header.empty() ? fmt::format("column {}", place + 1) : printable(top[place])};
  }
  if (!wish.required && wish.name.empty()) return {};
  const bool named = !wish.name.empty();
  const std::string asked = named ? fmt::format("'{}'", printable(wish.name)) : fmt::format("for the {}", wish.what);
  throw InputError(fmt::format("{}: no column {}; found {}{}; set {} to a name{}{}", file, asked, joined(top),
                               top.size() == 1 ? " (columns are parted by , tab ; | or ::)" : "", wish.key,
                               layout.header.empty() ? ", or to a number from 1 where the file has no header" : "",
                               did_you_mean(named ? std::string_view(wish.name) : wish.usual.front(), top)));
}

}  // namespace

Layout find_layout(std::string_view head, const std::string& file, std::span<const ColumnWish> wishes, Quote quote) {
  Layout layout;
  layout.dialect = find_dialect(head, wishes, quote);
  RecordReader reader(head, layout.dialect);
  try {
    reader.next();
  } catch (const RecordError& error) {
    throw InputError(fmt::format("{}:{}: {}", file, 1 + count_lines(head.substr(0, error.offset)), error.message));
  }
  const std::vector<std::string> top(reader.fields().begin(), reader.fields().end());
  layout.width = top.size();
  layout.first = first_record(head.substr(reader.end()), layout.dialect);
  if (is_header(wishes, top, layout.first)) {
    layout.header = top;
    layout.records = reader.end();
    layout.line = 1 + count_lines(head.substr(0, layout.records));
  } else {
    layout.first = top;
  }
  for (const ColumnWish& wish : wishes) layout.columns.push_back(find_column(wish, layout, top, file));
  if (head.find_first_not_of("\r\n", layout.records) == std::string_view::npos)
    throw InputError(file + ": a header and no rows");
  return layout;
}

void Layout::log(const std::string& file, std::span<const ColumnWish> wishes) const {
  std::string found;
  for (size_t i = 0; i < columns.size(); ++i) {
    if (columns[i].index >= 0)
      found += fmt::format("{}{}={}", found.empty() ? "" : " ", wishes[i].what, columns[i].label);
  }
  log_info("reading", {{"file", file},
                       {"delimiter", delimiter_name(dialect.delimiter)},
                       {"header", header.empty() ? "no" : "yes"},
                       {"columns", found}});
}

Table::Table(const std::filesystem::path& path, std::span<const ColumnWish> wishes, const TextForm& form)
    : wishes_(wishes.begin(), wishes.end()) {
  {
    TextStream stream(path, form.encoding);
    name_ = stream.name();
    if (form.encoding == Encoding::kUtf8 && path != "-" && !stream.compressed()) {
      mapped_.emplace(path);
      start_ = content_start(mapped_->view(), name_);
    } else {
      unpacked_ = read_text(stream);
    }
  }
  layout_ = find_layout(text(), name_, wishes, form.quote);
}

int64_t Table::line(int64_t offset) const {
  return layout_.line + count_lines(records().substr(0, static_cast<size_t>(offset)));
}

void Table::fail(size_t offset, const std::string& message) const {
  throw InputError(fmt::format("{}:{}: {}", name_, line(static_cast<int64_t>(offset)), message));
}

}  // namespace kindred
