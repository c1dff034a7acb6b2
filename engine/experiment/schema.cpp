// SPDX-License-Identifier: Apache-2.0
#include "engine/experiment/schema.hpp"

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <limits>

#include "engine/core/error.hpp"
#include "engine/core/log.hpp"
#include "engine/data/expression.hpp"
#include "kernels/context.hpp"
#include "kernels/topk.hpp"

namespace kindred {
namespace {

[[noreturn]] void expected(const std::string& what, const TomlValue& found) {
  throw InputError("expected " + what + ", found " + printable(to_toml(found)));
}

std::string text_of(const TomlValue& value) {
  const auto* text = std::get_if<std::string>(&value.value);
  if (text == nullptr) expected("text in quotes", value);
  return *text;
}

double number_of(const TomlValue& value) {
  if (const auto* whole = std::get_if<int64_t>(&value.value)) return static_cast<double>(*whole);
  const auto* number = std::get_if<double>(&value.value);
  if (number == nullptr) expected("a number", value);
  return *number;
}

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

std::string quote(const std::string& text) { return to_toml(TomlValue{text, 0}); }
std::string number(double value) { return to_toml(TomlValue{value, 0}); }
/// A float as the number a person would write: 0.003, not 0.003000000026077032.
std::string number(float value) { return number(std::stod(format_float(value))); }

/// Collects keys; each call binds one to a field through an accessor `at(config)`.
class Table {
 public:
  std::vector<SchemaKey> keys;
  std::string section;
  Condition when;  ///< of the keys that follow

  template <class At>
  void whole(const std::string& name, int64_t low, int64_t high, bool results, const std::string& sentence, At at) {
    const bool open = high == std::numeric_limits<int64_t>::max();
    const std::string range = std::to_string(low) + (open ? " or more" : " to " + std::to_string(high));
    add(
        name, "whole number", range, results, sentence,
        [=](Config& c, const TomlValue& v) {
          const auto* found = std::get_if<int64_t>(&v.value);
          if (found == nullptr || *found < low || *found > high) expected("a whole number, " + range, v);
          at(c) = static_cast<std::remove_reference_t<decltype(at(c))>>(*found);
        },
        [=](const Config& c) { return std::to_string(at(const_cast<Config&>(c))); });
  }

  /// Finite, unless the range begins at -inf.
  template <class At>
  void real(const std::string& name, double low, double high, bool results, const std::string& sentence, At at) {
    std::string range;
    if (std::isfinite(low)) range = number(low) + (std::isfinite(high) ? " to " + number(high) : " or more");
    add(
        name, "number", range, results, sentence,
        [=](Config& c, const TomlValue& v) {
          const double found = number_of(v);
          const auto stored = static_cast<std::remove_reference_t<decltype(at(c))>>(found);
          if (!(found >= low && found <= high) || (std::isfinite(low) && !std::isfinite(stored)))
            expected("a number" + (range.empty() ? "" : ", " + range), v);
          at(c) = stored;
        },
        [=](const Config& c) { return number(at(const_cast<Config&>(c))); });
  }

  template <class At>
  void truth(const std::string& name, bool results, const std::string& sentence, At at) {
    add(
        name, "true or false", "", results, sentence,
        [=](Config& c, const TomlValue& v) {
          const auto* found = std::get_if<bool>(&v.value);
          if (found == nullptr) expected("true or false", v);
          at(c) = *found;
        },
        [=](const Config& c) { return std::string(at(const_cast<Config&>(c)) ? "true" : "false"); });
  }

  /// Text that is copied; unset where empty.
  template <class At>
  void text(const std::string& name, const std::string& type, bool results, const std::string& sentence, At at) {
    add(
        name, type, "", results, sentence, [=](Config& c, const TomlValue& v) { at(c) = text_of(v); },
        [=](const Config& c) {
          const std::string found(at(const_cast<Config&>(c)));
          return found.empty() ? "" : quote(found);
        });
  }

  /// One of some words, each standing for a value of the field.
  template <class T, class At>
  void choice(const std::string& name, const std::vector<std::pair<std::string, T>>& words, bool results,
              const std::string& sentence, At at) {
    std::string range;
    for (const auto& [word, value] : words) range += (range.empty() ? "" : " | ") + quote(word);
    add(
        name, "text", range, results, sentence,
        [=](Config& c, const TomlValue& v) {
          const std::string found = text_of(v);
          std::vector<std::string> names;
          for (const auto& [word, value] : words) {
            if (word == found) {
              at(c) = value;
              return;
            }
            names.push_back(word);
          }
          throw InputError("expected " + range + ", found " + quote(printable(found)) + did_you_mean(found, names));
        },
        [=](const Config& c) {
          for (const auto& [word, value] : words)
            if (at(const_cast<Config&>(c)) == value) return quote(word);
          return std::string();
        });
  }
  template <class At>
  void word(const std::string& name, const std::vector<std::string>& words, bool results, const std::string& sentence,
            At at) {
    std::vector<std::pair<std::string, std::string>> pairs;
    for (const auto& w : words) pairs.emplace_back(w, w);
    choice<std::string>(name, pairs, results, sentence, at);
  }

  void add(const std::string& name, const std::string& type, const std::string& range, bool results,
           const std::string& sentence, std::function<void(Config&, const TomlValue&)> read,
           std::function<std::string(const Config&)> write) {
    keys.push_back({section.empty() ? name : section + "." + name, type, range, sentence, results, when,
                    std::move(read), std::move(write)});
  }
};

constexpr auto kMost = std::numeric_limits<int64_t>::max();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

bool is_als(const Config& c) { return c.model == "als"; }
bool is_implicit(const Config& c) { return is_als(c) && c.als.feedback == "implicit"; }

const Condition kAlways{"", [](const Config&) { return true; }};
const Condition kAls{"model.type = \"als\"", is_als};
const Condition kImplicit{"model.type = \"als\" with model.feedback = \"implicit\"", is_implicit};
const Condition kExplicit{"model.type = \"als\" with model.feedback = \"explicit\"",
                          [](const Config& c) { return is_als(c) && !is_implicit(c); }};
const Condition kIals{"model.objective = \"ials\" (hu-koren weighs by 1)",
                      [](const Config& c) { return is_implicit(c) && c.als.params.objective == AlsObjective::kIals; }};
bool splits_by(const Config& c, std::initializer_list<std::string_view> protocols) {
  return std::ranges::find(protocols, c.split.protocol) != protocols.end();
}
const Condition kShares{"split.protocol = \"random\", \"by-time\" or \"users\"", [](const Config& c) {
                          return splits_by(c, {"random", "by-time", "users"});
                        }};
/// Protocols files and k-fold have no default.
const Condition kValidation{
    "a split.protocol other than \"none\"", [](const Config& c) {
      return c.split.protocol != "none" && (c.split.validation_given || !splits_by(c, {"files", "k-fold"}));
    }};
const Condition kPerUser{
    "split.protocol = \"random\", \"by-time\", \"k-fold\", or \"files\" with split.validation", [](const Config& c) {
      return splits_by(c, {"random", "by-time", "k-fold"}) || (splits_by(c, {"files"}) && c.split.validation_given);
    }};
const Condition kFolds{"split.protocol = \"k-fold\"", [](const Config& c) { return splits_by(c, {"k-fold"}); }};
const Condition kUsers{"split.protocol = \"users\"", [](const Config& c) { return splits_by(c, {"users"}); }};
const Condition kFiles{"split.protocol = \"files\"", [](const Config& c) { return splits_by(c, {"files"}); }};
const Condition kStopping{"train.early_stopping.metric, for example \"ndcg@10\"",
                          [](const Config& c) { return !c.early_stopping.metric.empty(); }};

const Condition kNegatives{"evaluate.candidates = \"negatives\" without split.files.negatives", [](const Config& c) {
                             return c.evaluate.only_negatives && c.split.files.negatives.empty();
                           }};
const Condition kRecommendations{"export.recommendations.to, for example \"sqlite:recommendations.db\"",
                                 [](const Config& c) { return !c.recommendations_to.empty(); }};

#define FIELD(expression) \
  [](Config & c) -> auto& { return c.expression; }

std::vector<SchemaKey> make_schema() {
  Table t;
  t.when = kAlways;
  t.text("name", "text", true, "Name of the run; default: the config file's name without its ending.", FIELD(name));
  t.add(
      "output", "folder", "", false, "The run folder, from the working directory; default runs/<name>.",
      [](Config& c, const TomlValue& v) { c.output = text_of(v); },
      [](const Config& c) { return quote(c.output.string()); });
  t.whole("seed", 0, kMost, true, "Of every random draw: same seed, same device, same result.", FIELD(seed));
  t.text("device", "text", false, "\"auto\" (CUDA where it works, else the CPU), \"cpu\", \"cuda\" or \"cuda:N\".",
         FIELD(device));
  t.whole("threads", 0, kMaxThreads, false, "CPU threads; 0: all cores.", FIELD(threads));

  t.section = "data";
  const auto file = [&](const std::string& name, const std::string& sentence, auto at) {
    t.add(
        name, kInputFile, "", true, sentence, [=](Config& c, const TomlValue& v) { at(c) = text_of(v); },
        [=](const Config& c) {
          const auto& found = at(const_cast<Config&>(c));
          return found.empty() ? std::string() : quote(found.string());
        });
  };
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
  file("items.file", "A table about items, a CSV file with one row an item.", FIELD(data.items.file));
  t.text("items.columns.id", "text", true, "Column of item ids.", FIELD(data.items.columns.id));
  t.text("items.columns.title", "text", true, "Column of titles.", FIELD(data.items.columns.title));
  t.text("items.columns.tags", "text", true, "Column of tags.", FIELD(data.items.columns.tags));
  columns("items.columns.categorical", "Columns that hold one of some words; an empty field is missing.",
          FIELD(data.items.columns.categorical));
  columns("items.columns.numeric", "Columns of numbers; an empty field is missing.", FIELD(data.items.columns.numeric));
  columns("items.columns.text", "Columns of free text; an empty field is missing.", FIELD(data.items.columns.text));
  t.text("items.tag_separator", "text", true, "Between the tags of an item.", FIELD(data.items.tag_separator));
  file("users.file", "A table about users, a CSV file with one row a user.", FIELD(data.users.file));
  t.text("users.columns.id", "text", true, "Column of user ids.", FIELD(data.users.columns.id));
  t.text("users.columns.title", "text", true, "Column of names.", FIELD(data.users.columns.title));
  t.text("users.columns.tags", "text", true, "Column of tags.", FIELD(data.users.columns.tags));
  columns("users.columns.categorical", "Columns that hold one of some words; an empty field is missing.",
          FIELD(data.users.columns.categorical));
  columns("users.columns.numeric", "Columns of numbers; an empty field is missing.", FIELD(data.users.columns.numeric));
  columns("users.columns.text", "Columns of free text; an empty field is missing.", FIELD(data.users.columns.text));
  t.text("users.tag_separator", "text", true, "Between the tags of a user.", FIELD(data.users.tag_separator));
  file("friends.file", "Pairs of users who know each other, a CSV file.", FIELD(data.friends.file));
  t.text("friends.columns.user", "text", true, "Column of the one.", FIELD(data.friends.user));
  t.text("friends.columns.friend", "text", true, "Column of the other.", FIELD(data.friends.other));

  t.section = "split";
  t.word("protocol", {"random", "by-time", "leave-one-out", "files", "k-fold", "users", "none"}, true,
         "How train, validation and test are parted; docs/splitting.md describes each. none: nothing is held out.",
         FIELD(split.protocol));
  t.when = kShares;
  t.real("test", 0, 1, true, "Share held out for the test, of interactions or (users) of users.", FIELD(split.test));
  t.when = kValidation;
  t.add(
      "validation", "number", "0.0 to 1.0", true,
      "Share held out for validation; with files and k-fold drawn from train only where this key is written; with "
      "leave-one-out any share is one interaction, 0 none.",
      [](Config& c, const TomlValue& v) {
        const double share = number_of(v);
        if (!(share >= 0 && share <= 1)) expected("a number, 0.0 to 1.0", v);
        c.split.validation = share, c.split.validation_given = true;
      },
      [](const Config& c) { return number(c.split.validation); });
  t.when = kPerUser;
  t.truth("per_user", true, "Take the shares or folds from each user's interactions, else from all together.",
          FIELD(split.per_user));
  t.when = kFolds;
  t.whole("folds", 2, 100, true, "Parts, each of which is the test once.", FIELD(split.folds));
  t.when = kUsers;
  t.real("fold_in", 0.01, 0.99, true,
         "Share of a held-out user's interactions that the model is given; the rest, at least 1, is to be found.",
         FIELD(split.fold_in));
  t.when = kFiles;
  file("files.train", "The train part.", FIELD(split.files.train));
  file("files.validation", "The validation part.", FIELD(split.files.validation));
  file("files.test", "The test part.", FIELD(split.files.test));
  file("files.negatives",
       "The candidates of each user beside the held-out items, for evaluate.candidates = \"negatives\".",
       FIELD(split.files.negatives));
  t.when = kAlways;

  t.section = "model";
  t.word(
      "type", {"als", "popularity", "bayesian-average"}, true,
      "als: matrix factorisation by alternating least squares. Baselines: popularity; bayesian-average, an item's mean "
      "rating, drawn towards the mean of all items the fewer ratings it has.",
      FIELD(model));
  t.when = kAls;
  t.word("feedback", {"implicit", "explicit"}, true,
         "implicit: who did it, how surely (ranking). explicit: ratings, predicted as values.", FIELD(als.feedback));
  t.whole("factors", 1, 1024, true, "Length of the vectors.", FIELD(als.factors));
  t.when = kImplicit;
  t.choice<AlsObjective>("objective", {{"ials", AlsObjective::kIals}, {"hu-koren", AlsObjective::kHuKoren}}, true,
                         "The loss of Rendle et al. 2022, or of Hu, Koren, Volinsky 2008.",
                         FIELD(als.params.objective));
  t.real("alpha", 0, kInfinity, true,
         "Confidence c = 1 + alpha f(value); 0 for ials and 1 for hu-koren where left out.", FIELD(als.alpha));
  t.choice<bool>("confidence", {{"linear", false}, {"log", true}}, true, "f(r) = r, or log(1 + r).",
                 FIELD(als.log_confidence));
  t.when = kIals;
  t.real("unobserved_weight", 0, kInfinity, true, "Weight of the pairs that were not observed.",
         FIELD(als.params.unobserved_weight));
  t.when = kAls;
  t.real("regularization", 0, kInfinity, true,
         "lambda of a row with n interactions = regularization (n + w N)^regularization_exponent; N: rows of the other "
         "side, w: unobserved_weight, 1 for hu-koren, 0 for explicit feedback. Default 0.0003 for hu-koren, 0.1 for "
         "explicit "
         "feedback (docs/measurements/defaults-als.md says how the defaults were chosen).",
         FIELD(als.params.regularization));
  t.real("regularization_exponent", 0, 1, true,
         "nu: 1 scales with the number of a row's interactions, 0 is the plain form.", FIELD(als.params.exponent));
  t.choice<AlsSolver>(
      "solver",
      {{"auto", AlsSolver::kAuto},
       {"cholesky", AlsSolver::kCholesky},
       {"cg", AlsSolver::kCg},
       {"block", AlsSolver::kBlock},
       {"woodbury", AlsSolver::kWoodbury}},
      true,
      "How a row is solved: cholesky and woodbury exactly, cg and block approximately; auto by factors and degree.",
      FIELD(als.params.solver));
  t.whole("cg_steps", 1, 100, true, "Steps of cg.", FIELD(als.params.cg_steps));
  t.add(
      "block_size", "whole number", "16 to 128, a multiple of 16", true, "Factors solved together by block.",
      [](Config& c, const TomlValue& v) {
        const auto* size = std::get_if<int64_t>(&v.value);
        if (size == nullptr || *size < 16 || *size > 128 || *size % 16 != 0)
          expected("a whole number, 16 to 128, a multiple of 16", v);
        c.als.params.block_size = static_cast<int>(*size);
      },
      [](const Config& c) { return std::to_string(c.als.params.block_size); });
  t.when = kExplicit;
  t.truth("biases", true, "A bias for each user and item.", FIELD(als.biases));
  t.when = kAls;
  t.real("init_scale", 1e-6, kInfinity, true, "Standard deviation of the first factors, times sqrt(factors).",
         FIELD(als.init_scale));
  t.choice<AlsPrecision>("precision",
                         {{"fp32", AlsPrecision::kFp32}, {"tf32", AlsPrecision::kTf32}, {"bf16", AlsPrecision::kBf16}},
                         true, "Of the products on CUDA; the CPU computes in fp32.", FIELD(als.params.precision));

  t.section = "train";
  t.whole("epochs", 1, 100000, true, "Passes over all users and items.", FIELD(als.epochs));
  t.choice<bool>("loss", {{"every", true}, {"last", false}}, false,
                 "When the exact loss is computed; its time is kept apart.", FIELD(als.loss_every_epoch));
  t.add(
      "early_stopping.metric", "text", "", true, "Stop when this validation metric no longer improves; absent: off.",
      [](Config& c, const TomlValue& v) { c.early_stopping.metric = parse_metric(text_of(v)).name(); },
      [](const Config& c) { return c.early_stopping.metric.empty() ? "" : quote(c.early_stopping.metric); });
  t.when = kStopping;
  t.whole("early_stopping.patience", 1, 100000, true, "Validations without improvement before stopping.",
          FIELD(early_stopping.patience));
  t.real("early_stopping.min_delta", 0, kInfinity, true, "Smaller gains are no improvement.",
         FIELD(early_stopping.min_delta));
  t.when = kAlways;
  t.word("refit", {"none", "validation", "all"}, true,
         "After selection fit once more, on train and validation or on all; metrics come from before it.",
         FIELD(refit));
  t.real("checkpoint_minutes", 0, kInfinity, false, "Time between checkpoints.", FIELD(checkpoint_minutes));

  t.section = "evaluate";
  t.add(
      "metrics", "list of text", "", true,
      "precision, recall, hit, ndcg, map, mrr, coverage, novelty, diversity @K; auc, auc_global; rmse, mae where "
      "values "
      "are predicted, logloss where probabilities are. Default by model.",
      [](Config& c, const TomlValue& v) {
        const auto* list = std::get_if<TomlArray>(&v.value);
        if (list == nullptr || list->empty()) expected("a list like [\"recall@20\", \"ndcg@10\"]", v);
        c.evaluate.metrics.clear();
        for (const auto& entry : *list) {
          const MetricSpec metric = parse_metric(text_of(entry));
          for (const auto& earlier : c.evaluate.metrics)
            if (earlier.name() == metric.name()) expected("each metric once", v);
          c.evaluate.metrics.push_back(metric);
        }
      },
      [](const Config& c) {
        std::string out;
        for (const auto& metric : c.evaluate.metrics) out += (out.empty() ? "" : ", ") + quote(metric.name());
        return out.empty() ? out : "[" + out + "]";
      });
  t.choice<bool>(
      "candidates", {{"all", false}, {"negatives", true}}, true,
      "all: every item is ranked. negatives: the held-out items and some negatives of each user; the default where "
      "split.files.negatives gives them.",
      FIELD(evaluate.only_negatives));
  t.when = kNegatives;
  t.whole("negatives", 1, 1000000, true,
          "Negatives drawn for a user, by the seed, among what he has had nothing to do with.",
          FIELD(evaluate.negatives));
  t.when = kAlways;
  t.truth("filter_seen", true, "What a user had in train (and, in the test, in validation) is no candidate.",
          FIELD(evaluate.filter_seen));
  t.real("relevant_min", -kInfinity, kInfinity, true, "Held-out values below it are not relevant.",
         FIELD(evaluate.relevant_min));
  t.choice<bool>("gain", {{"binary", false}, {"value", true}}, true, "ndcg's gain of a hit: 1, or its value.",
                 FIELD(evaluate.gain_by_value));
  t.whole("every", 1, 100000, true, "Epochs between validations.", FIELD(every));
  t.whole("validation_users", 0, kMost, true, "At most so many users, the same sample each time; 0: all.",
          FIELD(validation_users));
  t.whole("test_users", 0, kMost, true, "The same for the test.", FIELD(test_users));

  t.section = "export";
  t.add(
      "model", "file name", "ending in .h5", false, "The model file, in the run folder.",
      [](Config& c, const TomlValue& v) {
        const std::filesystem::path name = text_of(v);
        if (name.has_parent_path() || name.extension() != ".h5" || name == "checkpoint.h5")
          expected("a file name ending in .h5 (the file lies in the run folder), but not checkpoint.h5", v);
        c.export_model = name;
      },
      [](const Config& c) { return quote(c.export_model.string()); });
  t.word("history", {"values", "items", "none"}, true, "What of the interactions the model file keeps.",
         FIELD(export_history));
  t.text(
      "recommendations.to", "list file", true,
      "Everybody's lists at the end of a run: FILE.csv, FILE.json, FILE.h5 or sqlite:FILE, relative as other files; as "
      "kindred-topk --all-users --to writes them.",
      FIELD(recommendations_to));
  t.when = kRecommendations;
  t.whole("recommendations.k", 1, kMaxTopK, true, "Length of a list.", FIELD(recommendations_k));
  t.when = kAlways;
  return t.keys;
}

#undef FIELD

}  // namespace

const std::vector<SchemaKey>& schema() {
  static const std::vector<SchemaKey> keys = make_schema();
  return keys;
}

const std::vector<std::pair<std::string, std::string>>& aliases() {
  static const auto names = [] {
    const std::pair<const char*, std::vector<const char*>> known[] = {
        {"model.factors",
         {"n_factors", "num_factors", "embedding_dim", "embedding_size", "latent_dim", "dim", "rank", "no_components"}},
        {"model.regularization", {"reg", "lambda", "reg_param", "reg_all", "l2", "weight_decay"}},
        {"train.epochs", {"iterations", "n_iter", "n_epochs", "num_epochs", "max_iter"}},
        {"model.solver", {"use_cg"}},
        {"model.type", {"algorithm"}},
        {"seed", {"random_state"}},
        {"threads", {"num_threads", "n_jobs"}},
        {"device", {"use_gpu"}},
        {"split.test", {"test_size"}},
        {"evaluate.metrics", {"topk"}}};
    std::vector<std::pair<std::string, std::string>> out;
    for (const auto& [ours, theirs] : known)
      for (const char* name : theirs) out.emplace_back(name, std::string("did you mean '") + ours + "'?");
    for (const char* name : {"lr", "learning_rate"})
      out.emplace_back(name, "als solves each row at once, there is no learning rate");
    return out;
  }();
  return names;
}

}  // namespace kindred
