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
  const T* HWY_RESTRICT lefts = z + i;
  const T* HWY_RESTRICT rights = z + j;
  for (int64_t e = 0; e < count; ++e, lefts += stride, rights += stride) {
    hn::Vec<D> right[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) right[v] = hn::LoadU(d, rights + v * lanes);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const auto left = hn::Set(d, lefts[r]);
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

/// Rows [first, last) of the upper triangle of out (size x size) +/-= zᵀ z, z: count x size. before(i) is called before
/// each kTileRows rows.
template <bool kSubtract, class D, class T, class Before>
HWY_INLINE void AddProducts(D d, const T* HWY_RESTRICT z, int64_t count, int64_t size, int64_t first, int64_t last,
                            T* HWY_RESTRICT out, Before&& before) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t i = first; i < last; i += kTileRows) {
    before(i);
    int64_t j = i / lanes * lanes;
    for (; j + kTileVectors * lanes <= size; j += kTileVectors * lanes)
      Tile<kSubtract, kTileRows, kTileVectors>(d, z, count, size, i, j, out);
    if (j + 2 * lanes <= size)
      Tile<kSubtract, kTileRows, 2>(d, z, count, size, i, j, out);
    else if (j < size)
      Tile<kSubtract, kTileRows, 1>(d, z, count, size, i, j, out);
  }
}

constexpr auto kNothing = [](int64_t) {};

template <class T>
void AddEntriesOf(const AlsEntries& entries, int64_t begin, int64_t end, AlsColumns columns, const float* right,
                  T* system, T* scratch, AlsRange ahead) {
  const hn::ScalableTag<T> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d)), size = columns.count;
  T* HWY_RESTRICT sides = system + size * size;
  const int64_t capacity = als_gather_rows(size);
  for (int64_t start = begin; start < end; start += capacity) {
    const int64_t stop = std::min(start + capacity, end);
    for (int64_t e = start; e < stop; ++e) {
      if (e + kAlsPrefetch < stop) prefetch_row(entries.row(e + kAlsPrefetch) + columns.first, size);
      const float* HWY_RESTRICT y = entries.row(e) + columns.first;
      T* HWY_RESTRICT z = scratch + (e - start) * size;
      const auto scale = hn::Set(d, std::sqrt(static_cast<T>(entries.weight(e))));
      const auto side = hn::Set(d, static_cast<T>(right != nullptr ? right[e - begin] : entries.target(e)));
      for (int64_t k = 0; k < size; k += lanes) {
        const auto v = LoadFloats(d, y + k);
        hn::StoreU(hn::Mul(scale, v), d, z + k);
        hn::StoreU(hn::MulAdd(side, v, hn::LoadU(d, sides + k)), d, sides + k);
      }
    }
    // The products read nothing from memory: while they run, the rows of the next gather come to the second level.
    AlsRange next = stop < end ? AlsRange{stop, end} : ahead;
    next.end = std::min(next.end, next.begin + capacity);
    const int64_t share = ((next.end - next.begin) * kTileRows + size - 1) / size;
    AddProducts<false>(d, scratch, stop - start, size, 0, size, system, [&](int64_t) {
      for (const int64_t last = std::min(next.begin + share, next.end); next.begin < last; ++next.begin)
        prefetch_row<2>(entries.row(next.begin) + columns.first, size);
    });
  }
}

void AddEntries(const AlsEntries& entries, int64_t begin, int64_t end, AlsColumns columns, const float* right,
                float* system, float* scratch, AlsRange ahead) {
  AddEntriesOf(entries, begin, end, columns, right, system, scratch, ahead);
}

void AddEntriesDouble(const AlsEntries& entries, int64_t begin, int64_t end, AlsColumns columns, const float* right,
                      double* system, double* scratch) {
  AddEntriesOf(entries, begin, end, columns, right, system, scratch, {});
}

void AddProductsFloat(const float* rows, int64_t count, int64_t size, float* matrix) {
  AddProducts<false>(hn::ScalableTag<float>(), rows, count, size, 0, size, matrix, kNothing);
}

void AddProductsDouble(const double* rows, int64_t count, int64_t size, int64_t first, int64_t matrix_rows,
                       double* matrix) {
  AddProducts<false>(hn::ScalableTag<double>(), rows, count, size, first, first + matrix_rows, matrix, kNothing);
}

/// The kPanel x kPanel block becomes its factor, also in u (contiguous); false at a pivot without digits.
/// inverse: 1 / diagonal.
template <class D, class T>
HWY_INLINE bool FactorDiagonal(D d, T* HWY_RESTRICT block, int64_t size, const T* HWY_RESTRICT smallest,
                               T* HWY_RESTRICT inverse, T* HWY_RESTRICT u) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  if constexpr (hn::MaxLanes(D()) == kPanel) {
    // A row is a register: a pivot costs the latency of its root and division, not trips through memory too.
    const hn::RebindToSigned<D> integers;
    const auto lane = [&](hn::Vec<D> v, int64_t k) HWY_ATTR {
      return hn::TableLookupLanes(v, hn::IndicesFromVec(d, hn::Set(integers, static_cast<int32_t>(k))));
    };
    hn::Vec<D> row[kPanel];
#pragma GCC unroll 16
    for (int64_t k = 0; k < kPanel; ++k) row[k] = hn::LoadU(d, block + k * size);
#pragma GCC unroll 16
    for (int64_t k = 0; k < kPanel; ++k) {
      const T pivot = hn::GetLane(lane(row[k], k));
      if (!(pivot > smallest[k])) return false;
      inverse[k] = 1 / std::sqrt(pivot);
      row[k] = hn::Mul(row[k], hn::Set(d, inverse[k]));
      hn::StoreU(row[k], d, u + k * kPanel);
#pragma GCC unroll 16
      for (int64_t i = k + 1; i < kPanel; ++i) row[i] = hn::NegMulAdd(lane(row[k], i), row[k], row[i]);
    }
  } else {
    for (int64_t k = 0; k < kPanel; ++k) {
      T* HWY_RESTRICT row = u + k * kPanel;
      const int64_t first = k / lanes * lanes;
      for (int64_t j = 0; j < kPanel; j += lanes) {
        auto v = hn::LoadU(d, block + k * size + j);
        if (j >= first)
          for (int64_t t = 0; t < k; ++t)
            v = hn::NegMulAdd(hn::Set(d, u[t * kPanel + k]), hn::LoadU(d, u + t * kPanel + j), v);
        hn::StoreU(v, d, row + j);
      }
      if (!(row[k] > smallest[k])) return false;
      inverse[k] = 1 / std::sqrt(row[k]);
      const auto scale = hn::Set(d, inverse[k]);
      for (int64_t j = first; j < kPanel; j += lanes) hn::StoreU(hn::Mul(scale, hn::LoadU(d, row + j)), d, row + j);
    }
  }
  for (int64_t k = 0; k < kPanel; ++k)
    for (int64_t j = 0; j < kPanel; j += lanes) hn::StoreU(hn::LoadU(d, u + k * kPanel + j), d, block + k * size + j);
  return true;
}

/// part (kPanel right sides) becomes U^-T part.
template <class T>
HWY_INLINE void SolveDiagonalForward(const T* HWY_RESTRICT u, const T* HWY_RESTRICT inverse, T* HWY_RESTRICT part) {
  T v[kPanel];
#pragma GCC unroll 16
  for (int64_t k = 0; k < kPanel; ++k) v[k] = part[k];
#pragma GCC unroll 16
  for (int64_t k = 0; k < kPanel; ++k) {
    v[k] *= inverse[k];
#pragma GCC unroll 16
    for (int64_t i = 0; i < kPanel; ++i)
      if (i > k) v[i] -= v[k] * u[k * kPanel + i];
    part[k] = v[k];
  }
}

/// part becomes U^-1 part.
template <class T>
HWY_INLINE void SolveDiagonalBackward(const T* HWY_RESTRICT u, const T* HWY_RESTRICT inverse, T* HWY_RESTRICT part) {
  T v[kPanel];
#pragma GCC unroll 16
  for (int64_t k = 0; k < kPanel; ++k) v[k] = part[k];
#pragma GCC unroll 16
  for (int64_t k = kPanel - 1; k >= 0; --k) {
    v[k] *= inverse[k];
#pragma GCC unroll 16
    for (int64_t i = 0; i < kPanel; ++i)
      if (i < k) v[i] -= v[k] * u[i * kPanel + k];
    part[k] = v[k];
  }
}

/// The panel's rows right of its diagonal block, up to `columns`, become U^-T times them; part (the panel's solved
/// right sides, then the other rows') loses what the panel contributes.
template <class D, class T>
HWY_INLINE void FactorRows(D d, T* HWY_RESTRICT block, int64_t size, int64_t columns, const T* HWY_RESTRICT u,
                           const T* HWY_RESTRICT inverse, T* HWY_RESTRICT part) {
  for (int64_t j = kPanel; j < columns; j += static_cast<int64_t>(hn::Lanes(d))) {
    hn::Vec<D> v[kPanel];
    T* HWY_RESTRICT column = block + j;
#pragma GCC unroll 16
    for (int64_t k = 0; k < kPanel; ++k) v[k] = hn::LoadU(d, column + k * size);
    auto side = hn::LoadU(d, part + j);
#pragma GCC unroll 16
    for (int64_t k = 0; k < kPanel; ++k) {
      v[k] = hn::Mul(v[k], hn::Set(d, inverse[k]));
      side = hn::NegMulAdd(hn::Set(d, part[k]), v[k], side);
#pragma GCC unroll 16
      for (int64_t i = k + 1; i < kPanel; ++i) v[i] = hn::NegMulAdd(hn::Set(d, u[k * kPanel + i]), v[k], v[i]);
    }
    hn::StoreU(side, d, part + j);
#pragma GCC unroll 16
    for (int64_t k = 0; k < kPanel; ++k) hn::StoreU(v[k], d, column + k * size);
  }
}

/// part[k] -= the panel's row k times the solution, from column kPanel on.
template <class D, class T>
HWY_INLINE void SubtractRows(D d, const T* HWY_RESTRICT block, int64_t size, int64_t columns, T* HWY_RESTRICT part) {
  for (int64_t k = 0; k < kPanel; k += 4) {
    hn::Vec<D> sum[4] = {hn::Zero(d), hn::Zero(d), hn::Zero(d), hn::Zero(d)};
    const T* HWY_RESTRICT row = block + k * size;
    for (int64_t j = kPanel; j < columns; j += static_cast<int64_t>(hn::Lanes(d))) {
      const auto v = hn::LoadU(d, part + j);
#pragma GCC unroll 4
      for (int r = 0; r < 4; ++r) sum[r] = hn::MulAdd(hn::LoadU(d, row + r * size + j), v, sum[r]);
    }
#pragma GCC unroll 4
    for (int r = 0; r < 4; ++r) part[k + r] -= hn::GetLane(hn::SumOfLanes(d, sum[r]));
  }
}

template <class T>
bool SolveOf(T* HWY_RESTRICT a, int64_t size, T* HWY_RESTRICT x) {
  const hn::ScalableTag<T> d;
  T smallest[kMaxSize], inverse[kMaxSize];
  alignas(64) T u[kPanel * kPanel];
  // Below this a pivot is what rounding left of the diagonal.
  for (int64_t k = 0; k < size; ++k) smallest[k] = a[k * size + k] * 4 * std::numeric_limits<T>::epsilon();
  for (int64_t k0 = 0; k0 < size; k0 += kPanel) {  // a = Uᵀ U, and Uᵀ z = b beside it
    T* block = a + k0 * size + k0;
    if (!FactorDiagonal(d, block, size, smallest + k0, inverse + k0, u)) return false;
    SolveDiagonalForward(u, inverse + k0, x + k0);
    FactorRows(d, block, size, size - k0, u, inverse + k0, x + k0);
    // The trailing rows less the panel's products: the panel's rows stand at the matrix's stride.
    AddProducts<true>(d, a + k0 * size, kPanel, size, k0 + kPanel, size, a, kNothing);
  }
  for (int64_t k0 = size - kPanel; k0 >= 0; k0 -= kPanel) {  // U x = z
    const T* block = a + k0 * size + k0;
    SubtractRows(d, block, size, size - k0, x + k0);
    for (int64_t k = 0; k < kPanel; ++k)
      for (int64_t j = 0; j < kPanel; j += static_cast<int64_t>(hn::Lanes(d)))
        hn::StoreU(hn::LoadU(d, block + k * size + j), d, u + k * kPanel + j);
    SolveDiagonalBackward(u, inverse + k0, x + k0);
  }
  return true;
}

bool SolveFloat(float* matrix, int64_t size, float* x) { return SolveOf(matrix, size, x); }
bool SolveDouble(double* matrix, int64_t size, double* x) { return SolveOf(matrix, size, x); }

/// out[k][r] = row[r][k] * scale[k] * root[r] for four rows of `width`, out at a stride.
HWY_INLINE void StoreTransposed(const float* const* row, const float* root, const float* HWY_RESTRICT scale,
                                int64_t width, int64_t stride, float* HWY_RESTRICT out) {
#if HWY_TARGET == HWY_SCALAR
  for (int64_t k = 0; k < width; ++k)
    for (int r = 0; r < 4; ++r) out[k * stride + r] = row[r][k] * scale[k] * root[r];
#else
  const hn::Full128<float> d;
  for (int64_t k = 0; k < width; k += 4) {
    const auto scales = hn::LoadU(d, scale + k);
    const auto load = [&](int r)
                          HWY_ATTR { return hn::Mul(hn::Mul(hn::LoadU(d, row[r] + k), scales), hn::Set(d, root[r])); };
    const auto a = load(0), b = load(1), c = load(2), e = load(3);
    const auto low_ab = hn::InterleaveLower(d, a, b), high_ab = hn::InterleaveUpper(d, a, b);
    const auto low_ce = hn::InterleaveLower(d, c, e), high_ce = hn::InterleaveUpper(d, c, e);
    hn::StoreU(hn::ConcatLowerLower(d, low_ce, low_ab), d, out + k * stride);
    hn::StoreU(hn::ConcatUpperUpper(d, low_ce, low_ab), d, out + (k + 1) * stride);
    hn::StoreU(hn::ConcatLowerLower(d, high_ce, high_ab), d, out + (k + 2) * stride);
    hn::StoreU(hn::ConcatUpperUpper(d, high_ce, high_ab), d, out + (k + 3) * stride);
  }
#endif
}

void GatherColumns(const AlsEntries& entries, int64_t begin, int64_t end, const float* scale, int64_t padded,
                   float* out) {
  for (int64_t c = 0; c < padded; c += 4) {
    const float* row[4];
    float root[4];
    for (int64_t r = 0; r < 4; ++r) {
      const int64_t e = std::min(begin + c + r, end - 1);
      row[r] = entries.row(e);
      root[r] = begin + c + r < end ? std::sqrt(entries.weight(e)) : 0;
      prefetch_row(entries.row(std::min(e + kAlsPrefetch, end - 1)), entries.width);
    }
    StoreTransposed(row, root, scale, entries.width, padded, out + c);
  }
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
                     float* system, float* scratch, AlsRange ahead) {
  HWY_DYNAMIC_DISPATCH(AddEntries)(entries, begin, end, columns, right, system, scratch, ahead);
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
