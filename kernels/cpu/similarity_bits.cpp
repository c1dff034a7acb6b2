// SPDX-License-Identifier: Apache-2.0
// Similar rows of a matrix without values, by bits. A stripe of 512 rows stands as a bit a row in 64 bytes of each
// column; how many columns another row has in common with each of the 512 is a sum by place of its columns' words
// (similarity_bits_simd.cpp): a cache line and a few instructions for an entry, whatever the length of its column.
#include <cstring>
#include <limits>

#include "kernels/cpu/similarity_problem.hpp"

namespace kindred::cpu {
namespace {

constexpr int64_t kTileRows = 8192;     // rows compared with a stripe before its own look at them: 16 MiB
constexpr int64_t kTaskRows = 32;       // rows of a task: neighbors in number have about as many entries
constexpr int64_t kOfferRows = 64;      // rows of a stripe that look through a tile in one task
constexpr int64_t kColumnChunk = 4096;  // columns of a task that writes a stripe: 256 KiB
constexpr int64_t kAskedRows = 16384;   // queries whose lists are kept at once
constexpr int64_t kStripeMarks = kStripe / kMarkBlock;

/// The words of a stripe's rows.
class Stripe {
 public:
  Stripe(Context& ctx, const SimilarityProblem& problem)
      : ctx_(ctx), problem_(problem), words_(ctx, problem.rows.rows.cols * kStripeWords, "similarity bits") {}

  const uint64_t* words() const { return words_.data(); }

  /// Of rows [from, to) by number: each task writes the words of its columns, row by row.
  void write(int64_t from, int64_t to) {
    parallel_for(ctx_, problem_.rows.rows.cols, kColumnChunk, [&](int64_t begin, int64_t end, int) {
      std::memset(words_.data() + begin * kStripeWords, 0, static_cast<size_t>((end - begin) * kStripeWords * 8));
      for (int64_t j = from; j < to; ++j) {
        const auto columns = problem_.rows.columns(problem_.order.data()[j]);
        uint64_t* const word = words_.data() + (j - from) / 64;
        const uint64_t bit = uint64_t{1} << ((j - from) % 64);
        auto at = std::lower_bound(columns.begin(), columns.end(), begin);
        for (; at != columns.end() && *at < end; ++at) word[int64_t{*at} * kStripeWords] |= bit;
      }
    });
  }

 private:
  Context& ctx_;
  const SimilarityProblem& problem_;
  Array<uint64_t> words_;
};

/// Of each thread: counts with a stripe's rows, all 0 between rows.
class Counts {
 public:
  explicit Counts(Context& ctx) : counts_(ctx, ctx.threads() * kStripe, "similarity counts") {
    fill_zero(ctx, counts_.view());
  }

  /// Similarities of a row with the first `width` rows of a stripe that starts at `from`.
  void compare(const SimilarityProblem& problem, const Stripe& stripe, int64_t from, int64_t width,
               std::span<const int32_t> columns, const detail::RowTerms& own, int thread, float* similarity,
               uint8_t* marks) {
    int32_t* const counts = counts_.data() + thread * kStripe;
    if (marks != nullptr) std::fill_n(marks, kStripeMarks, 0);
    count_bits(stripe.words(), columns, counts, marks);
    if (width < kStripe) std::fill(counts + width, counts + kStripe, 0);
    finish_sums(problem.terms, own, problem.row_terms().from(from), width, marks, counts, similarity);
  }

 private:
  Array<int32_t> counts_;
};

}  // namespace

void similar_by_bits(Context& ctx, const SimilarityProblem& problem, SimilarityLists& lists) {
  const int64_t n = problem.size(), height = std::min(n, kTileRows);
  Stripe stripe(ctx, problem);
  Counts counts(ctx);
  Array<float> values(ctx, height * kStripe, "similarity tile");
  Array<uint8_t> marks(ctx, problem.all_pairs() ? 0 : height * kStripeMarks, "similarity marks");
  for (int64_t from = 0; from < n; from += kStripe) {
    const int64_t to = std::min(from + kStripe, n);
    stripe.write(from, to);
    for (int64_t first = from; first < n; first += height) {
      const SimilarityTile tile{first,
                                std::min(first + height, n),
                                from,
                                to,
                                values.data(),
                                kStripe,
                                marks.empty() ? nullptr : marks.data(),
                                kStripeMarks};
      compare_tile(ctx, problem, tile, kTaskRows, kOfferRows, lists,
                   [&](int64_t number, int thread, float* similarity, uint8_t* marked) {
                     const int64_t row = problem.order.data()[number];
                     counts.compare(problem, stripe, from, tile.width(number), problem.rows.columns(row),
                                    problem.rows.terms[static_cast<size_t>(row)], thread, similarity, marked);
                   });
    }
  }
}

void similar_by_bits(Context& ctx, const SimilarityProblem& problem, const AskedRows& asked, MatrixView<int32_t> ids,
                     MatrixView<float> similarities) {
  const int64_t n = problem.size(), queries = asked.rows.rows.rows;
  Stripe stripe(ctx, problem);
  Counts counts(ctx);
  SimilarityLists lists(ctx, std::min(queries, kAskedRows), ids.cols, 2 * ids.cols);
  Array<float> found(ctx, ctx.threads() * kStripe, "similarity row");
  Array<uint8_t> marks(ctx, ctx.threads() * kStripeMarks, "similarity marks");
  for (int64_t first = 0; first < queries; first += kAskedRows) {
    const int64_t count = std::min(kAskedRows, queries - first);
    for (int64_t q = 0; q < count; ++q) lists.clear(q);
    for (int64_t from = 0; from < n; from += kStripe) {
      const int64_t to = std::min(from + kStripe, n);
      stripe.write(from, to);
      parallel_for(ctx, count, kTaskRows, [&](int64_t begin, int64_t end, int thread) {
        float* const similarity = found.data() + thread * kStripe;
        uint8_t* const marked = problem.all_pairs() ? nullptr : marks.data() + thread * kStripeMarks;
        for (int64_t q = first + begin; q < first + end; ++q) {
          counts.compare(problem, stripe, from, to - from, asked.rows.columns(q),
                         asked.rows.terms[static_cast<size_t>(q)], thread, similarity, marked);
          const int64_t own = asked.own(q) < 0 ? -1 : problem.rank.data()[asked.own(q)];
          if (own >= from && own < to) similarity[own - from] = std::numeric_limits<float>::quiet_NaN();
          collect(similarity, to - from, marked, problem.order.data() + from, lists.view, q - first);
        }
      });
    }
    parallel_for(ctx, count, kRowChunk, [&](int64_t begin, int64_t end, int) {
      for (int64_t q = begin; q < end; ++q) lists.write(q, ids.row(first + q), similarities.row(first + q));
    });
  }
}

}  // namespace kindred::cpu
