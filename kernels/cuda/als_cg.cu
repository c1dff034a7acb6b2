// SPDX-License-Identifier: Apache-2.0
// ALS rows by conjugate gradients, a block of 4 warps a row. With tables in the eigenbasis the base matrix is diagonal,
// the diagonal of the whole system preconditions well, and two steps suffice: limited by the gather alone. A group of
// lanes, 8 up to 128 factors and 32 beyond, holds all vectors and takes one entry at a time; every group holds the same
// vectors, so only sums over groups go through shared memory, once a pass. Gathered rows stay there for all passes as
// far as they fit; a lane reads only what it copied, so they need no barrier.
#include "kernels/cuda/als.cuh"
#include "kernels/cuda/device/memory.cuh"
#include "kernels/cuda/device/reduce.cuh"

namespace kindred::cuda {
namespace {

/// A vector over the factors, spread over kLanes lanes: component 4 c + j of lane l is factor 4 (c kLanes + l) + j.
template <int kLanes, int N>
struct Spread {
  static constexpr int kStride = 4 * kLanes, kWidth = kLanes * N;
  __device__ static int first() { return lane_id() % kLanes * 4; }

  /// visit(r, factor) for the groups of four components whose factors are below `width`.
  template <class Visit>
  __device__ __forceinline__ static void for_fours(int width, Visit&& visit) {
#pragma unroll
    for (int r = 0; r < N; r += 4)
      if (first() + r / 4 * kStride < width) visit(r, first() + r / 4 * kStride);
  }
  /// Zeros beyond `width`.
  __device__ __forceinline__ static Packed<N> load(const float* from, int width) {
    Packed<N> to{};
    for_fours(width, [&](int r, int k) {
      const float4 piece = *reinterpret_cast<const float4*>(from + k);
      to[r] = piece.x, to[r + 1] = piece.y, to[r + 2] = piece.z, to[r + 3] = piece.w;
    });
    return to;
  }
  __device__ __forceinline__ static float dot(const Packed<N>& a, const Packed<N>& b) {
    float sum = 0;
#pragma unroll
    for (int r = 0; r < N; ++r) sum += a[r] * b[r];
    return group_sum<kLanes>(sum);
  }
  /// Sums over the block's groups; every group receives the total. scratch: a vector a warp.
  __device__ static void sum_groups(Packed<N>& v, float* scratch) {
    if constexpr (kLanes == 8)
#pragma unroll
      for (int r = 0; r < N; ++r)
        v[r] += __shfl_xor_sync(kAllLanes, v[r], 8), v[r] += __shfl_xor_sync(kAllLanes, v[r], 16);
    __syncthreads();  // the scratch is free
    if (lane_id() < kLanes) store(scratch + warp_id() * kWidth + first(), v, kStride);
    __syncthreads();
    v = cuda::load<N>(scratch + first(), kStride);
#pragma unroll 1
    for (int warp = 1; warp < kAlsCgWarps; ++warp) {
      const auto other = cuda::load<N>(scratch + warp * kWidth + first(), kStride);
#pragma unroll
      for (int r = 0; r < N; ++r) v[r] += other[r];
    }
  }
};

template <int kLanes, int N>
__global__ void __launch_bounds__(kAlsCgThreads, als_cg_blocks(N))
    cg_rows(AlsRows p, AlsQueue queue, int kept, int steps, AlsRetries retries) {
  using V = Spread<kLanes, N>;
  constexpr int kGroups = kAlsCgThreads / kLanes;
  float* const scratch = dynamic_shared<float>();
  AlsTicket& ticket = *reinterpret_cast<AlsTicket*>(scratch + kAlsCgWarps * V::kWidth);
  float* const rows = scratch + kAlsCgWarps * V::kWidth + 4;
  const int group = static_cast<int>(threadIdx.x) / kLanes;
  while (draw_row(p, queue, ticket)) {
    const AlsEntries row = entries_of(p, ticket.row);
    const float ridge = ticket.ridge;
    float* const solved = p.solved + int64_t{ticket.row} * p.factors;
    for (int e = group; e < std::min(row.count, kept); e += kGroups)
      V::for_fours(p.width, [&](int, int k) { copy_async<16>(rows + e * p.width + k, p.row(row.begin + e) + k); });
    commit_copies();
    /// Calls visit(entry, y) for the entries of this group. All lanes of a warp call equally often: past the row's end
    /// y is 0, since another group's shared copy of the last entry may still be on its way.
    const auto for_entries = [&](auto&& visit) {
#pragma unroll 1
      for (int first = 0; first < row.count; first += kGroups) {
        const int e = first + group;
        Packed<N> y{};
        if (e < std::min(row.count, kept))
          y = V::load(rows + e * p.width, p.width);
        else if (e < row.count)
          y = V::load(p.row(row.begin + e), p.width);
        visit(row.begin + std::min(e, row.count - 1), y);
      }
    };
    Packed<N> x{}, r{}, m{}, d;
#pragma unroll
    for (int k = 0; k < N; ++k) {
      const int factor = V::first() + k / 4 * V::kStride + k % 4;
      if (factor < p.factors) x[k] = solved[factor];
    }
    wait_copies<0>();
    for_entries([&](int64_t e, const Packed<N>& y) {
      const float value = p.value(e), a = p.weight(value), t = p.target(value, p.offset_of(e)) - a * V::dot(x, y);
#pragma unroll
      for (int k = 0; k < N; ++k) r[k] += t * y[k], m[k] += a * y[k] * y[k];
    });
    V::sum_groups(r, scratch), V::sum_groups(m, scratch);
    const auto base = [&](int k) {
      const int factor = V::first() + k / 4 * V::kStride + k % 4;
      return (factor < p.width ? p.diagonal(factor) : 1.f) + ridge;
    };
#pragma unroll
    for (int k = 0; k < N; ++k) r[k] -= base(k) * x[k], m[k] = 1 / (m[k] + base(k)), d[k] = m[k] * r[k];
    float along = V::dot(r, d);
    bool sound = along >= 0;
#pragma unroll 1
    for (int step = 0; step < steps && sound && along > 0; ++step) {
      Packed<N> q{};
      for_entries([&](int64_t e, const Packed<N>& y) {
        const float t = p.weight(p.value(e)) * V::dot(d, y);
#pragma unroll
        for (int k = 0; k < N; ++k) q[k] += t * y[k];
      });
      V::sum_groups(q, scratch);
#pragma unroll
      for (int k = 0; k < N; ++k) q[k] += base(k) * d[k];
      const float curvature = V::dot(d, q), length = along / curvature;
      sound = curvature > 0;
      float next = 0;
#pragma unroll
      for (int k = 0; k < N; ++k) {
        x[k] += length * d[k], r[k] -= length * q[k], q[k] = m[k] * r[k];
        next += r[k] * q[k];
      }
      next = group_sum<kLanes>(next);
      const float carry = next / along;
#pragma unroll
      for (int k = 0; k < N; ++k) d[k] = q[k] + carry * d[k];
      along = next;
    }
    // All groups hold the same; the first writes.
    if (group > 0) continue;
#pragma unroll
    for (int k = 0; k < N; ++k) {
      const int factor = V::first() + k / 4 * V::kStride + k % 4;
      if (factor < p.factors) solved[factor] = x[k];
      sound = sound && isfinite(x[k]);
    }
    if (!sound) ticket.failed = 1;
    __syncwarp((kLanes == 32) ? kAllLanes : (1u << kLanes) - 1);
    if (threadIdx.x == 0 && ticket.failed) retries.add(ticket.row);
  }
}

}  // namespace

void als_cg(Context& ctx, const AlsRows& p, AlsQueue queue, int64_t entries, int steps, AlsRetries retries) {
  if (queue.most == 0) return;
  const AlsCgLaunch plan = als_cg_launch(queue.most, entries, p.width, device_of(ctx).limits);
  const LaunchConfig config{plan.grid.blocks, plan.grid.threads, plan.grid.shared_bytes};
  const auto go = [&](auto kernel) { launch(ctx, kernel, config, p, queue, plan.kept, steps, retries); };
  switch (als_cg_shape(p.width).width()) {
    case 32:
      return go(cg_rows<8, 4>);
    case 64:
      return go(cg_rows<8, 8>);
    case 128:
      return go(cg_rows<8, 16>);
    case 256:
      return go(cg_rows<32, 8>);
    case 512:
      return go(cg_rows<32, 16>);
    default:
      return go(cg_rows<32, 36>);
  }
}

}  // namespace kindred::cuda
