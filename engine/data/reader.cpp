// SPDX-License-Identifier: Apache-2.0
#include "engine/data/reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <set>

#include "engine/core/error.hpp"
#include "engine/core/interrupt.hpp"
#include "engine/core/log.hpp"
#include "engine/core/utf8.hpp"
#include "engine/data/csv.hpp"
#include "engine/data/parse.hpp"
#include "engine/data/table.hpp"
#include "kernels/cpu/threads.hpp"

namespace kindred {
namespace {

constexpr size_t kPieceBytes = size_t{4} << 20;

IdType id_type(const std::string& name) {
  return name == "string" ? IdType::kString : name == "integer" ? IdType::kInteger : IdType::kAuto;
}

// Calls parse(text, block, users, items) for each piece of `text`, and on_error for the first bad record of all.
template <class Parse, class OnError>
RawRows read_pieces(Context& ctx, std::string_view text, const std::vector<size_t>& borders, IdType type, Parse&& parse,
                    OnError&& on_error) {
  RawRows rows;
  const auto pieces = static_cast<int64_t>(borders.size()) - 1;
  rows.blocks.resize(static_cast<size_t>(pieces));
  rows.users.assign(static_cast<size_t>(ctx.threads()), IdMap(type));
  rows.items = rows.users;

  std::vector<std::optional<RecordError>> errors(static_cast<size_t>(pieces));
  std::atomic<int64_t> first_bad = pieces;
  cpu::parallel_for(ctx, pieces, 1, [&](int64_t piece, int64_t, int thread) {
    check_interrupt();
    if (piece > first_bad) return;
    const auto p = static_cast<size_t>(piece), t = static_cast<size_t>(thread);
    RowBlock& block = rows.blocks[p];
    block.thread = thread;
    try {
      parse(text.substr(borders[p], borders[p + 1] - borders[p]), block, rows.users[t], rows.items[t]);
    } catch (const RecordError& error) {
      errors[p] = RecordError{borders[p] + error.offset, error.message};
      int64_t known = first_bad;
      while (piece < known && !first_bad.compare_exchange_weak(known, piece)) {
      }
    }
  });
  for (const auto& error : errors) {
    if (error) on_error(*error);
  }
  for (const RowBlock& block : rows.blocks) rows.count += static_cast<int64_t>(block.users.size());
  return rows;
}

// The number of an id; what makes it bad is said with the column's label.
int32_t number_of(IdMap& map, std::string_view id, size_t offset, const std::string& label) {
  try {
    return map.number(id);
  } catch (const BadId& bad) {
    throw RecordError{offset, fmt::format("{}: {}", label, bad.message)};
  }
}

// ---- csv

// Kinds of events in the order in which one thread met them. They are few: a search through all is fast.
struct KindNames {
  std::vector<std::string> names;

  uint8_t number(std::string_view name, size_t offset, const std::string& label) {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found != names.end()) return static_cast<uint8_t>(found - names.begin());
    if (names.size() == 256) {
      throw RecordError{offset, fmt::format("{}: expected at most 256 kinds, found '{}'", label, printable(name))};
    }
    if (name.empty() || !valid_utf8(name)) {
      throw RecordError{offset, fmt::format("{}: expected a kind in UTF-8, found '{}'", label, printable(name))};
    }
    names.emplace_back(name);
    return static_cast<uint8_t>(names.size() - 1);
  }
};

// Replaces each thread's numbers by places among all names, in ascending order.
void merge_kinds(Context& ctx, RawRows& rows, const std::vector<KindNames>& of_thread, const std::string& where) {
  std::set<std::string> all;
  for (const KindNames& kinds : of_thread) all.insert(kinds.names.begin(), kinds.names.end());
  if (all.size() > 256) throw InputError(fmt::format("{}: expected at most 256 kinds, found {}", where, all.size()));
  rows.kind_names.assign(all.begin(), all.end());
  std::vector<std::vector<uint8_t>> place(of_thread.size());
  for (size_t t = 0; t < place.size(); ++t) {
    for (const std::string& name : of_thread[t].names) {
      place[t].push_back(static_cast<uint8_t>(std::distance(all.begin(), all.find(name))));
    }
  }
  cpu::parallel_for(ctx, static_cast<int64_t>(rows.blocks.size()), 1, [&](int64_t b, int64_t, int) {
    RowBlock& block = rows.blocks[static_cast<size_t>(b)];
    for (uint8_t& kind : block.kinds) kind = place[static_cast<size_t>(block.thread)][kind];
  });
}

struct CsvColumns {
  Column user, item, value, time, event;
  size_t width;
  TimeForm form;
};

void check_width(const RecordReader& reader, size_t width) {
  const size_t found = reader.fields().size();
  if (found == width) return;
  throw RecordError{reader.offset(), fmt::format("expected {} fields, found {}", width, found)};
}

void parse_csv(std::string_view text, const Dialect& dialect, const CsvColumns& columns, RowBlock& block, IdMap& users,
               IdMap& items, KindNames& kinds) {
  const auto lines = static_cast<size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
  block.users.reserve(lines);
  block.items.reserve(lines);
  if (columns.value.index >= 0) block.values.reserve(lines);
  if (columns.time.index >= 0) block.times.reserve(lines);
  if (columns.event.index >= 0) block.kinds.reserve(lines);
  const auto at = [](const RecordReader& reader, const Column& column) {
    return reader.fields()[static_cast<size_t>(column.index)];
  };
  for (RecordReader reader(text, dialect); reader.next();) {
    check_width(reader, columns.width);
    block.users.push_back(number_of(users, at(reader, columns.user), reader.offset(), columns.user.label));
    block.items.push_back(number_of(items, at(reader, columns.item), reader.offset(), columns.item.label));
    if (columns.value.index >= 0) {
      float value = 0;
      const std::string_view field = at(reader, columns.value);
      if (!parse_number(field, value)) {
        throw RecordError{reader.offset(),
                          fmt::format("{}: expected a number, found '{}'", columns.value.label, printable(field))};
      }
      block.values.push_back(value);
    }
    if (columns.time.index >= 0) {
      int64_t raw = 0;
      const std::string_view field = at(reader, columns.time);
      if (!parse_time(field, columns.form, raw)) {
        const char* expected = columns.form == TimeForm::kIso       ? "an ISO 8601 time"
                               : columns.form == TimeForm::kInteger ? "a Unix time in whole numbers"
                                                                    : "a Unix time";
        throw RecordError{reader.offset(), fmt::format("{}: expected {} as in the first row, found '{}'",
                                                       columns.time.label, expected, printable(field))};
      }
      block.times.push_back(raw);
    }
    if (columns.event.index >= 0) {
      block.kinds.push_back(kinds.number(at(reader, columns.event), reader.offset(), columns.event.label));
    }
  }
}

// Replaces the times as they stand in the file by microseconds.
void scale_times(Context& ctx, RawRows& rows, TimeForm form, const std::string& label, const std::string& file) {
  if (form == TimeForm::kIso) return;
  int64_t largest = 0;
  for (const RowBlock& block : rows.blocks) {
    for (const int64_t time : block.times) largest = std::max(largest, time < 0 ? -time : time);
  }
  const TimeUnit unit = time_unit(largest, form);
  cpu::parallel_for(ctx, static_cast<int64_t>(rows.blocks.size()), 1, [&](int64_t b, int64_t, int) {
    for (int64_t& time : rows.blocks[static_cast<size_t>(b)].times) time = to_microseconds(time, form, unit);
  });
  log_info("times are Unix times", {{"file", file},
                                    {"column", label},
                                    {"unit", unit == TimeUnit::kSeconds        ? "seconds"
                                             : unit == TimeUnit::kMilliseconds ? "milliseconds"
                                                                               : "microseconds"}});
}

RawRows read_csv(Context& ctx, const std::filesystem::path& path, const DataOptions& options) {
  const InteractionColumns& names = options.columns;
  const ColumnWish wishes[] = {
      {"user", "data.columns.user", names.user, {"user", "userid"}, true},
      {"item", "data.columns.item", names.item, {"item", "itemid", "movieid"}, true},
      {"value", "data.columns.value", names.value, {"rating", "value", "count"}},
      {"time", "data.columns.time", names.time, {"timestamp", "time"}},
      {"event", "data.columns.event", names.event, {"event", "kind"}},
  };
  const Table table(path, wishes);
  table.log_findings();
  CsvColumns columns{
      table.column(0), table.column(1), table.column(2), table.column(3), table.column(4), table.width(), {}};
  if (columns.time.index >= 0) {
    RecordReader first(table.records(), table.dialect());
    const auto index = static_cast<size_t>(columns.time.index);
    try {
      if (first.next() && first.fields().size() > index) columns.form = time_form(first.fields()[index]);
    } catch (const RecordError& error) {
      table.fail(error.offset, error.message);
    }
  }
  std::vector<KindNames> kinds(static_cast<size_t>(ctx.threads()));
  RawRows rows = read_pieces(
      ctx, table.records(), cut_at_records(table.records(), table.dialect(), kPieceBytes), id_type(options.id_type),
      [&](std::string_view text, RowBlock& block, IdMap& users, IdMap& items) {
        parse_csv(text, table.dialect(), columns, block, users, items, kinds[static_cast<size_t>(block.thread)]);
      },
      [&](const RecordError& error) { table.fail(error.offset, error.message); });
  rows.has_values = columns.value.index >= 0;
  rows.has_times = columns.time.index >= 0;
  rows.has_kinds = columns.event.index >= 0;
  if (rows.has_kinds) merge_kinds(ctx, rows, kinds, fmt::format("{}: {}", path.string(), columns.event.label));
  if (rows.has_times) scale_times(ctx, rows, columns.form, columns.time.label, path.string());
  return rows;
}

// ---- adjacency: "user item item …", parted by spaces or tabs

void parse_adjacency(std::string_view text, RowBlock& block, IdMap& users, IdMap& items) {
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
  for (size_t position = 0; position < text.size();) {
    const size_t start = position;
    const size_t line_end = std::min(text.find('\n', position), text.size());
    int32_t user = -1;
    while (position < line_end) {
      while (position < line_end && blank(text[position])) ++position;
      const size_t begin = position;
      while (position < line_end && !blank(text[position])) ++position;
      if (position == begin) break;
      const std::string_view id = text.substr(begin, position - begin);
      if (user < 0) {
        user = number_of(users, id, start, "user");
      } else {
        block.users.push_back(user);
        block.items.push_back(number_of(items, id, start, "item"));
      }
    }
    position = line_end + 1;
  }
}

RawRows read_adjacency(Context& ctx, const std::filesystem::path& path, const DataOptions& options) {
  const MappedFile file(path);
  const size_t start = content_start(file.view(), path.string());
  const std::string_view text = file.view().substr(start);
  RawRows rows = read_pieces(
      ctx, text, cut_at_records(text, {"\n", false}, kPieceBytes), id_type(options.id_type), parse_adjacency,
      [&](const RecordError& error) {
        throw InputError(fmt::format("{}:{}: {}", path.string(), line_number(text, error.offset), error.message));
      });
  if (rows.count == 0) throw InputError(path.string() + ": no line has an item; expected lines 'user item item …'");
  log_info("reading", {{"file", path.string()}, {"format", "adjacency"}});
  return rows;
}

}  // namespace

RawRows read_rows(Context& ctx, const std::filesystem::path& path, const DataOptions& options) {
  if (options.format == "csv") return read_csv(ctx, path, options);
  if (options.format == "adjacency") return read_adjacency(ctx, path, options);
  throw InputError(
      fmt::format("data.format: expected \"csv\" or \"adjacency\", found '{}'", printable(options.format)));
}

}  // namespace kindred
