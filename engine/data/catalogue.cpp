// SPDX-License-Identifier: Apache-2.0
// Side tables, looked up by id.
#include "engine/data/catalogue.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <limits>
#include <numeric>
#include <unordered_map>

#include "engine/core/error.hpp"
#include "engine/core/log.hpp"
#include "engine/data/id_map.hpp"
#include "engine/data/parse.hpp"
#include "engine/data/side_table.hpp"

namespace kindred {
namespace {

// The columns of a catalogue: id, title, tags, then those that the config names, kind after kind.
class Wishes {
 public:
  Wishes(const CatalogueColumns& names, CatalogueSide side) : side_(side == CatalogueSide::kItems ? "items" : "users") {
    const bool items = side == CatalogueSide::kItems;
    add("id", names.id, items ? Usual{"id", "item", "itemid", "movieid"} : Usual{"id", "user", "userid"}, true);
    add("title", names.title, items ? Usual{"title", "name"} : Usual{"name"});
    add("tags", names.tags, {"tags", "genres"});
    for (const std::string& name : names.categorical) add("categorical", name);
    for (const std::string& name : names.numeric) add("numeric", name);
    for (const std::string& name : names.text) add("text", name);
  }
  std::span<const ColumnWish> list() const { return wishes_; }

 private:
  using Usual = std::vector<std::string_view>;
  void add(std::string_view key, const std::string& name, Usual usual = {}, bool required = false) {
    keys_.push_back(fmt::format("data.{}.columns.{}", side_, key));
    const std::string_view what = key != "id" ? key : side_ == "items" ? "item id" : "user id";
    wishes_.push_back({what, keys_.back(), name, std::move(usual), required});
  }
  std::string_view side_;
  std::deque<std::string> keys_;  // the wishes look into them
  std::vector<ColumnWish> wishes_;
};

void split_tags(std::string_view text, std::string_view separator, Names& names, std::vector<int32_t>& tags) {
  while (!text.empty()) {
    const size_t end = separator.empty() ? text.size() : std::min(text.find(separator), text.size());
    std::string_view tag = text.substr(0, end);
    text.remove_prefix(std::min(text.size(), end + separator.size()));
    while (tag.starts_with(' ')) tag.remove_prefix(1);
    while (tag.ends_with(' ')) tag.remove_suffix(1);
    if (!tag.empty()) tags.push_back(names.number(tag));
  }
}

// Columns of features while they are read.
struct Features {
  const Table& table;
  const CatalogueColumns& names;
  Catalogue& catalogue;
  std::vector<Names> words;  // of each categorical column

  Features(const Table& source, const CatalogueColumns& columns, Catalogue& target, size_t rows)
      : table(source), names(columns), catalogue(target), words(columns.categorical.size()) {
    for (const std::string& name : columns.categorical)
      target.categorical.push_back({name, {}, std::vector<int32_t>(rows, -1)});
    for (const std::string& name : columns.numeric)
      target.numeric.push_back({name, std::vector<float>(rows, std::numeric_limits<float>::quiet_NaN())});
    for (const std::string& name : columns.text) target.text.push_back({name, std::vector<std::string>(rows)});
  }

  // Takes a record's features; a row of -1 is checked alone.
  void read(const RecordReader& reader, int32_t row) {
    size_t wish = 3;
    for (size_t c = 0; c < words.size(); ++c) {
      const std::string_view word = text_field(reader, table.column(wish++));
      if (row >= 0 && !word.empty()) catalogue.categorical[c].codes[static_cast<size_t>(row)] = words[c].number(word);
    }
    for (NumericColumn& column : catalogue.numeric) {
      const Column& where = table.column(wish++);
      const std::string_view text = field(reader, where);
      if (text.empty()) continue;
      float value = 0;
      if (!parse_number(text, value)) {
        throw RecordError{reader.offset(), fmt::format("{}: expected a number or an empty field, found '{}'",
                                                       where.label, printable(text))};
      }
      if (row >= 0) column.values[static_cast<size_t>(row)] = value;
    }
    for (TextColumn& column : catalogue.text) {
      const std::string_view text = text_field(reader, table.column(wish++));
      if (row >= 0) column.texts[static_cast<size_t>(row)] = text;
    }
  }

  void finish() {
    for (size_t c = 0; c < words.size(); ++c) {
      auto [sorted, place] = words[c].sorted();
      catalogue.categorical[c].words = std::move(sorted);
      for (int32_t& code : catalogue.categorical[c].codes) {
        if (code >= 0) code = place[static_cast<size_t>(code)];
      }
    }
  }

  // "year=numeric (3 missing)"
  std::string summary() const {
    std::string out;
    const auto add = [&](const std::string& name, std::string_view kind, int64_t missing) {
      out += fmt::format("{}{}={} ({} missing)", out.empty() ? "" : " ", name, kind, missing);
    };
    for (const CategoricalColumn& column : catalogue.categorical)
      add(column.name, fmt::format("{} words", column.words.size()), std::ranges::count(column.codes, -1));
    for (const NumericColumn& column : catalogue.numeric)
      add(column.name, "numbers", std::ranges::count_if(column.values, [](float v) { return std::isnan(v); }));
    for (const TextColumn& column : catalogue.text)
      add(column.name, "text", std::ranges::count_if(column.texts, [](const auto& text) { return text.empty(); }));
    return out;
  }
};

}  // namespace

bool catalogue_ids_are_integers(const CatalogueFile& file, CatalogueSide side, const TextForm& text) {
  const Wishes wishes(file.columns, side);
  const Table table(file.file, wishes.list(), text);
  bool integers = true;
  for_each_record(table, [&](const RecordReader& reader) {
    int64_t value = 0;
    integers = integers && parse_canonical_integer(field(reader, table.column(0)), value);
  });
  return integers;
}

namespace {

void read_ids(const CatalogueFile& file, CatalogueSide side, const TextForm& text, IdMap& to) {
  const Wishes wishes(file.columns, side);
  const Table table(file.file, wishes.list(), text);
  for_each_record(table, [&](const RecordReader& reader) {
    try {
      to.number(field(reader, table.column(0)));
    } catch (const BadId& bad) {
      throw RecordError{reader.offset(), fmt::format("{}: {}", table.column(0).label, bad.message)};
    }
  });
}

}  // namespace

std::shared_ptr<const Ids> catalogue_ids(const CatalogueFile& file, CatalogueSide side, const TextForm& text) {
  IdMap ids;
  read_ids(file, side, text, ids);
  return merge_ids(std::span(&ids, 1), IdType::kAuto).ids;
}

void add_listed_items(const CatalogueFile& file, const TextForm& text, Interactions& all) {
  const IdType type = all.items->integer() ? IdType::kInteger : IdType::kString;
  IdMap maps[] = {IdMap(type), IdMap(type)};
  std::string id;
  for (int64_t item = 0; item < all.num_items(); ++item) {
    id.clear();
    all.items->append_text(item, id);
    maps[0].number(id);
  }
  read_ids(file, CatalogueSide::kItems, text, maps[1]);
  const MergedIds merged = merge_ids(maps, type);
  log_info("items that nobody has had are kept", {{"items", merged.ids->size() - all.num_items()}});
  for (int32_t& item : all.matrix.indices) item = merged.rows[0][static_cast<size_t>(item)];
  all.matrix.cols = merged.ids->size();
  all.items = merged.ids;
}

Catalogue read_catalogue(const CatalogueFile& file, const Ids& ids, CatalogueSide side, const TextForm& text) {
  const Wishes wishes(file.columns, side);
  const Table table(file.file, wishes.list(), text);
  table.log_findings();
  const Column &id_column = table.column(0), &title_column = table.column(1), &tags_column = table.column(2);
  Catalogue catalogue;
  if (title_column.index >= 0) catalogue.titles.resize(static_cast<size_t>(ids.size()));
  Names tag_names;
  std::vector<std::vector<int32_t>> tags(tags_column.index >= 0 ? static_cast<size_t>(ids.size()) : 0);
  Features features(table, file.columns, catalogue, static_cast<size_t>(ids.size()));

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
    features.read(reader, row);
    if (row < 0) return;
    ++known;
    if (title_column.index >= 0) catalogue.titles[static_cast<size_t>(row)] = title;
    if (tags_column.index >= 0) split_tags(tag_text, file.tag_separator, tag_names, tags[static_cast<size_t>(row)]);
  });

  features.finish();
  if (tags_column.index >= 0) set_tags(std::move(tags), tag_names, catalogue);
  log_info("catalogue", {{"file", file.file.string()},
                         {side == CatalogueSide::kItems ? "items" : "users", known},
                         {"without_interactions", static_cast<int64_t>(others.size())},
                         {"not_listed", ids.size() - known},
                         {"tags", static_cast<int64_t>(catalogue.tag_names.size())},
                         {"features", features.summary()}});
  return catalogue;
}

HostCsr read_friends(const FriendsFile& file, const Ids& users, const TextForm& text) {
  const ColumnWish wishes[] = {
      {"user", "data.friends.columns.user", file.user, {"user", "userid"}, true},
      {"friend", "data.friends.columns.friend", file.other, {"friend", "friendid", "other"}, true},
  };
  const Table table(file.file, wishes, text);
  table.log_findings();
  std::vector<std::pair<int32_t, int32_t>> pairs;
  int64_t rows = 0, unknown = 0;
  for_each_record(table, [&](const RecordReader& reader) {
    const std::string_view user = field(reader, table.column(0)), other = field(reader, table.column(1));
    if (user.empty() || other.empty() || user == other) {
      throw RecordError{reader.offset(),
                        fmt::format("expected two users, found '{}' and '{}'", printable(user), printable(other))};
    }
    ++rows;
    const int32_t a = users.find(user), b = users.find(other);
    if (a < 0 || b < 0) {
      ++unknown;
      return;
    }
    pairs.emplace_back(a, b);
    pairs.emplace_back(b, a);
  });
  std::sort(pairs.begin(), pairs.end());
  pairs.erase(std::unique(pairs.begin(), pairs.end()), pairs.end());
  HostCsr friends;
  friends.cols = users.size();
  friends.offsets.assign(static_cast<size_t>(users.size()) + 1, 0);
  for (const auto& [user, other] : pairs) {
    ++friends.offsets[static_cast<size_t>(user) + 1];
    friends.indices.push_back(other);
  }
  std::partial_sum(friends.offsets.begin(), friends.offsets.end(), friends.offsets.begin());
  log_info("friends", {{"file", file.file.string()},
                       {"rows", rows},
                       {"pairs", friends.nnz() / 2},
                       {"rows_with_unknown_users", unknown}});
  return friends;
}

}  // namespace kindred
