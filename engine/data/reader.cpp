// SPDX-License-Identifier: Apache-2.0
#include "engine/data/reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <mutex>
#include <set>

#include "engine/core/error.hpp"
#include "engine/core/interrupt.hpp"
#include "engine/core/log.hpp"
#include "engine/core/utf8.hpp"
#include "engine/data/reader_detail.hpp"
#include "kernels/cpu/threads.hpp"

namespace kindred {
namespace detail {
namespace {

constexpr size_t kMostKinds = 256;
constexpr size_t kMostRejected = 1'000'000;

// Replaces each thread's numbers by places among all names, in ascending order.
void merge_kinds(Reading& reading) {
  RawRows& rows = reading.rows;
  std::set<std::string> all;
  for (const KindNames& kinds : reading.kinds) all.insert(kinds.names.begin(), kinds.names.end());
  if (all.size() > kMostKinds)
    throw InputError(fmt::format("expected at most 256 kinds of events, found {}", all.size()));
  rows.kind_names.assign(all.begin(), all.end());
  std::vector<std::vector<uint8_t>> place(reading.kinds.size());
  for (size_t t = 0; t < place.size(); ++t) {
    for (const std::string& name : reading.kinds[t].names)
      place[t].push_back(static_cast<uint8_t>(std::distance(all.begin(), all.find(name))));
  }
  cpu::parallel_for(reading.ctx, static_cast<int64_t>(rows.blocks.size()), 1, [&](int64_t b, int64_t, int) {
    RowBlock& block = rows.blocks[static_cast<size_t>(b)];
    for (uint8_t& kind : block.kinds) kind = place[static_cast<size_t>(block.thread)][kind];
  });
}

// Replaces the times of a file as they stand in it by microseconds.
void scale_times(Reading& reading, size_t first_block, const OpenFile& file, int64_t largest) {
  if (!file.has_times || file.time_form == TimeForm::kIso) return;
  RawRows& rows = reading.rows;
  const TimeUnit unit = time_unit(largest, file.time_form);
  const auto blocks = static_cast<int64_t>(rows.blocks.size() - first_block);
  cpu::parallel_for(reading.ctx, blocks, 1, [&](int64_t b, int64_t, int) {
    for (int64_t& time : rows.blocks[first_block + static_cast<size_t>(b)].times) {
      if (time != kNoTime) time = to_microseconds(time, file.time_form, unit);
    }
  });
  log_info("times are Unix times", {{"file", file.name},
                                    {"column", file.time},
                                    {"unit", unit == TimeUnit::kSeconds        ? "seconds"
                                             : unit == TimeUnit::kMilliseconds ? "milliseconds"
                                                                               : "microseconds"}});
}

// Blocks of files that lack what others have.
void fill_gaps(RawRows& rows) {
  for (RowBlock& block : rows.blocks) {
    if (rows.has_values) block.values.resize(block.users.size(), 1);
    if (rows.has_times) block.times.resize(block.users.size(), kNoTime);
  }
}

}  // namespace

uint8_t KindNames::number(std::string_view name) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found != names.end()) return static_cast<uint8_t>(found - names.begin());
  if (names.size() == kMostKinds) throw BadId{fmt::format("expected at most 256 kinds, found '{}'", printable(name))};
  if (name.empty() || !valid_utf8(name))
    throw BadId{fmt::format("expected a kind in UTF-8, found '{}'", printable(name))};
  names.emplace_back(name);
  return static_cast<uint8_t>(names.size() - 1);
}

std::vector<ColumnWish> Reading::wishes(const InputFile& file) const {
  InteractionColumns names = options.columns;
  using C = InteractionColumns;
  for (const auto column : {&C::user, &C::item, &C::value, &C::time, &C::event}) {
    if (!(file.columns.*column).empty()) names.*column = file.columns.*column;
  }
  std::vector<ColumnWish> out = interaction_wishes(names);
  if (!file.event.empty()) out[kEvent] = {"event", "data.columns.event", "", {}};  // the list says it
  if (utility) {
    out[kValue] = {"value", "data.columns.value", "", {}};  // the utility gives it
    for (const std::string& column : utility->columns()) out.push_back({"utility", "data.utility", column, {}, true});
  }
  return out;
}

void Reading::read(const OpenFile& file, const std::function<bool(int)>& next,
                   const std::function<void(Piece&, int)>& parse) {
  const size_t first_block = rows.blocks.size();
  std::deque<Piece> pieces;   // in the order of the file; references stay valid
  std::exception_ptr broken;  // what next() threw, behind all pieces
  std::mutex mutex;
  bool ended = false;
  cpu::parallel_for(ctx, ctx.threads(), 1, [&](int64_t, int64_t, int thread) {
    for (;;) {
      check_interrupt();
      Piece* piece = nullptr;
      {
        const std::lock_guard lock(mutex);
        if (ended) return;
        try {
          ended = !next(thread);
        } catch (...) {
          broken = std::current_exception();
          ended = true;
        }
        if (ended) return;
        piece = &pieces.emplace_back();
        piece->rows = &rows.blocks.emplace_back();
        piece->rows->thread = thread;
      }
      parse(*piece, thread);
      if (piece->failure) {
        const std::lock_guard lock(mutex);
        ended = true;
      }
    }
  });

  int64_t line = file.first_line, count = 0, empty_values = 0, empty_times = 0, rejected = 0, largest_time = 0;
  const auto place = [&](const RowNote& note) {
    return file.name + file.line_mark + std::to_string(line + note.line) + ": " + note.reason;
  };
  for (Piece& piece : pieces) {
    if (piece.failure) throw InputError(place(*piece.failure));
    if (piece.first_negative && rows.first_negative.empty()) rows.first_negative = place(*piece.first_negative);
    for (RowNote& note : piece.rejected) {
      if (rows.rejected.size() == kMostRejected)
        throw InputError(fmt::format("{}; before it {} other rows were bad; mend the files or their description",
                                     place(note), format_count(kMostRejected)));
      rows.rejected.push_back({file.name, line + note.line, std::move(note.reason), std::move(note.text)});
      ++rejected;
    }
    line += piece.lines;
    count += static_cast<int64_t>(piece.rows->users.size());
    empty_values += piece.empty_values;
    empty_times += piece.empty_times;
    largest_time = std::max(largest_time, piece.largest_time);
  }
  if (broken) {
    try {
      std::rethrow_exception(broken);
    } catch (const RecordError& error) {
      throw InputError(place({0, error.message}));
    }
  }
  if (empty_values > 0)
    log_info("empty cells count 1", {{"file", file.name}, {"column", file.value}, {"rows", empty_values}});
  if (empty_times > 0)
    log_info("empty cells are older than any time",
             {{"file", file.name}, {"column", file.time}, {"rows", empty_times}});
  if (rejected > 0) log_warning("bad rows were left out", {{"file", file.name}, {"bad", rejected}, {"good", count}});
  if (count == 0 && rejected > 0) {
    const RejectedRow& first = rows.rejected[rows.rejected.size() - static_cast<size_t>(rejected)];
    throw InputError(fmt::format("{}{}{}: {}; none of the file's rows is good", file.name, file.line_mark, first.line,
                                 first.reason));
  }
  rows.count += count;
  rows.has_values |= file.has_values;
  rows.has_times |= file.has_times;
  rows.has_kinds |= file.has_kinds;
  (file.has_kinds ? with_kinds : without_kinds) = file.name;
  if (!with_kinds.empty() && !without_kinds.empty())
    throw InputError(
        fmt::format("{}: its rows have no kind of event, those of {} have; name it: {{ file = \"{}\", event "
                    "= \"…\" }}",
                    without_kinds, with_kinds, without_kinds));
  scale_times(*this, first_block, file, largest_time);
}

RowTaker::RowTaker(Reading& reading, const OpenFile& file, Piece& piece, int thread)
    : reading_(reading),
      file_(file),
      piece_(piece),
      users_(reading.rows.users[static_cast<size_t>(thread)]),
      items_(reading.rows.items[static_cast<size_t>(thread)]),
      kinds_(reading.kinds[static_cast<size_t>(thread)]),
      quarantine_(reading.options.bad_rows == BadRows::kQuarantine) {}

void RowTaker::reserve(size_t rows) {
  RowBlock& block = *piece_.rows;
  block.users.reserve(rows);
  block.items.reserve(rows);
  if (file_.has_values) block.values.reserve(rows);
  if (file_.has_times) block.times.reserve(rows);
  if (file_.has_kinds) block.kinds.reserve(rows);
}

template <class Id>
int32_t RowTaker::number(IdMap& map, const Id& id, const std::string& label) {
  try {
    return map.number(id);
  } catch (const BadId& bad) {
    throw BadRow{label + ": " + bad.message};
  }
}

void RowTaker::add_user(std::string_view user) { number(users_, user, file_.user); }

template <class Id>
void RowTaker::add(const Row<Id>& row, int64_t line) {
  RowBlock& block = *piece_.rows;
  if (quarantine_) {  // a row that is left out leaves no id behind
    const auto check = [](const IdMap& map, const Id& id, const std::string& label) {
      try {
        map.check(id);
      } catch (const BadId& bad) {
        throw BadRow{label + ": " + bad.message};
      }
    };
    check(users_, row.user, file_.user);
    check(items_, row.item, file_.item);
  }
  uint8_t kind = 0;
  if (file_.has_kinds) {
    try {
      kind = kinds_.number(row.kind);
    } catch (const BadId& bad) {
      throw BadRow{file_.kind + ": " + bad.message};
    }
  }
  block.users.push_back(number(users_, row.user, file_.user));
  block.items.push_back(number(items_, row.item, file_.item));
  if (file_.has_values) block.values.push_back(row.value);
  if (file_.has_times) {
    block.times.push_back(row.time);
    if (row.time != kNoTime) piece_.largest_time = std::max(piece_.largest_time, row.time < 0 ? -row.time : row.time);
  }
  if (file_.has_kinds) block.kinds.push_back(kind);
  if (row.value < 0 && !piece_.first_negative)
    piece_.first_negative = RowNote{line, fmt::format("{}: {}", file_.value, row.value)};
}
template int32_t RowTaker::number(IdMap&, const std::string_view&, const std::string&);
template void RowTaker::add(const Row<std::string_view>&, int64_t);
template void RowTaker::add(const Row<int64_t>&, int64_t);

float RowTaker::evaluate(std::span<const double> inputs) const {
  const auto value = static_cast<float>(reading_.utility->evaluate(inputs));
  if (!std::isfinite(value)) throw BadRow{fmt::format("data.utility: expected a finite result, found {}", value)};
  return value;
}

bool RowTaker::reject(int64_t line, std::string reason, std::string_view text) {
  constexpr size_t kMostText = 4096;
  RowNote note{line, std::move(reason), std::string(text.substr(0, kMostText))};
  if (quarantine_)
    piece_.rejected.push_back(std::move(note));
  else
    piece_.failure = std::move(note);
  return quarantine_;
}

}  // namespace detail

std::vector<ColumnWish> interaction_wishes(const InteractionColumns& names) {
  const auto optional = [](std::string_view what, std::string_view key, const std::string& name,
                           std::vector<std::string_view> usual) {
    return name == "0" ? ColumnWish{what, key, "", {}} : ColumnWish{what, key, name, std::move(usual)};
  };
  return {{"user", "data.columns.user", names.user, {"user", "userid"}, true},
          {"item", "data.columns.item", names.item, {"item", "itemid", "movieid"}, true},
          optional("value", "data.columns.value", names.value, {"rating", "value", "count"}),
          optional("time", "data.columns.time", names.time, {"timestamp", "time"}),
          optional("event", "data.columns.event", names.event, {"event", "kind"})};
}

RawRows read_rows(Context& ctx, const InputFiles& files, const DataOptions& options) {
  detail::Reading reading{ctx, options};
  if (!options.utility.empty()) {
    try {
      reading.utility.emplace(options.utility);
    } catch (const InputError& error) {
      throw InputError(std::string("data.utility: ") + error.what());
    }
  }
  const IdType type = options.id_type == "string"    ? IdType::kString
                      : options.id_type == "integer" ? IdType::kInteger
                                                     : IdType::kAuto;
  reading.rows.users.assign(static_cast<size_t>(ctx.threads()), IdMap(type));
  reading.rows.items = reading.rows.users;
  reading.kinds.resize(static_cast<size_t>(ctx.threads()));

  const auto read =
      options.format == "csv"         ? detail::read_csv
      : options.format == "adjacency" ? detail::read_adjacency
      : options.format == "hdf5"
          ? detail::read_hdf5
          : throw InputError(fmt::format("data.format: expected \"csv\", \"adjacency\" or \"hdf5\", found '{}'",
                                         printable(options.format)));
  for (const InputFile& file : expand(files)) read(reading, file);
  RawRows& rows = reading.rows;
  detail::fill_gaps(rows);
  if (rows.has_kinds) detail::merge_kinds(reading);
  return std::move(rows);
}

}  // namespace kindred
