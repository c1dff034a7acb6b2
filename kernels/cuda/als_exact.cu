// SPDX-License-Identifier: Apache-2.0
// Exact ALS rows: (B + lambda I + sum a y yT) x = sum b y by Cholesky, a block a row. What limits it: gathering nnz d
// floats (from the L2 where the fixed table fits, else from memory) and, close behind, 3 nnz d^2 / 2 multiply-adds on
// tensor cores and the latency of m small factorizations. Therefore a system never leaves its block (als_system.cuh),
// and several blocks share a multiprocessor: one gathers, another factorizes. Blocks are persistent and draw rows,
// longest first. Columns beyond the table's width are a unit matrix in the system.
//
// A row of more than kAlsSegment entries is spread: a block a segment writes its registers to memory, then a block a
// row adds the segments in fp64, in order. Rows of similar length go together, in as many rounds as memory for the sums
// asks for.
#include <type_traits>

#include "kernels/cuda/als_gather.cuh"
#include "kernels/memory.hpp"

namespace kindred::cuda {
namespace {

constexpr int64_t kPartialBytes = 64 << 20;

/// A += the base matrix and the ridge.
template <int d>
__device__ void add_base(System<d>& system, const AlsRows& p, float ridge) {
#pragma unroll
  for (int slot = 0; slot < system.kSlots; ++slot)
    if (slot == 0 || (p.gram != nullptr && system.owns(slot)))
#pragma unroll
      for (int r = 0; r < 8; ++r) {
        const int i = 16 * system.warp + tile_row(r), k = 16 * system.column(slot) + tile_column(r);
        if (i == k || p.gram != nullptr) system.tile[slot].v[r] += p.base(i, k) + (i == k ? ridge : 0.f);
      }
}

template <int d>
__device__ void finish(System<d>& system, float* shared, const AlsRows& p, AlsTicket& ticket, AlsRetries retries) {
  add_base(system, p, ticket.ridge);
  solve(system, shared, p.solved + int64_t{ticket.row} * p.factors, p.factors, ticket);
  if (threadIdx.x == 0 && ticket.failed) retries.add(ticket.row);
}

template <int d, bool kTf32>
__global__ void __launch_bounds__(AlsLayout<d>::kThreads, AlsLayout<d>::kMinBlocks)
    exact_rows(AlsRows p, AlsQueue queue, AlsRetries retries) {
  float* const shared = dynamic_shared<float>();
  AlsTicket& ticket = ticket_of<d>(shared);
  while (draw_row(p, queue, ticket)) {
    System<d> system;
    clear(system);
    gather<d, kTf32>(system, p, entries_of(p, ticket.row), {0, p.width}, nullptr, shared);
    finish(system, shared, p, ticket, retries);
  }
}

/// Segment blockIdx.x of row rows[blockIdx.y]: a thread's registers go to `partials`, 16 bytes at a time.
template <int d, bool kTf32>
__global__ void __launch_bounds__(AlsLayout<d>::kThreads, AlsLayout<d>::kMinBlocks)
    sum_segments(AlsRows p, const int32_t* rows, float4* partials) {
  constexpr int kSegment = static_cast<int>(kindred::detail::kAlsSegment);
  AlsEntries part = entries_of(p, rows[blockIdx.y]);
  const int64_t begin = int64_t{blockIdx.x} * kSegment;
  if (begin >= part.count) return;
  part = {part.begin + begin, static_cast<int>(std::min<int64_t>(kSegment, part.count - begin))};
  System<d> system;
  clear(system);
  gather<d, kTf32>(system, p, part, {0, p.width}, nullptr, dynamic_shared<float>());
  float4* to =
      partials + (int64_t{blockIdx.y} * gridDim.x + blockIdx.x) * (AlsLayout<d>::kPartialFloats / 4) + threadIdx.x;
#pragma unroll
  for (const auto& tile : system.tile)
#pragma unroll
    for (int r = 0; r < 8; r += 4, to += AlsLayout<d>::kThreads)
      *to = make_float4(tile.v[r], tile.v[r + 1], tile.v[r + 2], tile.v[r + 3]);
  *to = make_float4(system.rhs[0], system.rhs[1], 0, 0);
}

/// Row rows[blockIdx.x], whose segments lie `stride` apart from the next row's.
template <int d>
__global__ void __launch_bounds__(AlsLayout<d>::kThreads, AlsLayout<d>::kMinBlocks / 2)
    finish_long_rows(AlsRows p, const int32_t* rows, const float4* partials, int stride, AlsRetries retries) {
  constexpr int kSegment = static_cast<int>(kindred::detail::kAlsSegment);
  float* const shared = dynamic_shared<float>();
  AlsTicket& ticket = ticket_of<d>(shared);
  const int row = rows[blockIdx.x], count = entries_of(p, row).count;
  if (threadIdx.x == 0) ticket = {row, static_cast<float>(p.ridge(count)), 0};
  __syncthreads();
  const int segments = (count + kSegment - 1) / kSegment;
  const float4* from = partials + int64_t{blockIdx.x} * stride * (AlsLayout<d>::kPartialFloats / 4) + threadIdx.x;
  const auto next_sum = [&] {
    double sum[4] = {0, 0, 0, 0};
    for (int s = 0; s < segments; ++s) {
      const float4 v = __ldg(from + int64_t{s} * (AlsLayout<d>::kPartialFloats / 4));
      sum[0] += v.x, sum[1] += v.y, sum[2] += v.z, sum[3] += v.w;
    }
    from += AlsLayout<d>::kThreads;
    return make_float4(static_cast<float>(sum[0]), static_cast<float>(sum[1]), static_cast<float>(sum[2]),
                       static_cast<float>(sum[3]));
  };
  System<d> system;
  clear(system);
#pragma unroll
  for (auto& tile : system.tile)
#pragma unroll
    for (int r = 0; r < 8; r += 4) {
      const float4 v = next_sum();
      tile.v[r] = v.x, tile.v[r + 1] = v.y, tile.v[r + 2] = v.z, tile.v[r + 3] = v.w;
    }
  const float4 rhs = next_sum();
  system.rhs[0] = rhs.x, system.rhs[1] = rhs.y;
  finish(system, shared, p, ticket, retries);
}

/// Calls body with the layout that holds the problem's systems and with whether one tf32 product is enough.
template <class Body>
void with_layout(const AlsRows& p, AlsPrecision precision, Body&& body) {
  with_als_layout(p.width, [&](auto layout) {
    precision == AlsPrecision::kFp32 ? body(layout, std::false_type()) : body(layout, std::true_type());
  });
}

}  // namespace

void als_exact(Context& ctx, const AlsRows& p, AlsQueue queue, AlsPrecision precision, AlsRetries retries) {
  if (queue.most == 0) return;
  with_layout(p, precision, [&]<int d, bool kTf32>(AlsLayout<d> layout, std::bool_constant<kTf32>) {
    const AlsGrid grid = als_system_grid(layout, queue.most, layout.kMinBlocks, 0, device_of(ctx).limits);
    launch(ctx, exact_rows<d, kTf32>, {grid.blocks, grid.threads, grid.shared_bytes}, p, queue, retries);
  });
}

int64_t als_long_bytes() { return kPartialBytes; }

void als_exact_long(Context& ctx, const AlsRows& p, const int32_t* rows, std::span<const int64_t> degrees,
                    AlsPrecision precision, AlsRetries retries) {
  if (degrees.empty()) return;
  with_layout(p, precision, [&]<int d, bool kTf32>(AlsLayout<d>, std::bool_constant<kTf32>) {
    using L = AlsLayout<d>;
    const auto segments = [&](size_t row) {
      return (degrees[row] + kindred::detail::kAlsSegment - 1) / kindred::detail::kAlsSegment;
    };
    const int64_t slots = std::max(kPartialBytes / (4 * int64_t{L::kPartialFloats}), segments(0));
    Array<float> partials(ctx, std::min(slots, segments(0) * static_cast<int64_t>(degrees.size())) * L::kPartialFloats,
                          "als partial sums");
    auto* const sums = reinterpret_cast<float4*>(partials.data());
    for (size_t first = 0; first < degrees.size();) {
      const int64_t stride = segments(first);
      const auto round = std::min<int64_t>(slots / stride, static_cast<int64_t>(degrees.size() - first));
      launch(ctx, sum_segments<d, kTf32>,
             {dim3(static_cast<unsigned>(stride), static_cast<unsigned>(round)), L::kThreads, L::kSharedBytes}, p,
             rows + first, sums);
      launch(ctx, finish_long_rows<d>, {static_cast<unsigned>(round), L::kThreads, L::kSharedBytes}, p, rows + first,
             sums, static_cast<int>(stride), retries);
      first += static_cast<size_t>(round);
    }
  });
}

}  // namespace kindred::cuda
