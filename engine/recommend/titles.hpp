// SPDX-License-Identifier: Apache-2.0
// Looking up an item by what a person types: an exact id wins over a title, an exact title over a similar one.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/catalogue.hpp"

namespace kindred {

struct TitleMatch {
  int32_t item = -1;
  double similarity = 0;  ///< 1: equal but for case, accents and punctuation
};

/// The best matches, best first. Tokens are compared without case, accents and punctuation; a token of the query may be
/// misspelt or a prefix. Cost: O(titles) with early exit by length and letters.
std::vector<TitleMatch> find_titles(const Catalogue& catalogue, std::string_view query, int most);

}  // namespace kindred
