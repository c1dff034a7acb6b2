// SPDX-License-Identifier: Apache-2.0
// The catalogue: titles and tags of items, looked up by id.
#include "engine/data/catalogue.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <unordered_map>

#include "engine/core/error.hpp"
#include "engine/core/log.hpp"
#include "engine/data/table.hpp"

namespace kindred {
namespace {

std::vector<ColumnWish> wishes(const CatalogueColumns& names) {
  return {{"item id", "data.items.columns.id", names.id, {"id", "item", "itemid", "movieid"}, true},
          {"title", "data.items.columns.title", names.title, {"title", "name"}},
          {"tags", "data.items.columns.tags", names.tags, {"tags", "genres"}}};
}

// Calls body(reader) for each record; records of another width and what body throws name their line.
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

std::string_view field(const RecordReader& reader, const Column& column) {
  return column.index < 0 ? std::string_view() : reader.fields()[static_cast<size_t>(column.index)];
}

std::string_view text_field(const RecordReader& reader, const Column& column) {
  const std::string_view text = field(reader, column);
  if (!valid_utf8(text)) {
    throw RecordError{reader.offset(), fmt::format("{}: expected UTF-8, found '{}'; convert the file with iconv",
                                                   column.label, printable(text))};
  }
  return text;
}

// Numbers of the tag names in the order of their first appearance; sorted by bytes at the end.
class TagNames {
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

 private:
  std::map<std::string, int32_t, std::less<>> numbers_;
};

void split_tags(std::string_view text, std::string_view separator, TagNames& names, std::vector<int32_t>& tags) {
  while (!text.empty()) {
    const size_t end = separator.empty() ? text.size() : std::min(text.find(separator), text.size());
    std::string_view tag = text.substr(0, end);
    text.remove_prefix(std::min(text.size(), end + separator.size()));
    while (tag.starts_with(' ')) tag.remove_prefix(1);
    while (tag.ends_with(' ')) tag.remove_suffix(1);
    if (!tag.empty()) tags.push_back(names.number(tag));
  }
}

}  // namespace

bool catalogue_ids_are_integers(const CatalogueFile& file) {
  const Table table(file.file, wishes(file.columns));
  bool integers = true;
  for_each_record(table, [&](const RecordReader& reader) {
    int64_t value = 0;
    integers = integers && parse_canonical_integer(field(reader, table.column(0)), value);
  });
  return integers;
}

Catalogue read_catalogue(const CatalogueFile& file, const Ids& ids) {
  const Table table(file.file, wishes(file.columns));
  table.log_findings();
  const Column &id_column = table.column(0), &title_column = table.column(1), &tags_column = table.column(2);
  Catalogue catalogue;
  if (title_column.index >= 0) catalogue.titles.resize(static_cast<size_t>(ids.size()));
  TagNames tag_names;
  std::vector<std::vector<int32_t>> tags(tags_column.index >= 0 ? static_cast<size_t>(ids.size()) : 0);

  std::vector<int64_t> seen_at(static_cast<size_t>(ids.size()), -1);  // offset of the record of each id
  std::unordered_map<std::string, int64_t> others;                    // ids that have no interactions
  int64_t known = 0;
  for_each_record(table, [&](const RecordReader& reader) {
    const std::string_view id = field(reader, id_column);
    const int32_t row = ids.find(id);
    int64_t& seen =
        row >= 0 ? seen_at[static_cast<size_t>(row)] : others.try_emplace(std::string(id), -1).first->second;
    if (seen >= 0) {
      throw RecordError{reader.offset(), fmt::format("{}: expected each id once, found '{}' here and on line {}",
                                                     id_column.label, printable(id), table.line(seen))};
    }
    seen = static_cast<int64_t>(reader.offset());
    const std::string_view title = text_field(reader, title_column), tag_text = text_field(reader, tags_column);
    if (row < 0) return;
    ++known;
    if (title_column.index >= 0) catalogue.titles[static_cast<size_t>(row)] = title;
    if (tags_column.index >= 0) split_tags(tag_text, file.tag_separator, tag_names, tags[static_cast<size_t>(row)]);
  });

  if (tags_column.index >= 0) {
    auto [names, place] = tag_names.sorted();
    catalogue.tag_names = std::move(names);
    catalogue.tags.cols = static_cast<int64_t>(catalogue.tag_names.size());
    for (std::vector<int32_t>& row : tags) {
      for (int32_t& tag : row) tag = place[static_cast<size_t>(tag)];
      std::sort(row.begin(), row.end());
      row.erase(std::unique(row.begin(), row.end()), row.end());
      catalogue.tags.indices.insert(catalogue.tags.indices.end(), row.begin(), row.end());
      catalogue.tags.offsets.push_back(catalogue.tags.nnz());
    }
  }
  log_info("catalogue", {{"file", file.file.string()},
                         {"items", known},
                         {"without_interactions", static_cast<int64_t>(others.size())},
                         {"not_listed", ids.size() - known},
                         {"tags", static_cast<int64_t>(catalogue.tag_names.size())}});
  return catalogue;
}

}  // namespace kindred
