// SPDX-License-Identifier: Apache-2.0
#include "engine/data/csv_simd.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/data/csv_simd.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace kindred::detail {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

void find_marks(const char* text, size_t words, char a, char b, char c, uint64_t* marks) {
  const hn::CappedTag<uint8_t, kMarkedBytes> tag;
  const auto va = hn::Set(tag, static_cast<uint8_t>(a)), vb = hn::Set(tag, static_cast<uint8_t>(b)),
             vc = hn::Set(tag, static_cast<uint8_t>(c));
  const auto* bytes = reinterpret_cast<const uint8_t*>(text);
  for (size_t w = 0; w < words; ++w, bytes += kMarkedBytes) {
    uint64_t word = 0;
    for (size_t i = 0; i < kMarkedBytes; i += hn::Lanes(tag)) {
      const auto v = hn::LoadU(tag, bytes + i);
      uint64_t bits = 0;
      hn::StoreMaskBits(tag, hn::Or(hn::Or(hn::Eq(v, va), hn::Eq(v, vb)), hn::Eq(v, vc)),
                        reinterpret_cast<uint8_t*>(&bits));
      word |= bits << i;
    }
    marks[w] = word;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace kindred::detail
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kindred::detail {

HWY_EXPORT(find_marks);

void find_marks(const char* text, size_t words, char a, char b, char c, uint64_t* marks) {
  HWY_DYNAMIC_DISPATCH(find_marks)(text, words, a, b, c, marks);
}

}  // namespace kindred::detail
#endif
