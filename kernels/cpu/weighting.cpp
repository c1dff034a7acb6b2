// SPDX-License-Identifier: Apache-2.0
#include "kernels/detail/weighting.hpp"

#include "kernels/cpu/threads.hpp"

namespace kindred::cpu {

void weigh_entries(Context& ctx, CsrView a, EntryWeight weight, float parameter, VectorView<const float> row,
                   VectorView<const float> column, VectorView<float> out) {
  constexpr int64_t kRowChunk = 256;
  const int64_t first = a.offsets[0];
  parallel_for(ctx, a.rows, kRowChunk, [&](int64_t begin, int64_t end, int) {
    for (int64_t r = begin; r < end; ++r)
      for (int64_t e = a.offsets[r]; e < a.offsets[r + 1]; ++e) {
        const float value = a.values != nullptr ? a.values[e] : 1.f;
        out[e - first] = detail::entry_weight(weight, double{parameter}, double{value}, double{row[r]},
                                              double{column[a.indices[e]]});
      }
  });
}

}  // namespace kindred::cpu
