// SPDX-License-Identifier: Apache-2.0
// ALS rows by one pass of exact solutions over blocks of factors (iALS++), a block of threads a row. The residuals
// b_e - a_e y_e . x of the row's entries live in memory, 4 bytes an entry. For each block of factors its system is
// summed up, factorized and solved for the change of x as a whole row's is (als_system.cuh), its right-hand side being
// the residuals' products less the base matrix's, which is diagonal in the eigenbasis; then a warp an entry brings the
// residuals up to date.
#include <type_traits>

#include "kernels/cuda/als_gather.cuh"
#include "kernels/memory.hpp"

namespace kindred::cuda {
namespace {

/// residual_e = (start ? b_e : residual_e) - a_e y_e . x over `columns`; ends with a barrier.
template <int d>
__device__ void subtract_scores(const AlsRows& p, const AlsEntries& row, AlsColumns columns, const float* x, bool start,
                                float* residual) {
  for (int e = warp_id(); e < row.count; e += AlsLayout<d>::kTiles) {
    const int64_t entry = row.begin + e;
    const float* const y = p.row(entry) + columns.first;
    float sum = 0;
    for (int k = lane_id(); k < columns.count; k += kWarp) sum += __ldg(y + k) * x[k];
    sum = warp_sum(sum);
    if (lane_id() == 0) {
      const float value = p.value(entry);
      residual[e] = (start ? p.target(value, p.offset_of(entry)) : residual[e]) - p.weight(value) * sum;
    }
  }
  __syncthreads();
}

/// residuals: by entry of the matrix. Behind the block's work memory and ticket: x (width), a block's change (d).
template <int d, bool kTf32>
__global__ void __launch_bounds__(AlsLayout<d>::kThreads, AlsLayout<d>::kRoomyBlocks)
    block_rows(AlsRows p, AlsQueue queue, int block_size, float* residuals, AlsRetries retries) {
  using L = AlsLayout<d>;
  float* const shared = dynamic_shared<float>();
  AlsTicket& ticket = ticket_of<d>(shared);
  float* const x = shared + L::kWorkFloats + L::kTicketFloats;
  float* const change = x + p.width;
  while (draw_row(p, queue, ticket)) {
    const AlsEntries row = entries_of(p, ticket.row);
    float* const residual = residuals + (row.begin - p.offsets[0]);
    for (int k = static_cast<int>(threadIdx.x); k < p.width; k += L::kThreads)
      x[k] = k < p.factors ? p.solved[int64_t{ticket.row} * p.factors + k] : 0.f;
    __syncthreads();
    subtract_scores<d>(p, row, {0, p.width}, x, true, residual);
#pragma unroll 1
    for (int first = 0; first < p.width; first += block_size) {
      const AlsColumns columns{first, std::min(block_size, p.width - first)};
      System<d> system;
      clear(system);
      gather<d, kTf32>(system, p, row, columns, residual, shared);
      const auto diagonal = [&](int k) {  // of the block; beyond it a unit matrix
        return k < columns.count ? p.diagonal(first + k) + ticket.ridge : 1.f;
      };
#pragma unroll
      for (int r = 0; r < 8; ++r)
        if (tile_row(r) == tile_column(r)) system.tile[0].v[r] += diagonal(16 * system.warp + tile_row(r));
#pragma unroll
      for (int r = 0; r < 2; ++r) {
        const int k = 16 * system.warp + lane_id() / 4 + 8 * r;
        if (lane_id() % 4 == 0 && k < columns.count) system.rhs[r] -= diagonal(k) * x[first + k];
      }
      solve(system, shared, change, columns.count, ticket);
      for (int k = static_cast<int>(threadIdx.x); k < columns.count; k += L::kThreads) x[first + k] += change[k];
      if (first + columns.count < p.width)
        subtract_scores<d>(p, row, columns, change, false, residual);
      else
        __syncthreads();
    }
    for (int k = static_cast<int>(threadIdx.x); k < p.factors; k += L::kThreads) {
      p.solved[int64_t{ticket.row} * p.factors + k] = x[k];
      if (!isfinite(x[k])) ticket.failed = 1;
    }
    __syncthreads();
    if (threadIdx.x == 0 && ticket.failed) retries.add(ticket.row);
  }
}

}  // namespace

void als_block(Context& ctx, const AlsRows& p, AlsQueue queue, int64_t entries, int block_size, AlsPrecision precision,
               AlsRetries retries) {
  if (queue.most == 0) return;
  Array<float> residuals(ctx, entries, "als residuals");
  with_als_layout(std::min(block_size, p.width), [&]<int d>(AlsLayout<d> layout) {
    const AlsGrid grid =
        als_system_grid(layout, queue.most, layout.kRoomyBlocks, d + int64_t{p.width}, device_of(ctx).limits);
    launch(ctx, precision == AlsPrecision::kFp32 ? block_rows<d, false> : block_rows<d, true>,
           {grid.blocks, grid.threads, grid.shared_bytes}, p, queue, block_size, residuals.data(), retries);
  });
}

}  // namespace kindred::cuda
