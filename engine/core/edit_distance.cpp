// SPDX-License-Identifier: Apache-2.0
// Bit-parallel: a column of the table of distances is two words of differences (+1, -1) between its neighbours.
// Hyyrö 2003, "A bit-vector algorithm for computing Levenshtein and Damerau edit distances".
#include "engine/core/edit_distance.hpp"

#include <algorithm>
#include <vector>

namespace kindred {
namespace {

size_t by_table(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(last);
    last.swap(row);
  }
  return last[b.size()];
}

}  // namespace

EditDistance::EditDistance(std::string_view word) : word_(word) {
  if (word_.size() > 64) return;
  for (size_t i = 0; i < word_.size(); ++i) places_[static_cast<unsigned char>(word_[i])] |= uint64_t{1} << i;
}

size_t EditDistance::to(std::string_view text) const {
  if (word_.empty() || text.empty()) return word_.size() + text.size();
  if (word_.size() > 64) return by_table(word_, text);
  const auto last = static_cast<unsigned>(word_.size() - 1);
  size_t distance = word_.size();
  uint64_t rising = ~uint64_t{0}, falling = 0, diagonal = 0, before = 0;
  for (const char c : text) {
    const uint64_t same = places_[static_cast<unsigned char>(c)];
    const uint64_t swapped = ((~diagonal & same) << 1) & before;
    diagonal = (((same & rising) + rising) ^ rising) | same | falling | swapped;
    uint64_t up = falling | ~(diagonal | rising), down = diagonal & rising;
    distance += (up >> last) & 1;
    distance -= (down >> last) & 1;
    up = up << 1 | 1;
    down <<= 1;
    rising = down | ~(diagonal | up);
    falling = up & diagonal;
    before = same;
  }
  return distance;
}

}  // namespace kindred
