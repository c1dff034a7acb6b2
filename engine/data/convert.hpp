// SPDX-License-Identifier: Apache-2.0
// Interactions from one file format to another, streaming: csv, adjacency and hdf5 as data.format has them.
#pragma once
#include <filesystem>
#include <string>

#include "engine/data/input_files.hpp"
#include "engine/data/table.hpp"

namespace kindred {

struct ConvertOptions {
  std::filesystem::path in, out;
  std::string from{}, to{};      ///< "csv" | "adjacency" | "hdf5"; "": by the file's content, by the name's ending
  InteractionColumns columns{};  ///< of the input, as data.columns
  TextForm text{};               ///< of the input
};

struct Converted {
  int64_t rows = 0;
  std::string from, to;
};

/// csv: columns user, item and what there is of value, time, event; texts as they stand. hdf5: /user, /item (int64
/// where all are integers, else text), /value (float32), /time (int64 as they stand; ISO 8601 as Unix seconds, or
/// microseconds where a time has a fraction), /event. adjacency: a line for each user in the order of first appearance;
/// holds no values, times or events, and its rows are in memory (8 bytes each); the other formats stream. hdf5 reads
/// the input twice. Throws InputError for the first bad row.
Converted convert(const ConvertOptions& options);

}  // namespace kindred
