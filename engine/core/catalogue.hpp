// SPDX-License-Identifier: Apache-2.0
// What is known of items, or of users, beside their interactions; row r belongs to the r-th id.
#pragma once
#include <string>
#include <vector>

#include "engine/core/interactions.hpp"

namespace kindred {

/// One of some words a row.
struct CategoricalColumn {
  std::string name;
  std::vector<std::string> words;  ///< ascending by bytes
  std::vector<int32_t> codes;      ///< index into words, -1 where missing
};
struct NumericColumn {
  std::string name;
  std::vector<float> values;  ///< NaN where missing
};
struct TextColumn {
  std::string name;
  std::vector<std::string> texts;  ///< UTF-8, "" where missing
};

struct Catalogue {
  std::vector<std::string> titles;     ///< UTF-8, one a row, "" where unknown; empty: no titles
  HostCsr tags;                        ///< rows x tag names, no values; rows() == 0: no tags
  std::vector<std::string> tag_names;  ///< ascending by bytes
  std::vector<CategoricalColumn> categorical;
  std::vector<NumericColumn> numeric;
  std::vector<TextColumn> text;
};

}  // namespace kindred
