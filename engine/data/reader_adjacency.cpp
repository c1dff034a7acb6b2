// SPDX-License-Identifier: Apache-2.0
// Lines "user item item …", parted by spaces or tabs, to rows.
#include "engine/core/error.hpp"
#include "engine/core/log.hpp"
#include "engine/data/reader_detail.hpp"
#include "engine/data/text_stream.hpp"

namespace kindred::detail {
namespace {

constexpr size_t kPieceBytes = size_t{4} << 20;

bool blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

// The next word of a line, "" at its end.
std::string_view next_word(std::string_view& line) {
  while (!line.empty() && blank(line.front())) line.remove_prefix(1);
  size_t size = 0;
  while (size < line.size() && !blank(line[size])) ++size;
  const std::string_view word = line.substr(0, size);
  line.remove_prefix(size);
  return word;
}

void parse(Reading& reading, const OpenFile& file, std::string_view text, Piece& piece, int thread) {
  RowTaker rows(reading, file, piece, thread);
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    std::string_view rest = line;
    Row<std::string_view> row;
    row.user = next_word(rest);
    row.kind = file.event;
    try {
      if (!row.user.empty()) rows.add_user(row.user);  // one without items is a user too
      while (!(row.item = next_word(rest)).empty()) rows.add(row, piece.lines);
    } catch (const BadRow& bad) {
      if (!rows.reject(piece.lines, bad.reason, line)) return;
    }
    piece.lines += end < text.size();
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

}  // namespace

void read_adjacency(Reading& reading, const InputFile& input) {
  if (reading.utility)
    throw InputError("data.utility: format \"adjacency\" has no columns to reckon with; use csv or hdf5");
  TextStream stream(input.path, reading.options.text.encoding);
  log_info("reading", {{"file", stream.name()}, {"format", "adjacency"}});
  OpenFile file{.name = stream.name(), .event = input.event};
  file.has_kinds = !input.event.empty();
  PieceReader pieces(stream, {"\n", false}, kPieceBytes);
  std::vector<TextBuffer> buffers(static_cast<size_t>(reading.ctx.threads()));
  const int64_t before = reading.rows.count;
  reading.read(
      file, [&](int thread) { return pieces.next(buffers[static_cast<size_t>(thread)]); },
      [&](Piece& piece, int thread) {
        parse(reading, file, buffers[static_cast<size_t>(thread)].view(), piece, thread);
      });
  if (reading.rows.count == before)
    throw InputError(stream.name() + ": no line has an item; expected lines 'user item item …'");
}

}  // namespace kindred::detail
