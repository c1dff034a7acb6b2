// SPDX-License-Identifier: Apache-2.0
// Vector loops of the alternating least squares that pass over a row's entries and keep no system: scores and weighted
// sums of the gathered rows, four entries at a time, so that one horizontal sum serves four scores and an accumulator
// is loaded and stored once for four rows. Bound by the gathers: a row's table rows come from memory in the first
// pass, from the second-level cache in the others.
#include <algorithm>
#include <limits>

#include "kernels/cpu/als_simd.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/als_pass_simd.cpp"
#include <hwy/foreach_target.h>
//
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace kindred::cpu::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using Floats = hn::ScalableTag<float>;
using Vector = hn::Vec<Floats>;

/// Columns up to which a pass keeps its vectors in registers.
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL
constexpr int64_t kRegisterColumns = 128;
#else
constexpr int64_t kRegisterColumns = 0;
#endif

/// out[r] = the sum of v[r]'s lanes, for four vectors.
#if HWY_TARGET == HWY_SCALAR
HWY_INLINE void SumsOfLanes(const Vector* v, float* HWY_RESTRICT out) {
  for (int r = 0; r < 4; ++r) out[r] = hn::GetLane(v[r]);
}
#else
template <class D, class V>
HWY_INLINE void StoreSumOfQuads(D d, V v, float* HWY_RESTRICT out) {
  if constexpr (hn::MaxLanes(D()) <= 4) {
    hn::StoreU(v, d, out);
  } else {
    const hn::Half<D> half;
    StoreSumOfQuads(half, hn::Add(hn::LowerHalf(half, v), hn::UpperHalf(half, v)), out);
  }
}

HWY_INLINE void SumsOfLanes(const Vector* v, float* HWY_RESTRICT out) {
  const Floats d;
  const hn::RepartitionToWide<Floats> pairs;
  const auto ab = hn::BitCast(pairs, hn::Add(hn::InterleaveLower(d, v[0], v[1]), hn::InterleaveUpper(d, v[0], v[1])));
  const auto cd = hn::BitCast(pairs, hn::Add(hn::InterleaveLower(d, v[2], v[3]), hn::InterleaveUpper(d, v[2], v[3])));
  StoreSumOfQuads(
      d,
      hn::Add(hn::BitCast(d, hn::InterleaveLower(pairs, ab, cd)), hn::BitCast(d, hn::InterleaveUpper(pairs, ab, cd))),
      out);
}
#endif

/// Four entries; where fewer are left, the last one again with weight and target 0.
struct Four {
  const float* y[4];
  float weight[4], target[4];
};

template <bool kTargets>
HWY_INLINE Four LoadFour(const AlsEntries& entries, int64_t e, int64_t end, AlsColumns columns) {
  Four four;
  const int64_t count = std::min<int64_t>(4, end - e);
  for (int64_t r = 0; r < 4; ++r) four.y[r] = entries.row(e + std::min(r, count - 1)) + columns.first;
  if (HWY_LIKELY(count == 4)) {
    for (int64_t r = 0; r < 4; ++r) four.weight[r] = entries.weight(e + r);
    if (kTargets)
      for (int64_t r = 0; r < 4; ++r) four.target[r] = entries.target(e + r);
  } else {
    for (int64_t r = 0; r < 4; ++r) {
      four.weight[r] = r < count ? entries.weight(e + r) : 0;
      four.target[r] = kTargets && r < count ? entries.target(e + r) : 0;
    }
  }
  return four;
}

HWY_INLINE void PrefetchFour(const AlsEntries& entries, int64_t e, int64_t end, AlsColumns columns) {
  for (int64_t r = 0; r < 4; ++r) prefetch_row(entries.row(std::min(e + r, end - 1)) + columns.first, columns.count);
}

/// out += sum_e step_e y_e with step_e = b_e - a_e y_e.x (kResidual), and squares += sum_e a_e y_e^2; or a_e y_e.x.
/// kVectors > 0: that many vectors make up a row. False where a weight is negative (looked at with kResidual).
template <bool kResidual, int kVectors>
HWY_INLINE bool Pass(const AlsEntries& entries, int64_t begin, int64_t end, const float* HWY_RESTRICT x,
                     float* HWY_RESTRICT out, float* HWY_RESTRICT squares) {
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const AlsColumns columns{0, kVectors > 0 ? kVectors * lanes : entries.width};
  constexpr int kKept = kVectors > 0 ? kVectors : 1;
  Vector kept_x[kKept], kept_out[kKept];
  if constexpr (kVectors > 0) {
#pragma GCC unroll 8
    for (int k = 0; k < kVectors; ++k) {
      kept_x[k] = hn::LoadU(d, x + k * lanes);
      kept_out[k] = hn::LoadU(d, out + k * lanes);
    }
  }
  float smallest[4] = {};
  // Passes after the first find what fits the second-level cache there.
  const bool prefetch = kResidual || (end - begin) * columns.count > (1 << 17);
  for (int64_t e = begin; e < end; e += 4) {
    if (prefetch && e + kAlsPrefetch < end) PrefetchFour(entries, e + kAlsPrefetch, end, columns);
    const Four four = LoadFour<kResidual>(entries, e, end, columns);
    Vector sum[4] = {hn::Zero(d), hn::Zero(d), hn::Zero(d), hn::Zero(d)};
    if constexpr (kVectors > 0) {
#pragma GCC unroll 4
      for (int r = 0; r < 4; ++r)
#pragma GCC unroll 8
        for (int k = 0; k < kVectors; ++k) sum[r] = hn::MulAdd(kept_x[k], hn::LoadU(d, four.y[r] + k * lanes), sum[r]);
    } else {
      for (int64_t k = 0; k < columns.count; k += lanes) {
        const auto v = hn::LoadU(d, x + k);
#pragma GCC unroll 4
        for (int r = 0; r < 4; ++r) sum[r] = hn::MulAdd(v, hn::LoadU(d, four.y[r] + k), sum[r]);
      }
    }
    if (kResidual)
      for (int r = 0; r < 4; ++r) smallest[r] = std::min(smallest[r], four.weight[r]);
    float step[4];
    SumsOfLanes(sum, step);
    for (int r = 0; r < 4; ++r)
      step[r] = kResidual ? four.target[r] - four.weight[r] * step[r] : four.weight[r] * step[r];
    Vector steps[4], weights[4];
#pragma GCC unroll 4
    for (int r = 0; r < 4; ++r) {
      steps[r] = hn::Set(d, step[r]);
      if (kResidual) weights[r] = hn::Set(d, four.weight[r]);
    }
    const auto add = [&](int64_t column, Vector total) HWY_ATTR {
      Vector square = hn::Zero(d);
      if (kResidual) square = hn::LoadU(d, squares + column);
#pragma GCC unroll 4
      for (int r = 0; r < 4; ++r) {
        const auto y = hn::LoadU(d, four.y[r] + column);
        total = hn::MulAdd(steps[r], y, total);
        if (kResidual) square = hn::MulAdd(hn::Mul(weights[r], y), y, square);
      }
      if (kResidual) hn::StoreU(square, d, squares + column);
      return total;
    };
    if constexpr (kVectors > 0) {
#pragma GCC unroll 8
      for (int k = 0; k < kVectors; ++k) kept_out[k] = add(k * lanes, kept_out[k]);
    } else {
      for (int64_t k = 0; k < columns.count; k += lanes) hn::StoreU(add(k, hn::LoadU(d, out + k)), d, out + k);
    }
  }
  if constexpr (kVectors > 0) {
#pragma GCC unroll 8
    for (int k = 0; k < kVectors; ++k) hn::StoreU(kept_out[k], d, out + k * lanes);
  }
  return std::min(std::min(smallest[0], smallest[1]), std::min(smallest[2], smallest[3])) >= 0;
}

template <bool kResidual>
HWY_INLINE bool PassOfWidth(const AlsEntries& entries, int64_t begin, int64_t end, const float* x, float* out,
                            float* squares) {
  if constexpr (kRegisterColumns > 0) {
    switch (entries.width / static_cast<int64_t>(hn::Lanes(Floats()))) {
      case 1:
        return Pass<kResidual, 1>(entries, begin, end, x, out, squares);
      case 2:
        return Pass<kResidual, 2>(entries, begin, end, x, out, squares);
      case 4:
        return Pass<kResidual, 4>(entries, begin, end, x, out, squares);
      case 8:
        return Pass<kResidual, 8>(entries, begin, end, x, out, squares);
    }
  }
  return Pass<kResidual, 0>(entries, begin, end, x, out, squares);
}

bool AddResidual(const AlsEntries& entries, int64_t begin, int64_t end, const float* x, float* residual,
                 float* squares) {
  return PassOfWidth<true>(entries, begin, end, x, residual, squares);
}

void AddProduct(const AlsEntries& entries, int64_t begin, int64_t end, const float* p, float* product) {
  PassOfWidth<false>(entries, begin, end, p, product, nullptr);
}

void SubtractScores(const AlsEntries& entries, int64_t begin, int64_t end, AlsColumns columns, const float* x,
                    float* out) {
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t e = begin; e < end; e += 4) {
    if (e + kAlsPrefetch < end) PrefetchFour(entries, e + kAlsPrefetch, end, columns);
    const Four four = LoadFour<false>(entries, e, end, columns);
    Vector sum[4] = {hn::Zero(d), hn::Zero(d), hn::Zero(d), hn::Zero(d)};
    for (int64_t k = 0; k < columns.count; k += lanes) {
      const auto v = hn::LoadU(d, x + k);
      for (int r = 0; r < 4; ++r) sum[r] = hn::MulAdd(v, hn::LoadU(d, four.y[r] + k), sum[r]);
    }
    float scores[4];
    SumsOfLanes(sum, scores);
    for (int64_t r = 0; r < std::min<int64_t>(4, end - e); ++r) out[e - begin + r] -= four.weight[r] * scores[r];
  }
}

float Dot(const float* x, const float* y, int64_t count) {
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  auto sum = hn::Zero(d);
  int64_t k = 0;
  for (; k + lanes <= count; k += lanes) sum = hn::MulAdd(hn::LoadU(d, x + k), hn::LoadU(d, y + k), sum);
  float total = hn::GetLane(hn::SumOfLanes(d, sum));
  for (; k < count; ++k) total += x[k] * y[k];
  return total;
}

HWY_INLINE float SumOfLanes(Vector v) { return hn::GetLane(hn::SumOfLanes(Floats(), v)); }

void CgStart(const float* diagonal, float lambda, int64_t width, AlsCg& cg) {
  const Floats d;
  const auto ridge = hn::Set(d, lambda);
  auto along = hn::Zero(d);
  for (int64_t k = 0; k < width; k += static_cast<int64_t>(hn::Lanes(d))) {
    const auto base = hn::Add(hn::LoadU(d, diagonal + k), ridge);
    const auto residual = hn::NegMulAdd(base, hn::LoadU(d, cg.x + k), hn::LoadU(d, cg.residual + k));
    const auto inverse = hn::Div(hn::Set(d, 1.0f), hn::Add(base, hn::LoadU(d, cg.inverse + k)));
    const auto p = hn::Mul(inverse, residual);
    hn::StoreU(residual, d, cg.residual + k);
    hn::StoreU(inverse, d, cg.inverse + k);
    hn::StoreU(p, d, cg.p + k);
    along = hn::MulAdd(residual, p, along);
  }
  cg.along = SumOfLanes(along);
}

void CgStep(const float* diagonal, float lambda, int64_t width, AlsCg& cg) {
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto ridge = hn::Set(d, lambda);
  auto curvature = hn::Zero(d);
  for (int64_t k = 0; k < width; k += lanes) {
    const auto p = hn::LoadU(d, cg.p + k);
    const auto product = hn::MulAdd(hn::Add(hn::LoadU(d, diagonal + k), ridge), p, hn::LoadU(d, cg.product + k));
    hn::StoreU(product, d, cg.product + k);
    curvature = hn::MulAdd(p, product, curvature);
  }
  const float along_p = SumOfLanes(curvature);
  if (!(along_p > 0)) {
    cg.along = std::numeric_limits<float>::quiet_NaN();
    return;
  }
  const auto length = hn::Set(d, cg.along / along_p);
  auto along = hn::Zero(d);
  for (int64_t k = 0; k < width; k += lanes) {
    hn::StoreU(hn::MulAdd(length, hn::LoadU(d, cg.p + k), hn::LoadU(d, cg.x + k)), d, cg.x + k);
    const auto residual = hn::NegMulAdd(length, hn::LoadU(d, cg.product + k), hn::LoadU(d, cg.residual + k));
    hn::StoreU(residual, d, cg.residual + k);
    along = hn::MulAdd(hn::Mul(residual, residual), hn::LoadU(d, cg.inverse + k), along);
  }
  const float next = SumOfLanes(along);
  const auto carry = hn::Set(d, next / cg.along);
  for (int64_t k = 0; k < width; k += lanes) {
    const auto z = hn::Mul(hn::LoadU(d, cg.inverse + k), hn::LoadU(d, cg.residual + k));
    hn::StoreU(hn::MulAdd(carry, hn::LoadU(d, cg.p + k), z), d, cg.p + k);
  }
  cg.along = next;
}

}  // namespace kindred::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kindred::cpu {

HWY_EXPORT(AddResidual);
HWY_EXPORT(AddProduct);
HWY_EXPORT(SubtractScores);
HWY_EXPORT(Dot);
HWY_EXPORT(CgStart);
HWY_EXPORT(CgStep);

bool als_add_residual(const AlsEntries& entries, int64_t begin, int64_t end, const float* x, float* residual,
                      float* squares) {
  return HWY_DYNAMIC_DISPATCH(AddResidual)(entries, begin, end, x, residual, squares);
}
void als_add_product(const AlsEntries& entries, int64_t begin, int64_t end, const float* p, float* product) {
  HWY_DYNAMIC_DISPATCH(AddProduct)(entries, begin, end, p, product);
}
void als_subtract_scores(const AlsEntries& entries, int64_t begin, int64_t end, AlsColumns columns, const float* x,
                         float* out) {
  HWY_DYNAMIC_DISPATCH(SubtractScores)(entries, begin, end, columns, x, out);
}
float als_dot(const float* x, const float* y, int64_t count) { return HWY_DYNAMIC_DISPATCH(Dot)(x, y, count); }
void als_cg_start(const float* diagonal, float lambda, int64_t width, AlsCg& cg) {
  HWY_DYNAMIC_DISPATCH(CgStart)(diagonal, lambda, width, cg);
}
void als_cg_step(const float* diagonal, float lambda, int64_t width, AlsCg& cg) {
  HWY_DYNAMIC_DISPATCH(CgStep)(diagonal, lambda, width, cg);
}

}  // namespace kindred::cpu
#endif  // HWY_ONCE
