// SPDX-License-Identifier: Apache-2.0
// Products of small tiles on tensor cores with nearly fp32 accuracy ("3xTF32"): x = high + low, each with tf32's 10
// bits of mantissa, and x y ~ high high + high low + low high (the neglected low low is 2^-22 of it).
//
// A warp holds 16 x 8 values v(i, k) as a fragment: with group = lane / 4 and member = lane % 4 the lane has
//   v(group, member), v(group + 8, member), v(group, member + 4), v(group + 8, member + 4),
// which is the left operand of mma.m16n8k8, and at the same time the right operand of the two products that make
// a 16 x 16 tile: the same registers serve as rows and as columns.
// A lane's eight values of a 16 x 16 tile are t(tile_row(r), tile_column(r)), r = 0..7.
#pragma once
#include "kernels/cuda/device/target.cuh"

namespace kindred::cuda {

struct Fragment {
  float v[4];
};
struct SplitFragment {
  uint32_t high[4], low[4];
};
struct Tile16 {
  float v[8];
};

__device__ inline int tile_row(int r) { return lane_id() / 4 + r / 2 % 2 * 8; }
__device__ inline int tile_column(int r) { return lane_id() % 4 * 2 + r % 2 + r / 4 * 8; }

/// v(i, k) = from[i * i_stride + k * k_stride]. Without bank conflicts where the larger stride is 8 or 20 modulo 32.
__device__ inline Fragment load_fragment(const float* from, int i_stride, int k_stride) {
  const float* at = from + lane_id() / 4 * i_stride + lane_id() % 4 * k_stride;
  return {{at[0], at[8 * i_stride], at[4 * k_stride], at[8 * i_stride + 4 * k_stride]}};
}

/// Cuts, where it could round: one logical operation instead of a conversion, and the rest is exact either way.
__device__ inline SplitFragment split(const Fragment& x) {
  constexpr uint32_t kTf32 = 0xFFFFE000;
  SplitFragment s;
#pragma unroll
  for (int r = 0; r < 4; ++r) {
    s.high[r] = __float_as_uint(x.v[r]) & kTf32;
    s.low[r] = __float_as_uint(x.v[r] - __uint_as_float(s.high[r])) & kTf32;
  }
  return s;
}

/// d += A B for A 16 x 8, B 8 x 8 with b0 = B(member, group), b1 = B(member + 4, group); tf32 operands.
__device__ inline void mma_16x8x8(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
#if KINDRED_HARDWARE
  asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, "
      "%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#else
  struct Operands {
    uint32_t a[4], b[2];
  };
  struct Result {
    float d[4];
  };
  const auto result = simt::collect(kAllLanes, Operands{{a[0], a[1], a[2], a[3]}, {b0, b1}}, [&](auto&& lane) {
    Result out{};
    for (int r = 0; r < 4; ++r) {
      const int i = lane_id() / 4 + r / 2 * 8, j = lane_id() % 4 * 2 + r % 2;
      double sum = d[r];
      for (int k = 0; k < 8; ++k)
        sum += double(__uint_as_float(lane(i % 8 * 4 + k % 4).a[i / 8 + k / 4 * 2])) *
               double(__uint_as_float(lane(j * 4 + k % 4).b[k / 4]));
      out.d[r] = static_cast<float>(sum);  // tensor cores cut instead of rounding: so does the twin
      if (std::fabs(double(out.d[r])) > std::fabs(sum)) out.d[r] = std::nextafter(out.d[r], 0.f);
    }
    return out;
  });
  for (int r = 0; r < 4; ++r) d[r] = result.d[r];
#endif
}

/// tile += A Bᵀ over the fragments' 8 k. The product starts from zero and is added by fp32 units, because tensor cores
/// cut their sums: over thousands of additions to one accumulator the error would grow in one direction.
__device__ inline void multiply_add(Tile16& tile, const SplitFragment& a, const SplitFragment& b) {
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    float product[4] = {0, 0, 0, 0};
    mma_16x8x8(product, a.low, b.high[half], b.high[half + 2]);
    mma_16x8x8(product, a.high, b.low[half], b.low[half + 2]);
    mma_16x8x8(product, a.high, b.high[half], b.high[half + 2]);
#pragma unroll
    for (int r = 0; r < 4; ++r) tile.v[half * 4 + r] += product[r];
  }
}

}  // namespace kindred::cuda
