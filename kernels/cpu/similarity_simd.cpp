// SPDX-License-Identifier: Apache-2.0
// The loops of similar_rows. Adding up is a read, an add and a write at a random place for each pair of entries of a
// column, and nothing else matters: sums of one pair lie side by side, so that they share a cache line. What follows
// runs over rows in order and is left to the compiler's vectors.
#include "kernels/cpu/similarity_simd.hpp"

#include <algorithm>
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

using detail::PairFormula, detail::PairSums, detail::Sums;

constexpr int64_t kAhead = 512;  // entries of the next list that are called for early

template <PairSums kind, bool marking>
void AddRow(const detail::PairTerms& terms, const ColumnLists& lists, const ComparedRow& row,
            typename Sums<kind>::Value* sums, uint8_t* marks) {
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
      Sums<kind>::add(sums + j * Sums<kind>::kWidth, x, lists.values != nullptr ? double{lists.values[i]} : 1,
                      terms.minus_parts);
      if constexpr (marking) marks[j / kMarkBlock] = 1;
    }
  }
}

template <PairSums kind, PairFormula formula>
void FinishRow(const detail::PairTerms& terms, const detail::RowTerms& own, const detail::RowTerms* HWY_RESTRICT rows,
               int64_t limit, const uint8_t* marks, typename Sums<kind>::Value* HWY_RESTRICT sums,
               float* HWY_RESTRICT similarity) {
  constexpr int kWidth = Sums<kind>::kWidth;
  for (int64_t begin = 0; begin < limit; begin += kMarkBlock) {
    if (marks != nullptr && marks[begin / kMarkBlock] == 0) continue;
    const int64_t end = std::min(begin + kMarkBlock, limit);
    for (int64_t j = begin; j < end; ++j)
      similarity[j] = detail::pair_similarity<kind>(formula, terms, own, rows[j], sums + j * kWidth);
    std::memset(sums + begin * kWidth, 0, static_cast<size_t>((end - begin) * kWidth) * sizeof(*sums));
  }
}

void AddSums(const detail::PairTerms& terms, const ColumnLists& lists, const ComparedRow& row, void* sums,
             uint8_t* marks) {
  detail::with_sums(terms.plan.sums, [&]<PairSums kind>() {
    auto* const typed = static_cast<typename Sums<kind>::Value*>(sums);
    marks != nullptr ? AddRow<kind, true>(terms, lists, row, typed, marks)
                     : AddRow<kind, false>(terms, lists, row, typed, marks);
  });
}

template <PairSums kind, int formula = 0>
void FinishWith(const detail::PairTerms& terms, const detail::RowTerms& own, const detail::RowTerms* rows,
                int64_t limit, const uint8_t* marks, void* sums, float* similarity) {
  constexpr auto kFormula = static_cast<PairFormula>(formula);
  if constexpr (detail::fits(kind, kFormula))
    if (terms.plan.formula == kFormula)
      return FinishRow<kind, kFormula>(terms, own, rows, limit, marks, static_cast<typename Sums<kind>::Value*>(sums),
                                       similarity);
  if constexpr (kFormula != PairFormula::kAbsolute)
    FinishWith<kind, formula + 1>(terms, own, rows, limit, marks, sums, similarity);
}

void FinishSums(const detail::PairTerms& terms, const detail::RowTerms& own, const detail::RowTerms* rows,
                int64_t limit, const uint8_t* marks, void* sums, float* similarity) {
  detail::with_sums(terms.plan.sums,
                    [&]<PairSums kind>() { FinishWith<kind>(terms, own, rows, limit, marks, sums, similarity); });
}

HWY_INLINE void Append(const CandidateLists& lists, int64_t list, Candidate candidate) {
  lists.lists[list * lists.capacity + lists.counts[list]++] = candidate;
  if (lists.counts[list] == lists.capacity) prune(lists, list);
}

/// visit(j) for rows of marked blocks in [begin, end) whose similarity reaches threshold(j); `begin` starts a block.
template <class Threshold, class Visit>
HWY_INLINE void ForReached(const float* HWY_RESTRICT similarity, int64_t begin, int64_t end, const uint8_t* marks,
                           Threshold&& threshold, Visit&& visit) {
  constexpr int64_t kStep = 16;
  for (int64_t block = begin; block < end; block += kMarkBlock) {
    if (marks != nullptr && marks[block / kMarkBlock] == 0) continue;
    const int64_t block_end = std::min(block + kMarkBlock, end);
    for (int64_t step = block; step < block_end; step += kStep) {
      const int64_t step_end = std::min(step + kStep, block_end);
      int reached = 0;
      for (int64_t j = step; j < step_end; ++j) reached |= similarity[j] >= threshold(j);
      if (reached == 0) continue;
      for (int64_t j = step; j < step_end; ++j)
        if (similarity[j] >= threshold(j)) visit(j);
    }
  }
}

void Collect(const float* similarity, int64_t limit, const uint8_t* marks, const int32_t* names,
             const CandidateLists& lists, int64_t list) {
  ForReached(
      similarity, 0, limit, marks, [&](int64_t) { return lists.thresholds[list]; },
      [&](int64_t j) {
        Append(lists, list, {similarity[j], names[j]});
      });
}

void Offer(const float* similarity, int64_t begin, int64_t end, const uint8_t* marks, int32_t name,
           const CandidateLists& lists) {
  ForReached(
      similarity, begin, end, marks, [&](int64_t j) { return lists.thresholds[j]; },
      [&](int64_t j) {
        Append(lists, j, {similarity[j], name});
      });
}

}  // namespace kindred::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kindred::cpu {

HWY_EXPORT(AddSums);
HWY_EXPORT(FinishSums);
HWY_EXPORT(Collect);
HWY_EXPORT(Offer);

void add_sums(const detail::PairTerms& terms, const ColumnLists& lists, const ComparedRow& row, void* sums,
              uint8_t* marks) {
  HWY_DYNAMIC_DISPATCH(AddSums)(terms, lists, row, sums, marks);
}
void finish_sums(const detail::PairTerms& terms, const detail::RowTerms& own, const detail::RowTerms* rows,
                 int64_t limit, const uint8_t* marks, void* sums, float* similarity) {
  HWY_DYNAMIC_DISPATCH(FinishSums)(terms, own, rows, limit, marks, sums, similarity);
}
void collect(const float* similarity, int64_t limit, const uint8_t* marks, const int32_t* names,
             const CandidateLists& lists, int64_t list) {
  HWY_DYNAMIC_DISPATCH(Collect)(similarity, limit, marks, names, lists, list);
}
void offer(const float* similarity, int64_t begin, int64_t end, const uint8_t* marks, int32_t name,
           const CandidateLists& lists) {
  HWY_DYNAMIC_DISPATCH(Offer)(similarity, begin, end, marks, name, lists);
}

}  // namespace kindred::cpu
#endif
