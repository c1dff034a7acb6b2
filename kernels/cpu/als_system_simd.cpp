// SPDX-License-Identifier: Apache-2.0
// Vector loops of the alternating least squares that work on whole systems: gathered rows scaled by the square root of
// their weight, their products in register tiles, Cholesky in panels of 16 on the upper triangle (so that the panel and
// the tiles read rows, never columns).
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/cpu/als_simd.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/als_system_simd.cpp"
#include <hwy/foreach_target.h>
//
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace kindred::cpu::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

constexpr int64_t kPanel = 16;
constexpr int64_t kMaxSize = 1040;  // 1,025 factors, padded

// Accumulators of a tile: 8 x 3 of 32 registers, or 4 x 3 of 16.
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL
constexpr int kTileRows = 8;
#else
constexpr int kTileRows = 4;
#endif
constexpr int kTileVectors = 3;

/// Lanes of `d` from floats, as floats or widened.
template <class D>
HWY_INLINE hn::Vec<D> LoadFloats(D d, const float* HWY_RESTRICT from) {
  if constexpr (std::is_same_v<hn::TFromD<D>, float>) {
    return hn::LoadU(d, from);
  } else {
    return hn::PromoteTo(d, hn::LoadU(hn::Rebind<float, D>(), from));
  }
}

/// out[i .. i + kRows)[j .. j + kVectors lanes) +/-= sum_e z[e][i] z[e][j].
template <bool kSubtract, int kRows, int kVectors, class D, class T>
HWY_INLINE void Tile(D d, const T* HWY_RESTRICT z, int64_t count, int64_t stride, int64_t i, int64_t j,
                     T* HWY_RESTRICT out) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  hn::Vec<D> sum[kRows][kVectors];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) sum[r][v] = hn::LoadU(d, out + (i + r) * stride + j + v * lanes);
  for (int64_t e = 0; e < count; ++e) {
    const T* HWY_RESTRICT row = z + e * stride;
    hn::Vec<D> right[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) right[v] = hn::LoadU(d, row + j + v * lanes);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const auto left = hn::Set(d, row[i + r]);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v)
        sum[r][v] = kSubtract ? hn::NegMulAdd(left, right[v], sum[r][v]) : hn::MulAdd(left, right[v], sum[r][v]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) hn::StoreU(sum[r][v], d, out + (i + r) * stride + j + v * lanes);
}

/// Rows [first, last) of the upper triangle of out (size x size) +/-= zᵀ z, z: count x size.
template <bool kSubtract, class D, class T>
HWY_INLINE void AddProducts(D d, const T* HWY_RESTRICT z, int64_t count, int64_t size, int64_t first, int64_t last,
                            T* HWY_RESTRICT out) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t i = first; i < last; i += kTileRows) {
    int64_t j = i / lanes * lanes;
    for (; j + kTileVectors * lanes <= size; j += kTileVectors * lanes)
      Tile<kSubtract, kTileRows, kTileVectors>(d, z, count, size, i, j, out);
    if (j + 2 * lanes <= size)
      Tile<kSubtract, kTileRows, 2>(d, z, count, size, i, j, out);
    else if (j < size)
      Tile<kSubtract, kTileRows, 1>(d, z, count, size, i, j, out);
  }
}

template <class T>
void AddEntriesOf(const AlsEntries& entries, int64_t begin, int64_t end, AlsColumns columns, const float* right,
                  T* system, T* scratch) {
  const hn::ScalableTag<T> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d)), size = columns.count;
  T* HWY_RESTRICT sides = system + size * size;
  const int64_t capacity = als_gather_rows(size);
  for (int64_t start = begin; start < end; start += capacity) {
    const int64_t count = std::min(capacity, end - start);
    for (int64_t r = 0; r < count; ++r) {
      const int64_t e = start + r;
      if (e + kAlsPrefetch < end) prefetch_row(entries.row(e + kAlsPrefetch) + columns.first, size);
      const float* HWY_RESTRICT y = entries.row(e) + columns.first;
      T* HWY_RESTRICT z = scratch + r * size;
      const auto scale = hn::Set(d, std::sqrt(static_cast<T>(entries.weight(e))));
      const auto side = hn::Set(d, static_cast<T>(right != nullptr ? right[e - begin] : entries.target(e)));
      for (int64_t k = 0; k < size; k += lanes) {
        const auto v = LoadFloats(d, y + k);
        hn::StoreU(hn::Mul(scale, v), d, z + k);
        hn::StoreU(hn::MulAdd(side, v, hn::LoadU(d, sides + k)), d, sides + k);
      }
    }
    AddProducts<false>(d, scratch, count, size, 0, size, system);
  }
}

void AddEntries(const AlsEntries& entries, int64_t begin, int64_t end, AlsColumns columns, const float* right,
                float* system, float* scratch) {
  AddEntriesOf(entries, begin, end, columns, right, system, scratch);
}

void AddEntriesDouble(const AlsEntries& entries, int64_t begin, int64_t end, AlsColumns columns, const float* right,
                      double* system, double* scratch) {
  AddEntriesOf(entries, begin, end, columns, right, system, scratch);
}

void AddProductsFloat(const float* rows, int64_t count, int64_t size, float* matrix) {
  AddProducts<false>(hn::ScalableTag<float>(), rows, count, size, 0, size, matrix);
}

void AddProductsDouble(const double* rows, int64_t count, int64_t size, int64_t first, int64_t matrix_rows,
                       double* matrix) {
  AddProducts<false>(hn::ScalableTag<double>(), rows, count, size, first, first + matrix_rows, matrix);
}

/// Rows [k0, k0 + kPanel) of the factor; false at a pivot without digits. inverse: 1 / diagonal.
template <class D, class T>
HWY_INLINE bool FactorPanel(D d, T* HWY_RESTRICT a, int64_t size, int64_t k0, const T* HWY_RESTRICT smallest,
                            T* HWY_RESTRICT inverse) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t k = k0; k < k0 + kPanel; ++k) {
    T* HWY_RESTRICT row = a + k * size;
    for (int64_t j = k / lanes * lanes; j < size; j += lanes) {
      auto v = hn::LoadU(d, row + j);
      for (int64_t t = k0; t < k; ++t)
        v = hn::NegMulAdd(hn::Set(d, a[t * size + k]), hn::LoadU(d, a + t * size + j), v);
      hn::StoreU(v, d, row + j);
    }
    if (!(row[k] > smallest[k])) return false;
    inverse[k] = 1 / std::sqrt(row[k]);
    const auto scale = hn::Set(d, inverse[k]);
    for (int64_t j = k / lanes * lanes; j < size; j += lanes)
      hn::StoreU(hn::Mul(scale, hn::LoadU(d, row + j)), d, row + j);
  }
  return true;
}

template <class T>
bool SolveOf(T* HWY_RESTRICT a, int64_t size, T* HWY_RESTRICT x) {
  const hn::ScalableTag<T> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  T smallest[kMaxSize], inverse[kMaxSize];
  // Below this a pivot is what rounding left of the diagonal.
  for (int64_t k = 0; k < size; ++k) smallest[k] = a[k * size + k] * 4 * std::numeric_limits<T>::epsilon();
  for (int64_t k0 = 0; k0 < size; k0 += kPanel) {
    if (!FactorPanel(d, a, size, k0, smallest, inverse)) return false;
    // The trailing rows less the panel's products: the panel's rows stand at the matrix's stride.
    AddProducts<true>(d, a + k0 * size, kPanel, size, k0 + kPanel, size, a);
  }
  for (int64_t k = 0; k < size; ++k) {  // Uᵀ z = b
    const T z = x[k] * inverse[k];
    const T* HWY_RESTRICT row = a + k * size;
    const int64_t first = k / lanes * lanes;
    for (int64_t j = k + 1; j < std::min(first + lanes, size); ++j) x[j] -= z * row[j];
    const auto minus = hn::Set(d, z);
    for (int64_t j = first + lanes; j < size; j += lanes)
      hn::StoreU(hn::NegMulAdd(minus, hn::LoadU(d, row + j), hn::LoadU(d, x + j)), d, x + j);
    x[k] = z;
  }
  for (int64_t k = size - 1; k >= 0; --k) {  // U x = z
    const T* HWY_RESTRICT row = a + k * size;
    const int64_t first = k / lanes * lanes + lanes;
    auto sum = hn::Zero(d);
    for (int64_t j = first; j < size; j += lanes) sum = hn::MulAdd(hn::LoadU(d, row + j), hn::LoadU(d, x + j), sum);
    T rest = x[k] - hn::GetLane(hn::SumOfLanes(d, sum));
    for (int64_t j = k + 1; j < first; ++j) rest -= row[j] * x[j];
    x[k] = rest * inverse[k];
  }
  return true;
}

bool SolveFloat(float* matrix, int64_t size, float* x) { return SolveOf(matrix, size, x); }
bool SolveDouble(double* matrix, int64_t size, double* x) { return SolveOf(matrix, size, x); }

void GatherColumns(const AlsEntries& entries, int64_t begin, int64_t end, const float* scale, int64_t padded,
                   float* out) {
  const int64_t count = end - begin;
  for (int64_t c = 0; c < count; ++c) {
    const float* HWY_RESTRICT y = entries.row(begin + c);
    const float root = std::sqrt(entries.weight(begin + c));
    for (int64_t k = 0; k < entries.width; ++k) out[k * padded + c] = root * y[k] * scale[k];
  }
  for (int64_t k = 0; k < entries.width; ++k) std::fill(out + k * padded + count, out + (k + 1) * padded, 0.0f);
}

}  // namespace kindred::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kindred::cpu {

HWY_EXPORT(AddEntries);
HWY_EXPORT(AddEntriesDouble);
HWY_EXPORT(AddProductsFloat);
HWY_EXPORT(AddProductsDouble);
HWY_EXPORT(SolveFloat);
HWY_EXPORT(SolveDouble);
HWY_EXPORT(GatherColumns);

void als_add_entries(const AlsEntries& entries, int64_t begin, int64_t end, AlsColumns columns, const float* right,
                     float* system, float* scratch) {
  HWY_DYNAMIC_DISPATCH(AddEntries)(entries, begin, end, columns, right, system, scratch);
}
void als_add_entries(const AlsEntries& entries, int64_t begin, int64_t end, AlsColumns columns, const float* right,
                     double* system, double* scratch) {
  HWY_DYNAMIC_DISPATCH(AddEntriesDouble)(entries, begin, end, columns, right, system, scratch);
}
void als_add_products(const float* rows, int64_t count, int64_t size, float* matrix) {
  HWY_DYNAMIC_DISPATCH(AddProductsFloat)(rows, count, size, matrix);
}
void als_add_products(const double* rows, int64_t count, int64_t size, int64_t first, int64_t matrix_rows,
                      double* matrix) {
  HWY_DYNAMIC_DISPATCH(AddProductsDouble)(rows, count, size, first, matrix_rows, matrix);
}
bool als_solve(float* matrix, int64_t size, float* x) { return HWY_DYNAMIC_DISPATCH(SolveFloat)(matrix, size, x); }
bool als_solve(double* matrix, int64_t size, double* x) { return HWY_DYNAMIC_DISPATCH(SolveDouble)(matrix, size, x); }
void als_gather_columns(const AlsEntries& entries, int64_t begin, int64_t end, const float* scale, int64_t padded,
                        float* out) {
  HWY_DYNAMIC_DISPATCH(GatherColumns)(entries, begin, end, scale, padded, out);
}

}  // namespace kindred::cpu
#endif  // HWY_ONCE
