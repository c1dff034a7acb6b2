// SPDX-License-Identifier: Apache-2.0
// Sparse times dense: a row of the result stays in registers, up to eight vectors at a time, while the rows of the
// dense matrix that it is made of are gathered.
#include <algorithm>

#include "kernels/cpu/threads.hpp"
#include "kernels/detail/spmm.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/spmm_simd.cpp"
#include <hwy/foreach_target.h>
//
#include <hwy/cache_control.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace kindred::cpu::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using D = hn::ScalableTag<float>;

constexpr int64_t kAhead = 8;  // entries whose rows are called for early

/// out[first, first + kVectors lanes) of row r.
template <int kVectors>
HWY_INLINE void Columns(float alpha, const CsrView& a, const MatrixView<const float>& b, float beta, float* out,
                        int64_t r, int64_t first, int64_t last_entry) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(D()));
  hn::Vec<D> sum[kVectors];
#pragma GCC unroll 8
  for (auto& v : sum) v = hn::Zero(D());
  for (int64_t e = a.offsets[r]; e < a.offsets[r + 1]; ++e) {
    if (e + kAhead < last_entry)
      for (int64_t k = 0; k < kVectors * lanes; k += 16) hwy::Prefetch(b.row(a.indices[e + kAhead]) + first + k);
    const float* HWY_RESTRICT row = b.row(a.indices[e]) + first;
    const auto value = hn::Set(D(), a.values != nullptr ? a.values[e] : 1.f);
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) sum[v] = hn::MulAdd(value, hn::LoadU(D(), row + v * lanes), sum[v]);
  }
#pragma GCC unroll 8
  for (int v = 0; v < kVectors; ++v) {
    auto result = hn::Mul(hn::Set(D(), alpha), sum[v]);
    if (beta != 0) result = hn::MulAdd(hn::Set(D(), beta), hn::LoadU(D(), out + first + v * lanes), result);
    hn::StoreU(result, D(), out + first + v * lanes);
  }
}

void Rows(float alpha, CsrView a, MatrixView<const float> b, float beta, MatrixView<float> out, int64_t begin,
          int64_t end) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(D()));
  const int64_t last_entry = a.offsets[end];
  for (int64_t r = begin; r < end; ++r) {
    float* const to = out.row(r);
    int64_t k = 0;
    for (; k + 8 * lanes <= b.cols; k += 8 * lanes) Columns<8>(alpha, a, b, beta, to, r, k, last_entry);
    for (; k + 4 * lanes <= b.cols; k += 4 * lanes) Columns<4>(alpha, a, b, beta, to, r, k, last_entry);
    for (; k + lanes <= b.cols; k += lanes) Columns<1>(alpha, a, b, beta, to, r, k, last_entry);
    for (; k < b.cols; ++k) {
      float sum = 0;
      for (int64_t e = a.offsets[r]; e < a.offsets[r + 1]; ++e)
        sum += (a.values != nullptr ? a.values[e] : 1.f) * b.row(a.indices[e])[k];
      to[k] = alpha * sum + (beta != 0 ? beta * to[k] : 0.f);
    }
  }
}

}  // namespace kindred::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kindred::cpu {

HWY_EXPORT(Rows);

void spmm_rows(float alpha, CsrView a, MatrixView<const float> b, float beta, MatrixView<float> out, int64_t begin,
               int64_t end) {
  HWY_DYNAMIC_DISPATCH(Rows)(alpha, a, b, beta, out, begin, end);
}

void spmm(Context& ctx, float alpha, CsrView a, MatrixView<const float> b, float beta, MatrixView<float> out) {
  parallel_for(ctx, a.rows, 64,
               [&](int64_t begin, int64_t end, int) { spmm_rows(alpha, a, b, beta, out, begin, end); });
}

}  // namespace kindred::cpu
#endif
