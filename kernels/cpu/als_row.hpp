// SPDX-License-Identifier: Apache-2.0
// Solves single rows of a half-sweep on the CPU.
#pragma once
#include <cstdint>
#include <span>

#include "kernels/cpu/als_simd.hpp"
#include "kernels/detail/als.hpp"
#include "kernels/memory.hpp"

namespace kindred::cpu {

/// Holds what the rows of one half-sweep share, and each thread's scratch. Failures are reported to the context; the
/// row then becomes 0.
class AlsRowSolver {
 public:
  /// longest: entries of the longest row; longest_alone: of the longest that solve() sees.
  AlsRowSolver(Context& ctx, const detail::AlsProblem& problem, int64_t longest, int64_t longest_alone);

  /// Bytes of one of these, and of a call of solve_together() with `most_together` rows. Rows' lengths are not known
  /// here: as many rows step together as there can be.
  static int64_t scratch_bytes(int threads, const detail::AlsShape& shape, const AlsParams& params,
                               int64_t most_together);

  /// On the calling thread, inside a body of parallel_for whose thread is given: the first of `rows`. The others are
  /// likely to come next; what they read first is asked for.
  void solve(std::span<const int32_t> rows, int thread);
  /// With all threads, outside of parallel_for: long rows by conjugate gradients in step. Each pass goes through the
  /// table once, a block at a time that stays in the second-level cache, for all of them.
  void solve_together(std::span<const int32_t> rows);
  /// Whether that pays for rows of this degree.
  bool steps_together(int64_t degree) const;
  /// With all threads, outside of parallel_for.
  void solve_spread(int32_t row) { solve(row_of(row, 0, spread_)); }

 private:
  /// Where the sums of segments meet: `slots` segments are summed at a time.
  struct Partials {
    int64_t slots = 1;
    Array<float> sums;       // (threads or 1) x slots x system
    Array<double> totals;    // (threads or 1) x system
    Array<float> residuals;  // (threads or 1) x entries, kBlock only
    int64_t entries = 0;
  };
  struct Row {
    int32_t row;
    int thread;
    int64_t begin, end;
    float lambda;
    Partials& partials;
    AlsRange ahead = {};  // entries that are likely to be read next
    int64_t degree() const { return end - begin; }
  };

  void solve(const Row& row);
  Row row_of(int32_t row, int thread, Partials& partials) const;
  void load(const Row& row, float* x) const;
  void prefetch_entries(int64_t entry) const;
  void finish(const Row& row, bool done, float* x);
  bool solve_cholesky(const Row& row, float* x);
  bool solve_double(const Row& row, float* x);
  bool solve_cg(const Row& row, float* x);
  bool solve_block(const Row& row, float* x);
  bool solve_woodbury(const Row& row, float* x);

  /// out = initial (zeros where nullptr) + the segments' sums; segment(begin, end, out, thread) adds entries to out.
  template <class Segment>
  void sum_segments(const Row& row, int64_t count, const float* initial, float* out, Segment&& segment);
  /// The same, bit for bit, for rows in step. outs: a vector each; totals: rows x count; segment(row's place, begin,
  /// end, out).
  template <class Segment>
  void sum_together(std::span<const Row> rows, int64_t count, float* const* outs, double* totals, Segment&& segment);
  /// segment(begin, end) over the row's entries, spread over the threads where the row is.
  template <class Segment>
  void for_segments(const Row& row, Segment&& segment);

  float* system(int thread) { return systems_.data() + thread * system_size_; }
  float* gathered(int thread) { return gathered_.data() + thread * gathered_size_; }
  float* vectors(int thread) { return vectors_.data() + thread * kVectors * width_; }

  static constexpr int64_t kVectors = 5;  // of width floats: x and a solver's own

  Context& ctx_;
  const detail::AlsProblem& problem_;
  AlsEntries entries_;
  int64_t factors_, width_;
  int64_t system_size_, gathered_size_;
  Array<float> base_;      // the base matrix with w and the padding's 1, then width zeros: an empty row's system
  Array<float> diagonal_;  // its diagonal where it is diagonal
  Array<float> systems_, gathered_, vectors_;
  Partials alone_, spread_;
};

}  // namespace kindred::cpu
