// SPDX-License-Identifier: Apache-2.0
// Between the planning half of top_k (topk.cpp) and its vector half (topk_simd.cpp).
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/views.hpp"

namespace kindred::cpu {

struct Candidate {
  float score;
  int32_t item;
};
/// The order of lists: score descending, then item ascending.
inline constexpr auto before = [](const Candidate& a, const Candidate& b) {  // an object: sorts call it inline
  return a.score > b.score || (a.score == b.score && a.item < b.item);
};

/// The best so far of a block of queries. A list is unordered; when `capacity` is reached, prune() keeps its k best and
/// raises the query's threshold to the k-th. Items come in ascending order, so a later one that equals the k-th loses.
struct CandidateLists {
  Candidate* lists;   // queries x capacity
  int32_t* counts;    // queries
  float* thresholds;  // queries; only scores above it are taken
  float* floors;      // queries, shared with those who search other parts of the table: the largest k-th score of any
  int64_t capacity;   // at least 2 k, and a tile's items beyond k
  int64_t k;
  // Items that query q must not get: indices[offsets[q] .. offsets[q + 1]), ascending; null: none.
  const int64_t* excluded_offsets;
  const int32_t* excluded_items;

  bool is_excluded(int64_t query, int32_t item) const {
    return excluded_offsets != nullptr && std::binary_search(excluded_items + excluded_offsets[query],
                                                             excluded_items + excluded_offsets[query + 1], item);
  }
};
constexpr int64_t kWidestTile = 3 * 16;  ///< items
void prune(const CandidateLists& lists, int64_t query);
/// Writes the best k of `count` candidates in order; the rest of the row is -1 and kNoScore.
void write_list(Candidate* list, int64_t count, int64_t k, int32_t* ids, float* scores);
/// Takes over what others have found: scores below a floor are not among the k best. Equal ones may be, by their item.
void lift_thresholds(const CandidateLists& lists, int64_t queries);

/// Scores of queries [0, count) against items [first, last) of the table: products in register tiles of queries x
/// items, compared in registers with the thresholds. `panels`: scratch of topk_panel_floats(d) floats.
void score_items(MatrixView<const float> queries, MatrixView<const float> items, const float* bias, int64_t first,
                 int64_t last, const CandidateLists& lists, float* panels);
/// Enough for any instruction set.
int64_t topk_panel_floats(int64_t d);

/// What scores listed items in fp32, later than they were found: the tables, scratch of kWidestTile (d + 1) floats, and
/// how many entries of each query's list have their score.
struct LateScores {
  MatrixView<const float> queries, items;
  const float* bias;
  float* panel;
  int32_t* scored;
};
/// Adds items to a query's list without scores.
void take_unscored(const CandidateLists& lists, int64_t query, const int32_t* items, size_t found,
                   const LateScores& late);
/// Scores a query's list and leaves out what its threshold does not let through.
void settle(const CandidateLists& lists, int64_t query, const LateScores& late);
/// Writes the scores of `count` listed items, in the bits of score_items. Scratch as LateScores::panel.
void score_listed(const float* query, MatrixView<const float> items, const float* bias, Candidate* list, int64_t count,
                  float* panel);

constexpr int64_t kMaxInt8Factors = 4096;
struct Int8Scratch {
  std::byte *queries, *panels;  ///< of int8_query_bytes each, and of panel_bytes
  int64_t panel_bytes;
};
int64_t int8_query_bytes(int64_t d);
/// score_items with a first pass in 8 bits, for up to kMaxInt8Factors factors: the same lists, once they are settled.
/// False, and nothing done, where the processor does not multiply bytes.
bool score_items_int8(MatrixView<const float> queries, MatrixView<const float> items, const float* bias, int64_t first,
                      int64_t last, const CandidateLists& lists, const LateScores& late, const Int8Scratch& scratch);

/// out[e] = x . y_{col[e]} for one x. Sums in a fixed order.
void dot_rows(const float* x, MatrixView<const float> y, const int32_t* col, int64_t count, float* out);

}  // namespace kindred::cpu
