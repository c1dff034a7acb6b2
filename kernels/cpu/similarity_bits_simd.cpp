// SPDX-License-Identifier: Apache-2.0
// Counting bits by place. 512 counters stand across words, a bit of each in one vector: a full adder takes three such
// vectors of one weight to a sum and a carry of the next, so that 16 columns cost 15 of them, and a column's 512 rows
// about 4 instructions on vectors of 512 bits. Mula, Kurz, Lemire 2018 (Harley-Seal), turned by a quarter.
#include <bit>
#include <cstring>

#include "kernels/cpu/similarity_simd.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/similarity_bits_simd.cpp"
#include <hwy/foreach_target.h>
//
#include <hwy/cache_control.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace kindred::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr hn::CappedTag<uint64_t, kStripeWords> kWords;
using Words = hn::Vec<decltype(kWords)>;
constexpr int kTree = 4;       // 2^kTree columns are added at once
constexpr int kPlanes = 32;    // bits of a count
constexpr size_t kAhead = 24;  // columns that are called for early
constexpr size_t kGroup = 32;  // counts that are written or left out together

/// sum + a + b, bit by bit: the sum stays, the carry is returned.
HWY_INLINE Words FullAdd(Words& sum, Words a, Words b) {
  const Words differ = hn::Xor(sum, a);
  const Words carry = hn::OrAnd(hn::And(sum, a), differ, b);
  sum = hn::Xor(differ, b);
  return carry;
}

/// Adds 2^level columns from `at` on to the planes below `level`; what carries into plane `level`.
template <int level>
HWY_INLINE Words Tree(Words (&low)[kTree], const uint64_t* bits, const int32_t* at) {
  if constexpr (level == 0) {
    return hn::LoadU(kWords, bits + int64_t{*at} * kStripeWords);
  } else {
    const Words left = Tree<level - 1>(low, bits, at);
    const Words right = Tree<level - 1>(low, bits, at + (1 << (level - 1)));
    return FullAdd(low[level - 1], left, right);
  }
}

/// Adds a vector to the planes from `plane` on.
HWY_INLINE void Ripple(uint64_t (*planes)[kStripeWords], int plane, Words carry) {
  for (; !hn::AllFalse(kWords, hn::Ne(carry, hn::Zero(kWords))); ++plane) {
    const Words old = hn::Load(kWords, planes[plane]);
    hn::Store(hn::Xor(old, carry), kWords, planes[plane]);
    carry = hn::And(old, carry);
  }
}

/// Counts of 32 rows from their planes' bits.
HWY_INLINE void Expand(const uint32_t* planes, int count, int32_t* counts) {
  const hn::CappedTag<int32_t, 16> ints;
  const auto lanes = static_cast<int>(hn::Lanes(ints));
  for (int first = 0; first < static_cast<int>(kGroup); first += lanes) {
    const auto place = hn::Shl(hn::Set(ints, 1), hn::Iota(ints, first));
    auto sum = hn::Zero(ints);
    for (int p = 0; p < count; ++p)
      sum = hn::Add(sum, hn::IfThenElseZero(hn::TestBit(hn::Set(ints, static_cast<int32_t>(planes[p])), place),
                                            hn::Set(ints, int32_t{1} << p)));
    hn::StoreU(sum, ints, counts + first);
  }
}

void CountBits(const uint64_t* bits, std::span<const int32_t> columns, int32_t* counts, uint8_t* marks) {
  const size_t lanes = hn::Lanes(kWords);
  const int used = std::bit_width(columns.size());
  for (size_t word = 0; word < static_cast<size_t>(kStripeWords); word += lanes) {
    HWY_ALIGN uint64_t planes[kPlanes][kStripeWords];
    for (int p = 0; p < used; ++p) hn::Store(hn::Zero(kWords), kWords, planes[p]);
    const uint64_t* const here = bits + word;
    size_t e = 0;
    if (columns.size() >= (1 << kTree)) {
      Words low[kTree];
      for (Words& plane : low) plane = hn::Zero(kWords);
      for (; e + (1 << kTree) <= columns.size(); e += 1 << kTree) {
        for (size_t ahead = e + kAhead; ahead < std::min(e + kAhead + (1 << kTree), columns.size()); ++ahead)
          hwy::Prefetch(here + int64_t{columns[ahead]} * kStripeWords);
        Ripple(planes, kTree, Tree<kTree>(low, here, columns.data() + e));
      }
      for (int p = 0; p < kTree; ++p) hn::Store(low[p], kWords, planes[p]);
    }
    for (; e < columns.size(); ++e) Ripple(planes, 0, hn::LoadU(kWords, here + int64_t{columns[e]} * kStripeWords));

    for (size_t group = 0; group < lanes * 64 / kGroup; ++group) {
      uint32_t of_group[kPlanes], any = 0;
      for (int p = 0; p < used; ++p) {
        std::memcpy(&of_group[p], reinterpret_cast<const char*>(planes[p]) + group * sizeof(uint32_t),
                    sizeof(uint32_t));
        any |= of_group[p];
      }
      if (any == 0) continue;
      const size_t first = word * 64 + group * kGroup;
      Expand(of_group, used, counts + first);
      if (marks == nullptr) continue;
      for (size_t half = 0; half < kGroup / kMarkBlock; ++half)
        marks[first / kMarkBlock + half] = (any >> (half * kMarkBlock) & 0xffff) != 0;
    }
  }
}

}  // namespace kindred::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kindred::cpu {

HWY_EXPORT(CountBits);
void count_bits(const uint64_t* bits, std::span<const int32_t> columns, int32_t* counts, uint8_t* marks) {
  HWY_DYNAMIC_DISPATCH(CountBits)(bits, columns, counts, marks);
}

}  // namespace kindred::cpu
#endif
