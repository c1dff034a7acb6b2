// SPDX-License-Identifier: Apache-2.0
#include "engine/experiment/config.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "engine/core/error.hpp"
#include "engine/experiment/schema.hpp"

namespace kindred {
namespace {

/// "model.factors" -> value, in the order of lines. Tables become dotted prefixes.
void flatten(const TomlTable& table, const std::string& prefix, std::vector<std::pair<std::string, TomlValue>>& out) {
  for (const auto& [key, value] : table) {
    const std::string name = prefix.empty() ? key : prefix + "." + key;
    if (const auto* inner = std::get_if<TomlTable>(&value.value))
      flatten(*inner, name, out);
    else
      out.emplace_back(name, value);
  }
}

std::string place(const std::string& file, int line) { return line > 0 ? file + ":" + std::to_string(line) : "--set"; }

[[noreturn]] void unknown_key(const std::string& where, const std::string& name) {
  const size_t dot = name.rfind('.');
  const std::string last = dot == std::string::npos ? name : name.substr(dot + 1);
  for (const auto& [alias, ours] : aliases())
    if (alias == last) throw InputError(where + ": " + printable(name) + ": unknown key; did you mean '" + ours + "'?");
  std::vector<std::string> names;
  for (const auto& key : schema()) names.push_back(key.name);
  std::string near = did_you_mean(name, names);
  if (near.empty())  // the right key in another section
    for (const auto& candidate : names)
      if (candidate.substr(candidate.rfind('.') + 1) == last) near = "; did you mean '" + candidate + "'?";
  throw InputError(where + ": " + printable(name) + ": unknown key" +
                   (near.empty() ? "; kindred-train --help-config lists them" : near));
}

std::string model_of(const std::vector<std::pair<std::string, TomlValue>>& values) {
  for (const auto& [name, value] : values)
    if (name == "model.type")
      if (const auto* text = std::get_if<std::string>(&value.value)) return *text;
  return Config{}.model;
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
  if (c.model == "als") {
    const bool is_explicit = c.als.feedback == "explicit";
    if (is_explicit) c.als.params.objective = AlsObjective::kExplicit;
    if (!given("model.alpha")) c.als.alpha = c.als.params.objective == AlsObjective::kHuKoren ? 1 : 0;
    if (is_explicit && !given("model.regularization")) c.als.params.regularization = 0.05f;
    for (const std::string key : {"model.objective", "model.alpha", "model.confidence", "model.unobserved_weight"})
      if (is_explicit && given(key))
        throw InputError(at(key) + ": belongs to implicit feedback; remove it or set model.feedback = \"implicit\"");
    if (!is_explicit && given("model.biases"))
      throw InputError(at("model.biases") +
                       ": belongs to explicit feedback; remove it or set model.feedback = \"explicit\"");
    if (c.als.params.objective == AlsObjective::kHuKoren && given("model.unobserved_weight"))
      throw InputError(at("model.unobserved_weight") + ": is 1 by definition for objective \"hu-koren\"; remove it");
  }
  const bool predicts_values = c.model == "als" && c.als.feedback == "explicit";
  for (const auto& metric : c.evaluate.metrics)
    if (metric.k == 0 && !predicts_values)
      throw InputError(
          at("evaluate.metrics") + ": " + metric.name() +
          " needs a model that predicts values; use model.feedback = \"explicit\" or a ranking metric like ndcg@10");
  if (c.evaluate.metrics.empty()) {
    const std::vector<std::string> ranking{"recall@20", "ndcg@10"}, values_too{"rmse", "mae", "ndcg@10"};
    for (const auto& name : predicts_values ? values_too : ranking) c.evaluate.metrics.push_back(parse_metric(name));
  }

  if (!c.early_stopping.metric.empty()) {
    const auto metric = parse_metric(c.early_stopping.metric);
    if (metric.k == 0 && !predicts_values)
      throw InputError(at("train.early_stopping.metric") + ": " + metric.name() +
                       " needs a model that predicts values");
    const bool watched =
        std::ranges::any_of(c.evaluate.metrics, [&](const auto& m) { return m.name() == metric.name(); });
    if (!watched) c.evaluate.metrics.push_back(metric);
  } else if (given("train.early_stopping.patience") || given("train.early_stopping.min_delta")) {
    throw InputError(at("train.early_stopping.patience") +
                     ": needs train.early_stopping.metric, for example \"ndcg@10\"");
  }
  if (c.split.protocol == "files") {
    if (c.split.files.train.empty())
      throw InputError(file + ": split.files.train is missing; protocol \"files\" needs it");
    if (given("data.interactions"))
      throw InputError(at("data.interactions") + ": protocol \"files\" reads split.files; remove one of the two");
  } else {
    if (c.data.interactions.empty())
      throw InputError(file + ": data.interactions is missing; name the file of interactions");
    if (!c.split.files.train.empty()) throw InputError(at("split.files.train") + ": needs split.protocol = \"files\"");
    if (c.split.protocol == "random" && c.split.test + c.split.validation >= 1)
      throw InputError(at("split.test") +
                       ": test and validation together leave nothing to train on; keep their sum below 1");
  }
  if (c.export_model.empty() || c.export_model.has_parent_path())
    throw InputError(at("export.model") + ": expected a file name; the file lies in the run folder");
  c.evaluate.seed = c.seed;
}

/// The resolved config as a TOML file; every key is on a line of its own.
std::string resolve(const Config& config) {
  std::string out, section;
  for (const auto& key : schema()) {
    if (!key.model.empty() && key.model != config.model) continue;
    const std::string value = key.write(config);
    if (value.empty()) continue;
    const size_t dot = key.name.find('.');
    const std::string mine = dot == std::string::npos ? "" : key.name.substr(0, dot);
    if (mine != section) out += "\n[" + mine + "]\n", section = mine;
    out += (dot == std::string::npos ? key.name : key.name.substr(dot + 1)) + " = " + value + "\n";
  }
  return out;
}

}  // namespace

Config load_config(const std::filesystem::path& path, const std::vector<std::string>& set) {
  const std::string file = path.string();
  TomlTable root = read_toml(path);
  for (const auto& pair : set) set_toml(root, pair);
  std::vector<std::pair<std::string, TomlValue>> values;
  flatten(root, "", values);
  std::ranges::stable_sort(values, {}, [](const auto& entry) { return entry.second.line; });

  Config config;
  config.model = model_of(values);
  std::map<std::string, const SchemaKey*> keys;
  for (const auto& key : schema()) keys.emplace(key.name, &key);
  for (const auto& [name, value] : values) {
    const auto found = keys.find(name);
    if (found == keys.end()) unknown_key(place(file, value.line), name);
    const SchemaKey& key = *found->second;
    if (!key.model.empty() && key.model != config.model)
      throw InputError(place(file, value.line) + ": " + name + ": belongs to model.type = \"" + key.model +
                       "\", not \"" + config.model + "\"");
    try {
      key.read(config, value);
    } catch (const InputError& error) {
      throw InputError(place(file, value.line) + ": " + name + ": " + error.what());
    }
  }
  complete(config, file, values);

  if (config.name.empty()) config.name = path.stem().string();
  if (config.output.empty()) config.output = std::filesystem::path("runs") / config.name;
  for (auto* relative : {&config.data.interactions, &config.data.items.file, &config.split.files.train,
                         &config.split.files.validation, &config.split.files.test})
    if (!relative->empty() && relative->is_relative())
      *relative = (std::filesystem::absolute(path).parent_path() / *relative).lexically_normal();
  config.resolved = resolve(config);
  return config;
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
    if (key.changes_results && before != now) out.push_back(key.name + " (" + before + ", now " + now + ")");
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
    if (!key.model.empty()) out += "; for model.type " + key.model;
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
      "Written by `kindred-train --help-config=markdown` from the schema; a test holds it equal. Paths are relative to "
      "the\n"
      "config file, `output` to the working directory. Keys marked ° change speed or place alone, never results.\n";
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
           (key.model.empty() ? "" : " (" + key.model + ")") + " |\n";
  }
  return out;
}

}  // namespace kindred
