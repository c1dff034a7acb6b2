// SPDX-License-Identifier: Apache-2.0
// Files of interactions to rows of numbers. Pieces of a file are handed to the threads in order; each thread numbers
// ids for itself, so that no lock stands in the way. build.hpp makes a matrix of the rows.
#pragma once
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "engine/data/dataset.hpp"
#include "engine/data/id_map.hpp"
#include "kernels/context.hpp"

namespace kindred {

/// The rows of one piece of a file, in the file's order. `users` and `items` are numbers of the reading thread's maps.
struct RowBlock {
  int thread = 0;
  std::vector<int32_t> users, items;
  std::vector<float> values;   ///< empty: no file has values
  std::vector<int64_t> times;  ///< microseconds since 1970, or kNoTime; empty: no file has times
  std::vector<uint8_t> kinds;  ///< index into RawRows::kind_names; empty: no file has kinds of events
};

struct RawRows {
  std::deque<RowBlock> blocks;
  std::vector<IdMap> users, items;      ///< one a thread
  std::vector<std::string> kind_names;  ///< ascending by bytes
  bool has_values = false, has_times = false, has_kinds = false;
  int64_t count = 0;                  ///< rows
  std::vector<RejectedRow> rejected;  ///< with bad_rows = quarantine, in the order of the files
  std::string first_negative;         ///< where the first value below 0 stands: "ratings.csv:17: rating: -1"
};

/// What a table of interactions is looked through for: user, item, value, time, event. A name of "0" says that there is
/// none, whatever the columns are called.
std::vector<ColumnWish> interaction_wishes(const InteractionColumns& names);

/// Reads files in options.format, one after the other. An empty cell of values counts 1, of times kNoTime; with
/// options.utility its expression gives the values. Throws InputError for the first bad row of the files, or, where
/// bad rows are set aside, where no row is left.
RawRows read_rows(Context& ctx, const InputFiles& files, const DataOptions& options);

}  // namespace kindred
