// SPDX-License-Identifier: Apache-2.0
#include "engine/core/error.hpp"

#include <cstdio>

#include "engine/core/edit_distance.hpp"

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
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (out.size() >= most && (byte & 0xC0) != 0x80) return out + "…";
    if (byte < 0x20 || byte == 0x7F) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\x%02x", byte);
      out += byte == '\n' ? "\\n" : byte == '\t' ? "\\t" : byte == '\r' ? "\\r" : escaped;
    } else {
      out += text[i];
    }
  }
  return out;
}

}  // namespace kindred
