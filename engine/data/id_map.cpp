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
  if (entries_.size() == std::numeric_limits<int32_t>::max()) throw BadId{"more than 2,147,483,647 ids"};
  table.slots[i] = {hash, size()};
  ++table.used;
  entries_.push_back(entry);
  return size() - 1;
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

int32_t IdMap::number(std::string_view id) {
  if (id == last_id_ && last_number_ >= 0) return last_number_;
  int64_t value = 0;
  if (parse_canonical_integer(id, value)) {
    // The mix is one to one: equal hashes are equal values, so the slot alone decides.
    last_number_ =
        find_or_add(integers_, mixed(static_cast<uint64_t>(value)), {value, false}, [](int32_t) { return true; });
  } else {
    if (id.empty()) throw BadId{"expected an id, found ''"};
    if (type_ == IdType::kInteger) throw BadId{fmt::format("expected a whole number as id, found '{}'", printable(id))};
    if (id.size() > kMaxIdBytes) {
      throw BadId{fmt::format("expected an id of at most 1,024 bytes, found {}: '{}'", id.size(), printable(id, 40))};
    }
    if (!valid_utf8(id)) {
      throw BadId{fmt::format("expected an id in UTF-8, found '{}'; convert the file with iconv", printable(id))};
    }
    const Entry next{static_cast<int64_t>(text_offsets_.size()) - 1, true};
    const int32_t before = size();
    last_number_ = find_or_add(strings_, std::hash<std::string_view>{}(id), next,
                               [&](int32_t known) { return text(entries_[static_cast<size_t>(known)]) == id; });
    if (last_number_ == before) {
      texts_ += id;
      text_offsets_.push_back(texts_.size());
    }
  }
  last_id_.assign(id);
  return last_number_;
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

MergedIds merge_integers(std::span<const IdMap> maps) {
  std::vector<int64_t> values;
  for (const IdMap& map : maps) {
    for (int32_t n = 0; n < map.size(); ++n) values.push_back(map.value(n));
  }
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  values.shrink_to_fit();
  MergedIds merged;
  for (const IdMap& map : maps) {
    auto& rows = merged.rows.emplace_back(static_cast<size_t>(map.size()));
    for (int32_t n = 0; n < map.size(); ++n) {
      const auto found = std::lower_bound(values.begin(), values.end(), map.value(n));
      rows[static_cast<size_t>(n)] = static_cast<int32_t>(found - values.begin());
    }
  }
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
