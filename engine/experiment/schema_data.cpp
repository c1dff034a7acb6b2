// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "engine/core/log.hpp"
#include "engine/data/expression.hpp"
#include "engine/experiment/schema_detail.hpp"

namespace kindred::detail {
namespace {

/// A path, or a list of paths and of { file, event, columns }.
InputFiles input_files(const TomlValue& value) {
  if (std::holds_alternative<std::string>(value.value)) return InputFiles(std::filesystem::path(text_of(value)));
  const auto* list = std::get_if<TomlArray>(&value.value);
  if (list == nullptr || list->empty()) expected("a path or a list of files", value);
  std::vector<InputFile> files;
  for (const TomlValue& entry : *list) {
    InputFile& file = files.emplace_back();
    if (std::holds_alternative<std::string>(entry.value)) {
      file.path = text_of(entry);
      continue;
    }
    const auto* table = std::get_if<TomlTable>(&entry.value);
    if (table == nullptr) expected("a path or { file = \"…\", event = \"…\", columns = { … } }", entry);
    const auto fill = [](const TomlTable& from, const std::string& what,
                         const std::vector<std::pair<std::string, std::string*>>& fields) {
      std::vector<std::string> names;
      for (const auto& [name, field] : fields) names.push_back(name);
      for (const auto& [name, v] : from) {
        const auto found = std::ranges::find(names, name);
        if (found == names.end() && !(what.empty() && name == "columns"))
          throw InputError("unknown key '" + printable(name) + "' in an entry's " + (what.empty() ? "table" : what) +
                           did_you_mean(name, names));
        if (found != names.end()) *fields[static_cast<size_t>(found - names.begin())].second = text_of(v);
      }
    };
    fill(*table, "", {{"file", &file.path}, {"event", &file.event}});
    if (file.path.empty()) expected("file = \"…\" in each entry", entry);
    const auto columns = table->find("columns");
    if (columns == table->end()) continue;
    const auto* names = std::get_if<TomlTable>(&columns->second.value);
    if (names == nullptr) expected("columns = { user = \"…\", … }", columns->second);
    InteractionColumns& c = file.columns;
    fill(*names, "columns",
         {{"user", &c.user}, {"item", &c.item}, {"value", &c.value}, {"time", &c.time}, {"event", &c.event}});
  }
  return InputFiles(std::move(files));
}

std::string toml_of(const InputFiles& files) {
  const auto text = [](const std::string& t) { return TomlValue{t, 0}; };
  if (files.empty()) return "";
  if (files.list.size() == 1 && files.list[0] == InputFile{files.list[0].path})
    return to_toml(text(files.list[0].path));
  TomlArray list;
  for (const InputFile& file : files.list) {
    TomlTable entry{{"file", text(file.path)}}, columns;
    if (!file.event.empty()) entry["event"] = text(file.event);
    const InteractionColumns& c = file.columns;
    const std::pair<const char*, const std::string*> named[] = {
        {"user", &c.user}, {"item", &c.item}, {"value", &c.value}, {"time", &c.time}, {"event", &c.event}};
    for (const auto& [name, column] : named)
      if (!column->empty()) columns[name] = text(*column);
    if (!columns.empty()) entry["columns"] = TomlValue{columns, 0};
    list.push_back(entry.size() == 1 ? text(file.path) : TomlValue{entry, 0});
  }
  return to_toml(TomlValue{list, 0});
}

}  // namespace

void add_data_keys(KeyTable& t) {
  t.begin("data");
  t.add(
      "interactions", kInputFiles, "", true,
      "A path, a glob, \"-\" for standard input, or a list of these and of { file, event, columns }; .gz is read.",
      [](Config& c, const TomlValue& v) { c.data.interactions = input_files(v); },
      [](const Config& c) { return toml_of(c.data.interactions); });
  t.word(
      "format", {"csv", "adjacency", "hdf5"}, true,
      "csv: fields split by comma, tab, semicolon, bar or ::. adjacency: a user, then items. hdf5: a dataset a column.",
      FIELD(data.format));
  t.choice<Quote>("quote", {{"auto", Quote::kAuto}, {"none", Quote::kNone}, {"double", Quote::kDouble}}, true,
                  "Whether fields may stand in double quotes; auto: with comma and semicolon.", FIELD(data.text.quote));
  t.choice<Encoding>("encoding", {{"utf-8", Encoding::kUtf8}, {"latin-1", Encoding::kLatin1}}, true,
                     "Of the text files.", FIELD(data.text.encoding));
  t.choice<BadRows>("bad_rows", {{"error", BadRows::kError}, {"quarantine", BadRows::kQuarantine}}, true,
                    "error: the first bad row ends the run. quarantine: they are left out and listed in rejected.csv.",
                    FIELD(data.bad_rows));
  t.text("columns.user", "text", true, "Column of users, by name; left out: found by its name.",
         FIELD(data.columns.user));
  t.text("columns.item", "text", true, "Column of items.", FIELD(data.columns.item));
  t.text("columns.value", "text", true, "Column of values (rating, count), \"0\": none; without one each is 1.",
         FIELD(data.columns.value));
  t.text("columns.time", "text", true, "Column of times: Unix s, ms or us, or ISO 8601; \"0\": none.",
         FIELD(data.columns.time));
  t.text("columns.event", "text", true, "Column of event kinds; \"0\": none.", FIELD(data.columns.event));
  t.add(
      "utility", "expression", "", true,
      "Instead of columns.value: arithmetic over numeric columns, \"rating + 2*likes + if(hours > 1, log(hours), 0)\"; "
      "+ - "
      "* / ^ ( ), comparisons, if, min, max, abs, sqrt, log, log1p, exp; an empty cell is 0.",
      [](Config& c, const TomlValue& v) {
        c.data.utility = text_of(v);
        Expression{c.data.utility};
      },
      [](const Config& c) { return c.data.utility.empty() ? "" : quote(c.data.utility); });
  t.add(
      "events", "table of numbers", "", true,
      "A weight for each kind of event, { view = 1.0, buy = 10.0 }, times the value where there is one.",
      [](Config& c, const TomlValue& v) {
        const auto* table = std::get_if<TomlTable>(&v.value);
        if (table == nullptr || table->empty()) expected("a table of weights like { view = 1.0, buy = 10.0 }", v);
        c.data.events.clear();
        for (const auto& [kind, weight] : *table) {
          const double value = number_of(weight);
          if (!std::isfinite(static_cast<float>(value))) expected("finite weights", v);
          c.data.events[kind] = value;
        }
      },
      [](const Config& c) {
        TomlTable table;
        for (const auto& [kind, weight] : c.data.events) table[kind] = TomlValue{weight, 0};
        return table.empty() ? "" : to_toml(TomlValue{table, 0});
      });
  t.choice<Duplicates>(
      "duplicates",
      {{"auto", Duplicates::kAuto},
       {"last", Duplicates::kLast},
       {"sum", Duplicates::kSum},
       {"max", Duplicates::kMax},
       {"mean", Duplicates::kMean},
       {"error", Duplicates::kError}},
      true,
      "Rows of one user and item become one. last: the newest by time, else by place in the file. auto: "
      "sum with utility, events or no value, else last.",
      FIELD(data.duplicates));
  t.real("min_value", -kInfinity, kInfinity, true, "Smaller values are left out.", FIELD(data.min_value));
  t.truth("binarize", true, "Every value that is kept becomes 1.", FIELD(data.binarize));
  t.whole("min_user_interactions", 1, kMost, true,
          "Users with fewer are left out, repeated with min_item_interactions until both hold (k-core).",
          FIELD(data.min_user_interactions));
  t.whole("min_item_interactions", 1, kMost, true, "Items with fewer are left out.", FIELD(data.min_item_interactions));
  t.choice<Normalize>("normalize",
                      {{"none", Normalize::kNone},
                       {"divide-user-mean", Normalize::kDivideUserMean},
                       {"subtract-user-mean", Normalize::kSubtractUserMean},
                       {"subtract-item-mean", Normalize::kSubtractItemMean},
                       {"z-score", Normalize::kZScore},
                       {"baseline", Normalize::kBaseline}},
                      true, "What is taken off train's values before the fit, and put back in every prediction.",
                      FIELD(data.normalize));
  t.word("id_type", {"auto", "string", "integer"}, true,
         "auto: integers where every id of that side is a 64-bit decimal that prints back as itself.",
         FIELD(data.id_type));
  const auto columns = [&](const std::string& name, const std::string& sentence, auto at) {
    t.add(
        name, "list of text", "", true, sentence,
        [=](Config& c, const TomlValue& v) {
          const auto* list = std::get_if<TomlArray>(&v.value);
          if (list == nullptr) expected("a list of columns like [\"genre\", \"year\"]", v);
          at(c).clear();
          for (const auto& entry : *list) at(c).push_back(text_of(entry));
        },
        [=](const Config& c) {
          std::string out;
          for (const auto& column : at(const_cast<Config&>(c))) out += (out.empty() ? "" : ", ") + quote(column);
          return out.empty() ? out : "[" + out + "]";
        });
  };
  t.file("items.file", "A table about items, a CSV file with one row an item.", FIELD(data.items.file));
  t.text("items.columns.id", "text", true, "Column of item ids.", FIELD(data.items.columns.id));
  t.text("items.columns.title", "text", true, "Column of titles.", FIELD(data.items.columns.title));
  t.text("items.columns.tags", "text", true, "Column of tags.", FIELD(data.items.columns.tags));
  columns("items.columns.categorical", "Columns that hold one of some words; an empty field is missing.",
          FIELD(data.items.columns.categorical));
  columns("items.columns.numeric", "Columns of numbers; an empty field is missing.", FIELD(data.items.columns.numeric));
  columns("items.columns.text", "Columns of free text; an empty field is missing.", FIELD(data.items.columns.text));
  t.text("items.tag_separator", "text", true, "Between the tags of an item.", FIELD(data.items.tag_separator));
  t.when = Condition{"data.items.file", [](const Config& c) { return !c.data.items.file.empty(); }};
  t.truth("items.keep_all", true,
          "Items of the file that nobody has had are items too: a model of tags or text answers for them, to others "
          "they are rows without interactions.",
          FIELD(data.items.keep_all));
  t.when = kAlways;
  t.file("tags.file", "Tags of items beside those of items.file, a row an item and tag.", FIELD(data.tags.file));
  t.when = Condition{"data.tags.file", [](const Config& c) { return !c.data.tags.file.empty(); }};
  t.text("tags.columns.item", "text", true, "Column of items.", FIELD(data.tags.item));
  t.text("tags.columns.tag", "text", true, "Column of tags, or of ids that tags.names.file gives names to.",
         FIELD(data.tags.tag));
  t.file("tags.names.file", "A table of names of tags; left out: the rows have them.", FIELD(data.tags.names));
  t.text("tags.names.columns.id", "text", true, "Column of the ids of tags.", FIELD(data.tags.names_id));
  t.text("tags.names.columns.name", "text", true, "Column of their names.", FIELD(data.tags.names_name));
  t.choice<Encoding>("tags.encoding", {{"utf-8", Encoding::kUtf8}, {"latin-1", Encoding::kLatin1}}, true,
                     "Of these files.", FIELD(data.tags.encoding));
  t.whole("tags.most", 0, kMost, true, "Tags of an item, those that most rows give it; 0: all.", FIELD(data.tags.most));
  t.when = kAlways;
  t.file("users.file", "A table about users, a CSV file with one row a user.", FIELD(data.users.file));
  t.text("users.columns.id", "text", true, "Column of user ids.", FIELD(data.users.columns.id));
  t.text("users.columns.title", "text", true, "Column of names.", FIELD(data.users.columns.title));
  t.text("users.columns.tags", "text", true, "Column of tags.", FIELD(data.users.columns.tags));
  columns("users.columns.categorical", "Columns that hold one of some words; an empty field is missing.",
          FIELD(data.users.columns.categorical));
  columns("users.columns.numeric", "Columns of numbers; an empty field is missing.", FIELD(data.users.columns.numeric));
  columns("users.columns.text", "Columns of free text; an empty field is missing.", FIELD(data.users.columns.text));
  t.text("users.tag_separator", "text", true, "Between the tags of a user.", FIELD(data.users.tag_separator));
  t.file("friends.file", "Pairs of users who know each other, a CSV file.", FIELD(data.friends.file));
  t.text("friends.columns.user", "text", true, "Column of the one.", FIELD(data.friends.user));
  t.text("friends.columns.friend", "text", true, "Column of the other.", FIELD(data.friends.other));
}

}  // namespace kindred::detail
