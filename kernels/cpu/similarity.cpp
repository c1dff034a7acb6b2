// SPDX-License-Identifier: Apache-2.0
// The planning half of similar_rows: counts what each way to find the lists would do, and takes the cheapest. The
// counts depend on the matrix and the parameters alone, not on threads.
#include <cmath>
#include <limits>

#include "kernels/cpu/similarity_problem.hpp"

namespace kindred::cpu {
namespace {

// What a step of each kind takes, in nanoseconds of a core: measured on a server of 2024, and only their ratios matter.
constexpr double kAddition = 1.0;    // an entry met in a column: read, add, write
constexpr double kPair = 1.5;        // a similarity from sums, offered to lists
constexpr double kFarPair = 10.0;    // the same where few rows have any sums
constexpr double kLine = 4.0;        // an entry's 512 bits added
constexpr double kStripePair = 300;  // a row met a stripe: its counts written out
constexpr double kWord = 1.5;        // a column's words of a stripe cleared
constexpr double kFlop = 0.02;       // of a matrix product, blocks written and sums moved included
constexpr double kNever = std::numeric_limits<double>::infinity();

/// Entries of each column.
std::vector<double> column_sizes(CsrView rows) {
  std::vector<double> out(static_cast<size_t>(rows.cols), 0);
  for (int64_t e = rows.offsets[0]; e < rows.offsets[rows.rows]; ++e) out[static_cast<size_t>(rows.indices[e])] += 1;
  return out;
}

/// Additions and similarities where each of `queries` rows meets all n.
double rows_cost(double additions, double queries, double n, bool all_pairs) {
  const double all = queries * n * kPair;
  return additions * kAddition + (all_pairs ? all : std::min(all, additions * kFarPair));
}

/// lines: entries times the stripes they meet; meetings: rows times the stripes they meet.
double bits_cost(double lines, double meetings, double passes, double columns) {
  return lines * kLine + meetings * (kStripePair + kStripe * kPair) + passes * columns * kWord;
}

/// Whether sums may come from products in fp32: they are of values, small beside the norms that divide them, and
/// neither overflow nor vanish.
bool products_possible(const SimilarityProblem& problem) {
  const detail::PairPlan& pair = problem.pair;
  if (pair.formula != detail::PairFormula::kNormalized || pair.sums == detail::PairSums::kCount) return false;
  for (int64_t r = 0; r < problem.size(); ++r) {
    const float* const values = problem.rows.values(r);
    for (int64_t e = 0; values != nullptr && e < problem.rows.entries(r); ++e)
      if (const float size = std::abs(values[e]); size != 0 && !(size > 1e-15f && size < 1e15f)) return false;
  }
  return true;
}

double stripes(int64_t rows) { return static_cast<double>((rows + kStripe - 1) / kStripe); }

SimilarityPlan cheapest(std::initializer_list<SimilarityPlan> plans) {
  return *std::min_element(plans.begin(), plans.end(),
                           [](const SimilarityPlan& a, const SimilarityPlan& b) { return a.cost < b.cost; });
}

SimilarityPlan plan_within(const SimilarityProblem& problem) {
  const CsrView rows = problem.rows.rows;
  const detail::PairSums sums = problem.pair.sums;
  const auto n = static_cast<double>(rows.rows), columns = static_cast<double>(rows.cols), pairs = n * (n - 1) / 2;
  double additions = 0, lines = 0;
  for (const double size : column_sizes(rows)) additions += size * (size - 1) / 2;
  for (int64_t number = 0; number < rows.rows; ++number)
    lines += static_cast<double>(problem.rows.entries(problem.order.data()[number]) * (number / kStripe + 1));
  const double by_entry = additions * kAddition;
  const double by_product = n * n * columns * kFlop * (sums == detail::PairSums::kCounted ? 2 : 1);
  const bool bits = sums == detail::PairSums::kCount, products = by_product < by_entry && products_possible(problem);
  return cheapest(
      {{SimilarityMethod::kRows, rows_cost(2 * additions, n, n, problem.all_pairs())},
       {SimilarityMethod::kHalves, by_entry + pairs * kPair},
       {SimilarityMethod::kBits, bits ? bits_cost(lines, pairs / kStripe, stripes(rows.rows), columns) : kNever},
       {SimilarityMethod::kProducts, products ? by_product + pairs * kPair : kNever}});
}

SimilarityPlan plan_asked(const SimilarityProblem& problem, CsrView queries) {
  const CsrView rows = problem.rows.rows;
  const auto asked = static_cast<double>(queries.rows), n = static_cast<double>(rows.rows);
  const std::vector<double> sizes = column_sizes(rows);
  double additions = 0;
  for (int64_t e = queries.offsets[0]; e < queries.offsets[queries.rows]; ++e)
    additions += sizes[static_cast<size_t>(queries.indices[e])];
  const bool bits = problem.pair.sums == detail::PairSums::kCount;
  const double passes = stripes(rows.rows), lines = static_cast<double>(queries.nnz) * passes;
  return cheapest({{SimilarityMethod::kRows, rows_cost(additions, asked, n, problem.all_pairs())},
                   {SimilarityMethod::kBits,
                    bits ? bits_cost(lines, asked * passes, passes, static_cast<double>(rows.cols)) : kNever}});
}

}  // namespace

SimilarityPlan similar_rows(Context& ctx, CsrView matrix, const SimilarityParams& params, const SimilarityPlan* forced,
                            MatrixView<int32_t> ids, MatrixView<float> similarities) {
  const SimilarityProblem problem(ctx, matrix, matrix, params);
  const SimilarityPlan plan = forced != nullptr ? *forced : plan_within(problem);
  if (plan.method == SimilarityMethod::kRows) {
    similar_by_rows(ctx, problem, {problem.rows, {}, true}, ids, similarities);
    return plan;
  }
  SimilarityLists lists(ctx, matrix.rows, ids.cols, 2 * ids.cols);
  if (plan.method == SimilarityMethod::kBits)
    similar_by_bits(ctx, problem, lists);
  else
    plan.method == SimilarityMethod::kProducts ? similar_by_products(ctx, problem, lists)
                                               : similar_by_halves(ctx, problem, lists);
  parallel_for(ctx, matrix.rows, kRowChunk, [&](int64_t begin, int64_t end, int) {
    for (int64_t number = begin; number < end; ++number) {
      const int64_t row = problem.order.data()[number];
      lists.write(number, ids.row(row), similarities.row(row));
    }
  });
  return plan;
}

SimilarityPlan similar_rows(Context& ctx, CsrView queries, VectorView<const int32_t> self, CsrView matrix,
                            const SimilarityParams& params, const SimilarityPlan* forced, MatrixView<int32_t> ids,
                            MatrixView<float> similarities) {
  const SimilarityProblem problem(ctx, matrix, queries, params);
  const PreparedRows asked = prepare_rows(ctx, queries, params, problem.pair, problem.means);
  const SimilarityPlan plan = forced != nullptr ? *forced : plan_asked(problem, queries);
  const auto by = plan.method == SimilarityMethod::kBits
                      ? static_cast<void (*)(Context&, const SimilarityProblem&, const AskedRows&, MatrixView<int32_t>,
                                             MatrixView<float>)>(similar_by_bits)
                      : similar_by_rows;
  by(ctx, problem, {asked, self, false}, ids, similarities);
  return plan;
}

}  // namespace kindred::cpu
