// SPDX-License-Identifier: Apache-2.0
#include "engine/core/ids.hpp"

#include <algorithm>
#include <charconv>

#include "engine/core/error.hpp"

namespace kindred {

Ids Ids::integers(std::vector<int64_t> ascending) {
  for (size_t i = 1; i < ascending.size(); ++i)
    if (ascending[i] <= ascending[i - 1])
      throw InputError("ids: " + std::to_string(ascending[i]) + " does not ascend at row " + std::to_string(i));
  Ids ids;
  ids.integer_ = true;
  ids.values_ = std::move(ascending);
  return ids;
}

Ids Ids::strings(std::string blob, std::vector<int64_t> offsets) {
  if (offsets.empty() || offsets.front() != 0 || offsets.back() != static_cast<int64_t>(blob.size()))
    throw InputError("ids: offsets do not cover the text");
  Ids ids;
  ids.blob_ = std::move(blob);
  ids.offsets_ = std::move(offsets);
  for (size_t i = 1; i < ids.offsets_.size(); ++i) {
    if (ids.offsets_[i] < ids.offsets_[i - 1] || ids.offsets_[i] > static_cast<int64_t>(ids.blob_.size()))
      throw InputError("ids: offsets do not ascend at row " + std::to_string(i - 1));
    if (i > 1 && ids.string(static_cast<int64_t>(i) - 1) <= ids.string(static_cast<int64_t>(i) - 2))
      throw InputError("ids: '" + printable(ids.string(static_cast<int64_t>(i) - 1)) + "' does not ascend at row " +
                       std::to_string(i - 1));
  }
  return ids;
}

std::string Ids::text(int64_t row) const {
  std::string out;
  append_text(row, out);
  return out;
}

void Ids::append_text(int64_t row, std::string& to) const {
  if (!integer_) {
    to.append(string(row));
    return;
  }
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, values_[static_cast<size_t>(row)]).ptr;
  to.append(digits, end);
}

int32_t Ids::find(std::string_view id) const {
  if (integer_) {
    int64_t value = 0;
    if (!parse_canonical_integer(id, value)) return -1;
    const auto at = std::ranges::lower_bound(values_, value);
    return at != values_.end() && *at == value ? static_cast<int32_t>(at - values_.begin()) : -1;
  }
  int64_t low = 0, high = size();
  while (low < high) {
    const int64_t middle = (low + high) / 2;
    if (string(middle) < id)
      low = middle + 1;
    else
      high = middle;
  }
  return low < size() && string(low) == id ? static_cast<int32_t>(low) : -1;
}

bool parse_canonical_integer(std::string_view text, int64_t& value) {
  const std::string_view digits = text.starts_with('-') ? text.substr(1) : text;
  if (digits.empty() || (digits[0] == '0' && text.size() > 1)) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace kindred
