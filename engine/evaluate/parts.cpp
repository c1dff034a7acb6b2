// SPDX-License-Identifier: Apache-2.0
#include "engine/evaluate/parts.hpp"

#include <algorithm>

namespace kindred {
namespace {

/// The row of each id of `from` in `to`, -1 where there is none.
std::vector<int32_t> rows_in(const Ids& to, const Ids& from) {
  std::vector<int32_t> out;
  std::string text;
  for (int64_t r = 0; r < from.size(); ++r) {
    text.clear();
    from.append_text(r, text);
    out.push_back(to.find(text));
  }
  return out;
}

}  // namespace

HeldOut over_ids(const Interactions& part, const Ids& users, const Ids& items) {
  const std::vector<int32_t> item_rows = rows_in(items, *part.items);
  std::vector<int64_t> row_of(static_cast<size_t>(users.size()), -1);  // of a user, in part
  HeldOut out;
  const std::vector<int32_t> user_rows = rows_in(users, *part.users);
  for (size_t u = 0; u < user_rows.size(); ++u) {
    if (user_rows[u] < 0)
      ++out.dropped_users;
    else
      row_of[static_cast<size_t>(user_rows[u])] = static_cast<int64_t>(u);
  }
  out.matrix.cols = items.size();
  out.unknown.resize(row_of.size());
  std::vector<std::pair<int32_t, float>> row;
  for (size_t u = 0; u < row_of.size(); ++u) {
    row.clear();
    const int64_t from = row_of[u];
    if (from >= 0)
      for (auto e = part.matrix.offsets[static_cast<size_t>(from)];
           e < part.matrix.offsets[static_cast<size_t>(from) + 1]; ++e) {
        const int32_t item = item_rows[static_cast<size_t>(part.matrix.indices[static_cast<size_t>(e)])];
        if (item < 0)
          ++out.unknown[u];
        else
          row.emplace_back(item, part.matrix.value(e));
      }
    std::ranges::sort(row);  // integers and strings may be in different orders
    for (const auto& [item, value] : row) {
      out.matrix.indices.push_back(item);
      if (!part.matrix.values.empty()) out.matrix.values.push_back(value);
    }
    out.matrix.offsets.push_back(out.matrix.nnz());
  }
  return out;
}

}  // namespace kindred
