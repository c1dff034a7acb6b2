// SPDX-License-Identifier: Apache-2.0
// A counting sort by user, then each list's own order; files are usually in that order already.
#include "engine/evaluate/lists.hpp"

#include <algorithm>
#include <numeric>

#include "kernels/cpu/threads.hpp"

namespace kindred {
namespace {

constexpr int64_t kUsersAChunk = 256;

/// Rows to their users' places. Each thread takes a range of users, so that no two write to one place.
void scatter(Context& ctx, const RawRows& rows, const std::vector<std::vector<int32_t>>& user_rows,
             const std::vector<std::vector<int32_t>>& item_rows, bool ascending, HostCsr& to) {
  std::vector<int64_t> next(to.offsets.begin(), to.offsets.end() - 1);
  const int64_t ranges = ctx.threads();
  cpu::parallel_for(ctx, ranges, 1, [&](int64_t range, int64_t, int) {
    const auto first = static_cast<int32_t>(to.rows() * range / ranges);
    const auto last = static_cast<int32_t>(to.rows() * (range + 1) / ranges);
    for (const RowBlock& block : rows.blocks) {
      const auto& users = user_rows[static_cast<size_t>(block.thread)];
      const auto& items = item_rows[static_cast<size_t>(block.thread)];
      for (size_t r = 0; r < block.users.size(); ++r) {
        const int32_t user = users[static_cast<size_t>(block.users[r])];
        if (user < first || user >= last) continue;
        const auto at = static_cast<size_t>(next[static_cast<size_t>(user)]++);
        to.indices[at] = items[static_cast<size_t>(block.items[r])];
        to.values[at] = ascending ? -block.values[r] : block.values[r];
      }
    }
  });
}

struct Entry {
  float score;
  int32_t item;
  bool before(const Entry& other) const { return score > other.score || (score == other.score && item < other.item); }
};

/// One list in order, each item once; returns its length. `last_user[item]`: whose list had it last.
size_t order_list(int32_t user, std::span<int32_t> items, std::span<float> scores, std::vector<int32_t>& last_user,
                  std::vector<Entry>& scratch) {
  bool ordered = true;
  for (size_t e = 1; e < items.size() && ordered; ++e)
    ordered = Entry{scores[e - 1], items[e - 1]}.before({scores[e], items[e]});
  if (!ordered) {
    scratch.clear();
    for (size_t e = 0; e < items.size(); ++e) scratch.push_back({scores[e], items[e]});
    std::ranges::sort(scratch, [](const Entry& a, const Entry& b) { return a.before(b); });
    for (size_t e = 0; e < items.size(); ++e) scores[e] = scratch[e].score, items[e] = scratch[e].item;
  }
  size_t kept = 0;
  for (size_t e = 0; e < items.size(); ++e) {
    int32_t& last = last_user[static_cast<size_t>(items[e])];
    if (last == user) continue;
    last = user;
    items[kept] = items[e];
    scores[kept++] = scores[e];
  }
  return kept;
}

/// Lists after the first short one move up.
void close_gaps(HostCsr& lists, const std::vector<int64_t>& lengths) {
  int64_t to = 0;
  for (size_t u = 0; u < lengths.size(); ++u) {
    const int64_t from = lists.offsets[u];
    if (to < from) {
      std::copy_n(lists.indices.begin() + from, lengths[u], lists.indices.begin() + to);
      std::copy_n(lists.values.begin() + from, lengths[u], lists.values.begin() + to);
    }
    lists.offsets[u] = to;
    to += lengths[u];
  }
  lists.offsets.back() = to;
  lists.indices.resize(static_cast<size_t>(to));
  lists.values.resize(static_cast<size_t>(to));
}

}  // namespace

RankedLists build_lists(Context& ctx, const RawRows& rows, const std::vector<std::vector<int32_t>>& user_rows,
                        const std::vector<std::vector<int32_t>>& item_rows, int64_t num_users, int64_t num_items,
                        bool ascending) {
  RankedLists out;
  HostCsr& m = out.matrix;
  m.cols = num_items;
  m.offsets.assign(static_cast<size_t>(num_users) + 1, 0);
  for (const RowBlock& block : rows.blocks)
    for (const int32_t number : block.users) {
      const int32_t user = user_rows[static_cast<size_t>(block.thread)][static_cast<size_t>(number)];
      if (user >= 0) ++m.offsets[static_cast<size_t>(user) + 1];
    }
  std::partial_sum(m.offsets.begin(), m.offsets.end(), m.offsets.begin());
  m.indices.resize(static_cast<size_t>(m.offsets.back()));
  m.values.resize(m.indices.size());
  scatter(ctx, rows, user_rows, item_rows, ascending, m);

  std::vector<std::vector<int32_t>> last_user(static_cast<size_t>(ctx.threads()));
  std::vector<int64_t> lengths(static_cast<size_t>(num_users));
  cpu::parallel_for(ctx, num_users, kUsersAChunk, [&](int64_t first, int64_t last, int thread) {
    auto& mine = last_user[static_cast<size_t>(thread)];
    mine.resize(static_cast<size_t>(num_items), -1);
    std::vector<Entry> scratch;
    for (int64_t u = first; u < last; ++u) {
      const auto begin = static_cast<size_t>(m.offsets[static_cast<size_t>(u)]);
      const size_t count = static_cast<size_t>(m.offsets[static_cast<size_t>(u) + 1]) - begin;
      lengths[static_cast<size_t>(u)] =
          static_cast<int64_t>(order_list(static_cast<int32_t>(u), std::span(m.indices).subspan(begin, count),
                                          std::span(m.values).subspan(begin, count), mine, scratch));
    }
  });
  const int64_t before = m.nnz();
  close_gaps(m, lengths);
  out.repeated = before - m.nnz();
  return out;
}

}  // namespace kindred
