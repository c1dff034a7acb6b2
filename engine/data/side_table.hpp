// SPDX-License-Identifier: Apache-2.0
// What the readers of side tables share: records with the line of what is wrong in them, and names as numbers.
#pragma once
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/core/catalogue.hpp"
#include "engine/core/error.hpp"
#include "engine/core/utf8.hpp"
#include "engine/data/table.hpp"

namespace kindred {

/// Calls body(reader) for each record; records of another width and what body throws name their line.
template <class Body>
void for_each_record(const Table& table, Body&& body) {
  RecordReader reader(table.records(), table.dialect());
  try {
    while (reader.next()) {
      if (reader.fields().size() != table.width()) {
        throw RecordError{reader.offset(),
                          fmt::format("expected {} fields, found {}", table.width(), reader.fields().size())};
      }
      body(reader);
    }
  } catch (const RecordError& error) {
    table.fail(error.offset, error.message);
  }
}

inline std::string_view field(const RecordReader& reader, const Column& column) {
  return column.index < 0 ? std::string_view() : reader.fields()[static_cast<size_t>(column.index)];
}

inline std::string_view text_field(const RecordReader& reader, const Column& column) {
  const std::string_view text = field(reader, column);
  if (!valid_utf8(text)) {
    throw RecordError{reader.offset(), fmt::format("{}: expected UTF-8, found '{}'; set data.encoding = \"latin-1\" "
                                                   "where the files are, or convert this one with iconv",
                                                   column.label, printable(text))};
  }
  return text;
}

/// Numbers of names in the order of their first appearance; sorted by bytes at the end.
class Names {
 public:
  int32_t number(std::string_view name) {
    const auto known = numbers_.find(name);
    if (known != numbers_.end()) return known->second;
    return numbers_.emplace(name, static_cast<int32_t>(numbers_.size())).first->second;
  }
  /// The names in ascending order, and the place of each number among them.
  std::pair<std::vector<std::string>, std::vector<int32_t>> sorted() const {
    std::vector<std::string> names;
    std::vector<int32_t> place(numbers_.size());
    for (const auto& [name, number] : numbers_) {
      place[static_cast<size_t>(number)] = static_cast<int32_t>(names.size());
      names.push_back(name);
    }
    return {std::move(names), std::move(place)};
  }

  /// By number; valid while this lives.
  std::vector<const std::string*> in_order() const {
    std::vector<const std::string*> out(numbers_.size());
    for (const auto& [name, number] : numbers_) out[static_cast<size_t>(number)] = &name;
    return out;
  }

 private:
  std::map<std::string, int32_t, std::less<>> numbers_;
};

/// The tags of each row, as numbers of `names`, become the catalogue's; a tag that a row has twice counts once.
inline void set_tags(std::vector<std::vector<int32_t>> rows, const Names& names, Catalogue& catalogue) {
  auto [sorted, place] = names.sorted();
  catalogue.tag_names = std::move(sorted);
  catalogue.tags = {};
  catalogue.tags.cols = static_cast<int64_t>(catalogue.tag_names.size());
  for (std::vector<int32_t>& row : rows) {
    for (int32_t& tag : row) tag = place[static_cast<size_t>(tag)];
    std::sort(row.begin(), row.end());
    row.erase(std::unique(row.begin(), row.end()), row.end());
    catalogue.tags.indices.insert(catalogue.tags.indices.end(), row.begin(), row.end());
    catalogue.tags.offsets.push_back(catalogue.tags.nnz());
  }
}

}  // namespace kindred
