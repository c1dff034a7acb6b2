// SPDX-License-Identifier: Apache-2.0
// The vector half of top_k. Items are packed into panels of three vectors' width, factor by factor, so that a tile of
// kRows queries x one panel is kRows x 3 accumulators, each fed by one broadcast and one fused multiply-add. With 32
// registers (AVX-512) eight queries fit, with 16 four. Scores never leave the registers unless one beats its query's
// threshold. A slab of panels stays in the second-level cache while all queries of the block pass over it.
#include "kernels/cpu/topk_simd.hpp"

#include <hwy/cache_control.h>

#include <algorithm>
#include <cmath>
#include <cstddef>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/topk_simd.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace kindred::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Floats = hn::ScalableTag<float>;
constexpr Floats kFloats;
constexpr int kVectors = 3;
#if HWY_TARGET <= HWY_AVX3
constexpr int kRows = 8;
#else
constexpr int kRows = 4;
#endif

/// A panel holds `width` items: a row of biases, then a row of each factor. item(j): which item is the j-th of `count`.
/// Places past the last get a bias of -infinity, which no threshold lets through.
template <class Item>
HWY_INLINE void pack_panel(MatrixView<const float> items, const float* bias, const Item& item, int64_t count,
                           int64_t width, float* panel) {
  const int64_t d = items.cols;
  for (int64_t j = 0; j < width; ++j) panel[j] = j >= count ? -HUGE_VALF : bias != nullptr ? bias[item(j)] : 0.f;
  float* const factors = panel + width;
  int64_t j = 0;
  for (; j + 4 <= count; j += 4) {
    const float *a = items.row(item(j)), *b = items.row(item(j + 1));
    const float *c = items.row(item(j + 2)), *e = items.row(item(j + 3));
    float* to = factors + j;
    int64_t k = 0;
#if HWY_TARGET != HWY_SCALAR
    const hn::FixedTag<float, 4> four;
    for (; k + 4 <= d; k += 4, to += 4 * width) {  // four by four, turned in registers
      const auto a4 = hn::LoadU(four, a + k), b4 = hn::LoadU(four, b + k);
      const auto c4 = hn::LoadU(four, c + k), e4 = hn::LoadU(four, e + k);
      const auto ab = hn::InterleaveLower(four, a4, b4), ab_upper = hn::InterleaveUpper(four, a4, b4);
      const auto ce = hn::InterleaveLower(four, c4, e4), ce_upper = hn::InterleaveUpper(four, c4, e4);
      hn::Store(hn::ConcatLowerLower(four, ce, ab), four, to);
      hn::Store(hn::ConcatUpperUpper(four, ce, ab), four, to + width);
      hn::Store(hn::ConcatLowerLower(four, ce_upper, ab_upper), four, to + 2 * width);
      hn::Store(hn::ConcatUpperUpper(four, ce_upper, ab_upper), four, to + 3 * width);
    }
#endif
    for (; k < d; ++k, to += width) to[0] = a[k], to[1] = b[k], to[2] = c[k], to[3] = e[k];
  }
  for (; j < width; ++j)
    for (int64_t k = 0; k < d; ++k) factors[k * width + j] = j < count ? items.row(item(j))[k] : 0.f;
}

/// Adds the scores of one row of a tile that beat the threshold.
HWY_NOINLINE void take(const CandidateLists& lists, int64_t query, const float* scores, const int32_t* items,
                       size_t found) {
  Candidate* const list = lists.lists + query * lists.capacity;
  int32_t count = lists.counts[query];
  for (size_t f = 0; f < found; ++f)
    if (!lists.is_excluded(query, items[f])) list[count++] = {scores[f], items[f]};
  lists.counts[query] = count;
  if (count + kWidestTile > lists.capacity) prune(lists, query);
}

/// The scores of R queries against one panel. Each is summed in the order of the factors, whatever the tile.
template <int R>
HWY_INLINE void multiply(const float* queries, int64_t d, const float* panel, hn::Vec<Floats> (&sum)[R][kVectors]) {
  const size_t lanes = hn::Lanes(kFloats);
  const int64_t width = kVectors * static_cast<int64_t>(lanes);
  for (int v = 0; v < kVectors; ++v) {
    const auto bias = hn::Load(kFloats, panel + static_cast<size_t>(v) * lanes);
    for (int r = 0; r < R; ++r) sum[r][v] = bias;
  }
  const float* y = panel + width;
  for (int64_t k = 0; k < d; ++k, y += width) {
    const auto y0 = hn::Load(kFloats, y), y1 = hn::Load(kFloats, y + lanes), y2 = hn::Load(kFloats, y + 2 * lanes);
    for (int r = 0; r < R; ++r) {
      const auto x = hn::Set(kFloats, queries[r * d + k]);
      sum[r][0] = hn::MulAdd(x, y0, sum[r][0]);
      sum[r][1] = hn::MulAdd(x, y1, sum[r][1]);
      sum[r][2] = hn::MulAdd(x, y2, sum[r][2]);
    }
  }
}

/// A tile of R queries against one panel: scores that beat their query's threshold are taken.
template <int R>
HWY_INLINE void tile(const float* queries, int64_t d, const float* panel, int64_t query, int64_t first,
                     const CandidateLists& lists) {
  const size_t lanes = hn::Lanes(kFloats);
  hn::Vec<Floats> sum[R][kVectors];
  multiply(queries, d, panel, sum);
  for (int r = 0; r < R; ++r) {
    const auto threshold = hn::Set(kFloats, lists.thresholds[query + r]);
    // Not by the maximum of the three: a NaN would hide its neighbors.
    const auto any =
        hn::Or(hn::Gt(sum[r][0], threshold), hn::Or(hn::Gt(sum[r][1], threshold), hn::Gt(sum[r][2], threshold)));
    if (HWY_LIKELY(hn::AllFalse(kFloats, any))) continue;
    constexpr size_t kRoom = (kVectors + 1) * HWY_MAX_BYTES / sizeof(float);
    HWY_ALIGN float scores[kRoom];
    HWY_ALIGN int32_t items[kRoom];
    size_t found = 0;
    for (int v = 0; v < kVectors; ++v) {
      const hn::RebindToSigned<Floats> ints;
      const auto passes = hn::Gt(sum[r][v], threshold);
      if (hn::AllFalse(kFloats, passes)) continue;
      // Compressed in registers: compressing stores are microcode on some processors, ten times as slow.
      const auto item = hn::Iota(ints, static_cast<int32_t>(first + v * static_cast<int64_t>(lanes)));
      hn::StoreU(hn::Compress(item, hn::RebindMask(ints, passes)), ints, items + found);
      hn::StoreU(hn::Compress(sum[r][v], passes), kFloats, scores + found);
      found += hn::CountTrue(kFloats, passes);
    }
    take(lists, query + r, scores, items, found);
  }
}

void score_items(MatrixView<const float> queries, MatrixView<const float> items, const float* bias, int64_t first,
                 int64_t last, const CandidateLists& lists, float* panels) {
  const int64_t d = items.cols, width = kVectors * static_cast<int64_t>(hn::Lanes(kFloats));
  const int64_t panel_floats = width * (d + 1);
  const int64_t slab = std::max<int64_t>(1, topk_panel_floats(d) / panel_floats);  // panels
  constexpr int64_t kBlock = 64;                                                   // queries that stay near a panel
  for (int64_t from = first; from < last; from += slab * width) {
    const int64_t panel_count = std::min(slab, (last - from + width - 1) / width);
    for (int64_t p = 0; p < panel_count; ++p) {
      const int64_t start = from + p * width;
      pack_panel(
          items, bias, [&](int64_t j) { return start + j; }, std::min(width, last - start), width,
          panels + p * panel_floats);
    }
    lift_thresholds(lists, queries.rows);
    for (int64_t block = 0; block < queries.rows; block += kBlock) {
      const int64_t end = std::min(queries.rows, block + kBlock);
      for (int64_t p = 0; p < panel_count; ++p) {
        const float* panel = panels + p * panel_floats;
        const int64_t item = from + p * width;
        int64_t q = block;
        for (; q + kRows <= end; q += kRows) tile<kRows>(queries.row(q), d, panel, q, item, lists);
        for (; q < end; ++q) tile<1>(queries.row(q), d, panel, q, item, lists);
      }
    }
  }
}

void score_listed(const float* query, MatrixView<const float> items, const float* bias, Candidate* list, int64_t count,
                  float* panel) {
  const size_t lanes = hn::Lanes(kFloats);
  const int64_t d = items.cols, width = kVectors * static_cast<int64_t>(lanes);
  for (int64_t begin = 0; begin < count; begin += width) {
    Candidate* const part = list + begin;
    const int64_t size = std::min(width, count - begin);
    for (int64_t j = begin + size; j < std::min(count, begin + size + width); ++j)  // rows from all over the table
      for (int64_t k = 0; k < d; k += 16) hwy::Prefetch(items.row(list[j].item) + k);
    pack_panel(
        items, bias, [&](int64_t j) { return int64_t{part[j].item}; }, size, width, panel);
    hn::Vec<Floats> sum[1][kVectors];
    multiply(query, d, panel, sum);
    for (size_t v = 0; v < kVectors; ++v) hn::Store(sum[0][v], kFloats, panel + v * lanes);
    for (int64_t j = 0; j < size; ++j) part[j].score = panel[j];
  }
}

void dot_rows(const float* x, MatrixView<const float> y, const int32_t* col, int64_t count, float* out) {
  const int64_t d = y.cols;
  const auto lanes = static_cast<int64_t>(hn::Lanes(kFloats));
  for (int64_t e = 0; e < count; ++e) {
    const float* const row = y.row(col[e]);
    if (e + 6 < count)
      for (int64_t k = 0; k < d; k += 16) hwy::Prefetch(y.row(col[e + 6]) + k);
    auto s0 = hn::Zero(kFloats), s1 = s0;
    int64_t k = 0;
    for (; k + 2 * lanes <= d; k += 2 * lanes) {
      s0 = hn::MulAdd(hn::LoadU(kFloats, x + k), hn::LoadU(kFloats, row + k), s0);
      s1 = hn::MulAdd(hn::LoadU(kFloats, x + k + lanes), hn::LoadU(kFloats, row + k + lanes), s1);
    }
    for (; k + lanes <= d; k += lanes) s0 = hn::MulAdd(hn::LoadU(kFloats, x + k), hn::LoadU(kFloats, row + k), s0);
    float sum = hn::GetLane(hn::SumOfLanes(kFloats, hn::Add(s0, s1)));
    for (; k < d; ++k) sum += x[k] * row[k];
    out[e] = sum;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace kindred::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kindred::cpu {

HWY_EXPORT(score_items);
HWY_EXPORT(score_listed);
HWY_EXPORT(dot_rows);

void score_items(MatrixView<const float> queries, MatrixView<const float> items, const float* bias, int64_t first,
                 int64_t last, const CandidateLists& lists, float* panels) {
  HWY_DYNAMIC_DISPATCH(score_items)(queries, items, bias, first, last, lists, panels);
}

void score_listed(const float* query, MatrixView<const float> items, const float* bias, Candidate* list, int64_t count,
                  float* panel) {
  HWY_DYNAMIC_DISPATCH(score_listed)(query, items, bias, list, count, panel);
}

void dot_rows(const float* x, MatrixView<const float> y, const int32_t* col, int64_t count, float* out) {
  HWY_DYNAMIC_DISPATCH(dot_rows)(x, y, col, count, out);
}

}  // namespace kindred::cpu
#endif
