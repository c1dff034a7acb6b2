// SPDX-License-Identifier: Apache-2.0
#include "engine/experiment/config.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "engine/core/error.hpp"
#include "engine/experiment/schema.hpp"
#include "engine/store/sinks.hpp"
#include "kernels/topk.hpp"

namespace kindred {
namespace {

/// Whether a key of this name takes a table: "data.events".
bool is_table_key(const std::string& name) {
  return std::ranges::any_of(schema(), [&](const auto& key) { return key.name == name; });
}

/// "model.factors" -> value, in the order of keys. Tables become dotted prefixes; those that are a key's value and
/// empty ones stay, to be checked too.
void flatten(const TomlTable& table, const std::string& prefix, std::vector<std::pair<std::string, TomlValue>>& out) {
  for (const auto& [key, value] : table) {
    const std::string name = prefix.empty() ? key : prefix + "." + key;
    const auto* inner = std::get_if<TomlTable>(&value.value);
    if (inner != nullptr && !inner->empty() && !is_table_key(name))
      flatten(*inner, name, out);
    else
      out.emplace_back(name, value);
  }
}

std::string place(const std::string& file, int line) { return line > 0 ? file + ":" + std::to_string(line) : "--set"; }

[[noreturn]] void unknown_key(const std::string& where, const std::string& name) {
  const size_t dot = name.rfind('.');
  const std::string last = dot == std::string::npos ? name : name.substr(dot + 1);
  for (const auto& [alias, advice] : aliases())
    if (alias == last) throw InputError(where + ": " + printable(name) + ": unknown key; " + advice);
  std::vector<std::string> names;
  for (const auto& key : schema()) names.push_back(key.name);
  std::string near = did_you_mean(name, names);
  if (near.empty())  // the right key in another section
    for (const auto& candidate : names)
      if (candidate.substr(candidate.rfind('.') + 1) == last) near = "; did you mean '" + candidate + "'?";
  throw InputError(where + ": " + printable(name) + ": unknown key" +
                   (near.empty() ? "; kindred-train --help-config lists them" : near));
}

/// Whether keys lie below this name: "data.columns".
bool is_section(const std::string& name) {
  return std::ranges::any_of(schema(), [&](const auto& key) { return key.name.starts_with(name + "."); });
}

/// What to ask for instead of a metric that makes no sense for the model.
std::string advice(const MetricSpec& metric) {
  return metric.kind == MetricKind::kLogloss ? "use a ranking metric like ndcg@10"
                                             : "use model.feedback = \"explicit\" (als), model.prediction = "
                                               "\"weighted-average\" (item-knn, user-knn) or a "
                                               "ranking metric like ndcg@10";
}

/// File names from `folder` as paths that hold from anywhere: in text, in lists, and as `file` in tables. "-" is
/// standard input.
void make_absolute(TomlValue& value, const std::filesystem::path& folder) {
  if (auto* text = std::get_if<std::string>(&value.value)) {
    if (!text->empty() && *text != "-") *text = (folder / *text).lexically_normal().string();
  } else if (auto* list = std::get_if<TomlArray>(&value.value)) {
    for (TomlValue& entry : *list) make_absolute(entry, folder);
  } else if (auto* table = std::get_if<TomlTable>(&value.value)) {
    if (const auto file = table->find("file"); file != table->end()) make_absolute(file->second, folder);
  }
}

/// The key of this name that means something for the config as far as it is known, else any of them; null: there is
/// none.
const SchemaKey* find_key(const Config& config, const std::string& name) {
  const SchemaKey* any = nullptr;
  for (const auto& key : schema()) {
    if (key.name != name) continue;
    if (key.when.holds(config)) return &key;
    if (any == nullptr) any = &key;
  }
  return any;
}

/// Gives a value to its field, file names as paths that hold from anywhere.
void read_key(Config& config, const SchemaKey& key, TomlValue value, const std::filesystem::path& config_file) {
  if (key.type == kInputFile || key.type == kInputFiles)
    make_absolute(value, std::filesystem::absolute(value.line > 0 ? config_file.parent_path() : "."));
  key.read(config, value);
}

/// Why a model cannot be fitted on normalized values; "" where it can.
std::string normalize_refusal(const Config& c) {
  const Normalize method = c.data.normalize;
  if (method == Normalize::kNone) return "";
  if (c.data.binarize) return "data.binarize makes every value 1, which leaves nothing to normalize";
  if (c.model == "popularity") return "popularity counts interactions and takes no values";
  const bool divides = method == Normalize::kDivideUserMean;
  if (c.model == "als" && c.als.feedback == "implicit" && !divides)
    return "implicit feedback needs values of 0 and more, which \"divide-user-mean\" alone keeps; use that, or "
           "model.feedback = \"explicit\"";
  if (c.model == "sgd" && c.sgd.params.loss != SgdLoss::kSquared)
    return "this model.loss takes no values; use model.loss = \"squared\"";
  if (c.model == "bayesian-average" && (method == Normalize::kSubtractItemMean || method == Normalize::kBaseline))
    return "takes off the means of items, which bayesian-average is made of; use \"subtract-user-mean\" or \"z-score\"";
  return "";
}

/// What the keys of a neighborhood model do not allow together: the key and why; "" where all is well.
std::pair<std::string, std::string> knn_refusal(const Config& c) {
  using M = SimilarityMetric;
  const NeighborSearch& search = c.knn.search;
  const SimilarityParams& s = search.similarity;
  const bool distance = s.metric == M::kEuclidean || s.metric == M::kManhattan;
  const bool means = s.missing == Missing::kRowMean || s.missing == Missing::kColumnMean;
  if (!c.over.empty() && s.metric != M::kCosine && s.metric != M::kDot && s.metric != M::kEuclidean)
    return {"model.similarity", "vectors of model.over are compared by \"cosine\", \"dot\" or \"euclidean\""};
  if (!c.over.empty() && search.neighbors == 0)
    return {"model.neighbors", "vectors of model.over have neighbors by number, up to " + std::to_string(kMaxTopK)};
  if (s.metric == M::kManhattan && means) return {"model.missing", "manhattan goes with \"zero\" and \"ignore\""};
  if (distance && s.shrinkage > 0) return {"model.shrinkage", "is of similarities, not of distances"};
  if (search.weighting == Weighting::kRp3Beta && s.metric != M::kDot)
    return {"model.similarity", "rp3beta is a \"dot\" product of its weights; leave the key out"};
  if (c.knn.center == Normalize::kNone) return {};
  if (c.data.normalize != Normalize::kNone)
    return {"model.center", "data.normalize takes off means already, for similarities too; remove one of the two"};
  if (!c.knn.weighted_average && (c.model == "user-knn" || c.knn.center != Normalize::kSubtractItemMean))
    return {"model.center",
            "would not change the order of a list of sums; set model.prediction = \"weighted-average\""};
  return {};
}

/// Defaults that depend on other keys, and rules between keys.
void complete(Config& c, const std::string& file, const std::vector<std::pair<std::string, TomlValue>>& values) {
  const auto given = [&](std::string_view key) {
    return std::ranges::any_of(values, [&](const auto& entry) { return entry.first == key; });
  };
  const auto at = [&](const std::string& key) {
    for (const auto& [name, value] : values)
      if (name == key) return place(file, value.line) + ": " + name;
    return file + ": " + key;
  };
  for (const auto& [name, value] : values) {
    if (name != "export.recommendations.to") continue;
    try {
      ListFile to = parse_list_file(c.recommendations_to);
      const std::filesystem::path from = value.line > 0 ? std::filesystem::absolute(file).parent_path() : ".";
      to.path = (std::filesystem::absolute(from) / to.path).lexically_normal();
      c.recommendations_to = to.text();
    } catch (const InputError& error) {
      throw InputError(at(name) + ": " + error.what());
    }
  }
  if (c.model == "content" && !c.data.items.file.empty() && !given("data.items.keep_all")) c.data.items.keep_all = true;
  if (c.model == "als") {
    const bool is_explicit = c.als.feedback == "explicit";
    if (is_explicit) c.als.params.objective = AlsObjective::kExplicit;
    if (!given("model.alpha")) c.als.alpha = c.als.params.objective == AlsObjective::kHuKoren ? 1 : 0;
    if (!given("model.regularization")) {  // chosen by validation: docs/measurements/defaults-als.md
      if (is_explicit) c.als.params.regularization = 0.1f;
      if (c.als.params.objective == AlsObjective::kHuKoren) c.als.params.regularization = 0.0003f;
    }
  }
  if (is_knn(c)) {
    const Weighting weighting = c.knn.search.weighting;
    if (!given("model.similarity") && (weighting == Weighting::kBm25 || weighting == Weighting::kRp3Beta))
      c.knn.search.similarity.metric = SimilarityMetric::kDot;
    if (const auto [key, reason] = knn_refusal(c); !key.empty()) throw InputError(at(key) + ": " + reason);
    if (c.export_history != "values")
      throw InputError(at("export.history") + ": " + c.model +
                       " answers from what people have had; expected \"values\"");
  }
  if (c.model == "sgd") {
    SgdParams& p = c.sgd.params;
    if (p.loss == SgdLoss::kContrastive) p.cosine = true;
    if (p.cosine && !given("model.temperature")) p.temperature = 0.1f;  // of values between -1 and 1
    const SgdDefaults defaults = sgd_defaults(p.loss, p.optimizer);
    if (!given("model.regularization"))
      p.user_regularization = p.item_regularization = p.bias_regularization = defaults.regularization;
    if (!given("model.learning_rate")) c.sgd.learning_rate = defaults.learning_rate;
    if (!given("model.negatives.uniform") && p.popularity == 0 && !p.in_batch) p.uniform = defaults.negatives;
    const bool compares = p.uniform > 0 || p.popularity > 0 || (p.in_batch && p.batch_size > 1);
    if (!compares && !is_pointwise(p.loss))
      throw InputError(at("model.negatives.uniform") +
                       ": this model.loss holds interactions against other items; ask for at least one negative");
    if (p.uniform + p.popularity + (p.in_batch ? p.batch_size : 0) > kMaxNegatives)
      throw InputError(at("model.negatives.uniform") + ": more than " + std::to_string(kMaxNegatives) +
                       " negatives of all kinds together; ask for fewer");
  }
  if (c.model == "svd" && c.svd_center != Normalize::kNone) {
    if (given("data.normalize") && c.data.normalize != c.svd_center)
      throw InputError(at("model.center") + ": data.normalize says otherwise; remove one of the two");
    c.data.normalize = c.svd_center;
  }
  const auto check_sense = [&](const MetricSpec& metric, const char* key) {
    const std::string reason = objection(metric, predicts_values(c), predicts_probabilities(c), true);
    if (!reason.empty()) throw InputError(at(key) + ": " + reason + "; " + advice(metric));
  };
  for (const auto& metric : c.evaluate.metrics) check_sense(metric, "evaluate.metrics");
  if (c.evaluate.metrics.empty()) {
    const std::vector<std::string> ranking{"recall@20", "ndcg@10"}, values_too{"rmse", "mae", "ndcg@10"};
    for (const auto& name : predicts_values(c) ? values_too : ranking) c.evaluate.metrics.push_back(parse_metric(name));
  }

  if (!c.early_stopping.metric.empty()) {
    const auto metric = parse_metric(c.early_stopping.metric);
    check_sense(metric, "train.early_stopping.metric");
    const bool watched =
        std::ranges::any_of(c.evaluate.metrics, [&](const auto& m) { return m.name() == metric.name(); });
    if (!watched) c.evaluate.metrics.push_back(metric);
  }
  if (!c.data.utility.empty() && given("data.columns.value"))
    throw InputError(at("data.utility") + ": gives the values, and so does data.columns.value; remove one of the two");
  if (!c.data.utility.empty() && !c.data.events.empty())
    throw InputError(at("data.events") + ": gives the values, and so does data.utility; remove one of the two");
  if (c.split.protocol == "k-fold" && c.refit == "validation")
    throw InputError(at("train.refit") + ": with split.protocol = \"k-fold\" expected \"none\" or \"all\"");
  if (const std::string refusal = normalize_refusal(c); !refusal.empty())
    throw InputError(at("data.normalize") + ": " + refusal);
  if (c.split.protocol == "files") {
    if (c.split.files.train.empty())
      throw InputError(file + ": split.files.train is missing; protocol \"files\" needs it");
    if (given("data.interactions"))
      throw InputError(at("data.interactions") + ": protocol \"files\" reads split.files; remove one of the two");
  } else {
    if (c.data.interactions.empty())
      throw InputError(file + ": data.interactions is missing; name the file of interactions");
    const bool shares = c.split.protocol == "random" || c.split.protocol == "by-time" || c.split.protocol == "users";
    if (shares && c.split.test + c.split.validation >= 1)
      throw InputError(at("split.test") +
                       ": test and validation together leave nothing to train on; keep their sum below 1");
  }
  if (!c.split.files.negatives.empty() && !given("evaluate.candidates")) c.evaluate.only_negatives = true;
  c.evaluate.seed = c.seed;
}

/// The resolved config as a TOML file; every key is on a line of its own.
std::string resolve(const Config& config) {
  std::string out, section;
  for (const auto& key : schema()) {
    if (!key.when.holds(config)) continue;
    const std::string value = key.write(config);
    if (value.empty()) continue;
    const size_t dot = key.name.find('.');
    const std::string mine = dot == std::string::npos ? "" : key.name.substr(0, dot);
    if (mine != section) out += "\n[" + mine + "]\n", section = mine;
    out += (dot == std::string::npos ? key.name : key.name.substr(dot + 1)) + " = " + value + "\n";
  }
  return out;
}

Config read_config(const TomlTable& root, const std::filesystem::path& path) {
  const std::string file = path.string();
  std::vector<std::pair<std::string, TomlValue>> values;
  flatten(root, "", values);
  std::ranges::stable_sort(values, {}, [](const auto& entry) { return entry.second.line; });

  Config config;
  // Which model it is comes first: a key that several models have stands in the schema once for each.
  std::ranges::stable_partition(values, [](const auto& entry) { return entry.first == "model.type"; });
  for (const auto& [name, value] : values) {
    const SchemaKey* found = find_key(config, name);
    if (found == nullptr && is_section(name)) {
      if (std::holds_alternative<TomlTable>(value.value)) continue;
      throw InputError(place(file, value.line) + ": " + name + ": expected a table, found " +
                       printable(to_toml(value)));
    }
    if (found == nullptr) unknown_key(place(file, value.line), name);
    try {
      read_key(config, *found, value, std::filesystem::absolute(path));
    } catch (const InputError& error) {
      throw InputError(place(file, value.line) + ": " + name + ": " + error.what());
    }
  }
  for (const auto& [name, value] : values) {
    const SchemaKey* found = find_key(config, name);
    if (found != nullptr && !found->when.holds(config))
      throw InputError(place(file, value.line) + ": " + name + ": needs " + found->when.text +
                       "; set that or remove this key");
  }
  complete(config, file, values);

  if (config.name.empty()) config.name = path.stem().string();
  if (config.output.empty()) config.output = std::filesystem::path("runs") / config.name;
  config.resolved = resolve(config);
  return config;
}

}  // namespace

Config load_config(const std::filesystem::path& path, const std::vector<std::string>& set) {
  TomlTable root = read_toml(path);
  for (const auto& pair : set) set_toml(root, pair);
  return read_config(root, path);
}

Config parse_config(const std::string& text, const std::filesystem::path& path) {
  return read_config(parse_toml(text, path.string()), path);
}

std::vector<std::string> differing_keys(const std::string& resolved_a, const std::string& resolved_b) {
  const auto flat = [](const std::string& text) {
    std::vector<std::pair<std::string, TomlValue>> list;
    flatten(parse_toml(text, "config.toml"), "", list);
    std::map<std::string, std::string> out;
    for (const auto& [name, value] : list) out[name] = to_toml(value);
    return out;
  };
  const auto a = flat(resolved_a), b = flat(resolved_b);
  const auto value = [](const auto& map, const std::string& name) {
    const auto found = map.find(name);
    return found == map.end() ? std::string("unset") : found->second;
  };
  std::vector<std::string> out;
  for (const auto& key : schema()) {
    const std::string before = value(a, key.name), now = value(b, key.name);
    const std::string line = key.name + " (" + before + ", now " + now + ")";
    if (key.changes_results && before != now && std::ranges::find(out, line) == out.end()) out.push_back(line);
  }
  return out;
}

std::string config_help(const std::string& section) {
  const Config defaults;
  std::string out;
  std::vector<std::string> sections;
  for (const auto& key : schema()) {
    const size_t dot = key.name.find('.');
    const std::string mine = dot == std::string::npos ? "" : key.name.substr(0, dot);
    if (std::ranges::find(sections, mine) == sections.end()) sections.push_back(mine);
    if (!section.empty() && mine != section) continue;
    out += key.name + "\n    " + key.type + (key.range.empty() ? "" : ", " + key.range);
    const std::string value = key.write(defaults);
    if (!value.empty() && value != "\"\"") out += "; default " + value;
    if (!key.when.text.empty()) out += "; needs " + key.when.text;
    out += "\n    " + key.sentence + "\n";
  }
  if (out.empty()) {
    std::string names;
    for (const auto& name : sections)
      if (!name.empty()) names += (names.empty() ? "" : ", ") + name;
    throw InputError("--help-config: there is no section '" + printable(section) + "'; there are " + names);
  }
  return out;
}

std::string config_markdown() {
  const Config defaults;
  std::string out =
      "# Config reference\n"
      "Written by `kindred-train --help-config=markdown` from the schema; a test holds it equal. Files are relative to "
      "the\n"
      "config's folder; `output`, and files named with `--set`, to the working directory. Keys marked ° change speed "
      "or "
      "place alone,\nnever results. A key that needs a setting is refused without it.\n";
  std::string section = "-";
  for (const auto& key : schema()) {
    const size_t dot = key.name.find('.');
    const std::string mine = dot == std::string::npos ? "" : key.name.substr(0, dot);
    if (mine != section) {
      section = mine;
      out += "\n## " + (mine.empty() ? std::string("Top level") : "[" + mine + "]") +
             "\n| key | type | default | what it does |\n|---|---|---|---|\n";
    }
    std::string range = key.range;
    for (size_t at = 0; (at = range.find('|', at)) != std::string::npos; at += 2) range.replace(at, 1, "\\|");
    const std::string value = key.write(defaults);
    out += "| `" + (dot == std::string::npos ? key.name : key.name.substr(dot + 1)) + "`" +
           (key.changes_results ? "" : "°") + " | " + key.type + (range.empty() ? "" : ", " + range) + " | " +
           (value.empty() || value == "\"\"" ? "" : "`" + value + "`") + " | " + key.sentence +
           (key.when.text.empty() ? "" : " Needs " + key.when.text + ".") + " |\n";
  }
  return out;
}

}  // namespace kindred
