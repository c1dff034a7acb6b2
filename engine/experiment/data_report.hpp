// SPDX-License-Identifier: Apache-2.0
// The statistics of a data set as people and programs read them: a table, JSON, one page of HTML.
#pragma once
#include <string>

#include "engine/data/statistics.hpp"

namespace kindred {

/// For a terminal of 100 columns.
std::string statistics_table(const Statistics& statistics);

/// One object, docs/data-report.md has its keys; ends with a line break.
std::string statistics_json(const Statistics& statistics);

/// A page that stands alone (no script, no network), charts as SVG, light and dark; it holds the JSON, too. `name` is
/// the data set's.
std::string statistics_page(const Statistics& statistics, const std::string& name);

}  // namespace kindred
