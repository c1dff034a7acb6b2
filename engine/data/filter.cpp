// SPDX-License-Identifier: Apache-2.0
#include "engine/data/filter.hpp"

#include <algorithm>
#include <numeric>
#include <vector>

namespace kindred {
namespace {

// Moves the entries e of users u of which keep(u, e) holds to the front, in place.
template <class Keep>
void keep_entries(Interactions& all, Keep&& keep) {
  HostCsr& m = all.matrix;
  size_t to = 0, from = 0;
  for (size_t u = 0; u + 1 < m.offsets.size(); ++u) {
    for (const auto end = static_cast<size_t>(m.offsets[u + 1]); from < end; ++from) {
      if (!keep(u, from)) continue;
      m.indices[to] = m.indices[from];
      if (!m.values.empty()) m.values[to] = m.values[from];
      if (!all.times.empty()) all.times[to] = all.times[from];
      if (!all.kinds.empty()) all.kinds[to] = all.kinds[from];
      ++to;
    }
    m.offsets[u + 1] = static_cast<int64_t>(to);
  }
  m.indices.resize(to);
  if (!m.values.empty()) m.values.resize(to);
  if (!all.times.empty()) all.times.resize(to);
  if (!all.kinds.empty()) all.kinds.resize(to);
}

std::shared_ptr<const Ids> keep_ids(const Ids& ids, const std::vector<int64_t>& rows) {
  if (ids.integer()) {
    std::vector<int64_t> kept;
    kept.reserve(rows.size());
    for (const int64_t row : rows) kept.push_back(ids.values()[static_cast<size_t>(row)]);
    return std::make_shared<const Ids>(Ids::integers(std::move(kept)));
  }
  std::string blob;
  std::vector<int64_t> offsets{0};
  offsets.reserve(rows.size() + 1);
  for (const int64_t row : rows) {
    blob += ids.string(row);
    offsets.push_back(static_cast<int64_t>(blob.size()));
  }
  return std::make_shared<const Ids>(Ids::strings(std::move(blob), std::move(offsets)));
}

/// The users of each item: the matrix by columns.
struct ByItem {
  std::vector<int64_t> offsets;
  std::vector<int32_t> users;

  explicit ByItem(const HostCsr& m) : offsets(static_cast<size_t>(m.cols) + 1), users(m.indices.size()) {
    for (const int32_t item : m.indices) ++offsets[static_cast<size_t>(item) + 1];
    std::partial_sum(offsets.begin(), offsets.end(), offsets.begin());
    std::vector<int64_t> next(offsets.begin(), offsets.end() - 1);
    for (int64_t u = 0; u < m.rows(); ++u) {
      for (const int32_t item : m.row(u)) {
        users[static_cast<size_t>(next[static_cast<size_t>(item)]++)] = static_cast<int32_t>(u);
      }
    }
  }
  std::span<const int32_t> row(int64_t item) const {
    const auto i = static_cast<size_t>(item);
    return std::span(users).subspan(static_cast<size_t>(offsets[i]), static_cast<size_t>(offsets[i + 1] - offsets[i]));
  }
};

/// The entries that each row of one side still has, and the rows that have gone.
struct Side {
  int64_t least;
  std::vector<int64_t> count;
  std::vector<uint8_t> gone;
  std::vector<int64_t> waiting;  ///< gone, but not yet taken off the other side's counts

  Side(std::span<const int64_t> offsets, int64_t least_of_row) : least(least_of_row) {
    for (size_t r = 0; r + 1 < offsets.size(); ++r) count.push_back(offsets[r + 1] - offsets[r]);
    gone.resize(count.size());
    for (size_t r = 0; r < count.size(); ++r) check(r);
  }
  void check(size_t row) {
    if (gone[row] || count[row] >= least) return;
    gone[row] = 1;
    waiting.push_back(static_cast<int64_t>(row));
  }
  std::vector<int64_t> kept() const {
    std::vector<int64_t> rows;
    for (size_t r = 0; r < gone.size(); ++r) {
      if (!gone[r]) rows.push_back(static_cast<int64_t>(r));
    }
    return rows;
  }
};

// Takes the rows that wait on one side off the counts of the other.
template <class Rows>
void take_off(Side& side, Side& other, const Rows& rows) {
  for (; !side.waiting.empty();) {
    const int64_t row = side.waiting.back();
    side.waiting.pop_back();
    for (const int32_t neighbor : rows.row(row)) {
      --other.count[static_cast<size_t>(neighbor)];
      other.check(static_cast<size_t>(neighbor));
    }
  }
}

}  // namespace

int64_t drop_below(Interactions& all, float least) {
  const int64_t before = all.size();
  keep_entries(all, [&](size_t, size_t e) { return all.matrix.value(static_cast<int64_t>(e)) >= least; });
  return before - all.size();
}

Dropped keep_core(Interactions& all, int64_t least_of_user, int64_t least_of_item) {
  HostCsr& m = all.matrix;
  const ByItem by_item(m);
  Side users(m.offsets, least_of_user), items(by_item.offsets, least_of_item);
  while (!users.waiting.empty() || !items.waiting.empty()) {
    take_off(users, items, m);
    take_off(items, users, by_item);
  }
  const std::vector<int64_t> kept_users = users.kept(), kept_items = items.kept();
  const Dropped dropped_rows{m.rows() - static_cast<int64_t>(kept_users.size()),
                             m.cols - static_cast<int64_t>(kept_items.size()), 0};
  if (dropped_rows.users == 0 && dropped_rows.items == 0) return {};

  const int64_t before = all.size();
  keep_entries(all,
               [&](size_t u, size_t e) { return !users.gone[u] && !items.gone[static_cast<size_t>(m.indices[e])]; });

  std::vector<int32_t> item_row(items.gone.size());
  for (size_t i = 0; i < kept_items.size(); ++i) item_row[static_cast<size_t>(kept_items[i])] = static_cast<int32_t>(i);
  for (int32_t& item : m.indices) item = item_row[static_cast<size_t>(item)];
  m.cols = static_cast<int64_t>(kept_items.size());
  std::vector<int64_t> offsets{0};
  for (const int64_t u : kept_users) offsets.push_back(m.offsets[static_cast<size_t>(u) + 1]);
  m.offsets = std::move(offsets);
  all.users = keep_ids(*all.users, kept_users);
  all.items = keep_ids(*all.items, kept_items);
  return {dropped_rows.users, dropped_rows.items, before - all.size()};
}

}  // namespace kindred
