// SPDX-License-Identifier: Apache-2.0
#include "apps/topk/inputs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <utility>

#include "engine/core/error.hpp"
#include "engine/core/file.hpp"
#include "engine/core/log.hpp"
#include "engine/data/parse.hpp"
#include "engine/recommend/titles.hpp"

namespace kindred {
namespace {

const ColumnWish kUser{"user", "user", "", {"user", "userid"}, true};
const ColumnWish kItem{"item", "item", "", {"item", "itemid", "movieid"}, true};
const ColumnWish kValue{"value", "value", "", {"value", "rating", "count"}, false};

/// Rows of a matrix under construction: entries of (column, value) in any order, the last of a repeated column counts.
using Row = std::vector<std::pair<int32_t, float>>;

void append_row(HostCsr& matrix, Row row) {
  std::ranges::stable_sort(row, {}, &Row::value_type::first);
  const auto begin = static_cast<int64_t>(matrix.indices.size());
  for (const auto& [column, value] : row) {
    if (matrix.nnz() > begin && matrix.indices.back() == column) {
      matrix.values.back() = value;
    } else {
      matrix.indices.push_back(column);
      matrix.values.push_back(value);
    }
  }
  matrix.offsets.push_back(matrix.nnz());
}

/// Gathers the rows of a file by name, in the order of first lines.
class Groups {
 public:
  Row& of(std::string_view name) {
    const auto [place, added] = places_.try_emplace(std::string(name), rows_.size());
    if (added) {
      names.emplace_back(name);
      rows_.emplace_back();
    }
    return rows_[place->second];
  }
  HostCsr matrix(int64_t cols) {
    HostCsr out;
    out.cols = cols;
    for (Row& row : rows_) append_row(out, std::move(row));
    return out;
  }
  std::vector<std::string> names;

 private:
  std::unordered_map<std::string, size_t> places_;
  std::vector<Row> rows_;
};

/// Looks items up by id, else by title; the titles are gone through where the first one is needed.
class ItemLookup {
 public:
  explicit ItemLookup(const FittedModel& model) : model_(model) {}

  int32_t operator()(const std::string& name) {
    if (const int32_t row = model_.items->find(name); row >= 0) return row;
    if (model_.catalogue.titles.empty())
      throw InputError(fmt::format("--items: '{}' is no item's id, and the model has no titles", printable(name)));
    if (!titles_) titles_.emplace(model_.catalogue.titles);
    const auto matches = titles_->find(name, 1);
    if (matches.empty()) throw InputError("--items: " + no_title_like(*titles_, model_.catalogue.titles, name));
    const auto row = matches[0].item;
    std::fprintf(stderr, "'%s' is taken as %s: %s\n", printable(name).c_str(), model_.items->text(row).c_str(),
                 model_.catalogue.titles[static_cast<size_t>(row)].c_str());
    return row;
  }

 private:
  const FittedModel& model_;
  std::optional<TitleIndex> titles_;
};

/// Tags by name; each argument is one tag, or several with commas between.
std::vector<int32_t> tags_of(const Catalogue& catalogue, const std::vector<std::string>& arguments,
                             const char* option) {
  const auto& names = catalogue.tag_names;
  std::vector<int32_t> out;
  const auto add = [&](const std::string& name) {
    const auto found = std::ranges::lower_bound(names, name);
    if (found == names.end() || *found != name)
      throw InputError(fmt::format("{}: no item has the tag '{}'{}", option, printable(name),
                                   names.empty() ? "; the model has no tags" : did_you_mean(name, names)));
    out.push_back(static_cast<int32_t>(found - names.begin()));
  };
  for (const auto& argument : arguments) {
    if (std::ranges::binary_search(names, argument))
      add(argument);
    else
      std::ranges::for_each(split_list(argument, option), add);
  }
  return out;
}

/// Lines `item` or `user,item`; a first line of these words is a header.
void read_exclusions(const FittedModel& model, const std::string& file, Unwanted& to) {
  const MappedFile mapped(file);
  RecordReader reader(mapped.view(), {});
  int64_t unknown = 0;
  bool first = true;
  try {
    while (reader.next()) {
      const auto fields = reader.fields();
      if (fields.size() > 2)
        throw RecordError{reader.offset(), fmt::format("expected item or user,item, found {} fields", fields.size())};
      if (std::exchange(first, false) && fields.back() == "item" && (fields.size() == 1 || fields[0] == "user"))
        continue;
      const int32_t item = model.items->find(fields.back());
      unknown += item < 0;
      if (item < 0) continue;
      if (fields.size() == 1)
        to.allowed[static_cast<size_t>(item)] = 0;
      else
        to.pairs.emplace_back(fields[0], item);
    }
  } catch (const RecordError& error) {
    throw InputError(
        fmt::format("{}:{}: {}", file, count_lines(mapped.view().substr(0, error.offset)) + 1, error.message));
  }
  std::ranges::sort(to.pairs);
  to.pairs.erase(std::unique(to.pairs.begin(), to.pairs.end()), to.pairs.end());
  if (unknown > 0) log_info("items to exclude that the model does not know", {{"items", unknown}});
}

}  // namespace

void for_each_row(const Table& table, size_t wishes,
                  const std::function<void(std::span<const std::string_view>, size_t)>& visit) {
  RecordReader reader(table.records(), table.dialect());
  std::vector<std::string_view> wanted(wishes);
  try {
    while (reader.next()) {
      const auto fields = reader.fields();
      if (fields.size() != table.width())
        table.fail(reader.offset(), fmt::format("expected {} fields, found {}", table.width(), fields.size()));
      for (size_t w = 0; w < wishes; ++w) {
        const int column = table.column(w).index;
        wanted[w] = column < 0 ? std::string_view() : fields[static_cast<size_t>(column)];
      }
      visit(wanted, reader.offset());
    }
  } catch (const RecordError& error) {
    table.fail(error.offset, error.message);
  }
}

void for_each_pair(const std::string& file, const std::function<void(std::string_view, std::string_view)>& visit) {
  const std::vector<ColumnWish> wishes{kUser, kItem};
  const Table table(file, wishes);
  for_each_row(table, wishes.size(), [&](auto fields, size_t) { visit(fields[0], fields[1]); });
}

std::vector<std::string> split_list(const std::string& text, const char* option) {
  std::vector<std::string> out;
  size_t begin = 0;
  while (begin <= text.size()) {
    const size_t comma = std::min(text.find(',', begin), text.size());
    std::string entry = text.substr(begin, comma - begin);
    begin = comma + 1;
    if (entry.starts_with('@')) {
      const std::string lines = read_file(entry.substr(1));
      for (size_t at = 0; at < lines.size();) {
        const size_t end = std::min(lines.find('\n', at), lines.size());
        std::string line = lines.substr(at, end - at);
        if (line.ends_with('\r')) line.pop_back();
        if (!line.empty()) out.push_back(std::move(line));
        at = end + 1;
      }
    } else if (!entry.empty()) {
      out.push_back(std::move(entry));
    }
  }
  if (out.empty())
    throw InputError(std::string(option) + ": names nobody and nothing; expected ids with commas between");
  return out;
}

People people(const FittedModel& model, const std::vector<std::string>& names, const char* option,
              const std::string& unknown) {
  People out;
  int64_t skipped = 0, popular = 0;
  const Ids& ids = *model.users;
  for (const auto& name : names) {
    const int32_t row = ids.find(name);
    if (row < 0 && unknown == "error")
      throw InputError(
          fmt::format("{}: user '{}' is not in the model ({} users, from '{}' to '{}'); --history answers "
                      "for people who are not in it, --unknown passes over them",
                      option, printable(name), ids.size(), ids.size() > 0 ? printable(ids.text(0)) : "",
                      ids.size() > 0 ? printable(ids.text(ids.size() - 1)) : ""));
    if (row < 0 && unknown == "skip") {
      ++skipped;
      continue;
    }
    popular += row < 0;
    out.names.push_back(name);
    out.rows.push_back(row);
  }
  if (skipped > 0) log_warning("users who are not in the model were left out", {{"users", skipped}});
  if (popular > 0) log_warning("users who are not in the model get what is popular", {{"users", popular}});
  return out;
}

std::vector<int32_t> items_of(const FittedModel& model, const std::vector<std::string>& arguments) {
  std::vector<int32_t> rows;
  ItemLookup item_of(model);
  for (const auto& argument : arguments) {
    const auto& titles = model.catalogue.titles;
    const auto exact = std::ranges::find(titles, argument);  // a title may hold commas
    if (exact != titles.end())
      rows.push_back(static_cast<int32_t>(exact - titles.begin()));
    else
      for (const auto& name : split_list(argument, "--items")) rows.push_back(item_of(name));
  }
  return rows;
}

Histories histories_of(const FittedModel& model, const std::string& text) {
  Groups groups;
  int64_t unknown = 0;
  if (text.starts_with('@')) {
    ColumnWish user = kUser;
    user.required = false;
    const std::vector<ColumnWish> wishes{user, kItem, kValue};
    const Table table(text.substr(1), wishes);
    const bool named = table.column(0).index >= 0, valued = table.column(2).index >= 0;
    for_each_row(table, wishes.size(), [&](auto fields, size_t offset) {
      float value = 1;
      if (valued && !parse_number(fields[2], value))
        table.fail(offset,
                   fmt::format("{}: expected a number, found '{}'", table.column(2).label, printable(fields[2])));
      Row& row = groups.of(named ? fields[0] : "history");
      const int32_t item = model.items->find(fields[1]);
      unknown += item < 0;
      if (item >= 0) row.emplace_back(item, value);
    });
  } else {
    Row& row = groups.of("history");
    for (const auto& entry : split_list(text, "--history")) {
      float value = 1;
      int32_t item = model.items->find(entry);  // an id may hold a colon
      if (const size_t colon = entry.rfind(':'); item < 0 && colon != std::string::npos) {
        if (!parse_number(std::string_view(entry).substr(colon + 1), value))
          throw InputError("--history: '" + printable(entry) + "': expected item:value, for example 260:4.5");
        item = model.items->find(std::string_view(entry).substr(0, colon));
      }
      unknown += item < 0;
      if (item >= 0) row.emplace_back(item, value);
    }
  }
  if (unknown > 0) log_warning("items of the history that the model does not know were left out", {{"items", unknown}});
  HostCsr matrix = groups.matrix(model.num_items());
  return {std::move(groups.names), std::move(matrix)};
}

Candidates candidates_of(const FittedModel& model, const std::string& file, const std::string& unknown) {
  Groups groups;
  int64_t unknown_items = 0;
  for_each_pair(file, [&](std::string_view user, std::string_view name) {
    Row& row = groups.of(user);
    const int32_t item = model.items->find(name);
    unknown_items += item < 0;
    if (item >= 0) row.emplace_back(item, 1.f);
  });
  if (unknown_items > 0)
    log_warning("candidates that the model does not know were left out", {{"pairs", unknown_items}});
  const HostCsr all = groups.matrix(model.num_items());
  Candidates out{people(model, groups.names, "--candidates", unknown), {}};
  out.matrix.cols = all.cols;
  for (size_t q = 0, at = 0; q < out.users.names.size(); ++q, ++at) {
    while (groups.names[at] != out.users.names[q]) ++at;  // users who were skipped
    const auto row = all.row(static_cast<int64_t>(at));
    out.matrix.indices.insert(out.matrix.indices.end(), row.begin(), row.end());
    out.matrix.offsets.push_back(out.matrix.nnz());
  }
  return out;
}

Unwanted unwanted_items(const FittedModel& model, const std::string& exclude_file,
                        const std::vector<std::string>& only_tags, const std::vector<std::string>& without_tags) {
  Unwanted out;
  if (exclude_file.empty() && only_tags.empty() && without_tags.empty()) return out;
  out.allowed.assign(static_cast<size_t>(model.num_items()), 1);
  if (!exclude_file.empty()) read_exclusions(model, exclude_file, out);
  const HostCsr& tags = model.catalogue.tags;
  const auto only = tags_of(model.catalogue, only_tags, "--only-tags"),
             without = tags_of(model.catalogue, without_tags, "--without-tags");
  for (int64_t item = 0; item < tags.rows(); ++item) {
    const auto has_one_of = [&](const std::vector<int32_t>& wanted) {
      return std::ranges::any_of(wanted, [&](int32_t tag) { return std::ranges::binary_search(tags.row(item), tag); });
    };
    if ((!only.empty() && !has_one_of(only)) || has_one_of(without)) out.allowed[static_cast<size_t>(item)] = 0;
  }
  return out;
}

HostCsr Unwanted::rows_of(std::span<const std::string> names, int64_t items) const {
  HostCsr out;
  out.cols = items;
  for (const auto& name : names) {
    const auto own = std::ranges::equal_range(pairs, name, {}, &std::pair<std::string, int32_t>::first);
    for (const auto& [user, item] : own) out.indices.push_back(item);
    out.offsets.push_back(out.nnz());
  }
  return out;
}

}  // namespace kindred
