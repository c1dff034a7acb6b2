// SPDX-License-Identifier: Apache-2.0
// Delimited files. The first byte chooses how they are read, the rest is the file: reading it ends in rows or in one
// line of error; and records are the same whether a text is read whole or in pieces.
#include <cstdint>
#include <vector>

#include "engine/core/error.hpp"
#include "engine/data/csv.hpp"
#include "engine/data/dataset.hpp"
#include "engine/data/text_stream.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace kindred::fuzz {
namespace {

using Records = std::vector<std::vector<std::string>>;

// Appends the records of `text`; false where one is malformed.
bool read_records(std::string_view text, const Dialect& dialect, Records& out) {
  RecordReader reader(text, dialect);
  try {
    while (reader.next()) out.emplace_back(reader.fields().begin(), reader.fields().end());
  } catch (const RecordError& error) {
    check(error.offset <= text.size() && !error.message.empty(), "an error has a place in the text and a message");
    return false;
  }
  return true;
}

void check_pieces(const MemoryFile& file, const Dialect& dialect) {
  try {
    TextStream stream(file.path(), Encoding::kUtf8);
    if (stream.compressed()) return;
    const std::string text(stream.head());
    Records whole, in_pieces;
    if (!read_records(text, dialect, whole)) return;
    PieceReader pieces(stream, dialect, 16);
    std::string joined;
    for (TextBuffer piece; pieces.next(piece); joined += piece.view())
      check(read_records(piece.view(), dialect, in_pieces), "pieces are sound");
    check(joined == text, "pieces cover the text");
    check(whole == in_pieces, "pieces have the records of the whole");
  } catch (const InputError& error) {
    check_message(error);
  }
}

void read(std::string_view text, uint8_t choice) {
  static const char* const kIdTypes[] = {"auto", "string", "integer", "auto"};
  const MemoryFile file(text);
  DataOptions data;
  data.interactions = file.path();
  data.format = choice & 1 ? "adjacency" : "csv";
  data.id_type = kIdTypes[choice >> 1 & 3];
  if (choice & 8) data.columns = {"1", "2", "3", "4", ""};
  if (choice & 16) {
    data.items.file = file.path();
    data.items.columns = {"1", "2", "3"};
  }
  SplitOptions split;
  split.protocol = choice & 32 ? "random" : "none";
  try {
    const PreparedData out = prepare(data, split, 1, 1);
    check(out.train.num_users() > 0 && out.train.num_items() > 0, "what was read has users and items");
  } catch (const InputError& error) {
    check_message(error);
  }
}

}  // namespace
}  // namespace kindred::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace kindred;
  if (size == 0) return 0;
  fuzz::be_quiet();
  static const char* const kDelimiters[] = {",", "\t", ";", "::"};
  const uint8_t choice = bytes[0];
  const std::string_view text(reinterpret_cast<const char*>(bytes) + 1, size - 1);
  fuzz::check_pieces(fuzz::MemoryFile(text), {kDelimiters[choice >> 6], (choice & 2) != 0});
  fuzz::read(text, choice);
  return 0;
}
