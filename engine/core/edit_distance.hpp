// SPDX-License-Identifier: Apache-2.0
// How far one word is from others: optimal string alignment (insertions, deletions, substitutions and swaps of
// neighbours, 1 each), over bytes.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace kindred {

class EditDistance {
 public:
  explicit EditDistance(std::string_view word);

  /// Cost: |text| steps of a few instructions for words of up to 64 bytes, else |word| x |text|.
  size_t to(std::string_view text) const;

 private:
  std::string word_;
  std::array<uint64_t, 256> places_{};  ///< of each byte in the word, a bit each
};

}  // namespace kindred
