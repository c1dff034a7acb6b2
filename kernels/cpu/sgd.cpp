// SPDX-License-Identifier: Apache-2.0
// Threads of stochastic gradient descent: each takes a block of the round, alone with the block's rows.
#include <algorithm>

#include "kernels/cpu/sgd_simd.hpp"
#include "kernels/cpu/threads.hpp"

namespace kindred::cpu {

void sgd_round(Context& ctx, const detail::SgdProblem& problem, int64_t shift, std::span<SgdTally> tallies) {
  const int64_t row = 3 * sgd_row_floats(problem.factors), list = problem.list_capacity();
  const int64_t words = (problem.plan.items + 63) / 64;
  Array<float> rows(ctx, ctx.threads() * row, "sgd rows"), scores(ctx, ctx.threads() * 4 * list, "sgd scores");
  Array<int32_t> items(ctx, ctx.threads() * list, "sgd lists");
  Array<uint64_t> has(ctx, ctx.threads() * words, "sgd marks");
  std::fill_n(has.data(), has.size(), uint64_t{0});
  const int64_t bands = problem.plan.bands;
  parallel_for(ctx, static_cast<int64_t>(tallies.size()), 1, [&](int64_t k, int64_t, int thread) {
    const SgdScratch scratch{rows.data() + thread * row, scores.data() + thread * 4 * list,
                             items.data() + thread * list, has.data() + thread * words};
    const int64_t block = shift < 0 ? k : k * bands + (k + shift) % bands;
    sgd_block(problem, block, scratch, tallies[static_cast<size_t>(k)]);
  });
}

}  // namespace kindred::cpu
