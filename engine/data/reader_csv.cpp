// SPDX-License-Identifier: Apache-2.0
// Delimited text to rows.
#include <fmt/format.h>

#include <array>

#include "engine/core/error.hpp"
#include "engine/data/reader_detail.hpp"
#include "engine/data/text_stream.hpp"

namespace kindred::detail {
namespace {

constexpr size_t kPieceBytes = size_t{4} << 20;

// How the first time that can be read is written.
TimeForm first_time_form(std::string_view head, const Layout& layout) {
  constexpr int kMostRows = 1000;
  const auto index = static_cast<size_t>(layout.columns[kTime].index);
  RecordReader reader(head.substr(layout.records), layout.dialect);
  for (int row = 0; row < kMostRows; ++row) {
    try {
      if (!reader.next()) break;
    } catch (const RecordError&) {
      reader.skip_line();
      continue;
    }
    if (reader.fields().size() <= index) continue;
    const std::string_view field = reader.fields()[index];
    const TimeForm form = time_form(field);
    int64_t time = 0;
    if (parse_time(field, form, time)) return form;
  }
  return TimeForm::kInteger;
}

/// The columns of a file and the records of its pieces.
class CsvParser {
 public:
  CsvParser(Reading& reading, const OpenFile& file, const Layout& layout)
      : reading_(reading), file_(file), layout_(layout) {}

  void parse(std::string_view text, Piece& piece, int thread) const {
    piece.lines = count_lines(text);
    RowTaker rows(reading_, file_, piece, thread);
    rows.reserve(static_cast<size_t>(piece.lines) + 1);
    RecordReader reader(text, layout_.dialect);
    std::vector<double> inputs(layout_.columns.size() - kInputs);
    Lines lines{text};
    for (;;) {
      std::string reason;
      try {
        if (!reader.next()) break;
        take(reader, inputs, rows, piece, lines);
        continue;
      } catch (const RecordError& error) {
        reason = error.message;
        reader.skip_line();
      } catch (const BadRow& bad) {
        reason = bad.reason;
      }
      std::string_view record = text.substr(reader.offset(), reader.end() - reader.offset());
      while (record.ends_with('\n') || record.ends_with('\r')) record.remove_suffix(1);
      if (!rows.reject(lines.at(reader.offset()), std::move(reason), record)) return;
    }
  }

 private:
  /// Line numbers of ascending offsets.
  struct Lines {
    std::string_view text;
    size_t offset = 0;
    int64_t line = 0;
    int64_t at(size_t wanted) {
      line += count_lines(text.substr(offset, wanted - offset));
      offset = wanted;
      return line;
    }
  };

  void take(const RecordReader& reader, std::vector<double>& inputs, RowTaker& rows, Piece& piece, Lines& lines) const {
    const std::span<const std::string_view> fields = reader.fields();
    if (fields.size() != layout_.width)
      throw BadRow{
          fmt::format("expected {} fields, found {}{}", layout_.width, fields.size(),
                      layout_.dialect.quotes && fields.size() > layout_.width
                          ? fmt::format("; a field with '{}' in it needs double quotes", layout_.dialect.delimiter)
                          : "")};
    const auto field = [&](const Column& column) { return fields[static_cast<size_t>(column.index)]; };
    Row<std::string_view> row{field(layout_.columns[kUser]), field(layout_.columns[kItem])};
    if (reading_.utility) {
      for (size_t i = 0; i < inputs.size(); ++i) {
        const Column& column = layout_.columns[kInputs + i];
        inputs[i] = 0;
        if (!field(column).empty() && !parse_number(field(column), inputs[i])) not_a_number(column, field(column));
      }
      row.value = rows.evaluate(inputs);
    } else if (const Column& column = layout_.columns[kValue]; column.index >= 0) {
      if (field(column).empty())
        ++piece.empty_values;
      else if (!parse_number(field(column), row.value))
        not_a_number(column, field(column));
    }
    if (const Column& column = layout_.columns[kTime]; column.index >= 0) {
      if (field(column).empty())
        ++piece.empty_times;
      else if (!parse_time(field(column), file_.time_form, row.time))
        not_a_time(column, field(column));
    }
    if (layout_.columns[kEvent].index >= 0)
      row.kind = field(layout_.columns[kEvent]);
    else
      row.kind = file_.event;
    if (row.value >= 0 || piece.first_negative)
      rows.add(row, 0);
    else
      rows.add(row, lines.at(reader.offset()));
  }

  [[noreturn]] static void not_a_number(const Column& column, std::string_view field) {
    throw BadRow{fmt::format("{}: expected a number, found '{}'", column.label, printable(field))};
  }
  [[noreturn]] void not_a_time(const Column& column, std::string_view field) const {
    const char* expected = file_.time_form == TimeForm::kIso       ? "an ISO 8601 time"
                           : file_.time_form == TimeForm::kInteger ? "a Unix time in whole numbers"
                                                                   : "a Unix time";
    throw BadRow{
        fmt::format("{}: expected {} as in the first row, found '{}'", column.label, expected, printable(field))};
  }

  Reading& reading_;
  const OpenFile& file_;
  const Layout& layout_;
};

}  // namespace

void read_csv(Reading& reading, const InputFile& input) {
  TextStream stream(input.path, reading.options.text.encoding);
  const std::vector<ColumnWish> wishes = reading.wishes(input);
  const Layout layout = find_layout(stream.head(), stream.name(), wishes, reading.options.text.quote);
  layout.log(stream.name(), wishes);
  OpenFile file{.name = stream.name(), .event = input.event};
  file.has_values = reading.utility || layout.columns[kValue].index >= 0;
  file.has_times = layout.columns[kTime].index >= 0;
  file.has_kinds = !input.event.empty() || layout.columns[kEvent].index >= 0;
  file.user = layout.columns[kUser].label;
  file.item = layout.columns[kItem].label;
  file.value = reading.utility ? "data.utility" : layout.columns[kValue].label;
  file.time = layout.columns[kTime].label;
  file.kind = input.event.empty() ? layout.columns[kEvent].label : "event";
  file.first_line = layout.line;
  if (file.has_times) file.time_form = first_time_form(stream.head(), layout);

  stream.skip(layout.records);
  PieceReader pieces(stream, layout.dialect, kPieceBytes);
  std::vector<TextBuffer> buffers(static_cast<size_t>(reading.ctx.threads()));
  const CsvParser parser(reading, file, layout);
  reading.read(
      file, [&](int thread) { return pieces.next(buffers[static_cast<size_t>(thread)]); },
      [&](Piece& piece, int thread) { parser.parse(buffers[static_cast<size_t>(thread)].view(), piece, thread); });
}

}  // namespace kindred::detail
