// SPDX-License-Identifier: Apache-2.0
#include "engine/core/error.hpp"

#include <cstdio>

#include "engine/core/edit_distance.hpp"
#include "engine/core/utf8.hpp"

namespace kindred {
namespace {

/// Lower case, without '_', '-' and spaces: differences that people do not see.
std::string folded(std::string_view name) {
  std::string out;
  for (const char c : name)
    if (c != '_' && c != '-' && c != ' ') out += static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  return out;
}

}  // namespace

std::string nearest(std::string_view name, std::span<const std::string> candidates) {
  const std::string wanted = folded(name);
  const EditDistance distance(wanted);
  std::string best;
  size_t best_distance = wanted.size() / 3 + 1;
  for (const auto& candidate : candidates) {
    const size_t d = distance.to(folded(candidate));
    if (d < best_distance) best = candidate, best_distance = d;
  }
  return best;
}

std::string did_you_mean(std::string_view name, std::span<const std::string> candidates) {
  const std::string near = nearest(name, candidates);
  return near.empty() ? "" : "; did you mean '" + near + "'?";
}

std::string printable(std::string_view text, size_t most) {
  std::string out;
  while (!text.empty()) {
    if (out.size() >= most) return out + "…";
    const Character c = first_character(text);
    const size_t bytes = c.valid ? c.bytes : 1;
    const bool control = c.code < 0x20 || (c.code >= 0x7F && c.code < 0xA0);
    for (const char byte : text.substr(0, bytes)) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\x%02x", static_cast<unsigned char>(byte));
      if (c.valid && !control)
        out += byte;
      else
        out += byte == '\n' ? "\\n" : byte == '\t' ? "\\t" : byte == '\r' ? "\\r" : escaped;
    }
    text.remove_prefix(bytes);
  }
  return out;
}

}  // namespace kindred
