// SPDX-License-Identifier: Apache-2.0
// Ids to dense numbers while a file is read, and from those to rows in ascending order of the ids. Each reading thread
// has a map of its own, so that no lock stands in the way; they are merged once at the end.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/ids.hpp"

namespace kindred {

enum class IdType : uint8_t { kAuto, kString, kInteger };

/// Why a text cannot be an id, or a field what it should be.
struct BadId {
  std::string message;
};

/// Numbers ids in the order in which it first sees them. Canonical 64-bit decimals are kept as integers, other ids as
/// text, so that the type of a side need not be known before its last id is read.
class IdMap {
 public:
  explicit IdMap(IdType type = IdType::kAuto);
  /// The id's number. Throws BadId for what cannot be one: empty, too long, not UTF-8, not an integer of kInteger.
  int32_t number(std::string_view id);
  int32_t number(int64_t id);
  /// Throws as number() does, and adds nothing.
  void check(std::string_view id) const;
  void check(int64_t) const {}
  int32_t size() const { return static_cast<int32_t>(entries_.size()); }
  bool all_integers() const { return text_offsets_.size() == 1; }

  /// Appends the text of an id.
  void append_text(int32_t number, std::string& to) const;
  /// The value of an id; only where all_integers().
  int64_t value(int32_t number) const { return entries_[static_cast<size_t>(number)].value; }

 private:
  struct Entry {
    int64_t value;  // the integer, or the index of the text
    bool is_text;
  };
  struct Slot {
    uint64_t hash;
    int32_t number = -1;  // -1: free
  };
  struct Table {
    std::vector<Slot> slots;  // open addressing, a power of two, at most half full
    size_t used = 0;
  };
  template <class Same>
  int32_t find_or_add(Table& table, uint64_t hash, Entry entry, Same&& same);
  int32_t add(Entry entry);
  int32_t add_small(size_t id);
  static void grow(Table& table);
  std::string_view text(const Entry& entry) const;

  IdType type_;
  std::vector<int32_t> small_;  // the number of each small id, -1 where there is none: one look instead of a search
  Table integers_, strings_;
  std::vector<Entry> entries_;
  std::string texts_;
  std::vector<size_t> text_offsets_{0};
  std::string last_text_;  // files are often sorted by user: the same id comes again and again
  int32_t last_number_ = -1;
};

/// All ids of several maps in ascending order, and for each map the row of each of its numbers.
struct MergedIds {
  std::shared_ptr<const Ids> ids;
  std::vector<std::vector<int32_t>> rows;
};
/// `type` kAuto: integers where all ids are.
MergedIds merge_ids(std::span<const IdMap> maps, IdType type);

}  // namespace kindred
