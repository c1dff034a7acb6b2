// SPDX-License-Identifier: Apache-2.0
// What the readers of the formats share: the threads that take pieces of a file, and how a row gets into a block.
#pragma once
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/data/expression.hpp"
#include "engine/data/parse.hpp"
#include "engine/data/reader.hpp"
#include "engine/data/table.hpp"

namespace kindred::detail {

/// Kinds of events in the order in which one thread met them. They are few: a search through all is fast.
struct KindNames {
  std::vector<std::string> names;
  /// Throws BadId for what cannot be a kind.
  uint8_t number(std::string_view name);
};

/// A row worth a word: its line within its piece, from 0, and what to say.
struct RowNote {
  int64_t line = 0;
  std::string reason;
  std::string text{};  ///< the row itself
};

/// One piece in work: filled by the format's reader.
struct Piece {
  RowBlock* rows = nullptr;
  int64_t lines = 0;
  int64_t empty_values = 0, empty_times = 0;
  int64_t largest_time = 0;  ///< by magnitude
  std::vector<RowNote> rejected{};
  std::optional<RowNote> first_negative{}, failure{};
};

/// A file being read.
struct OpenFile {
  std::string name;
  std::string event{};  ///< of all rows; "": in a column
  bool has_values = false, has_times = false, has_kinds = false;
  TimeForm time_form = TimeForm::kInteger;
  /// What the parts of a row are called in messages.
  std::string user = "user", item = "item", value = "value", time = "time", kind = "event";
  int64_t first_line = 1;       ///< of the first piece
  const char* line_mark = ":";  ///< between the file's name and a line: "ratings.csv:17"
};

/// What has been read so far, over all files.
struct Reading {
  Context& ctx;
  const DataOptions& options;
  std::optional<Expression> utility{};
  RawRows rows{};
  std::vector<KindNames> kinds{};             ///< one a thread
  std::string with_kinds{}, without_kinds{};  ///< names of files

  /// The columns that a file may have; those of the utility at the end.
  std::vector<ColumnWish> wishes(const InputFile& file) const;
  /// Takes the pieces of a file: next(thread) fetches one, under a lock, false at the end; parse(piece, thread) works
  /// on it. Throws the first failure in the order of the file.
  void read(const OpenFile& file, const std::function<bool(int thread)>& next,
            const std::function<void(Piece& piece, int thread)>& parse);
};

/// The places of wishes().
enum Wish : size_t { kUser, kItem, kValue, kTime, kEvent, kInputs };

/// The fields of a row; `Id` is text or a whole number.
template <class Id>
struct Row {
  Id user{}, item{};
  float value = 1;
  int64_t time = kNoTime;
  std::string_view kind{};
};

/// Why a row is bad, with the label of what is.
struct BadRow {
  std::string reason;
};

/// Rows on their way into the block of a piece.
class RowTaker {
 public:
  RowTaker(Reading& reading, const OpenFile& file, Piece& piece, int thread);
  /// Memory for `rows` more.
  void reserve(size_t rows);
  /// Adds all of a row, or throws BadRow. `line`: within the piece.
  template <class Id>
  void add(const Row<Id>& row, int64_t line);
  /// Adds a user without a row. Throws BadRow.
  void add_user(std::string_view user);
  /// The value of the utility over its columns. Throws BadRow where it is no finite float.
  float evaluate(std::span<const double> inputs) const;
  /// Sets a bad row aside; false where it ends the reading instead.
  bool reject(int64_t line, std::string reason, std::string_view text);

 private:
  template <class Id>
  int32_t number(IdMap& map, const Id& id, const std::string& label);

  Reading& reading_;
  const OpenFile& file_;
  Piece& piece_;
  IdMap &users_, &items_;
  KindNames& kinds_;
  bool quarantine_;
};

void read_csv(Reading& reading, const InputFile& file);
void read_adjacency(Reading& reading, const InputFile& file);
void read_hdf5(Reading& reading, const InputFile& file);

}  // namespace kindred::detail
