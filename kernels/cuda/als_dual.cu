// SPDX-License-Identifier: Apache-2.0
// Exact ALS rows of fewer entries than factors, by the matrix inversion lemma in the eigenbasis. With D = B + lambda I
// (diagonal), s_e = sqrt(a_e) and r = sum of b_e y_e over the entries of weight 0:
//   x = D^-1 (Y^T s z + r),  (I + S Y D^-1 Y^T S) z = t,  t_e = b_e / s_e - s_e y_e . D^-1 r   (t_e = 0 where a_e = 0)
// a system of as many unknowns as the row has entries. It is summed up like a primal one (als_system.cuh), its terms
// being factors: all of the row's entries are staged, 32 factors at a time, and read across. Then Y is read once more.
#include "kernels/cuda/als_system.cuh"

namespace kindred::cuda {
namespace {

/// Behind the block's work memory and ticket: what lives through a whole row.
template <int d>
struct DualVectors {
  float* scale;     // d: s, then s z
  float* solution;  // d
  float* inverse;   // width: D^-1
  float* rest;      // width: D^-1 r

  __device__ DualVectors(float* shared, int width)
      : scale(shared + AlsLayout<d>::kWorkFloats + AlsLayout<d>::kTicketFloats),
        solution(scale + d),
        inverse(solution + d),
        rest(inverse + width) {}
};

/// Starts copying factors [first, first + 32) of all entries to a stage, zeros beyond the row and the table.
template <int d>
__device__ void fetch_factors(float* stage, const AlsRows& p, const AlsEntries& row, int first) {
  using L = AlsLayout<d>;
  if (first < p.width) {
    constexpr int kPieces = L::kStageDepth / 4;
#pragma unroll
    for (int turn = 0; turn < d * kPieces / L::kThreads; ++turn) {
      const int piece = turn * L::kThreads + static_cast<int>(threadIdx.x), e = piece / kPieces,
                k = first + piece % kPieces * 4;
      const bool valid = e < row.count && k < p.width;
      copy_async<16>(stage + e * L::kDualPitch + piece % kPieces * 4, valid ? p.row(row.begin + e) + k : p.fixed,
                     valid);
    }
  }
  commit_copies();
}

/// Fills the vectors; true for all threads where D is not singular to working precision.
template <int d>
__device__ bool prepare(const DualVectors<d>& v, const AlsRows& p, const AlsEntries& row, float ridge) {
  const int thread = static_cast<int>(threadIdx.x);
  if (thread < d) {
    const float weight = thread < row.count ? p.weight(p.value(row.begin + thread)) : 0.f;
    v.scale[thread] = weight > 0 ? sqrtf(weight) : 0.f;
  }
  __syncthreads();
  // Every warp finds the same.
  bool unweighted = false;
  for (int e = lane_id(); e < row.count; e += kWarp) unweighted = unweighted || v.scale[e] == 0;
  unweighted = __any_sync(kAllLanes, unweighted) != 0;
  float smallest = INFINITY, largest = 0;
  for (int k = lane_id(); k < p.factors; k += kWarp) {
    const float value = p.diagonal(k) + ridge;
    smallest = fminf(smallest, value), largest = fmaxf(largest, value);
  }
  smallest = -warp_max(-smallest), largest = warp_max(largest);
  for (int k = thread; k < p.width; k += AlsLayout<d>::kThreads) {
    v.inverse[k] = 1 / (p.diagonal(k) + ridge);
    float rest = 0;
    if (unweighted)
      for (int e = 0; e < row.count; ++e)
        if (v.scale[e] == 0)
          rest += p.target(p.value(row.begin + e), p.offset_of(row.begin + e)) * __ldg(p.row(row.begin + e) + k);
    v.rest[k] = v.inverse[k] * rest;
  }
  __syncthreads();
  return smallest > FLT_EPSILON * largest;
}

template <int d>
__global__ void __launch_bounds__(AlsLayout<d>::kThreads, AlsLayout<d>::kRoomyBlocks)
    dual_rows(AlsRows p, AlsQueue queue, AlsRetries retries) {
  using L = AlsLayout<d>;
  float* const shared = dynamic_shared<float>();
  AlsTicket& ticket = ticket_of<d>(shared);
  const DualVectors<d> v(shared, p.width);
  while (draw_row(p, queue, ticket)) {
    const AlsEntries row = entries_of(p, ticket.row);
    if (!prepare(v, p, row, ticket.ridge)) {
      if (threadIdx.x == 0) retries.add(ticket.row);
      continue;
    }
    System<d> system;
    clear(system);
    fetch_factors<d>(shared, p, row, 0);
#pragma unroll 1
    for (int first = 0; first < p.width; first += L::kStageDepth) {
      const int slot = first / L::kStageDepth % 2 * L::kDualStageFloats;
      wait_copies<0>();
      __syncthreads();  // this stage is there for all threads, and all are done with the other
      fetch_factors<d>(shared + L::kDualStageFloats - slot, p, row, first + L::kStageDepth);
      const auto term = [&](int k) { return float2{v.inverse[first + k], v.rest[first + k]}; };
      add_stage<d, true, false>(system, shared + slot, std::min(+L::kStageDepth, p.width - first), term);
    }
    __syncthreads();
#pragma unroll
    for (int slot = 0; slot < system.kSlots; ++slot)
#pragma unroll
      for (int r = 0; r < 8; ++r) {
        const int i = 16 * system.warp + tile_row(r), k = 16 * system.column(slot) + tile_column(r);
        system.tile[slot].v[r] = (i == k ? 1.f : 0.f) + v.scale[i] * v.scale[k] * system.tile[slot].v[r];
      }
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      const int e = 16 * system.warp + lane_id() / 4 + 8 * r;
      const float scale = v.scale[e], rest = group_sum<4>(system.rhs[r]);
      const float target = scale > 0 ? p.target(p.value(row.begin + e), p.offset_of(row.begin + e)) / scale : 0.f;
      system.rhs[r] = lane_id() % 4 == 0 ? target - scale * rest : 0.f;
    }
    solve(system, shared, v.solution, d, ticket);
    if (threadIdx.x < d) v.scale[threadIdx.x] *= v.solution[threadIdx.x];
    __syncthreads();
    for (int k = static_cast<int>(threadIdx.x); k < p.factors; k += L::kThreads) {
      float sum = 0;
      for (int e = 0; e < row.count; ++e) sum += v.scale[e] * __ldg(p.row(row.begin + e) + k);
      const float x = v.inverse[k] * sum + v.rest[k];
      p.solved[int64_t{ticket.row} * p.factors + k] = x;
      if (!isfinite(x)) ticket.failed = 1;
    }
    __syncthreads();
    if (threadIdx.x == 0 && ticket.failed) retries.add(ticket.row);
  }
}

}  // namespace

void als_dual(Context& ctx, const AlsRows& p, AlsQueue queue, int size, AlsRetries retries) {
  if (queue.most == 0) return;
  with_als_layout(size, [&]<int d>(AlsLayout<d> layout) {
    const AlsGrid grid =
        als_system_grid(layout, queue.most, layout.kRoomyBlocks, 2 * (d + int64_t{p.width}), device_of(ctx).limits);
    launch(ctx, dual_rows<d>, {grid.blocks, grid.threads, grid.shared_bytes}, p, queue, retries);
  });
}

}  // namespace kindred::cuda
