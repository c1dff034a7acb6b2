// SPDX-License-Identifier: Apache-2.0
// The rows of a file of interactions as texts, one after the other, whatever its format.
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "engine/data/input_files.hpp"
#include "engine/data/table.hpp"

namespace kindred {

/// What a row holds beside user and item; "" where the cell is empty or the file has no such column.
struct TextRow {
  std::string_view user, item, value, time, event;
};

class RowSource {
 public:
  virtual ~RowSource() = default;
  /// The next row, valid until the next call; false at the end. Throws InputError.
  virtual bool next(TextRow& row) = 0;
  /// Throws InputError "FILE:LINE: MESSAGE" for the row last read.
  [[noreturn]] virtual void fail(const std::string& message) const = 0;

  bool has_value = false, has_time = false, has_event = false;
};

/// format: "csv" | "adjacency" | "hdf5".
std::unique_ptr<RowSource> open_rows(const std::filesystem::path& file, const std::string& format,
                                     const InteractionColumns& columns, const TextForm& form);

}  // namespace kindred
