// SPDX-License-Identifier: Apache-2.0
// What is known of items (later: and users) beside their interactions; row r belongs to the r-th id.
#pragma once
#include <string>
#include <vector>

#include "engine/core/interactions.hpp"

namespace kindred {

struct Catalogue {
  std::vector<std::string> titles;     ///< UTF-8, one an item, "" where unknown; empty: no titles
  HostCsr tags;                        ///< items x tag names, no values; rows() == 0: no tags
  std::vector<std::string> tag_names;  ///< ascending by bytes
};

}  // namespace kindred
