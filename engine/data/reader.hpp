// SPDX-License-Identifier: Apache-2.0
// Interaction files to rows of numbers, in parallel: one map of the file, pieces cut at record borders, ids numbered by
// each thread for itself. build.hpp makes a matrix of them.
#pragma once
#include <cstdint>
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
  std::vector<float> values;   ///< empty: the file has no value column
  std::vector<int64_t> times;  ///< microseconds since 1970; empty: no time column
  std::vector<uint8_t> kinds;  ///< index into RawRows::kind_names; empty: no event column
};

struct RawRows {
  std::vector<RowBlock> blocks;
  std::vector<IdMap> users, items;      ///< one a thread
  std::vector<std::string> kind_names;  ///< ascending by bytes
  bool has_values = false, has_times = false, has_kinds = false;
  int64_t count = 0;  ///< rows
};

/// Reads a file in options.format. Throws InputError for the first bad record of the file.
RawRows read_rows(Context& ctx, const std::filesystem::path& path, const DataOptions& options);

}  // namespace kindred
