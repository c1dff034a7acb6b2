// SPDX-License-Identifier: Apache-2.0
// The loops of similar_rows. Adding up is a read, an add and a write at a random place for each pair of entries of a
// column, and nothing else matters: sums of one pair lie side by side, so that they share a cache line. What follows
// runs over rows in order and is left to the compiler's vectors.
#include "kernels/cpu/similarity_simd.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/similarity_simd.cpp"
#include <hwy/foreach_target.h>
//
#include <hwy/cache_control.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace kindred::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using detail::PairFormula, detail::PairSums, detail::Sums;

constexpr int64_t kAhead = 512;  // entries of the next list that are called for early

template <PairSums kind, bool listing>
int64_t AddRow(const detail::PairTerms& terms, const ColumnLists& lists, const ComparedRow& row,
               typename Sums<kind>::Value* sums, int32_t* met) {
  int64_t count = 0;
  for (size_t e = 0; e < row.columns.size(); ++e) {
    const int64_t begin = lists.offsets[row.columns[e]];
    const int64_t end = row.prefix != nullptr ? begin + row.prefix[e] : lists.offsets[row.columns[e] + 1];
    const double x = row.values != nullptr ? double{row.values[e]} : 1;
    if (e + 1 < row.columns.size()) {  // lists are short and lie far apart: too little for the hardware to see ahead
      const int32_t* const next = lists.rows + lists.offsets[row.columns[e + 1]];
      const int64_t length = std::min<int64_t>(row.prefix != nullptr ? row.prefix[e + 1] : kAhead, kAhead);
      for (int64_t i = 0; i < length; i += 16) hwy::Prefetch(next + i);
    }
    for (int64_t i = begin; i < end; ++i) {
      const int64_t j = lists.rows[i];
      auto* const sum = sums + j * Sums<kind>::kWidth;
      if constexpr (listing) {
        met[count] = static_cast<int32_t>(j);
        count += Sums<kind>::empty(sum);
      }
      Sums<kind>::add(sum, x, lists.values != nullptr ? double{lists.values[i]} : 1, terms.minus_parts);
    }
  }
  return count;
}

/// visit(first, last) for each run of marked blocks within [begin, end), which starts a block.
template <class Visit>
HWY_INLINE void ForMarked(const uint8_t* marks, int64_t begin, int64_t end, Visit&& visit) {
  if (marks == nullptr) return visit(begin, end);
  constexpr int64_t kSkip = 8;  // marks looked at in one word
  const int64_t last = (end + kMarkBlock - 1) / kMarkBlock;
  for (int64_t block = begin / kMarkBlock; block < last;) {
    uint64_t word = 1;
    if (block + kSkip <= last) std::memcpy(&word, marks + block, sizeof(word));
    if (marks[block] == 0) {
      block += word == 0 ? kSkip : 1;
      continue;
    }
    const int64_t first = block;
    while (block < last && marks[block] != 0) ++block;
    visit(first * kMarkBlock, std::min(block * kMarkBlock, end));
  }
}

template <PairSums kind, PairFormula formula>
void FinishRow(const detail::PairTerms& terms, const detail::RowTerms& own, const TermLists& rows, int64_t count,
               const uint8_t* marks, typename Sums<kind>::Value* HWY_RESTRICT sums, float* HWY_RESTRICT similarity) {
  constexpr int kWidth = Sums<kind>::kWidth;
  const double* HWY_RESTRICT a = rows.a;
  const double* HWY_RESTRICT b = rows.b;
  const double* HWY_RESTRICT w = rows.w;
  ForMarked(marks, 0, count, [&](int64_t first, int64_t last) {
    for (int64_t j = first; j < last; ++j)
      similarity[j] = detail::pair_similarity<kind>(formula, terms, own, {a[j], b[j], w[j]}, sums + j * kWidth);
    std::memset(sums + first * kWidth, 0, static_cast<size_t>((last - first) * kWidth) * sizeof(*sums));
  });
}

int64_t AddSums(const detail::PairTerms& terms, const ColumnLists& lists, const ComparedRow& row, void* sums,
                int32_t* met) {
  return detail::with_sums(terms.plan.sums, [&]<PairSums kind>() {
    auto* const typed = static_cast<typename Sums<kind>::Value*>(sums);
    return met != nullptr ? AddRow<kind, true>(terms, lists, row, typed, met)
                          : AddRow<kind, false>(terms, lists, row, typed, met);
  });
}

/// visit.operator()<kind, formula>() with both as compile-time constants.
template <PairSums kind, class Visit, int formula = 0>
HWY_INLINE void WithFormula(PairFormula wanted, Visit&& visit) {
  constexpr auto kFormula = static_cast<PairFormula>(formula);
  if constexpr (detail::fits(kind, kFormula))
    if (wanted == kFormula) return visit.template operator()<kind, kFormula>();
  if constexpr (kFormula != PairFormula::kAbsolute) WithFormula<kind, Visit, formula + 1>(wanted, visit);
}
template <class Visit>
HWY_INLINE void WithPlan(const detail::PairPlan& plan, Visit&& visit) {
  detail::with_sums(plan.sums, [&]<PairSums kind>() { WithFormula<kind>(plan.formula, visit); });
}

void FinishSums(const detail::PairTerms& terms, const detail::RowTerms& own, const TermLists& rows, int64_t count,
                const uint8_t* marks, void* sums, float* similarity) {
  WithPlan(terms.plan, [&]<PairSums kind, PairFormula formula>() {
    FinishRow<kind, formula>(terms, own, rows, count, marks, static_cast<typename Sums<kind>::Value*>(sums),
                             similarity);
  });
}

HWY_INLINE void Append(const CandidateLists& lists, int64_t list, Candidate candidate) {
  lists.lists[list * lists.capacity + lists.counts[list]++] = candidate;
  if (lists.counts[list] == lists.capacity) prune(lists, list);
}

void CollectMet(const detail::PairTerms& terms, const detail::RowTerms& own, const TermLists& rows, const int32_t* met,
                int64_t count, void* sums, const int32_t* names, int64_t own_id, const CandidateLists& lists,
                int64_t list) {
  WithPlan(terms.plan, [&]<PairSums kind, PairFormula formula>() {
    constexpr int kWidth = Sums<kind>::kWidth;
    auto* const typed = static_cast<typename Sums<kind>::Value*>(sums);
    for (int64_t m = 0; m < count; ++m) {
      const int64_t j = met[m];
      auto* const sum = typed + j * kWidth;
      const float similarity = detail::pair_similarity<kind>(formula, terms, own, rows[j], sum);
      std::fill_n(sum, kWidth, 0);
      if (similarity >= lists.thresholds[list] && names[j] != own_id) Append(lists, list, {similarity, names[j]});
    }
  });
}

/// visit(j) for the rows from j on, a vector of `floats`, that reach threshold(floats, j).
template <class Floats, class Threshold, class Visit>
HWY_INLINE void VisitReached(Floats floats, const float* HWY_RESTRICT similarity, int64_t j, Threshold&& threshold,
                             Visit&& visit) {
  const auto reached = hn::Ge(hn::LoadU(floats, similarity + j), threshold(floats, j));
  if (HWY_LIKELY(hn::AllFalse(floats, reached))) return;
  uint8_t bits[8] = {};  // as many as StoreMaskBits may write
  hn::StoreMaskBits(floats, reached, bits);
  for (unsigned left = static_cast<unsigned>(bits[0]) | static_cast<unsigned>(bits[1]) << 8; left != 0;
       left &= left - 1)
    visit(j + std::countr_zero(left));
}

/// The same for rows of marked blocks in [begin, end); `begin` starts a block.
template <class Threshold, class Visit>
HWY_INLINE void ForReached(const float* HWY_RESTRICT similarity, int64_t begin, int64_t end, const uint8_t* marks,
                           Threshold&& threshold, Visit&& visit) {
  constexpr hn::CappedTag<float, kMarkBlock> kFloats;
  const auto lanes = static_cast<int64_t>(hn::Lanes(kFloats));
  ForMarked(marks, begin, end, [&](int64_t first, int64_t last) {
    int64_t j = first;
    for (; j + lanes <= last; j += lanes) VisitReached(kFloats, similarity, j, threshold, visit);
    for (; j < last; ++j) VisitReached(hn::CappedTag<float, 1>(), similarity, j, threshold, visit);
  });
}

void Collect(const float* similarity, int64_t count, const uint8_t* marks, const int32_t* names,
             const CandidateLists& lists, int64_t list) {
  ForReached(
      similarity, 0, count, marks, [&](auto floats, int64_t) { return hn::Set(floats, lists.thresholds[list]); },
      [&](int64_t j) {
        Append(lists, list, {similarity[j], names[j]});
      });
}

void Offer(const SimilarityTile& tile, int64_t begin, int64_t end, const int32_t* names, const CandidateLists& lists) {
  const float* const thresholds = lists.thresholds + tile.from;
  for (int64_t r = tile.first; r < tile.last; ++r) {
    const float* const similarity = tile.row(r);
    ForReached(
        similarity, begin, std::min(end, tile.width(r)), tile.row_marks(r),
        [&](auto floats, int64_t j) { return hn::LoadU(floats, thresholds + j); },
        [&](int64_t j) {
          Append(lists, tile.from + j, {similarity[j], names[r]});
        });
  }
}

}  // namespace kindred::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kindred::cpu {

HWY_EXPORT(AddSums);
HWY_EXPORT(FinishSums);
HWY_EXPORT(CollectMet);
HWY_EXPORT(Collect);
HWY_EXPORT(Offer);

int64_t add_sums(const detail::PairTerms& terms, const ColumnLists& lists, const ComparedRow& row, void* sums,
                 int32_t* met) {
  return HWY_DYNAMIC_DISPATCH(AddSums)(terms, lists, row, sums, met);
}
void collect_met(const detail::PairTerms& terms, const detail::RowTerms& own, const TermLists& rows, const int32_t* met,
                 int64_t count, void* sums, const int32_t* names, int64_t own_id, const CandidateLists& lists,
                 int64_t list) {
  HWY_DYNAMIC_DISPATCH(CollectMet)(terms, own, rows, met, count, sums, names, own_id, lists, list);
}
void finish_sums(const detail::PairTerms& terms, const detail::RowTerms& own, const TermLists& rows, int64_t count,
                 const uint8_t* marks, void* sums, float* similarity) {
  HWY_DYNAMIC_DISPATCH(FinishSums)(terms, own, rows, count, marks, sums, similarity);
}
void collect(const float* similarity, int64_t count, const uint8_t* marks, const int32_t* names,
             const CandidateLists& lists, int64_t list) {
  HWY_DYNAMIC_DISPATCH(Collect)(similarity, count, marks, names, lists, list);
}
void offer(const SimilarityTile& tile, int64_t begin, int64_t end, const int32_t* names, const CandidateLists& lists) {
  HWY_DYNAMIC_DISPATCH(Offer)(tile, begin, end, names, lists);
}

}  // namespace kindred::cpu
#endif
