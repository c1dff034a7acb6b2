// SPDX-License-Identifier: Apache-2.0
// Where lists go: a table on stdout, CSV, JSON lines, HDF5, SQLite. Every target is whole or untouched.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/core/catalogue.hpp"
#include "engine/core/error.hpp"
#include "engine/core/ids.hpp"

namespace kindred {

/// The lists of some queries, in order. Items are rows of the item ids.
struct ListBatch {
  std::span<const std::string> queries;  ///< ids (or typed names) of the users or items asked for
  std::span<const int32_t> query_rows;   ///< their rows, -1 where not in the model; for HDF5
  int k = 0;
  std::span<const int32_t> items;  ///< queries x k, -1 padded
  std::span<const float> scores;
  std::span<const std::string> because;  ///< queries x k ("260;1196"); empty: no such column
};

struct SinkInfo {
  std::string query_column = "user";     ///< "user" | "query"
  const Ids* items = nullptr;            ///< of the results
  const Catalogue* catalogue = nullptr;  ///< titles; null or empty: no such column
  bool because = false;
  std::string model, content_hash;  ///< for SQLite's generations
  int64_t expected_queries = 0;
};

class ListSink {
 public:
  virtual ~ListSink() = default;
  virtual void write(const ListBatch& batch) = 0;
  /// Makes the result visible. Without it nothing is left.
  virtual void finish() = 0;
};

/// A file for lists: its form, "csv" | "json" | "h5" | "sqlite", and where it is.
struct ListFile {
  std::string form;
  std::filesystem::path path;
  std::string text() const { return form + ":" + path.string(); }
};

/// FILE.csv, FILE.json, FILE.h5, whose ending tells the form, or csv:FILE, json:FILE, h5:FILE, sqlite:FILE. Throws
/// InputError, without a place, for a text that is none of these.
ListFile parse_list_file(const std::string& text);

/// target: "-" (standard output) with format "table" | "csv" | "json", or as parse_list_file has it. Memory: one batch,
/// and for HDF5 the queries' ids. Throws InputError for a target that is none of these, a file that is no database, a
/// database with other tables of these names.
std::unique_ptr<ListSink> open_sink(const std::string& target, const std::string& format, const SinkInfo& info);

}  // namespace kindred
