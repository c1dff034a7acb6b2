// SPDX-License-Identifier: Apache-2.0
// The planning half of top_k. A task is a block of queries against a range of items: blocks alone where there are
// enough of them, else items are cut into ranges too, and the ranges' lists are merged; ranges tell each other which
// scores are too low. The cut depends on shapes alone. The vector half packs items as it goes: n d floats copied for
// each block of queries, a thousandth of the products. Where there are queries enough, and the processor can, items are
// compared in 8 bits first (topk_int8_simd.cpp) and the few that may be among the best scored again; lists are the
// same.
#include "kernels/detail/topk.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <string>

#include "kernels/cpu/threads.hpp"
#include "kernels/cpu/topk_simd.hpp"
#include "kernels/memory.hpp"

namespace kindred::cpu {
namespace {

constexpr int64_t kQueryBlock = 1024;     // queries of a task
constexpr int64_t kTasks = 16;            // aimed at, so that any number of threads has work
constexpr int64_t kLeastItems = 4096;     // of a range: below, packing and merging cost more than they spread
constexpr int64_t kLeastInt8 = 32;        // queries for which packing items as bytes pays
constexpr int64_t kSlabFloats = 1 << 17;  // packed panels, 512 KiB: half of a second-level cache

}  // namespace

void write_list(Candidate* list, int64_t count, int64_t k, int32_t* ids, float* scores) {
  const int64_t kept = std::min(count, k);
  if (kept < count) std::nth_element(list, list + kept, list + count, before);
  std::sort(list, list + kept, before);
  for (int64_t r = 0; r < k; ++r) {
    ids[r] = r < kept ? list[r].item : -1;
    scores[r] = r < kept ? list[r].score : kNoScore;
  }
}

int64_t topk_panel_floats(int64_t d) { return std::max(kSlabFloats, kWidestTile * (d + 1)); }

void prune(const CandidateLists& lists, int64_t query) {
  Candidate* const list = lists.lists + query * lists.capacity;
  if (lists.counts[query] <= lists.k) return;
  std::nth_element(list, list + lists.k - 1, list + lists.counts[query], before);
  lists.counts[query] = static_cast<int32_t>(lists.k);
  const float bound = lists.thresholds[query] = list[lists.k - 1].score;
  std::atomic_ref<float> floor(lists.floors[query]);
  for (float seen = floor.load(std::memory_order_relaxed);
       seen < bound && !floor.compare_exchange_weak(seen, bound, std::memory_order_relaxed);) {
  }
}

void settle(const CandidateLists& lists, int64_t query, const LateScores& late) {
  const int32_t scored = late.scored[query];
  Candidate *const list = lists.lists + query * lists.capacity, *const fresh = list + scored;
  const int64_t count = lists.counts[query] - scored;
  score_listed(late.queries.row(query), late.items, late.bias, fresh, count, late.panel);
  const float threshold = lists.thresholds[query];
  const Candidate* const last =
      std::remove_if(fresh, fresh + count, [&](const Candidate& c) { return !(c.score > threshold); });
  lists.counts[query] = late.scored[query] = static_cast<int32_t>(last - list);
}

void take_unscored(const CandidateLists& lists, int64_t query, const int32_t* items, size_t found,
                   const LateScores& late) {
  Candidate* const list = lists.lists + query * lists.capacity;
  int32_t count = lists.counts[query];
  for (size_t f = 0; f < found; ++f)
    if (!lists.is_excluded(query, items[f])) list[count++] = {kNoScore, items[f]};
  lists.counts[query] = count;
  if (count + kWidestTile <= lists.capacity) return;
  settle(lists, query, late);
  prune(lists, query);
  late.scored[query] = lists.counts[query];
}

void lift_thresholds(const CandidateLists& lists, int64_t queries) {
  for (int64_t q = 0; q < queries; ++q) {
    const float floor = std::atomic_ref<float>(lists.floors[q]).load(std::memory_order_relaxed);
    lists.thresholds[q] = std::max(lists.thresholds[q], std::nextafter(floor, kNoScore));
  }
}

void top_k(Context& ctx, MatrixView<const float> queries, MatrixView<const float> items,
           VectorView<const float> item_bias, CsrView excluded, MatrixView<int32_t> ids, MatrixView<float> scores) {
  const int64_t k = ids.cols, n = items.rows;
  const int64_t blocks = (queries.rows + kQueryBlock - 1) / kQueryBlock;
  const int64_t block = std::min(kQueryBlock, queries.rows);
  const int64_t ranges = std::clamp<int64_t>((kTasks + blocks - 1) / blocks, 1, std::max<int64_t>(1, n / kLeastItems));
  // Cut at whole tiles of any instruction set.
  const int64_t range = ((n + ranges - 1) / ranges + kWidestTile - 1) / kWidestTile * kWidestTile;
  const int64_t capacity = std::max<int64_t>(128, 2 * k + kWidestTile);

  const int64_t threads = ctx.threads(), panel = topk_panel_floats(items.cols);
  Array<Candidate> lists(ctx, threads * block * capacity, "top-k candidates");
  Array<int32_t> counts(ctx, threads * block, "top-k counts");
  Array<float> thresholds(ctx, threads * block, "top-k thresholds");
  Array<float> floors(ctx, queries.rows, "top-k floors");
  std::fill_n(floors.data(), floors.size(), kNoScore);
  Array<float> panels(ctx, threads * panel, "top-k items");
  // The first pass in 8 bits, where there are queries enough.
  const bool coarse = block >= kLeastInt8 && items.cols <= kMaxInt8Factors;
  const int64_t bytes = coarse ? block * int8_query_bytes(items.cols) : 0;
  const int64_t late_panel = coarse ? kWidestTile * (items.cols + 1) : 0;
  Array<std::byte> coarse_queries(ctx, threads * bytes, "top-k queries in 8 bits");
  Array<float> late_panels(ctx, threads * late_panel, "top-k late scores");
  Array<int32_t> scored(ctx, coarse ? threads * block : 0, "top-k late scores");
  // With several ranges each leaves its k best here.
  Array<Candidate> parts(ctx, ranges > 1 ? queries.rows * ranges * k : 0, "top-k parts");

  parallel_for(ctx, blocks * ranges, 1, [&](int64_t task, int64_t, int thread) {
    const int64_t first_query = task / ranges * kQueryBlock, part = task % ranges;
    const int64_t count = std::min(kQueryBlock, queries.rows - first_query);
    CandidateLists mine{lists.data() + thread * block * capacity,
                        counts.data() + thread * block,
                        thresholds.data() + thread * block,
                        floors.data() + first_query,
                        capacity,
                        k,
                        excluded.rows > 0 ? excluded.offsets + first_query : nullptr,
                        excluded.indices};
    std::fill_n(mine.counts, count, 0);
    std::fill_n(mine.thresholds, count, kNoScore);
    const float* const bias = item_bias.empty() ? nullptr : item_bias.data;
    const int64_t first = std::min(n, part * range), last = std::min(n, (part + 1) * range);
    const auto block_queries = queries.part(first_query, count);
    float* const slab = panels.data() + thread * panel;
    const LateScores late{block_queries, items, bias, late_panels.data() + thread * late_panel,
                          scored.data() + (coarse ? thread * block : 0)};
    if (coarse) std::fill_n(late.scored, count, 0);
    const bool unscored =
        coarse && score_items_int8(block_queries, items, bias, first, last, mine, late,
                                   {coarse_queries.data() + thread * bytes, reinterpret_cast<std::byte*>(slab),
                                    panel * static_cast<int64_t>(sizeof(float))});
    if (!unscored) score_items(block_queries, items, bias, first, last, mine, slab);
    for (int64_t q = 0; q < count; ++q) {
      if (unscored) settle(mine, q, late);
      Candidate* const list = mine.lists + q * capacity;
      if (ranges == 1) {
        write_list(list, mine.counts[q], k, ids.row(first_query + q), scores.row(first_query + q));
        continue;
      }
      prune(mine, q);
      Candidate* const to = parts.data() + ((first_query + q) * ranges + part) * k;
      std::fill(std::copy_n(list, mine.counts[q], to), to + k, Candidate{kNoScore, -1});
    }
  });
  if (ranges == 1) return;
  parallel_for(ctx, queries.rows, 64, [&](int64_t begin, int64_t end, int) {
    for (int64_t q = begin; q < end; ++q) {
      Candidate* const list = parts.data() + q * ranges * k;
      Candidate* const last = std::remove_if(list, list + ranges * k, [](const Candidate& c) { return c.item < 0; });
      write_list(list, last - list, k, ids.row(q), scores.row(q));
    }
  });
}

void pair_scores(Context& ctx, MatrixView<const float> x, MatrixView<const float> y, VectorView<const int32_t> row,
                 VectorView<const int32_t> col, VectorView<float> out) {
  parallel_for(ctx, row.size, 4096, [&](int64_t begin, int64_t end, int) {
    for (int64_t e = begin; e < end; ++e) {
      if (row[e] < 0 || row[e] >= x.rows || col[e] < 0 || col[e] >= y.rows)
        throw InvalidArgument("pair_scores: pair " + std::to_string(e) + " is (" + std::to_string(row[e]) + ", " +
                              std::to_string(col[e]) + "); the tables have " + std::to_string(x.rows) + " and " +
                              std::to_string(y.rows) + " rows");
    }
    for (int64_t e = begin, last; e < end; e = last) {  // runs of one row share its cache lines
      for (last = e + 1; last < end && row[last] == row[e];) ++last;
      dot_rows(x.row(row[e]), y, col.data + e, last - e, out.data + e);
    }
  });
}

void pair_scores(Context& ctx, MatrixView<const float> x, MatrixView<const float> y, CsrView pairs,
                 VectorView<float> out) {
  const int64_t first = pairs.offsets[0];
  parallel_for(ctx, pairs.rows, 256, [&](int64_t begin, int64_t end, int) {
    for (int64_t r = begin; r < end; ++r)
      dot_rows(x.row(r), y, pairs.indices + pairs.offsets[r], pairs.offsets[r + 1] - pairs.offsets[r],
               out.data + (pairs.offsets[r] - first));
  });
}

}  // namespace kindred::cpu
