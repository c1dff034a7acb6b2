// SPDX-License-Identifier: Apache-2.0
// Columns in HDF5 files from anywhere: one-dimensional datasets in the root (and tables, of two dimensions), as h5py,
// pyarrow or R write them; numbers of any width and byte order, text of fixed or variable length, any layout and filter
// that the library reads. Unlike Reader, which takes Kindred's own files alone and trusts none.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace kindred::hdf5 {

enum class ColumnType : uint8_t { kInteger, kReal, kText };

class ColumnFile {
 public:
  /// Throws InputError: no such file, not HDF5, damaged.
  explicit ColumnFile(const std::filesystem::path& path);
  ~ColumnFile();

  const std::filesystem::path& path() const { return path_; }
  /// The root's datasets, ascending.
  const std::vector<std::string>& names() const { return names_; }

  struct Column {
    ColumnType type = ColumnType::kInteger;
    int64_t rows = 0, cols = 1;
  };
  /// Opens a dataset. Throws InputError "FILE: NAME: …" for one that is no such column.
  Column open(const std::string& name) { return open(name, 1); }
  /// The same for a dataset of two dimensions; reading takes whole rows.
  Column open_table(const std::string& name) { return open(name, 2); }
  /// Rows from `begin` on, of a column that is open. Reals are taken where integers are, never the other way round.
  void read(const std::string& name, int64_t begin, std::span<int64_t> to) const;
  void read(const std::string& name, int64_t begin, std::span<double> to) const;
  void read(const std::string& name, int64_t begin, std::span<std::string> to) const;

 private:
  Column open(const std::string& name, int dimensions);
  [[noreturn]] void fail(const std::string& name, const std::string& problem) const;
  struct Impl;
  std::unique_ptr<Impl> impl_;
  std::filesystem::path path_;
  std::vector<std::string> names_;
};

}  // namespace kindred::hdf5
