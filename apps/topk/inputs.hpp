// SPDX-License-Identifier: Apache-2.0
// What a question of kindred-topk names, on the command line and in files, as rows of the model.
#pragma once
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/fitted_model.hpp"
#include "engine/data/table.hpp"

namespace kindred {

/// visit(the fields of the table's wishes in their order, "" for a column that is not there; the record's offset) for
/// each record.
void for_each_row(const Table& table, size_t wishes,
                  const std::function<void(std::span<const std::string_view>, size_t)>& visit);

/// visit(user, item) for each line of a file with these columns; others are passed over.
void for_each_pair(const std::string& file, const std::function<void(std::string_view, std::string_view)>& visit);

/// "1,2,@more.txt": ids with commas between; @FILE stands for a file with an id a line.
std::vector<std::string> split_list(const std::string& text, const char* option);

/// Who is asked for, in order.
struct People {
  std::vector<std::string> names;
  std::vector<int32_t> rows;  ///< -1: not in the model
};

/// `unknown` decides about names that are not in the model: "error", "skip" (counted in the log) or "popular" (row -1).
People people(const FittedModel& model, const std::vector<std::string>& names, const char* option,
              const std::string& unknown);

/// Items by id or title: an exact id wins over a title, an exact title over a similar one.
std::vector<int32_t> items_of(const FittedModel& model, const std::vector<std::string>& arguments);

/// What people who are not in the model have done: row q belongs to names[q]. An item without a value counts 1, the
/// last of a repeated item counts.
struct Histories {
  std::vector<std::string> names;
  HostCsr matrix;
};

/// "1:5,260:4.5" is one history; "@FILE.csv" (columns item, and where given user and value) one a user.
Histories histories_of(const FittedModel& model, const std::string& text);

/// The pairs of a file (columns user, item), gathered by user in the order of their first lines.
struct Candidates {
  People users;
  HostCsr matrix;  ///< row q: users.names[q]
};
Candidates candidates_of(const FittedModel& model, const std::string& file, const std::string& unknown);

/// Items that a list must not hold, from --exclude, --only-tags and --without-tags.
struct Unwanted {
  std::vector<uint8_t> allowed;                        ///< one an item, 0: in nobody's list; empty: all
  std::vector<std::pair<std::string, int32_t>> pairs;  ///< user, item

  /// The pairs of people of these names: row q belongs to names[q].
  HostCsr rows_of(std::span<const std::string> names, int64_t items) const;
};
Unwanted unwanted_items(const FittedModel& model, const std::string& exclude_file,
                        const std::vector<std::string>& only_tags, const std::vector<std::string>& without_tags);

}  // namespace kindred
