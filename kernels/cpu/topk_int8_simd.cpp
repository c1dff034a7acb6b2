// SPDX-License-Identifier: Apache-2.0
// A first pass of top_k in 8 bits, four products an instruction, and still exact. With x = a p + e and y = b q + f for
// integer vectors p, q (a, b: largest magnitude / 127),
//   x.y - a b p.q = e.(b q) + x.f,   |x.y - a b p.q| <= |e| |b q| + |x| |f|   (Cauchy-Schwarz).
// An item whose approximate score lies further than that below its query's threshold cannot be among the k best; the
// few that are left are scored again in fp32. The bound includes what fp32 sums may lose, so a list holds what the fp32
// pass alone would have found, in the same bits.
#define HWY_WANT_AVX3_DL
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/cpu/topk_simd.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/topk_int8_simd.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#if HWY_TARGET == HWY_AVX3_DL
HWY_PUSH_ATTRIBUTES(HWY_TARGET_STR ",avx512vnni")  // which the library leaves out
#else
HWY_BEFORE_NAMESPACE();
#endif
namespace kindred::cpu {
namespace HWY_NAMESPACE {

#if HWY_TARGET == HWY_AVX3_DL
namespace hn = hwy::HWY_NAMESPACE;

using Floats = hn::FixedTag<float, 16>;
using Ints = hn::FixedTag<int32_t, 16>;
using Bytes = hn::FixedTag<int8_t, 16>;
constexpr Floats kFloats;
constexpr Ints kInts;
constexpr int kVectors = 3, kRows = 8;
constexpr int64_t kWidth = 16 * kVectors;

/// sum += four products a lane. In assembly, since GCC 12 moves every sum of the intrinsic's to one register and back.
HWY_INLINE hn::Vec<Ints> dot4(hn::Vec<Ints> sum, hn::Vec<Ints> unsigned_bytes, hn::Vec<Ints> signed_bytes) {
  __m512i raw = sum.raw;
  asm("vpdpbusd %2, %1, %0" : "+v"(raw) : "v"(unsigned_bytes.raw), "v"(signed_bytes.raw));
  return hn::Vec<Ints>{raw};
}

/// What the bound needs of a vector x and its bytes q: all from above.
struct Quantized {
  float scale = 0;
  float length = 0;    ///< |x|
  float rounded = 0;   ///< |scale q|
  float residual = 0;  ///< |x - scale q|
  int32_t sum = 0;     ///< of q
};

/// q: d bytes, padded with 0 to a multiple of 16. A vector that is not finite, or whose squares would not be, becomes 0
/// with an infinite residual.
Quantized quantize(const float* x, int64_t d, int8_t* q) {
  constexpr float kAbove = 1.001f;  // more than sums of 1,024 squares can lose
  auto largest = hn::Zero(kFloats);
  const auto part = [&](int64_t k) HWY_ATTR {
    return hn::MaskedLoad(hn::FirstN(kFloats, static_cast<size_t>(d - k)), kFloats, x + k);
  };
  for (int64_t k = 0; k < d; k += 16) largest = hn::Max(hn::Abs(part(k)), largest);
  const float top = hn::GetLane(hn::MaxOfLanes(kFloats, largest));
  const bool plain = top > 1e-15f && top < 1e15f;
  const float scale = plain ? top / 127 : 0, inverse = plain ? 127 / top : 0;
  auto lengths = hn::Zero(kFloats), rounded = lengths, residuals = lengths;
  auto sums = hn::Zero(kInts);
  for (int64_t k = 0; k < d; k += 16) {
    const auto value = part(k);
    const auto whole =
        hn::NearestInt(hn::IfThenElseZero(hn::Eq(value, value), hn::Mul(value, hn::Set(kFloats, inverse))));
    const auto back = hn::ConvertTo(kFloats, whole);
    const auto residual = hn::NegMulAdd(back, hn::Set(kFloats, scale), value);
    hn::StoreU(hn::DemoteTo(Bytes(), whole), Bytes(), q + k);
    sums = hn::Add(sums, whole);
    lengths = hn::MulAdd(value, value, lengths);
    rounded = hn::MulAdd(back, back, rounded);
    residuals = hn::MulAdd(residual, residual, residuals);
  }
  const auto root = [](hn::Vec<Floats> squares)
                        HWY_ATTR { return kAbove * std::sqrt(hn::GetLane(hn::SumOfLanes(kFloats, squares))); };
  Quantized out{scale, root(lengths), scale * root(rounded), root(residuals), hn::GetLane(hn::SumOfLanes(kInts, sums))};
  if (!(out.length < HUGE_VALF && top < 1e15f)) return {0, HUGE_VALF, HUGE_VALF, HUGE_VALF, 0};
  if (!plain) out.length = out.residual = top * static_cast<float>(d);  // the squares would vanish
  return out;
}

/// 48 items: of each its scale, bias and first sum; of all the largest bounds; then groups of four factors, 48 x 4
/// bytes each.
struct Panel {
  float scale[kWidth], bias[kWidth];
  int32_t start[kWidth];  ///< what takes back that the queries' bytes are q + 128
  float rounded, residual, bias_error;
  int8_t padding[52];

  int8_t* groups() { return reinterpret_cast<int8_t*>(this + 1); }
  const int8_t* groups() const { return reinterpret_cast<const int8_t*>(this + 1); }
};
static_assert(sizeof(Panel) % 64 == 0);

void pack(MatrixView<const float> items, const float* bias, int64_t first, int64_t last, Panel& panel) {
  const int64_t d = items.cols, groups = (d + 3) / 4, count = std::min(kWidth, last - first);
  // The fp32 sum of d + 1 terms, and the few operations of the approximate score, lose less than this share.
  const float slack = static_cast<float>(d + 16) * std::numeric_limits<float>::epsilon();
  panel.rounded = panel.residual = panel.bias_error = 1e-30f;  // not 0: an infinite bound of a query times 0 is NaN
  HWY_ALIGN int8_t bytes[kMaxInt8Factors];
  int32_t* const to = reinterpret_cast<int32_t*>(panel.groups());
  for (int64_t j = 0; j < kWidth; ++j) {
    if (j >= count) {
      panel.scale[j] = 0, panel.bias[j] = -HUGE_VALF, panel.start[j] = 0;  // no threshold lets it through
      for (int64_t g = 0; g < groups; ++g) to[g * kWidth + j] = 0;
      continue;
    }
    const Quantized item = quantize(items.row(first + j), d, bytes);
    float shift = bias != nullptr ? bias[first + j] : 0;
    if (std::isnan(shift)) shift = HUGE_VALF;  // the exact score says so
    panel.scale[j] = item.scale;
    panel.bias[j] = shift;
    panel.start[j] = -128 * item.sum;
    panel.rounded = std::max(panel.rounded, item.rounded);
    panel.residual = std::max(panel.residual, item.residual + slack * item.length);
    panel.bias_error = std::max(panel.bias_error, slack * std::abs(shift));
    const int32_t* const words = reinterpret_cast<const int32_t*>(bytes);
    for (int64_t g = 0; g < groups; ++g) to[g * kWidth + j] = words[g];
  }
}

/// The queries of a block: bytes q + 128, scales and bounds.
struct Queries {
  uint8_t* bytes;
  int64_t stride;
  float *scale, *length, *residual;

  Queries(std::byte* scratch, int64_t count, int64_t d)
      : bytes(reinterpret_cast<uint8_t*>(scratch)),
        stride((d + 15) / 16 * 16),
        scale(reinterpret_cast<float*>(bytes + count * stride)),
        length(scale + count),
        residual(length + count) {}
};

/// Scores of the panel's items that are not above it cannot be among a query's best.
void find_bounds(const Queries& queries, const Panel& panel, int64_t first, int64_t last, const float* thresholds,
                 float* bounds) {
  const auto rounded = hn::Set(kFloats, panel.rounded), residual = hn::Set(kFloats, panel.residual),
             bias_error = hn::Set(kFloats, panel.bias_error), lowest = hn::Set(kFloats, -HUGE_VALF);
  for (int64_t q = first; q < last; q += 16) {
    const auto some = hn::FirstN(kFloats, static_cast<size_t>(last - q));
    auto error = hn::MulAdd(hn::MaskedLoad(some, kFloats, queries.residual + q), rounded, bias_error);
    error = hn::MulAdd(hn::MaskedLoad(some, kFloats, queries.length + q), residual, error);
    const auto threshold = hn::MaskedLoad(some, kFloats, thresholds + q);
    const auto bound = hn::NegMulAdd(error, hn::Set(kFloats, 1.0001f), threshold);
    // An infinite error lets all through, whatever the threshold.
    hn::Store(hn::IfThenElse(hn::Gt(bound, lowest), bound, lowest), kFloats, bounds + (q - first));
  }
}

/// A tile of R queries against one panel.
template <int R>
HWY_INLINE void tile(const Queries& queries, int64_t groups, const Panel& panel, int64_t query, int64_t first,
                     const float* bounds, const CandidateLists& lists, const LateScores& late) {
  hn::Vec<Ints> sum[R][kVectors];
  for (int v = 0; v < kVectors; ++v) {
    const auto start = hn::Load(kInts, panel.start + 16 * v);
    for (int r = 0; r < R; ++r) sum[r][v] = start;
  }
  const int32_t* y = reinterpret_cast<const int32_t*>(panel.groups());
  const uint8_t* const x = queries.bytes + query * queries.stride;
  for (int64_t g = 0; g < groups; ++g, y += kWidth) {
    const auto y0 = hn::Load(kInts, y), y1 = hn::Load(kInts, y + 16), y2 = hn::Load(kInts, y + 32);
    for (int r = 0; r < R; ++r) {
      const auto four = hn::Set(kInts, reinterpret_cast<const int32_t*>(x + r * queries.stride)[g]);
      sum[r][0] = dot4(sum[r][0], four, y0);
      sum[r][1] = dot4(sum[r][1], four, y1);
      sum[r][2] = dot4(sum[r][2], four, y2);
    }
  }
  for (int r = 0; r < R; ++r) {
    const auto bound = hn::Set(kFloats, bounds[r]), scale = hn::Set(kFloats, queries.scale[query + r]);
    hn::Vec<Floats> score[kVectors];  // never NaN
    for (int v = 0; v < kVectors; ++v)
      score[v] = hn::MulAdd(hn::Mul(hn::ConvertTo(kFloats, sum[r][v]), hn::Load(kFloats, panel.scale + 16 * v)), scale,
                            hn::Load(kFloats, panel.bias + 16 * v));
    if (HWY_LIKELY(hn::AllFalse(kFloats, hn::Gt(hn::Max(score[0], hn::Max(score[1], score[2])), bound)))) continue;
    HWY_ALIGN int32_t items[kWidth + 16];
    size_t found = 0;
    for (int v = 0; v < kVectors; ++v) {
      const auto passes = hn::Gt(score[v], bound);
      const auto item = hn::Iota(kInts, static_cast<int32_t>(first + 16 * v));
      hn::StoreU(hn::Compress(item, hn::RebindMask(kInts, passes)), kInts, items + found);
      found += hn::CountTrue(kFloats, passes);
    }
    take_unscored(lists, query + r, items, found, late);
  }
}

bool score_items_int8(MatrixView<const float> queries, MatrixView<const float> items, const float* bias, int64_t first,
                      int64_t last, const CandidateLists& lists, const LateScores& late, const Int8Scratch& scratch) {
  const int64_t d = items.cols, groups = (d + 3) / 4;
  const Queries quantized(scratch.queries, queries.rows, d);
  for (int64_t q = 0; q < queries.rows; ++q) {
    uint8_t* const row = quantized.bytes + q * quantized.stride;
    const Quantized about = quantize(queries.row(q), d, reinterpret_cast<int8_t*>(row));
    quantized.scale[q] = about.scale, quantized.length[q] = about.length, quantized.residual[q] = about.residual;
    for (int64_t k = 0; k < quantized.stride; ++k) row[k] ^= 0x80;  // + 128
  }
  const int64_t panel_bytes = static_cast<int64_t>(sizeof(Panel)) + groups * 4 * kWidth;
  const int64_t slab = scratch.panel_bytes / panel_bytes;
  constexpr int64_t kBlock = 64;  // queries that stay near a panel
  const auto panel = [&](int64_t p) -> Panel& { return *reinterpret_cast<Panel*>(scratch.panels + p * panel_bytes); };
  for (int64_t from = first; from < last; from += slab * kWidth) {
    const int64_t panels = std::min(slab, (last - from + kWidth - 1) / kWidth);
    for (int64_t p = 0; p < panels; ++p) pack(items, bias, from + p * kWidth, last, panel(p));
    lift_thresholds(lists, queries.rows);
    for (int64_t block = 0; block < queries.rows; block += kBlock) {
      const int64_t end = std::min(queries.rows, block + kBlock);
      for (int64_t p = 0; p < panels; ++p) {
        const int64_t item = from + p * kWidth;
        HWY_ALIGN float bounds[kBlock];
        find_bounds(quantized, panel(p), block, end, lists.thresholds, bounds);
        int64_t q = block;
        for (; q + kRows <= end; q += kRows)
          tile<kRows>(quantized, groups, panel(p), q, item, bounds + (q - block), lists, late);
        for (; q < end; ++q) tile<1>(quantized, groups, panel(p), q, item, bounds + (q - block), lists, late);
      }
    }
  }
  return true;
}
#else
bool score_items_int8(MatrixView<const float>, MatrixView<const float>, const float*, int64_t, int64_t,
                      const CandidateLists&, const LateScores&, const Int8Scratch&) {
  return false;
}
#endif

}  // namespace HWY_NAMESPACE
}  // namespace kindred::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kindred::cpu {

HWY_EXPORT(score_items_int8);

int64_t int8_query_bytes(int64_t d) { return (d + 15) / 16 * 16 + 12; }

bool score_items_int8(MatrixView<const float> queries, MatrixView<const float> items, const float* bias, int64_t first,
                      int64_t last, const CandidateLists& lists, const LateScores& late, const Int8Scratch& scratch) {
  return HWY_DYNAMIC_DISPATCH(score_items_int8)(queries, items, bias, first, last, lists, late, scratch);
}

}  // namespace kindred::cpu
#endif
