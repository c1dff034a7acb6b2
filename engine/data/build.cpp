// SPDX-License-Identifier: Apache-2.0
// A counting sort by user that keeps the file's order within a user, then a sort of each user's entries by item, then,
// only where a pair occurs twice, the merge.
#include "engine/data/build.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include "kernels/cpu/threads.hpp"

namespace kindred {
namespace {

constexpr int64_t kUsersAChunk = 256;

void count_users(const RawRows& rows, std::vector<int64_t>& offsets) {
  for (const RowBlock& block : rows.blocks) {
    for (const int32_t user : block.users) ++offsets[static_cast<size_t>(user) + 1];
  }
  std::partial_sum(offsets.begin(), offsets.end(), offsets.begin());
}

// Each thread takes a range of users and reads all rows for it, so that no two write to one place.
void scatter(Context& ctx, const RawRows& rows, Interactions& built) {
  HostCsr& m = built.matrix;
  std::vector<int64_t> next(m.offsets.begin(), m.offsets.end() - 1);
  const int64_t ranges = ctx.threads();
  const auto range_begin = [&](int64_t range) {
    return std::lower_bound(m.offsets.begin(), m.offsets.end(), m.nnz() / ranges * range) - m.offsets.begin();
  };
  cpu::parallel_for(ctx, ranges, 1, [&](int64_t range, int64_t, int) {
    const int64_t begin = range_begin(range);
    const int64_t end = range + 1 == ranges ? m.rows() : range_begin(range + 1);
    for (const RowBlock& block : rows.blocks) {
      for (size_t r = 0; r < block.users.size(); ++r) {
        const int32_t user = block.users[r];
        if (user < begin || user >= end) continue;
        const auto to = static_cast<size_t>(next[static_cast<size_t>(user)]++);
        m.indices[to] = block.items[r];
        if (rows.has_values) m.values[to] = block.values[r];
        if (rows.has_times) built.times[to] = block.times[r];
        if (rows.has_kinds) built.kinds[to] = block.kinds[r];
      }
    }
  });
}

// A user's part of what is kept for each entry; nothing where it is not kept.
template <class T>
std::span<T> part(std::vector<T>& values, size_t begin, size_t count) {
  return values.empty() ? std::span<T>() : std::span(values).subspan(begin, count);
}

template <class T>
void permute(std::span<T> values, const std::vector<uint64_t>& order, std::vector<T>& scratch) {
  scratch.resize(values.size());
  for (size_t i = 0; i < values.size(); ++i) scratch[i] = values[order[i] & 0xffffffffu];
  std::copy(scratch.begin(), scratch.end(), values.begin());
}

// Ascending by item, equal items in the file's order. Returns how many entries have an item seen before, by user.
std::vector<int64_t> sort_rows(Context& ctx, Interactions& built) {
  HostCsr& m = built.matrix;
  std::vector<int64_t> repeats(static_cast<size_t>(m.rows()));
  cpu::parallel_for(ctx, m.rows(), kUsersAChunk, [&](int64_t first, int64_t last, int) {
    std::vector<uint64_t> order;
    std::vector<int32_t> items;
    std::vector<float> values;
    std::vector<int64_t> times;
    std::vector<uint8_t> kinds;
    for (int64_t u = first; u < last; ++u) {
      const auto begin = static_cast<size_t>(m.offsets[static_cast<size_t>(u)]);
      const auto count = static_cast<size_t>(m.offsets[static_cast<size_t>(u) + 1]) - begin;
      const std::span<int32_t> row = std::span(m.indices).subspan(begin, count);
      if (!std::is_sorted(row.begin(), row.end())) {
        order.resize(count);
        for (size_t i = 0; i < count; ++i) order[i] = uint64_t{static_cast<uint32_t>(row[i])} << 32 | i;
        std::sort(order.begin(), order.end());
        permute(row, order, items);
        permute(part(m.values, begin, count), order, values);
        permute(part(built.times, begin, count), order, times);
        permute(part(built.kinds, begin, count), order, kinds);
      }
      for (size_t i = 1; i < count; ++i) repeats[static_cast<size_t>(u)] += row[i] == row[i - 1];
    }
  });
  return repeats;
}

// The value of several rows of a pair. Sums go by size, so that the order of the rows in the file does not show.
float merged_value(std::vector<float>& values, float last, Duplicates duplicates) {
  if (duplicates == Duplicates::kLast) return last;
  if (duplicates == Duplicates::kMax) return *std::max_element(values.begin(), values.end());
  std::sort(values.begin(), values.end());
  const double sum = std::accumulate(values.begin(), values.end(), 0.);
  return static_cast<float>(duplicates == Duplicates::kSum ? sum : sum / static_cast<double>(values.size()));
}

void merge_repeats(Context& ctx, const std::vector<int64_t>& repeats, Duplicates duplicates, Interactions& built) {
  const HostCsr& from = built.matrix;
  const bool values = !from.values.empty() || duplicates == Duplicates::kSum;
  HostCsr merged;
  merged.cols = from.cols;
  merged.offsets.resize(from.offsets.size());
  for (size_t u = 0; u < repeats.size(); ++u) {
    merged.offsets[u + 1] = merged.offsets[u] + from.offsets[u + 1] - from.offsets[u] - repeats[u];
  }
  const auto total = static_cast<size_t>(merged.offsets.back());
  merged.indices.resize(total);
  if (values) merged.values.resize(total);
  std::vector<int64_t> times(built.times.empty() ? 0 : total);
  std::vector<uint8_t> kinds(built.kinds.empty() ? 0 : total);
  cpu::parallel_for(ctx, merged.rows(), kUsersAChunk, [&](int64_t first, int64_t last, int) {
    std::vector<float> group;
    for (auto u = static_cast<size_t>(first); u < static_cast<size_t>(last); ++u) {
      auto to = static_cast<size_t>(merged.offsets[u]);
      const auto row_end = static_cast<size_t>(from.offsets[u + 1]);
      for (auto begin = static_cast<size_t>(from.offsets[u]), end = begin; begin < row_end; begin = end, ++to) {
        size_t newest = begin;
        for (end = begin + 1; end < row_end && from.indices[end] == from.indices[begin]; ++end) {
          if (times.empty() || built.times[end] >= built.times[newest]) newest = end;
        }
        merged.indices[to] = from.indices[newest];
        if (!times.empty()) times[to] = built.times[newest];
        if (!kinds.empty()) kinds[to] = built.kinds[newest];
        if (!values) continue;
        group.clear();
        for (size_t e = begin; e < end; ++e) group.push_back(from.value(static_cast<int64_t>(e)));
        merged.values[to] = merged_value(group, from.value(static_cast<int64_t>(newest)), duplicates);
      }
    }
  });
  built.matrix = std::move(merged);
  built.times = std::move(times);
  built.kinds = std::move(kinds);
}

void find_repeat(const std::vector<int64_t>& repeats, Built& built) {
  const HostCsr& m = built.all.matrix;
  built.user = std::find_if(repeats.begin(), repeats.end(), [](int64_t n) { return n > 0; }) - repeats.begin();
  const auto row = m.row(built.user);
  built.item = *std::adjacent_find(row.begin(), row.end());
}

}  // namespace

Built build_matrix(Context& ctx, RawRows rows, const std::vector<std::vector<int32_t>>& user_rows,
                   const std::vector<std::vector<int32_t>>& item_rows, int64_t num_users, int64_t num_items,
                   Duplicates duplicates) {
  cpu::parallel_for(ctx, static_cast<int64_t>(rows.blocks.size()), 1, [&](int64_t b, int64_t, int) {
    RowBlock& block = rows.blocks[static_cast<size_t>(b)];
    const auto& of_user = user_rows[static_cast<size_t>(block.thread)];
    const auto& of_item = item_rows[static_cast<size_t>(block.thread)];
    for (int32_t& user : block.users) user = of_user[static_cast<size_t>(user)];
    for (int32_t& item : block.items) item = of_item[static_cast<size_t>(item)];
  });
  Built built;
  Interactions& all = built.all;
  all.matrix.cols = num_items;
  all.matrix.offsets.assign(static_cast<size_t>(num_users) + 1, 0);
  count_users(rows, all.matrix.offsets);
  const auto count = static_cast<size_t>(rows.count);
  all.matrix.indices.resize(count);
  if (rows.has_values) all.matrix.values.resize(count);
  if (rows.has_times) all.times.resize(count);
  if (rows.has_kinds) all.kinds.resize(count);
  scatter(ctx, rows, all);
  all.kind_names = std::move(rows.kind_names);
  rows = {};

  const std::vector<int64_t> repeats = sort_rows(ctx, all);
  built.merged = std::accumulate(repeats.begin(), repeats.end(), int64_t{0});
  if (built.merged == 0) return built;
  if (duplicates == Duplicates::kError) {
    find_repeat(repeats, built);
  } else {
    merge_repeats(ctx, repeats, duplicates, all);
  }
  return built;
}

}  // namespace kindred
