// SPDX-License-Identifier: Apache-2.0
// Between the threads of stochastic gradient descent (sgd.cpp) and its loops, compiled for each instruction set
// (sgd_simd.cpp).
#pragma once
#include "kernels/detail/sgd.hpp"

namespace kindred::cpu {

/// One thread's memory for a block; see sgd_scratch_floats.
struct SgdScratch {
  float* rows;     // three rows of factors, padded
  float* scores;   // four arrays of list_capacity() floats
  int32_t* items;  // list_capacity()
  uint64_t* has;   // a bit an item; all clear between runs
};
constexpr int64_t kSgdPadding = 64;  // floats; a multiple of every vector
constexpr int64_t sgd_row_floats(int64_t factors) { return (factors + kSgdPadding - 1) / kSgdPadding * kSgdPadding; }

/// Takes the samples of one block; adds to the tally.
void sgd_block(const detail::SgdProblem& problem, int64_t block, const SgdScratch& scratch, SgdTally& tally);

/// The list of the sample at place `sample` of a block that begins at `block_begin`: items[0] is the positive. Returns
/// its length; adds to the tally. has(item): the user has it.
template <class Has>
int sgd_list(const detail::SgdProblem& p, int64_t block_begin, int64_t block_end, int64_t begin, int64_t end,
             int64_t sample, const Has& has, int32_t* items, SgdTally& tally) {
  int count = 0;
  items[count++] = p.plan.item[sample];
  std::array<uint32_t, 4> words{};
  for (int k = 0; k < p.drawn(); ++k) {
    if (k % 4 == 0) words = p.draws(static_cast<uint64_t>(sample), static_cast<uint32_t>(k / 4));
    const int32_t item = detail::sgd_draw(p, begin, end, sample, k, words[static_cast<size_t>(k % 4)], has);
    if (item >= 0) items[count++] = item;
  }
  tally.draws += p.drawn();
  tally.skipped += p.drawn() + 1 - count;
  if (p.params.in_batch) {
    const int64_t first = block_begin + (sample - block_begin) / p.params.batch_size * p.params.batch_size;
    for (int64_t e = first; e < first + p.params.batch_size && e < block_end; ++e)
      if (!has(p.plan.item[e])) items[count++] = p.plan.item[e];
  }
  return count;
}

}  // namespace kindred::cpu
