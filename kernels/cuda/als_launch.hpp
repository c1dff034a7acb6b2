// SPDX-License-Identifier: Apache-2.0
// Layouts and launch configurations of the ALS solvers: pure functions of shape and device, testable without one.
#pragma once
#include <algorithm>
#include <cstdint>

#include "kernels/cuda/limits.hpp"

namespace kindred::cuda {

// ------------------------------------------------------------------------------------------------ exact

inline constexpr int64_t kAlsWidestSystem = 128;  // unknowns of a system that stays in a block's registers

/// Size of the compiled system that holds `unknowns`; what is beyond them is a unit matrix.
constexpr int als_system_size(int64_t unknowns) { return unknowns <= 32 ? 32 : unknowns <= 64 ? 64 : 128; }

/// A block that solves systems of d unknowns. Staged entries and the factor take turns in the same shared memory.
template <int d>
struct AlsLayout {
  static_assert(d == 32 || d == 64 || d == 128);
  static constexpr int kTiles = d / 16;  // rows of 16 x 16 tiles, a warp each
  static constexpr int kThreads = 32 * kTiles;
  static constexpr int kStageDepth = 32;              // terms of the sums: entries, or factors of a dual system
  static constexpr int kPitch = d + 8;                // floats from one staged entry to the next: 8 modulo 32
  static constexpr int kDualPitch = kStageDepth + 4;  // of a dual system: 4 modulo 32
  static constexpr int kStageFloats = kStageDepth * (kPitch + 2);  // entries, then their values and offsets
  static_assert(d * kDualPitch <= kStageFloats + 4 * d);
  static constexpr int kDualStageFloats = d * kDualPitch;
  static constexpr int kTilePitch = 20, kTileFloats = 16 * kTilePitch + 16;
  static constexpr int kLowerTiles = kTiles * (kTiles + 1) / 2;
  static constexpr int kFactorFloats = kLowerTiles * kTileFloats + 2 * d;  // factor, right-hand side, pivots' limits
  static constexpr int kTicketFloats = 4;
  static constexpr int kWorkFloats = std::max({2 * kStageFloats, 2 * kDualStageFloats, kFactorFloats});
  static constexpr int kSharedBytes = 4 * (kWorkFloats + kTicketFloats);
  static constexpr int kMinBlocks = d == 128 ? 3 : d == 64 ? 6 : 11;  // a multiprocessor; caps the registers at 80
  static constexpr int kRoomyBlocks = kMinBlocks * 2 / 3;             // of the solvers that need up to 128
  static constexpr int kPartialFloats = kThreads * ((kTiles / 2 + 1) * 8 + 4);  // a segment of a long row
};

/// Calls body with the layout that holds `unknowns`.
template <class Body>
void with_als_layout(int64_t unknowns, Body&& body) {
  const int size = als_system_size(unknowns);
  size == 32 ? body(AlsLayout<32>()) : size == 64 ? body(AlsLayout<64>()) : body(AlsLayout<128>());
}

struct AlsGrid {
  unsigned blocks = 0, threads = 0, shared_bytes = 0;
};

/// As many blocks as stay on the device at a time: they draw rows until none is left.
inline AlsGrid als_persistent(int64_t rows, int threads, int shared_bytes, int blocks_by_registers,
                              const DeviceLimits& limits) {
  const int by_shared = limits.shared_bytes_multiprocessor / (shared_bytes + 1024);
  const int64_t resident = int64_t{limits.multiprocessors} * std::max(1, std::min(by_shared, blocks_by_registers));
  return {static_cast<unsigned>(std::min(rows, resident)), static_cast<unsigned>(threads),
          static_cast<unsigned>(shared_bytes)};
}

/// Of solvers with a system in registers; `blocks` of the layout's two, `extra` floats more of shared memory.
template <int d>
AlsGrid als_system_grid(AlsLayout<d>, int64_t rows, int blocks, int64_t extra, const DeviceLimits& limits) {
  using L = AlsLayout<d>;
  return als_persistent(rows, L::kThreads, L::kSharedBytes + static_cast<int>(4 * extra), blocks, limits);
}

// ------------------------------------------------------------------------------------------------ conjugate gradients

inline constexpr int kAlsCgWarps = 4, kAlsCgThreads = 32 * kAlsCgWarps;

/// The compiled variants: `lanes` of a warp share an entry and hold `components` of every vector each.
struct AlsCgShape {
  int lanes = 8, components = 4;
  constexpr int width() const { return lanes * components; }
};
constexpr AlsCgShape als_cg_shape(int64_t width) {
  return width <= 32    ? AlsCgShape{8, 4}
         : width <= 64  ? AlsCgShape{8, 8}
         : width <= 128 ? AlsCgShape{8, 16}
         : width <= 256 ? AlsCgShape{32, 8}
         : width <= 512 ? AlsCgShape{32, 16}
                        : AlsCgShape{32, 36};
}
/// Blocks a multiprocessor by registers.
constexpr int als_cg_blocks(int components) { return components <= 8 ? 4 : components <= 16 ? 3 : 2; }

struct AlsCgLaunch {
  AlsGrid grid;
  int kept = 0;  // of a row's entries, how many stay in shared memory for all passes
};

inline AlsCgLaunch als_cg_launch(int64_t rows, int64_t entries, int64_t width, const DeviceLimits& limits) {
  const AlsCgShape shape = als_cg_shape(width);
  const int64_t row_bytes = 4 * width, scratch = 4 * (kAlsCgWarps * shape.width() + 4);
  // The mean row and a half, if the registers' number of blocks still fits.
  const int blocks = als_cg_blocks(shape.components);
  const int64_t most = std::min<int64_t>(limits.shared_bytes_multiprocessor / blocks - 1024, limits.shared_bytes_block);
  const int64_t wanted = std::max<int64_t>(32, entries / std::max<int64_t>(1, rows) * 3 / 2 / 32 * 32);
  AlsCgLaunch launch;
  launch.kept = static_cast<int>(std::clamp<int64_t>((most - scratch) / row_bytes, 0, wanted));
  launch.grid =
      als_persistent(rows, kAlsCgThreads, static_cast<int>(scratch + launch.kept * row_bytes), blocks, limits);
  return launch;
}

}  // namespace kindred::cuda
