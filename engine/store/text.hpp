// SPDX-License-Identifier: Apache-2.0
// Text as terminals, JSON and CSV need it.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace kindred {

/// Columns that a terminal takes: 2 for East Asian wide characters and emoji, 0 for combining marks.
size_t display_width(std::string_view text);

/// At most `columns` of a text, with "…" in place of what was cut.
std::string shorten(std::string_view text, size_t columns);

/// Appends `text` as a JSON string, quotes included.
void append_json(std::string& to, std::string_view text);

}  // namespace kindred
