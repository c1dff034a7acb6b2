// SPDX-License-Identifier: Apache-2.0
#include "kernels/similarity.hpp"

#include <cmath>

#include "kernels/detail/check.hpp"
#include "kernels/detail/similarity.hpp"
#include "kernels/topk.hpp"

namespace kindred {
namespace detail {

PairPlan pair_plan(const SimilarityParams& params, bool has_values, bool positive) {
  using M = SimilarityMetric;
  const M metric = params.metric;
  if (metric == M::kManhattan) return {PairSums::kAbsolute, PairFormula::kAbsolute, false, false};
  if (metric == M::kJaccard) return {PairSums::kCount, PairFormula::kOverlap, false, false};
  if (params.missing == Missing::kIgnore && metric != M::kDot) {
    if (metric == M::kPearson) return {PairSums::kCorrelation, PairFormula::kCorrelation, false, false};
    return {PairSums::kCommon,
            metric == M::kCosine      ? PairFormula::kCommonCosine
            : metric == M::kEuclidean ? PairFormula::kCommonDistance
                                      : PairFormula::kCommonNearness,
            false, false};
  }
  PairPlan plan{};
  plan.formula = metric == M::kDot         ? PairFormula::kProduct
                 : metric == M::kEuclidean ? PairFormula::kDistance
                 : metric == M::kMsd       ? PairFormula::kNearness
                                           : PairFormula::kNormalized;
  plan.centered = params.missing == Missing::kRowMean || params.missing == Missing::kColumnMean;
  // A row that is filled with its own mean and centered by it is its centered entries alone.
  plan.filled = metric == M::kPearson ? params.missing != Missing::kRowMean : plan.centered;
  if (!has_values && !plan.centered)
    plan.sums = PairSums::kCount;
  else if (params.shrinkage == 0 &&
           (params.min_overlap == 0 || (params.min_overlap == 1 && positive && !plan.centered)))
    plan.sums = PairSums::kProduct;
  else
    plan.sums = PairSums::kCounted;
  return plan;
}

}  // namespace detail

namespace {
using detail::bad_argument, detail::check_device, detail::shape;
constexpr const char* kOp = "similar_rows";

void check_params(const SimilarityParams& params) {
  const bool distance = params.metric == SimilarityMetric::kEuclidean || params.metric == SimilarityMetric::kManhattan;
  if (params.metric == SimilarityMetric::kManhattan && params.missing != Missing::kZero &&
      params.missing != Missing::kIgnore)
    bad_argument(kOp, "Manhattan distances with means for what is missing; take Missing::kZero or kIgnore");
  if (!(params.shrinkage >= 0) || !std::isfinite(params.shrinkage) || params.shrink_from < 0)
    bad_argument(kOp, "shrinkage is " + std::to_string(params.shrinkage) + " from " +
                          std::to_string(params.shrink_from) + "; both are finite and at least 0");
  if (distance && params.shrinkage > 0) bad_argument(kOp, "shrinkage of a distance; take it from a similarity");
  if (params.min_overlap < 0)
    bad_argument(kOp, "min_overlap is " + std::to_string(params.min_overlap) + "; at least 0 is needed");
}

void check_lists(Context& ctx, int64_t rows, MatrixView<int32_t> ids, MatrixView<float> similarities) {
  check_device(ctx, kOp, "ids", ids);
  check_device(ctx, kOp, "similarities", similarities);
  if (ids.rows != rows || similarities.rows != rows || ids.cols != similarities.cols)
    bad_argument(kOp, "ids are " + shape(ids) + ", similarities " + shape(similarities) + "; both need rows x k, " +
                          std::to_string(rows) + " rows");
  if (ids.cols < 1 || ids.cols > kMaxTopK)
    bad_argument(kOp, "k is " + std::to_string(ids.cols) + "; from 1 to " + std::to_string(kMaxTopK) + " is possible");
}

}  // namespace

const char* name(SimilarityMethod method) {
  switch (method) {
    case SimilarityMethod::kRows:
      return "rows";
    case SimilarityMethod::kHalves:
      return "halves";
    case SimilarityMethod::kBits:
      return "bits";
    default:
      return "products";
  }
}

SimilarityPlan similar_rows(Context& ctx, CsrView rows, const SimilarityParams& params, MatrixView<int32_t> ids,
                            MatrixView<float> similarities) {
  check_device(ctx, kOp, "rows", rows);
  check_params(params);
  check_lists(ctx, rows.rows, ids, similarities);
  if (rows.rows == 0) return {};
  if (!ctx.on_cuda()) return cpu::similar_rows(ctx, rows, params, nullptr, ids, similarities);
  cuda::similar_rows(ctx, rows, params, ids, similarities);
  return {};
}

SimilarityPlan similar_rows(Context& ctx, CsrView queries, VectorView<const int32_t> self, CsrView rows,
                            const SimilarityParams& params, MatrixView<int32_t> ids, MatrixView<float> similarities) {
  check_device(ctx, kOp, "queries", queries);
  check_device(ctx, kOp, "self", self);
  check_device(ctx, kOp, "rows", rows);
  check_params(params);
  check_lists(ctx, queries.rows, ids, similarities);
  if (queries.cols != rows.cols)
    bad_argument(kOp, "queries are " + shape(queries) + ", rows " + shape(rows) + "; both need as many columns");
  if (!self.empty()) detail::check_size(kOp, "self", self.size, "a query each", queries.rows);
  if (queries.rows == 0) return {};
  if (!ctx.on_cuda()) return cpu::similar_rows(ctx, queries, self, rows, params, nullptr, ids, similarities);
  cuda::similar_rows(ctx, queries, self, rows, params, ids, similarities);
  return {};
}

}  // namespace kindred
