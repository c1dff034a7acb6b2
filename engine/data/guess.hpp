// SPDX-License-Identifier: Apache-2.0
// What some files are to each other: which holds interactions, which is the catalogue, what their columns mean. By
// names first, by content where names say nothing.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "engine/data/profile.hpp"
#include "engine/data/table.hpp"

namespace kindred {

enum class FileKind : uint8_t { kUnused, kInteractions, kItems, kUsers, kFriends };

enum class ValueKind : uint8_t {
  kNone,      ///< no column of values
  kConstant,  ///< all alike
  kStars,     ///< few steps up to 5, 10 or so: an opinion
  kCounts,    ///< whole numbers from 1 (or 0) on, most of them small
  kAmounts,   ///< other numbers, none negative: hours, money
  kSigned,    ///< some are negative: likes and dislikes
};

struct FileGuess {
  FileProfile profile;
  FileKind kind = FileKind::kUnused;
  /// Columns by place; -1: none.
  int user = -1, item = -1, value = -1, time = -1, event = -1;  ///< of interactions; `user` and `item` of friends
  int id = -1, title = -1, tags = -1;                           ///< of items and users
  std::string tag_separator = "|";
  ValueKind values = ValueKind::kNone;
  std::string event_kind{};  ///< of a file that holds one kind alone, for example "view"
  std::string remark{};      ///< why a file or a column is not used; "" where there is nothing to say
};

struct DatasetGuess {
  std::vector<FileGuess> files;                          ///< in the order given
  std::vector<std::pair<std::string, double>> events{};  ///< kinds and weights, where there are kinds
};

/// Throws InputError where no file looks like interactions.
DatasetGuess guess_dataset(std::vector<FileProfile> profiles);

/// A file alone as a table of items: its columns of ids, titles and tags.
FileGuess guess_items(FileProfile profile);

/// The names by which columns are known, a wish for each role.
std::vector<ColumnWish> usual_columns();

/// How much a kind of event says about liking: 1 for a look, 3 for a cart, 10 for a purchase.
double event_weight(std::string_view kind);

}  // namespace kindred
