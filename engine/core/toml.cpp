// SPDX-License-Identifier: Apache-2.0
// The only file that includes toml++.
#include "engine/core/toml.hpp"

// toml++ 3.3 asserts that a table's name starts well before it checks just that, and under NDEBUG assumes it, so that
// "[=]" is undefined. Without either its own error is what remains.
#undef NDEBUG
#define TOML_ASSERT(condition) static_assert(true)
#include <toml++/toml.h>

#include <charconv>
#include <sstream>

#include "engine/core/error.hpp"
#include "engine/core/file.hpp"

namespace kindred {
namespace {

TomlValue convert(const toml::node& node, const std::string& name) {
  TomlValue out;
  out.line = static_cast<int>(node.source().begin.line);
  if (const auto* text = node.as_string()) {
    out.value = text->get();
  } else if (const auto* whole = node.as_integer()) {
    out.value = whole->get();
  } else if (const auto* number = node.as_floating_point()) {
    out.value = number->get();
  } else if (const auto* truth = node.as_boolean()) {
    out.value = truth->get();
  } else if (const auto* list = node.as_array()) {
    TomlArray items;
    for (const auto& item : *list) items.push_back(convert(item, name));
    out.value = std::move(items);
  } else if (const auto* table = node.as_table()) {
    TomlTable fields;
    for (const auto& [key, value] : *table) fields.emplace(std::string(key.str()), convert(value, name));
    out.value = std::move(fields);
  } else {
    throw InputError(name + ":" + std::to_string(out.line) + ": a date or time is no value here; put it in quotes");
  }
  return out;
}

/// Values from the command line stand on no line.
void forget_lines(TomlValue& value) {
  value.line = 0;
  if (auto* list = std::get_if<TomlArray>(&value.value))
    for (auto& item : *list) forget_lines(item);
  if (auto* table = std::get_if<TomlTable>(&value.value))
    for (auto& [key, item] : *table) forget_lines(item);
}

TomlTable parse(std::string_view text, const std::string& name) {
  try {
    const toml::table root = toml::parse(text, name);
    return std::get<TomlTable>(convert(root, name).value);
  } catch (const toml::parse_error& error) {
    throw InputError(name + ":" + std::to_string(error.source().begin.line) +
                     ": not valid TOML: " + printable(error.description(), 200));
  }
}

}  // namespace

std::string_view TomlValue::kind() const {
  constexpr std::string_view kNames[] = {"true or false", "a whole number", "a number", "text", "a list", "a table"};
  return kNames[value.index()];
}

TomlTable read_toml(const std::filesystem::path& path) { return parse(read_file(path), path.string()); }
TomlTable parse_toml(std::string_view text, const std::string& name) { return parse(text, name); }

void set_toml(TomlTable& root, std::string_view key_equals_value) {
  const size_t equals = key_equals_value.find('=');
  if (equals == std::string_view::npos || equals == 0)
    throw InputError("--set: expected key=value, found '" + printable(key_equals_value) + "'");
  const std::string key(key_equals_value.substr(0, equals)), right(key_equals_value.substr(equals + 1));
  TomlValue value;
  try {
    value = parse("x = " + right, "--set").at("x");
  } catch (const InputError&) {
    value.value = right;
  }
  forget_lines(value);
  TomlTable* table = &root;
  size_t begin = 0;
  for (size_t dot; (dot = key.find('.', begin)) != std::string::npos; begin = dot + 1) {
    TomlValue& inner = (*table)[key.substr(begin, dot - begin)];
    if (!std::holds_alternative<TomlTable>(inner.value)) inner.value = TomlTable{};
    table = &std::get<TomlTable>(inner.value);
  }
  if (begin == key.size()) throw InputError("--set: '" + printable(key) + "' is no key");
  (*table)[key.substr(begin)] = std::move(value);
}

std::string to_toml(const TomlValue& value) {
  struct Print {
    std::string operator()(bool truth) const { return truth ? "true" : "false"; }
    std::string operator()(int64_t whole) const { return std::to_string(whole); }
    std::string operator()(double number) const {
      if (number != number) return "nan";
      if (number == std::numeric_limits<double>::infinity()) return "inf";
      if (number == -std::numeric_limits<double>::infinity()) return "-inf";
      char text[40];
      std::string out(text, std::to_chars(text, text + sizeof text, number).ptr);
      return out.find_first_of(".e") == std::string::npos ? out + ".0" : out;
    }
    std::string operator()(const std::string& text) const {
      std::string out = "\"";
      for (const char c : text) {
        if (c == '"' || c == '\\') {
          out += '\\', out += c;
        } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
          constexpr char kHex[] = "0123456789ABCDEF";
          out += "\\u00", out += kHex[c >> 4 & 15], out += kHex[c & 15];
        } else {
          out += c;
        }
      }
      return out + "\"";
    }
    std::string operator()(const TomlArray& list) const {
      std::string out;
      for (const auto& item : list) out += (out.empty() ? "" : ", ") + to_toml(item);
      return "[" + out + "]";
    }
    std::string operator()(const TomlTable& table) const {
      std::string out;
      for (const auto& [key, item] : table) {
        const bool bare = !key.empty() && key.find_first_not_of(
                                              "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                              "0123456789_-") == std::string::npos;
        out += (out.empty() ? "" : ", ") + (bare ? key : (*this)(key)) + " = " + to_toml(item);
      }
      return "{ " + out + " }";
    }
  };
  return std::visit(Print{}, value.value);
}

}  // namespace kindred
