// SPDX-License-Identifier: Apache-2.0
// The ids of one side (users or items): row r of every table belongs to the r-th id in ascending order.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kindred {

constexpr size_t kMaxIdBytes = 1024;

/// Immutable. Either 64-bit integers (ascending by value) or strings (ascending by bytes), without repeats.
class Ids {
 public:
  Ids() = default;
  /// Throws InputError where the ids do not ascend strictly.
  static Ids integers(std::vector<int64_t> ascending);
  /// `blob` holds the strings one after the other; string r is [offsets[r], offsets[r + 1]).
  static Ids strings(std::string blob, std::vector<int64_t> offsets);

  int64_t size() const {
    return integer_ ? static_cast<int64_t>(values_.size())
                    : std::max<int64_t>(0, static_cast<int64_t>(offsets_.size()) - 1);
  }
  bool integer() const { return integer_; }
  /// The id of a row as text.
  std::string text(int64_t row) const;
  /// Appends the id's text; no allocation but the target's.
  void append_text(int64_t row, std::string& to) const;
  /// The row of an id given as text, -1 where there is none. O(log n).
  int32_t find(std::string_view id) const;

  std::span<const int64_t> values() const { return values_; }  ///< of integer ids
  std::string_view string(int64_t row) const {                 ///< of string ids
    return std::string_view(blob_).substr(static_cast<size_t>(offsets_[row]),
                                          static_cast<size_t>(offsets_[row + 1] - offsets_[row]));
  }
  bool operator==(const Ids&) const = default;

 private:
  bool integer_ = false;
  std::vector<int64_t> values_;
  std::string blob_;
  std::vector<int64_t> offsets_;
};

/// "12", "-7": a 64-bit decimal that prints back as itself ("007", "+1", "-0" are not).
bool parse_canonical_integer(std::string_view text, int64_t& value);

}  // namespace kindred
