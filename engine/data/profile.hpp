// SPDX-License-Identifier: Apache-2.0
// A first look at a file: its form, and what the first rows of each column hold. guess.hpp says what they may mean.
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace kindred {

/// What the rows seen hold in one column.
struct ColumnProfile {
  std::string name;                                    ///< the header's; "" without one
  int64_t empty = 0;                                   ///< cells without text
  int64_t numbers = 0, whole_numbers = 0, halves = 0;  ///< cells that are numbers, integers, multiples of 0.5
  int64_t decimal_commas = 0;                          ///< cells like "3,5"
  int64_t iso_times = 0;
  int64_t bars = 0;                         ///< cells with '|' in them
  double low = 0, high = 0, median = 0;     ///< of the numbers
  std::map<std::string, int64_t> counts{};  ///< how often each text occurs
  std::string first{};                      ///< the first cell that is not empty
  int64_t distinct() const { return static_cast<int64_t>(counts.size()); }
};

enum class FileForm : uint8_t { kTable, kAdjacency, kHdf5 };
/// As data.format names it: "csv", "adjacency", "hdf5".
std::string format_of(FileForm form);

struct FileProfile {
  std::filesystem::path file{};
  FileForm form = FileForm::kTable;
  std::string delimiter{};  ///< "," "\t" ";" "|" "::"; of tables
  bool header = false;
  bool latin1 = false;         ///< not UTF-8
  bool whole = false;          ///< all rows were seen
  int64_t rows = 0;            ///< seen
  int64_t rows_estimated = 0;  ///< in the file, from its size; 0: unknown (compressed)
  std::vector<ColumnProfile> columns{};
};

/// Looks at the header and at most `most` rows. Throws InputError where the file cannot be read, is empty or no table.
FileProfile profile_file(const std::filesystem::path& file, int64_t most = 10'000);

/// The form alone, by the first lines.
FileForm find_form(const std::filesystem::path& file);

}  // namespace kindred
