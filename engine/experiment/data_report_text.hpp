// SPDX-License-Identifier: Apache-2.0
// Numbers as the table and the page of statistics show them.
#pragma once
#include <string>

#include "engine/data/statistics.hpp"

namespace kindred {

/// "100,836", "3.50", "165.3"
std::string number_text(double value);
/// "3.5", "20 to 30"; of whole numbers "1", "2 to 3".
std::string bin_text(const Bin& bin, bool whole);

}  // namespace kindred
