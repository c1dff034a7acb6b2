// SPDX-License-Identifier: Apache-2.0
#include "engine/data/item_tags.hpp"

#include <unordered_map>

#include "engine/core/log.hpp"
#include "engine/data/side_table.hpp"

namespace kindred {
namespace {

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

std::unordered_map<std::string, std::string> read_names(const TagsFile& file, const TextForm& text) {
  const ColumnWish wishes[] = {
      {"tag id", "data.tags.names.columns.id", file.names_id, {"id", "tag", "tagid"}, true},
      {"tag name", "data.tags.names.columns.name", file.names_name, {"name", "tagname", "tagvalue", "value"}, true}};
  const Table table(file.names, wishes, text);
  table.log_findings();
  std::unordered_map<std::string, std::string> out;
  for_each_record(table, [&](const RecordReader& reader) {
    out[std::string(field(reader, table.column(0)))] = trimmed(text_field(reader, table.column(1)));
  });
  return out;
}

}  // namespace

void add_item_tags(const TagsFile& file, const Ids& items, const TextForm& text, Catalogue& catalogue) {
  const ColumnWish wishes[] = {{"item", "data.tags.columns.item", file.item, {"item", "itemid", "movieid", "id"}, true},
                               {"tag", "data.tags.columns.tag", file.tag, {"tag", "tagid", "tags", "genre"}, true}};
  const Table table(file.file, wishes, text);
  table.log_findings();
  const auto names_of = file.names.empty() ? decltype(read_names(file, text)){} : read_names(file, text);
  Names names;
  std::vector<std::map<int32_t, int64_t>> given(static_cast<size_t>(items.size()));  // tags, and by how many rows
  int64_t rows = 0, unknown = 0;
  for_each_record(table, [&](const RecordReader& reader) {
    std::string_view tag = trimmed(text_field(reader, table.column(1)));
    if (!file.names.empty()) {
      const auto found = names_of.find(std::string(tag));
      if (found == names_of.end())
        throw RecordError{reader.offset(), fmt::format("{}: expected a tag that {} lists, found '{}'",
                                                       table.column(1).label, file.names.string(), printable(tag))};
      tag = found->second;
    }
    ++rows;
    const int32_t item = items.find(field(reader, table.column(0)));
    unknown += item < 0;
    if (item >= 0 && !tag.empty()) ++given[static_cast<size_t>(item)][names.number(tag)];
  });

  const auto [sorted, place] = names.sorted();
  std::vector<std::vector<int32_t>> tags;
  for (const auto& counts : given) {
    std::vector<std::pair<int32_t, int64_t>> order(counts.begin(), counts.end());
    std::sort(order.begin(), order.end(), [&place = place](const auto& a, const auto& b) {
      return a.second != b.second ? a.second > b.second
                                  : place[static_cast<size_t>(a.first)] < place[static_cast<size_t>(b.first)];
    });
    if (file.most > 0) order.resize(std::min(order.size(), static_cast<size_t>(file.most)));
    auto& row = tags.emplace_back();
    for (const auto& [tag, count] : order) row.push_back(tag);
  }
  for (int64_t item = 0; item < catalogue.tags.rows(); ++item)
    for (const int32_t tag : catalogue.tags.row(item))
      tags[static_cast<size_t>(item)].push_back(names.number(catalogue.tag_names[static_cast<size_t>(tag)]));
  // Names that no item kept are none.
  Names kept;
  const auto all = names.in_order();
  for (auto& row : tags) {
    for (int32_t& tag : row) tag = kept.number(*all[static_cast<size_t>(tag)]);
  }
  set_tags(std::move(tags), kept, catalogue);
  log_info("tags", {{"file", file.file.string()},
                    {"rows", rows},
                    {"of_unknown_items", unknown},
                    {"tags", static_cast<int64_t>(catalogue.tag_names.size())}});
}

}  // namespace kindred
