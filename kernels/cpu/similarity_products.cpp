// SPDX-License-Identifier: Apache-2.0
// Similar rows of a matrix so full that products of dense blocks win: a tile of rows against rows is a sum over blocks
// of columns, each written densely and multiplied. A block's sums are in fp32 over 128 columns, so that their error is
// below 128 * 2^-24 = 8e-6 of the two rows' norms; blocks add up in fp64, parts of the columns apart, then in order.
#include "kernels/cpu/similarity_problem.hpp"
#include "kernels/detail/dense.hpp"

namespace kindred::cpu {
namespace {

constexpr int64_t kSide = 512;      // rows of a tile, either way
constexpr int64_t kDepth = 128;     // columns of a block
constexpr int64_t kMostParts = 16;  // of the columns, summed side by side
constexpr int64_t kTaskRows = 16;   // of a tile, for similarities and lists
constexpr int64_t kOfferRows = 64;

/// Rows [from, to) by number within the columns of a block from `begin` on, row after row, 0 where nothing is. ones: 1
/// for each entry in place of its value.
void write_block(const SimilarityProblem& problem, int64_t from, int64_t to, int64_t begin, bool ones, float* block) {
  std::fill_n(block, (to - from) * kDepth, 0.f);
  for (int64_t number = from; number < to; ++number, block += kDepth) {
    const int64_t row = problem.order.data()[number];
    const auto columns = problem.rows.columns(row);
    const float* const values = problem.rows.values(row);
    auto at = std::lower_bound(columns.begin(), columns.end(), begin);
    for (; at != columns.end() && *at < begin + kDepth; ++at)
      block[*at - begin] = ones || values == nullptr ? 1.f : values[at - columns.begin()];
  }
}

}  // namespace

void similar_by_products(Context& ctx, const SimilarityProblem& problem, SimilarityLists& lists) {
  const int64_t n = problem.size(), side = std::min(n, kSide), square = side * side;
  const int64_t blocks = (problem.rows.rows.cols + kDepth - 1) / kDepth, parts = std::min(blocks, kMostParts);
  const bool counted = problem.pair.sums == detail::PairSums::kCounted;
  const int64_t width = counted ? 2 : 1;  // numbers that Sums keeps of a pair: of kCounted the count, then the product
  const int64_t scratch = 2 * side * kDepth + square;
  Array<double> sums(ctx, parts * square * width, "similarity sums");
  Array<double> total(ctx, ctx.threads() * side * width, "similarity sums");
  Array<float> dense(ctx, ctx.threads() * scratch, "similarity blocks");
  Array<float> values(ctx, square, "similarity tile");
  for (int64_t from = 0; from < n; from += side)
    for (int64_t first = from; first < n; first += side) {
      const int64_t to = std::min(from + side, n), last = std::min(first + side, n);
      parallel_for(ctx, parts, 1, [&](int64_t part, int64_t, int thread) {
        float* const left = dense.data() + thread * scratch;
        float *const right = left + side * kDepth, *const product = right + side * kDepth;
        double* const sum = sums.data() + part * square * width;
        std::fill_n(sum, square * width, 0.0);
        for (int64_t block = blocks * part / parts; block < blocks * (part + 1) / parts; ++block)
          for (int64_t w = 0; w < width; ++w) {
            const bool ones = counted && w == 0;
            write_block(problem, first, last, block * kDepth, ones, left);
            write_block(problem, from, to, block * kDepth, ones, right);
            cpu::gemm(ctx, 1, {left, last - first, kDepth}, Transpose::kNo, {right, to - from, kDepth}, Transpose::kYes,
                      0, {product, last - first, to - from});
            for (int64_t e = 0; e < (last - first) * (to - from); ++e) sum[e * width + w] += double{product[e]};
          }
      });
      const SimilarityTile tile{first, last, from, to, values.data(), side, nullptr, 0};
      compare_tile(ctx, problem, tile, kTaskRows, kOfferRows, lists,
                   [&](int64_t number, int thread, float* similarity, uint8_t*) {
                     const int64_t count = (to - from) * width, at = (number - first) * count;
                     double* const row_sums = total.data() + thread * side * width;
                     std::fill_n(row_sums, count, 0.0);
                     for (int64_t part = 0; part < parts; ++part)
                       for (int64_t e = 0; e < count; ++e) row_sums[e] += sums.data()[part * square * width + at + e];
                     const int64_t row = problem.order.data()[number];
                     finish_sums(problem.terms, problem.rows.terms[static_cast<size_t>(row)],
                                 problem.row_terms().from(from), tile.width(number), nullptr, row_sums, similarity);
                   });
    }
}

}  // namespace kindred::cpu
