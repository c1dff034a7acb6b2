// SPDX-License-Identifier: Apache-2.0
#include "engine/data/id_map.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <limits>

#include "engine/core/error.hpp"
#include "engine/core/utf8.hpp"

namespace kindred {
namespace {

constexpr size_t kInitialSlots = 1024;
constexpr uint64_t kSmallIds = uint64_t{1} << 22;  // 16 MiB a thread and side where ids come that far

// What parse_canonical_integer takes, for the up to 18 digits that cannot overflow.
bool parse_short_integer(std::string_view text, int64_t& value) {
  if (text.empty() || text.size() > 18 || (text[0] == '0' && text.size() > 1)) return false;
  int64_t out = 0;
  for (const char c : text) {
    const auto digit = static_cast<unsigned char>(c - '0');
    if (digit > 9) return false;
    out = out * 10 + digit;
  }
  value = out;
  return true;
}

bool parse_integer(std::string_view text, int64_t& value) {
  return parse_short_integer(text, value) || parse_canonical_integer(text, value);
}

// The finalizer of MurmurHash3: consecutive integers spread over all bits.
uint64_t mixed(uint64_t x) {
  x = (x ^ (x >> 33)) * 0xff51afd7ed558ccdULL;
  x = (x ^ (x >> 33)) * 0xc4ceb9fe1a85ec53ULL;
  return x ^ (x >> 33);
}

}  // namespace

IdMap::IdMap(IdType type) : type_(type) {}

std::string_view IdMap::text(const Entry& entry) const {
  const auto index = static_cast<size_t>(entry.value);
  return std::string_view(texts_).substr(text_offsets_[index], text_offsets_[index + 1] - text_offsets_[index]);
}

template <class Same>
int32_t IdMap::find_or_add(Table& table, uint64_t hash, Entry entry, Same&& same) {
  if (table.used * 2 >= table.slots.size()) grow(table);
  const size_t mask = table.slots.size() - 1;
  size_t i = hash & mask;
  for (; table.slots[i].number >= 0; i = (i + 1) & mask) {
    if (table.slots[i].hash == hash && same(table.slots[i].number)) return table.slots[i].number;
  }
  table.slots[i] = {hash, add(entry)};
  ++table.used;
  return table.slots[i].number;
}

int32_t IdMap::add(Entry entry) {
  if (entries_.size() == std::numeric_limits<int32_t>::max()) throw BadId{"more than 2,147,483,647 ids"};
  entries_.push_back(entry);
  return size() - 1;
}

int32_t IdMap::add_small(size_t id) {
  if (id >= small_.size()) small_.resize(std::max({id + 1, small_.size() * 2, kInitialSlots}), -1);
  return small_[id] = add({static_cast<int64_t>(id), false});
}

void IdMap::grow(Table& table) {
  std::vector<Slot> larger(std::max(kInitialSlots, table.slots.size() * 2));
  const size_t mask = larger.size() - 1;
  for (const Slot& slot : table.slots) {
    if (slot.number < 0) continue;
    size_t i = slot.hash & mask;
    while (larger[i].number >= 0) i = (i + 1) & mask;
    larger[i] = slot;
  }
  table.slots = std::move(larger);
}

int32_t IdMap::number(int64_t id) {
  if (static_cast<uint64_t>(id) < kSmallIds) {
    const auto small = static_cast<size_t>(id);
    return small < small_.size() && small_[small] >= 0 ? small_[small] : add_small(small);
  }
  // The mix is one to one: equal hashes are equal values, so the slot alone decides.
  return find_or_add(integers_, mixed(static_cast<uint64_t>(id)), {id, false}, [](int32_t) { return true; });
}

int32_t IdMap::number(std::string_view id) {
  int64_t value = 0;
  if (parse_integer(id, value)) return number(value);
  if (last_number_ >= 0 && id == last_text_) return last_number_;
  check(id);
  const Entry next{static_cast<int64_t>(text_offsets_.size()) - 1, true};
  const int32_t before = size();
  last_number_ = find_or_add(strings_, std::hash<std::string_view>{}(id), next,
                             [&](int32_t known) { return text(entries_[static_cast<size_t>(known)]) == id; });
  if (last_number_ == before) {
    texts_ += id;
    text_offsets_.push_back(texts_.size());
  }
  last_text_.assign(id);
  return last_number_;
}

void IdMap::check(std::string_view id) const {
  int64_t value = 0;
  if (parse_integer(id, value)) return;
  if (id.empty()) throw BadId{"expected an id, found ''"};
  if (type_ == IdType::kInteger) throw BadId{fmt::format("expected a whole number as id, found '{}'", printable(id))};
  if (id.size() > kMaxIdBytes) {
    throw BadId{fmt::format("expected an id of at most 1,024 bytes, found {}: '{}'", id.size(), printable(id, 40))};
  }
  if (id.find('\0') != std::string_view::npos)
    throw BadId{
        fmt::format("expected an id in text, found a NUL byte in '{}'; the file is damaged or binary", printable(id))};
  if (!valid_utf8(id)) {
    throw BadId{
        fmt::format("expected an id in UTF-8, found '{}'; set data.encoding = \"latin-1\" where the file is, "
                    "or convert it with iconv",
                    printable(id))};
  }
}

void IdMap::append_text(int32_t number, std::string& to) const {
  const Entry& entry = entries_[static_cast<size_t>(number)];
  if (entry.is_text) {
    to += text(entry);
    return;
  }
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, entry.value).ptr;
  to.append(digits, end);
}

namespace {

// Where values lie close together, one pass over their range; else a sort.
MergedIds merge_integers(std::span<const IdMap> maps) {
  int64_t count = 0, low = std::numeric_limits<int64_t>::max(), high = std::numeric_limits<int64_t>::min();
  for (const IdMap& map : maps) {
    count += map.size();
    for (int32_t n = 0; n < map.size(); ++n) {
      low = std::min(low, map.value(n));
      high = std::max(high, map.value(n));
    }
  }
  MergedIds merged;
  for (const IdMap& map : maps) merged.rows.emplace_back(static_cast<size_t>(map.size()));
  std::vector<int64_t> values;
  constexpr uint64_t kSparsest = 8;  // values of the range for each id
  if (count > 0 &&
      static_cast<uint64_t>(high) - static_cast<uint64_t>(low) < kSparsest * static_cast<uint64_t>(count)) {
    std::vector<int32_t> row(static_cast<size_t>(high - low) + 1, -1);
    for (const IdMap& map : maps) {
      for (int32_t n = 0; n < map.size(); ++n) row[static_cast<size_t>(map.value(n) - low)] = 0;
    }
    for (size_t i = 0; i < row.size(); ++i) {
      if (row[i] < 0) continue;
      row[i] = static_cast<int32_t>(values.size());
      values.push_back(low + static_cast<int64_t>(i));
    }
    for (size_t m = 0; m < maps.size(); ++m) {
      for (int32_t n = 0; n < maps[m].size(); ++n)
        merged.rows[m][static_cast<size_t>(n)] = row[static_cast<size_t>(maps[m].value(n) - low)];
    }
  } else {
    values.reserve(static_cast<size_t>(count));
    for (const IdMap& map : maps) {
      for (int32_t n = 0; n < map.size(); ++n) values.push_back(map.value(n));
    }
    std::sort(values.begin(), values.end());
    values.erase(std::unique(values.begin(), values.end()), values.end());
    for (size_t m = 0; m < maps.size(); ++m) {
      for (int32_t n = 0; n < maps[m].size(); ++n) {
        const auto found = std::lower_bound(values.begin(), values.end(), maps[m].value(n));
        merged.rows[m][static_cast<size_t>(n)] = static_cast<int32_t>(found - values.begin());
      }
    }
  }
  values.shrink_to_fit();
  merged.ids = std::make_shared<const Ids>(Ids::integers(std::move(values)));
  return merged;
}

MergedIds merge_strings(std::span<const IdMap> maps) {
  std::string blob;
  std::vector<size_t> offsets{0};
  for (const IdMap& map : maps) {
    for (int32_t n = 0; n < map.size(); ++n) {
      map.append_text(n, blob);
      offsets.push_back(blob.size());
    }
  }
  const auto text = [&](size_t k) { return std::string_view(blob).substr(offsets[k], offsets[k + 1] - offsets[k]); };
  std::vector<size_t> order(offsets.size() - 1);
  for (size_t k = 0; k < order.size(); ++k) order[k] = k;
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return text(a) < text(b); });

  std::string ascending;
  std::vector<int64_t> ascending_offsets{0};
  std::vector<int32_t> row_of(order.size());
  for (size_t i = 0; i < order.size(); ++i) {
    if (i == 0 || text(order[i]) != text(order[i - 1])) {
      ascending += text(order[i]);
      ascending_offsets.push_back(static_cast<int64_t>(ascending.size()));
    }
    row_of[order[i]] = static_cast<int32_t>(ascending_offsets.size()) - 2;
  }
  MergedIds merged;
  auto next = row_of.begin();
  for (const IdMap& map : maps) {
    merged.rows.emplace_back(next, next + map.size());
    next += map.size();
  }
  merged.ids = std::make_shared<const Ids>(Ids::strings(std::move(ascending), std::move(ascending_offsets)));
  return merged;
}

}  // namespace

MergedIds merge_ids(std::span<const IdMap> maps, IdType type) {
  const bool integers = std::all_of(maps.begin(), maps.end(), [](const IdMap& map) { return map.all_integers(); });
  return integers && type != IdType::kString ? merge_integers(maps) : merge_strings(maps);
}

}  // namespace kindred
