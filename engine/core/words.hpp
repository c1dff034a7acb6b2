// SPDX-License-Identifier: Apache-2.0
// The words of a text as they are compared: without case, accents and punctuation. "L'Été d'Amélie (2001)" has lete,
// damelie, 2001. Letters of Latin, Greek and Cyrillic lose their case, Latin ones up to U+017F their accents; of other
// scripts every character that is no punctuation belongs to a word.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kindred {

/// Made once and read into again and again: no allocation but the first ones.
class Words {
 public:
  /// Valid until the next call. Bytes that are no UTF-8 end a word.
  std::span<const std::string_view> read(std::string_view text);

 private:
  std::string folded_;
  std::vector<std::string_view> words_;
};

}  // namespace kindred
