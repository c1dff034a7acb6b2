// SPDX-License-Identifier: Apache-2.0
// A symmetric positive definite system of d unknowns in the registers of a block: summed up from staged terms on tensor
// cores, factorized, solved, without a word of it in global memory.
//
// The matrix is T x T tiles of 16 x 16, T = d / 16, in the registers of T warps. Symmetry leaves T (T + 1) / 2 tiles.
// Going round in a circle, warp i computes tiles (i, i), (i, i + 1), ... modulo T: T / 2 + 1 of them in the first half
// of the warps, T / 2 in the second, in registers known to the compiler. (At T = 8 warps i and i + T / 2 share a
// scheduler: equal work.) A tile above the diagonal is a lower one, transposed. A fragment of 8 terms x 16 unknowns
// serves as rows and as columns; a warp's own fragments also sum up to its part of the right-hand side.
//
// Cholesky runs in steps of 16 columns, over the shared memory that held the staged terms; all of tile row i is warp
// i's work. The owners write the step's column of tiles; warp `step` factorizes the pivot tile with shuffles, and a
// unit matrix in its 16 idle lanes becomes the factor's inverse, with which the warps finish the column, and the
// backward solve needs no chain of divisions; the rest is updated in registers, again on tensor cores. The forward
// solve goes along. Sums are never left to the tensor core, which cuts instead of rounding: each 8-deep product is
// added by fp32 units (device/mma.cuh).
#pragma once
#include <cfloat>

#include "kernels/cuda/als.cuh"
#include "kernels/cuda/device/memory.cuh"
#include "kernels/cuda/device/mma.cuh"
#include "kernels/cuda/device/reduce.cuh"

namespace kindred::cuda {

template <int d>
struct System {
  static constexpr int T = d / 16, kSlots = T / 2 + 1;
  Tile16 tile[kSlots];
  float rhs[2];  // this lane's shares of b's elements 16 warp + lane / 4 and 8 further
  int warp;      // from lane 0: then the compiler knows it is one value and keeps addresses in uniform registers

  __device__ int column(int slot) const { return (warp + slot) % T; }
  __device__ bool owns(int slot) const { return slot < T / 2 || warp < T / 2; }
};

template <int d>
__device__ void clear(System<d>& system) {
#pragma unroll
  for (auto& tile : system.tile)
#pragma unroll
    for (float& v : tile.v) v = 0;
  system.rhs[0] = system.rhs[1] = 0;
  system.warp = __shfl_sync(kAllLanes, warp_id(), 0);
}

template <int d>
__device__ AlsTicket& ticket_of(float* shared) {
  return *reinterpret_cast<AlsTicket*>(shared + AlsLayout<d>::kWorkFloats);
}

/// A += sum a y yT and b += sum b y over `count` staged terms, 8 at a time; terms(k): a and b of term k. A term is a
/// staged row of pitch kPitch, or, of a dual system, column k of rows of pitch kDualPitch.
template <int d, bool kDual, bool kTf32, class Terms>
__device__ __forceinline__ void add_stage(System<d>& system, const float* stage, int count, Terms&& terms) {
  using L = AlsLayout<d>;
  const auto fragment = [&](int k, int tile) {
    return kDual ? load_fragment(stage + 16 * tile * L::kDualPitch + k, L::kDualPitch, 1)
                 : load_fragment(stage + k * L::kPitch + 16 * tile, 1, L::kPitch);
  };
#pragma unroll 1
  for (int k = 0; k < count; k += 8) {
    Fragment rows = fragment(k, system.warp);
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const float2 term = terms(k + lane_id() % 4 + 4 * half);
#pragma unroll
      for (int r = 2 * half; r < 2 * half + 2; ++r) {
        system.rhs[r % 2] += term.y * rows.v[r];
        rows.v[r] *= term.x;
      }
    }
    if constexpr (kTf32) {
      const auto rounded = [](Fragment x) {
        SplitFragment s{};
#pragma unroll
        for (int r = 0; r < 4; ++r) s.high[r] = (__float_as_uint(x.v[r]) + 0x1000u) & 0xFFFFE000u;
        return s;
      };
      const SplitFragment a = rounded(rows);
#pragma unroll
      for (int slot = 0; slot < system.kSlots; ++slot)
        if (system.owns(slot)) {
          const SplitFragment b = rounded(fragment(k, system.column(slot)));
#pragma unroll
          for (int half = 0; half < 2; ++half) {
            float product[4] = {0, 0, 0, 0};
            mma_16x8x8(product, a.high, b.high[half], b.high[half + 2]);
#pragma unroll
            for (int r = 0; r < 4; ++r) system.tile[slot].v[half * 4 + r] += product[r];
          }
        }
    } else {
      const SplitFragment scaled = split(rows);
#pragma unroll
      for (int slot = 0; slot < system.kSlots; ++slot)
        if (system.owns(slot)) multiply_add(system.tile[slot], scaled, split(fragment(k, system.column(slot))));
    }
  }
}

/// The factor in shared memory: lower tiles column by column, each 16 x 16 with a pitch of 20 floats, then b, then the
/// pivots' limits. Diagonal tiles end as the transposed inverse of the factor's.
template <int d>
__device__ float* lower_tile(float* factor, int i, int j) {
  return factor + (j * (d / 16) - j * (j + 1) / 2 + i) * AlsLayout<d>::kTileFloats;
}
template <int d>
__device__ float* right_hand_side(float* factor) {
  return factor + AlsLayout<d>::kLowerTiles * AlsLayout<d>::kTileFloats;
}
inline constexpr int kTilePitch = AlsLayout<32>::kTilePitch;

__device__ inline void store_tile(float* to, const Tile16& tile, int row_pitch, int column_pitch) {
#pragma unroll
  for (int r = 0; r < 8; ++r) to[tile_row(r) * row_pitch + tile_column(r) * column_pitch] = tile.v[r];
}

/// The owners of column `step` write its tiles, turning those that they hold transposed.
template <int d>
__device__ void publish_column(const System<d>& system, float* factor, int step) {
#pragma unroll
  for (int slot = 0; slot < system.kSlots; ++slot) {
    const int i = system.warp, j = system.column(slot);
    if (std::min(i, j) == step && system.owns(slot))
      store_tile(lower_tile<d>(factor, std::max(i, j), step), system.tile[slot], i >= j ? kTilePitch : 1,
                 i >= j ? 1 : kTilePitch);
  }
}

/// One warp replaces a pivot tile by the transposed inverse of its factor L and 16 values b by z = L^-1 b. Lanes 0..15
/// carry the tile's rows; eliminating the same columns from a unit matrix in lanes 16..31 makes the inverse at no cost.
/// False where a pivot is not above its limit: rounding has eaten its digits.
__device__ inline bool invert_pivot(float* tile, float* b, const float* limits) {
  const int lane = lane_id();
  const float limit = limits[lane % 16];
  Packed<16> a;
#pragma unroll
  for (int c = 0; c < 16; ++c) a[c] = lane == 16 + c ? 1.f : 0.f;
  if (lane < 16) a = load<16>(tile + lane * kTilePitch);
  bool positive = true;
#pragma unroll
  for (int j = 0; j < 16; ++j) {
    if (lane == j) positive = a[j] > limit;
    a[j] *= rsqrtf(__shfl_sync(kAllLanes, a[j], j));
#pragma unroll
    for (int c = j + 1; c < 16; ++c) a[c] -= a[j] * __shfl_sync(kAllLanes, a[j], c);
  }
  __syncwarp();
  if (lane >= 16) store(tile + (lane - 16) * kTilePitch, a);
  __syncwarp();
  float z = 0;
#pragma unroll
  for (int c = 0; c < 16; ++c) z += tile[c * kTilePitch + lane % 16] * b[c];
  __syncwarp();
  if (lane < 16) b[lane] = z;
  return __all_sync(kAllLanes, positive) != 0;
}

/// Warp i finishes its tile of column `step`: L_i = A_i L^-T.
template <int d>
__device__ void finish_column(int warp, float* factor, int step) {
  float* const at = lower_tile<d>(factor, warp, step);
  const float* const inverse = lower_tile<d>(factor, step, step);
  Tile16 l{};
#pragma unroll
  for (int k = 0; k < 16; k += 8)
    multiply_add(l, split(load_fragment(at + k, kTilePitch, 1)),
                 split(load_fragment(inverse + k * kTilePitch, 1, kTilePitch)));
  __syncwarp();
  store_tile(at, l, kTilePitch, 1);
}

/// What remains of warp i's part after a step: b_i -= L_i z, and tiles in registers A_ij -= L_i L_jT.
template <int d>
__device__ void update_rest(System<d>& system, float* factor, int step) {
  if (lane_id() < 16) {
    float* const rhs = right_hand_side<d>(factor);
    const auto l = load<16>(lower_tile<d>(factor, system.warp, step) + lane_id() * kTilePitch),
               z = load<16>(rhs + 16 * step);
    float sum = 0;
#pragma unroll
    for (int c = 0; c < 16; ++c) sum += l[c] * z[c];
    rhs[16 * system.warp + lane_id()] -= sum;
  }
  const auto fragment = [&](int i, int k) {
    return split(load_fragment(lower_tile<d>(factor, i, step) + k, kTilePitch, 1));
  };
#pragma unroll
  for (int k = 0; k < 16; k += 8) {
    SplitFragment negative = fragment(system.warp, k);
#pragma unroll
    for (int r = 0; r < 4; ++r) negative.high[r] ^= 0x80000000u, negative.low[r] ^= 0x80000000u;
#pragma unroll
    for (int slot = 0; slot < system.kSlots; ++slot)
      if (system.column(slot) > step && system.owns(slot))
        multiply_add(system.tile[slot], negative, fragment(system.column(slot), k));
  }
}

/// x = L^-T z from the last 16 unknowns to the first: each warp multiplies by the inverse pivot tile, each thread
/// updates its z. Writes the first `unknowns` of x.
template <int d>
__device__ void solve_backward(float* factor, float* solution, int unknowns, AlsTicket& ticket) {
  const int k = static_cast<int>(threadIdx.x);
  float* const z = right_hand_side<d>(factor);
#pragma unroll 1
  for (int step = d / 16 - 1; step >= 0; --step) {
    const Packed<16> inverse = load<16>(lower_tile<d>(factor, step, step) + k % 16 * kTilePitch),
                     part = load<16>(z + 16 * step);
    float x = 0, sum = 0;
#pragma unroll
    for (int c = 0; c < 16; ++c) x += inverse[c] * part[c];
    if (k < 16 && 16 * step + k < unknowns) {
      solution[16 * step + k] = x;
      if (!isfinite(x)) ticket.failed = 1;
    }
    const float* column = lower_tile<d>(factor, step, std::min(k / 16, step)) + k % 16;
#pragma unroll
    for (int r = 0; r < 16; ++r) sum += column[r * kTilePitch] * __shfl_sync(kAllLanes, x, r);
    if (k < 16 * step) z[k] -= sum;
    __syncthreads();
  }
}

/// Cholesky and both triangular solves; ends with a barrier. The system's registers are used up; `factor` is shared
/// memory that no thread uses any more. Sets ticket.failed where the system is not positive definite in fp32.
template <int d>
__device__ void solve(System<d>& system, float* factor, float* solution, int unknowns, AlsTicket& ticket) {
  float* const rhs = right_hand_side<d>(factor);
  float* const limits = rhs + d;
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    const float sum = group_sum<4>(system.rhs[r]);
    if (lane_id() % 4 == 0) rhs[16 * system.warp + r * 8 + lane_id() / 4] = sum;
  }
#pragma unroll
  for (int r = 0; r < 8; ++r)  // slot 0 is the diagonal tile
    if (tile_row(r) == tile_column(r)) limits[16 * system.warp + tile_row(r)] = 4 * FLT_EPSILON * system.tile[0].v[r];
  bool positive = true;
#pragma unroll 1
  for (int step = 0; step < d / 16; ++step) {
    publish_column(system, factor, step);
    __syncwarp();
    if (system.warp == step)
      positive = invert_pivot(lower_tile<d>(factor, step, step), rhs + 16 * step, limits + 16 * step);
    __syncthreads();
    if (system.warp > step) finish_column<d>(system.warp, factor, step);
    __syncthreads();
    if (system.warp > step) update_rest(system, factor, step);
  }
  if (lane_id() == 0 && !positive) ticket.failed = 1;
  solve_backward<d>(factor, solution, unknowns, ticket);
}

}  // namespace kindred::cuda
