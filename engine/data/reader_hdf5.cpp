// SPDX-License-Identifier: Apache-2.0
// HDF5 files of columns to rows: the library reads a block of rows at a time, the threads number its ids.
#include <fmt/format.h>

#include <cmath>
#include <variant>

#include "engine/core/error.hpp"
#include "engine/core/log.hpp"
#include "engine/data/reader_detail.hpp"
#include "engine/hdf5/columns.hpp"

namespace kindred::detail {
namespace {

constexpr int64_t kBlockRows = int64_t{1} << 18;

using Texts = std::vector<std::string>;
using Integers = std::vector<int64_t>;
using Reals = std::vector<double>;
using Values = std::variant<Integers, Reals, Texts>;

/// Rows of all columns that are needed, in the order of the wishes.
struct Block {
  int64_t rows = 0;
  std::vector<Values> columns;
};

struct FoundColumn {
  std::string name;  ///< "": absent
  hdf5::ColumnType type = hdf5::ColumnType::kInteger;
};

class Hdf5Parser {
 public:
  Hdf5Parser(Reading& reading, const OpenFile& file, const std::vector<FoundColumn>& columns)
      : reading_(reading), file_(file), columns_(columns) {}

  void parse(const Block& block, Piece& piece, int thread) const {
    RowTaker rows(reading_, file_, piece, thread);
    rows.reserve(static_cast<size_t>(block.rows));
    piece.lines = block.rows;
    const bool integers =
        columns_[kUser].type == hdf5::ColumnType::kInteger && columns_[kItem].type == hdf5::ColumnType::kInteger;
    std::vector<double> inputs(columns_.size() - kInputs);
    for (int64_t r = 0; r < block.rows; ++r) {
      const auto i = static_cast<size_t>(r);
      try {
        if (integers) {
          Row<int64_t> row{std::get<Integers>(block.columns[kUser])[i], std::get<Integers>(block.columns[kItem])[i]};
          fill(row, block, i, inputs, rows, piece);
          rows.add(row, r);
        } else {
          const std::string user = text(block.columns[kUser], i), item = text(block.columns[kItem], i);
          Row<std::string_view> row{user, item};
          fill(row, block, i, inputs, rows, piece);
          rows.add(row, r);
        }
      } catch (const BadRow& bad) {
        if (!rows.reject(r, bad.reason, as_text(block, i))) return;
      }
    }
  }

 private:
  static std::string text(const Values& column, size_t i) {
    if (const auto* texts = std::get_if<Texts>(&column)) return (*texts)[i];
    return std::to_string(std::get<Integers>(column)[i]);
  }

  /// The row for people, "3,7,4.5".
  std::string as_text(const Block& block, size_t i) const {
    std::string out;
    for (size_t c = 0; c < block.columns.size(); ++c) {
      if (columns_[c].name.empty()) continue;
      const auto* reals = std::get_if<Reals>(&block.columns[c]);
      out += (out.empty() ? "" : ",") + (reals ? fmt::format("{}", (*reals)[i]) : text(block.columns[c], i));
    }
    return out;
  }

  template <class Id>
  void fill(Row<Id>& row, const Block& block, size_t i, std::vector<double>& inputs, const RowTaker& rows,
            Piece& piece) const {
    if (reading_.utility) {
      for (size_t k = 0; k < inputs.size(); ++k) inputs[k] = std::get<Reals>(block.columns[kInputs + k])[i];
      row.value = rows.evaluate(inputs);
    } else if (file_.has_values) {
      row.value = static_cast<float>(std::get<Reals>(block.columns[kValue])[i]);
      if (!std::isfinite(row.value))
        throw BadRow{fmt::format("{}: expected a number, found {}", file_.value, row.value)};
    }
    if (file_.has_times) row.time = time(block.columns[kTime], i, piece);
    if (!file_.event.empty())
      row.kind = file_.event;
    else if (file_.has_kinds)
      row.kind = std::get<Texts>(block.columns[kEvent])[i];
  }

  int64_t time(const Values& column, size_t i, Piece& piece) const {
    if (const auto* integers = std::get_if<Integers>(&column)) return (*integers)[i];
    int64_t raw = 0;
    if (const auto* reals = std::get_if<Reals>(&column)) {
      constexpr double kMillion = 1e6, kMost = 9e12;
      const double value = (*reals)[i];
      if (!(std::abs(value) < kMost))
        throw BadRow{fmt::format("{}: expected a Unix time, found {}", file_.time, value)};
      return std::llround(value * kMillion);  // as TimeForm::kDecimal
    }
    const std::string& text = std::get<Texts>(column)[i];
    if (text.empty()) {
      ++piece.empty_times;
      return kNoTime;
    }
    if (!parse_time(text, TimeForm::kIso, raw))
      throw BadRow{fmt::format("{}: expected an ISO 8601 time, found '{}'", file_.time, printable(text))};
    return raw;
  }

  Reading& reading_;
  const OpenFile& file_;
  const std::vector<FoundColumn>& columns_;
};

// The datasets that answer the wishes, and their common length.
std::vector<FoundColumn> find_columns(hdf5::ColumnFile& data, const std::string& name,
                                      const std::vector<ColumnWish>& wishes, int64_t& rows) {
  std::vector<FoundColumn> columns;
  std::string all;
  for (const std::string& dataset : data.names()) all += (all.empty() ? "/" : ", /") + printable(dataset, 40);
  for (const ColumnWish& wish : wishes) {
    ColumnWish plain = wish;
    if (plain.name.starts_with('/')) plain.name.erase(0, 1);
    const int index = find_name(plain, data.names());
    FoundColumn& column = columns.emplace_back();
    if (index < 0 && (wish.required || !wish.name.empty()))
      throw InputError(fmt::format(
          "{}: no dataset {} for the {}; found {}; set {} to one{}", name,
          plain.name.empty() ? "/" + std::string(wish.usual.front()) : "/" + plain.name, wish.what,
          all.empty() ? "none" : all, wish.key,
          did_you_mean(plain.name.empty() ? wish.usual.front() : std::string_view(plain.name), data.names())));
    if (index < 0) continue;
    column.name = data.names()[static_cast<size_t>(index)];
    const hdf5::ColumnFile::Column opened = data.open(column.name);
    column.type = opened.type;
    if (columns.size() == 1) rows = opened.rows;
    if (opened.rows != rows)
      throw InputError(fmt::format("{}: /{} has {} rows, /{} has {}; expected columns of one length", name,
                                   columns.front().name, rows, column.name, opened.rows));
  }
  return columns;
}

void check_types(const std::vector<FoundColumn>& columns, const std::string& name) {
  const auto fail = [&](size_t c, const char* expected) {
    throw InputError(fmt::format("{}: /{}: expected {}", name, columns[c].name, expected));
  };
  using hdf5::ColumnType;
  for (size_t c = 0; c < columns.size(); ++c) {
    if (columns[c].name.empty()) continue;
    const ColumnType type = columns[c].type;
    if ((c == kUser || c == kItem) && type == ColumnType::kReal) fail(c, "ids that are whole numbers or text");
    if ((c == kValue || c >= kInputs) && type == ColumnType::kText) fail(c, "numbers");
    if (c == kEvent && type != ColumnType::kText) fail(c, "kinds of events as text");
  }
}

}  // namespace

void read_hdf5(Reading& reading, const InputFile& input) {
  hdf5::ColumnFile data(input.path);
  const std::vector<ColumnWish> wishes = reading.wishes(input);
  int64_t rows = 0;
  const std::vector<FoundColumn> columns = find_columns(data, input.path, wishes, rows);
  check_types(columns, input.path);
  if (rows == 0) throw InputError(input.path + ": its columns have no rows");
  std::string found;
  for (size_t c = 0; c < columns.size(); ++c) {
    if (!columns[c].name.empty())
      found += fmt::format("{}{}=/{}", found.empty() ? "" : " ", wishes[c].what, columns[c].name);
  }
  log_info("reading", {{"file", input.path}, {"format", "hdf5"}, {"rows", rows}, {"columns", found}});

  OpenFile file{.name = input.path, .event = input.event};
  file.has_values = reading.utility || !columns[kValue].name.empty();
  file.has_times = !columns[kTime].name.empty();
  file.has_kinds = !input.event.empty() || !columns[kEvent].name.empty();
  file.time_form = columns[kTime].type == hdf5::ColumnType::kInteger ? TimeForm::kInteger
                   : columns[kTime].type == hdf5::ColumnType::kReal  ? TimeForm::kDecimal
                                                                     : TimeForm::kIso;
  if (file.has_times) file.time = columns[kTime].name;
  if (!columns[kValue].name.empty()) file.value = columns[kValue].name;
  if (reading.utility) file.value = "data.utility";
  file.user = columns[kUser].name;
  file.item = columns[kItem].name;
  file.line_mark = ": row ";

  std::vector<Block> blocks(static_cast<size_t>(reading.ctx.threads()));
  int64_t begin = 0;
  const auto next = [&](int thread) {
    Block& block = blocks[static_cast<size_t>(thread)];
    block.rows = std::min(kBlockRows, rows - begin);
    block.columns.resize(columns.size());
    for (size_t c = 0; c < columns.size() && block.rows > 0; ++c) {
      if (columns[c].name.empty()) continue;
      const auto read = [&](auto values) {
        values.resize(static_cast<size_t>(block.rows));
        data.read(columns[c].name, begin, values);
        block.columns[c] = std::move(values);
      };
      if (c == kValue || c >= kInputs || columns[c].type == hdf5::ColumnType::kReal)
        read(Reals());
      else if (columns[c].type == hdf5::ColumnType::kInteger)
        read(Integers());
      else
        read(Texts());
    }
    begin += block.rows;
    return block.rows > 0;
  };
  const Hdf5Parser parser(reading, file, columns);
  reading.read(file, next,
               [&](Piece& piece, int thread) { parser.parse(blocks[static_cast<size_t>(thread)], piece, thread); });
}

}  // namespace kindred::detail
