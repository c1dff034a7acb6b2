// SPDX-License-Identifier: Apache-2.0
// bf16 operands, two in a register, and their products on tensor cores with fp32 sums.
#pragma once
#include "kernels/cuda/device/target.cuh"

namespace kindred::cuda {

struct Bf16 {
  uint16_t bits;
};

/// Rounds to the nearest, ties to even; NaN stays NaN.
__device__ inline Bf16 to_bf16(float value) {
  const unsigned bits = __float_as_uint(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return {static_cast<uint16_t>(bits >> 16 | 0x40)};
  return {static_cast<uint16_t>((bits + 0x7fffu + (bits >> 16 & 1)) >> 16)};
}
__device__ inline unsigned pack_bf16(float low, float high) {
  return to_bf16(low).bits | static_cast<unsigned>(to_bf16(high).bits) << 16;
}
__device__ inline float low_bf16(unsigned pair) { return __uint_as_float(pair << 16); }
__device__ inline float high_bf16(unsigned pair) { return __uint_as_float(pair & 0xffff0000u); }

/// c += a b for a 16 x 16 (row-major), b 16 x 8 (column-major), c 16 x 8. With group = lane / 4, pair = lane % 4:
///   a[0..3]  rows group, group + 8, group, group + 8; columns 2 pair, + 1 (a[2], a[3]: 8 further right)
///   b0, b1   rows 2 pair, + 1 (b1: 8 further down); column group
///   c[0..3]  rows group (c[2], c[3]: group + 8); columns 2 pair, + 1
__device__ inline void mma_bf16(float (&c)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
#if KINDRED_HARDWARE
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, "
      "%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#else
  struct Operands {
    unsigned a[4], b[2];
  };
  struct Result {
    float c[4];
  };
  const auto result = simt::collect(kAllLanes, Operands{{a[0], a[1], a[2], a[3]}, {b0, b1}}, [&](auto&& lane) {
    Result out{};
    for (int r = 0; r < 4; ++r) {
      const int row = lane_id() / 4, column = lane_id() % 4 * 2 + r % 2;
      float sum = c[r];
      for (int k = 0; k < 8; ++k) {  // pairs of the 16 columns of a
        const unsigned left = lane(row * 4 + k % 4).a[r / 2 + k / 4 * 2], right = lane(column * 4 + k % 4).b[k / 4];
        sum += low_bf16(left) * low_bf16(right) + high_bf16(left) * high_bf16(right);
      }
      out.c[r] = sum;
    }
    return out;
  });
  for (int r = 0; r < 4; ++r) c[r] = result.c[r];
#endif
}

/// Four 8 x 8 matrices of 16-bit elements: lane i gives the address of row i % 8 of matrix i / 8 (16-byte aligned, in
/// shared memory) and receives from matrix r, in out[r], elements 2 (lane % 4) and + 1 of row lane / 4.
__device__ inline void load_matrices(unsigned (&out)[4], const void* row) {
#if KINDRED_HARDWARE
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
               : "r"(static_cast<unsigned>(__cvta_generic_to_shared(row)))
               : "memory");
#else
  struct Elements {
    unsigned pair[4];
  };
  const auto elements = simt::collect(kAllLanes, row, [&](auto&& lane) {
    Elements read{};
    for (int matrix = 0; matrix < 4; ++matrix)
      read.pair[matrix] = static_cast<const unsigned*>(lane(matrix * 8 + lane_id() / 4))[lane_id() % 4];
    return read;
  });
  for (int matrix = 0; matrix < 4; ++matrix) out[matrix] = elements.pair[matrix];
#endif
}

}  // namespace kindred::cuda
