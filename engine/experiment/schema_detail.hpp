// SPDX-License-Identifier: Apache-2.0
// What the sections of the schema share: the table that their rows are added to, and how values are taken from TOML.
#pragma once
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "engine/core/error.hpp"
#include "engine/core/toml.hpp"
#include "engine/experiment/schema.hpp"

namespace kindred::detail {

[[noreturn]] void expected(const std::string& what, const TomlValue& found);
std::string text_of(const TomlValue& value);
double number_of(const TomlValue& value);
/// As TOML.
std::string quote(const std::string& text);
std::string number(double value);
/// A float as the number a person would write: 0.003, not 0.003000000026077032.
std::string number(float value);

constexpr auto kMost = std::numeric_limits<int64_t>::max();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

inline const Condition kAlways{"", [](const Config&) { return true; }};
inline const Condition kAls{"model.type = \"als\"", [](const Config& c) { return c.model == "als"; }};

inline const Condition kSgd{"model.type = \"sgd\"", [](const Config& c) { return c.model == "sgd"; }};

/// Collects keys; each call binds one to a field through an accessor `at(config)`.
class KeyTable {
 public:
  std::vector<SchemaKey> keys;
  std::string section;
  Condition when;  ///< of the keys that follow

  /// The keys that follow are of this section, and always mean something.
  void begin(const std::string& name) { section = name, when = kAlways; }

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

  /// A file to read.
  template <class At>
  void file(const std::string& name, const std::string& sentence, At at) {
    add(
        name, kInputFile, "", true, sentence, [=](Config& c, const TomlValue& v) { at(c) = text_of(v); },
        [=](const Config& c) {
          const auto& found = at(const_cast<Config&>(c));
          return found.empty() ? std::string() : quote(found.string());
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

/// How a row names its field of Config.
#define FIELD(expression) \
  [](Config & c) -> auto& { return c.expression; }

// The sections, in the order of the documentation.
void add_run_keys(KeyTable& t);
void add_data_keys(KeyTable& t);
void add_split_keys(KeyTable& t);
void add_neighbor_keys(KeyTable& t);  ///< of [model]
void add_model_keys(KeyTable& t);
void add_sgd_keys(KeyTable& t);  // of [model], as the next
void add_svd_keys(KeyTable& t);
void add_content_keys(KeyTable& t);  ///< of model.type = "content"
void add_train_keys(KeyTable& t);
void add_evaluate_keys(KeyTable& t);
void add_export_keys(KeyTable& t);

}  // namespace kindred::detail
