// SPDX-License-Identifier: Apache-2.0
// What an evaluation found, as people and programs read it.
#pragma once
#include <filesystem>
#include <string>

#include "engine/evaluate/evaluate.hpp"

namespace kindred {

/// Columns for the metrics' names in a table.
size_t name_width(const Evaluation& evaluation);

/// One line a metric: mean and interval.
std::string metrics_table(const Evaluation& evaluation);

/// `user` and each metric that users have values of; empty where a user has none. Whole or untouched.
void write_per_user(const Evaluation& evaluation, const Ids& users, const std::filesystem::path& path);

}  // namespace kindred
