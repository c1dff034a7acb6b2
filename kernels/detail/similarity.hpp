// SPDX-License-Identifier: Apache-2.0
// The backends of kernels/similarity.hpp; arguments are checked. Both metrics and Missing come down to what is summed
// over common columns and a formula of those sums and of terms of each row.
#pragma once
#include <math.h>

#include "kernels/host_device.hpp"
#include "kernels/similarity.hpp"

namespace kindred::detail {

/// What is summed over the common columns of a pair of rows.
enum class PairSums : uint8_t {
  kCount,        ///< n; serves products too where all values are 1
  kProduct,      ///< sum xy; a pair has common columns where it is not 0
  kCounted,      ///< n, sum xy
  kCommon,       ///< n, sum xy, sum xx, sum yy
  kCorrelation,  ///< n, sum x, sum y, sum xx, sum yy, sum xy
  kAbsolute      ///< n, sum |x - y|, less |x| + |y| where what is missing is 0
};

/// How a similarity comes from sums and the rows' terms.
enum class PairFormula : uint8_t {
  kProduct,     ///< dot = sum xy + a_x + a_y + base + b_x b_y
  kNormalized,  ///< dot w_x w_y
  kDistance,    ///< -sqrt(w_x + w_y - 2 dot)
  kNearness,    ///< 1 / ((w_x + w_y - 2 dot) / m + 1)
  kOverlap,     ///< n / (w_x + w_y - n)
  kCommonCosine,
  kCommonDistance,
  kCommonNearness,
  kCorrelation,
  kAbsolute  ///< -(sum + w_x + w_y)
};

struct PairPlan {
  PairSums sums;
  PairFormula formula;
  bool filled;    ///< a, b and base take part
  bool centered;  ///< values enter the sums less their row's or column's mean
};

/// positive: all values are above 0 (or there are none), so that a product of 0 means no common column.
PairPlan pair_plan(const SimilarityParams& params, bool has_values, bool positive);

/// What a row brings to the formulas.
struct RowTerms {
  double a = 0, b = 0, w = 0;
};
/// What all pairs share.
struct PairTerms {
  PairPlan plan;
  double base = 0, sign = 1;  ///< sign: of b_x b_y
  double columns = 0;         ///< m
  double min_overlap = 1, shrinkage = 0, shrink_from = 0;
  bool minus_parts = false;  ///< kAbsolute sums |x - y| - |x| - |y|

  PairTerms(const SimilarityParams& params, const PairPlan& pair_plan, int64_t m, double mean_sum, double mean_squares)
      : plan(pair_plan),
        base(mean_squares),
        columns(static_cast<double>(m)),
        min_overlap(static_cast<double>(params.min_overlap)),
        shrinkage(params.shrinkage),
        shrink_from(params.shrink_from),
        minus_parts(params.missing == Missing::kZero) {
    if (params.metric == SimilarityMetric::kPearson) sign = -1, base -= m > 0 ? mean_sum * mean_sum / columns : 0;
  }
};

/// The sums of a row over its entries, after centering.
struct RowSums {
  double count = 0, sum = 0, squares = 0, absolute = 0;
  double mean = 0;   ///< what a centered row was centered by
  double along = 0;  ///< centered entries times their columns' means
};

/// A row's terms. mean_sum, mean_squares: of the means of all columns, 0 but for Missing::kColumnMean.
KINDRED_HOST_DEVICE inline RowTerms row_terms(const RowSums& s, SimilarityMetric metric, Missing missing,
                                              PairFormula formula, double m, double mean_sum, double mean_squares) {
  constexpr double kRounding = 1e-12;  // below this part of its terms a norm is 0
  RowTerms out;
  double norm = s.squares, size = s.squares;
  if (metric == SimilarityMetric::kPearson) {
    if (missing == Missing::kColumnMean) out.a = s.along - mean_sum * s.sum / m;
    if (missing != Missing::kRowMean) out.b = s.sum / sqrt(m);
    norm += 2 * out.a - out.b * out.b + mean_squares - (m > 0 ? mean_sum * mean_sum / m : 0);
    size += mean_squares;
  } else if (missing == Missing::kRowMean) {
    out.b = sqrt(m) * s.mean;
    norm += out.b * out.b, size = norm;
  } else if (missing == Missing::kColumnMean) {
    out.a = s.along;
    norm += 2 * out.a + mean_squares, size += mean_squares;
  }
  switch (formula) {
    case PairFormula::kNormalized:
      out.w = norm > kRounding * size ? 1 / sqrt(norm) : 0;
      break;
    case PairFormula::kOverlap:
      out.w = s.count;
      break;
    case PairFormula::kAbsolute:
      out.w = missing == Missing::kZero ? s.absolute : 0;
      break;
    default:
      out.w = norm;
  }
  return out;
}

/// What is kept for a pair: kWidth numbers side by side. add: one common column with values x and y.
template <class T, int width>
struct SumsOf {
  using Value = T;
  static constexpr int kWidth = width;
  static constexpr bool kLinear = false;
  KINDRED_HOST_DEVICE static double count(const T* s) { return static_cast<double>(s[0]); }
  KINDRED_HOST_DEVICE static bool empty(const T* s) { return s[0] == T{0}; }
};
template <PairSums kind>
struct Sums;
template <>
struct Sums<PairSums::kCount> : SumsOf<int32_t, 1> {
  static constexpr bool kLinear = true;
  KINDRED_HOST_DEVICE static void add(int32_t* s, double, double, bool) { ++s[0]; }
  KINDRED_HOST_DEVICE static double product(const int32_t* s) { return s[0]; }
};
template <>
struct Sums<PairSums::kProduct> : SumsOf<double, 1> {
  static constexpr bool kLinear = true;
  KINDRED_HOST_DEVICE static void add(double* s, double x, double y, bool) { s[0] += x * y; }
  KINDRED_HOST_DEVICE static double count(const double* s) { return s[0] != 0 ? 1 : 0; }
  KINDRED_HOST_DEVICE static double product(const double* s) { return s[0]; }
};
template <>
struct Sums<PairSums::kCounted> : SumsOf<double, 2> {
  static constexpr bool kLinear = true;
  KINDRED_HOST_DEVICE static void add(double* s, double x, double y, bool) { s[0] += 1, s[1] += x * y; }
  KINDRED_HOST_DEVICE static double product(const double* s) { return s[1]; }
};
template <>
struct Sums<PairSums::kCommon> : SumsOf<double, 4> {
  KINDRED_HOST_DEVICE static void add(double* s, double x, double y, bool) {
    s[0] += 1, s[1] += x * y, s[2] += x * x, s[3] += y * y;
  }
};
template <>
struct Sums<PairSums::kCorrelation> : SumsOf<double, 8> {  // 6 in a cache line
  KINDRED_HOST_DEVICE static void add(double* s, double x, double y, bool) {
    s[0] += 1, s[1] += x * y, s[2] += x * x, s[3] += y * y, s[4] += x, s[5] += y;
  }
};
template <>
struct Sums<PairSums::kAbsolute> : SumsOf<double, 2> {
  KINDRED_HOST_DEVICE static void add(double* s, double x, double y, bool minus_parts) {
    s[0] += 1, s[1] += fabs(x - y) - (minus_parts ? fabs(x) + fabs(y) : 0);
  }
};

/// Whether a formula can come from these sums.
constexpr bool fits(PairSums sums, PairFormula formula) {
  switch (sums) {
    case PairSums::kCommon:
      return formula >= PairFormula::kCommonCosine && formula <= PairFormula::kCommonNearness;
    case PairSums::kCorrelation:
      return formula == PairFormula::kCorrelation;
    case PairSums::kAbsolute:
      return formula == PairFormula::kAbsolute;
    case PairSums::kCount:
      return formula <= PairFormula::kOverlap;
    default:
      return formula < PairFormula::kOverlap;
  }
}

/// The similarity of rows x and y from their sums; NaN: too few common columns.
template <PairSums kind>
KINDRED_HOST_DEVICE inline float pair_similarity(PairFormula formula, const PairTerms& terms, const RowTerms& x,
                                                 const RowTerms& y, const typename Sums<kind>::Value* s) {
  const double n = Sums<kind>::count(s);
  double value = 0;
  if constexpr (Sums<kind>::kLinear) {
    double dot = Sums<kind>::product(s);
    if (terms.plan.filled) dot += x.a + y.a + terms.base + terms.sign * x.b * y.b;
    const double squared = fmax(0.0, x.w + y.w - 2 * dot), either = x.w + y.w - n;
    switch (formula) {
      case PairFormula::kNormalized:
        value = dot * x.w * y.w;
        break;
      case PairFormula::kDistance:
        value = -sqrt(squared);
        break;
      case PairFormula::kNearness:
        value = 1 / (squared / terms.columns + 1);
        break;
      case PairFormula::kOverlap:
        value = either > 0 ? n / either : 0;
        break;
      default:
        value = dot;
    }
  } else if constexpr (kind == PairSums::kCommon) {
    const double squared = fmax(0.0, s[2] + s[3] - 2 * s[1]);
    switch (formula) {
      case PairFormula::kCommonCosine:
        value = s[2] * s[3] > 0 ? s[1] / sqrt(s[2] * s[3]) : 0;
        break;
      case PairFormula::kCommonDistance:
        value = -sqrt(squared);
        break;
      default:
        value = n > 0 ? 1 / (squared / n + 1) : 0;
    }
  } else if constexpr (kind == PairSums::kCorrelation) {
    // A variance below the rounding of its terms is that of equal values.
    const double xx = n * s[2] - s[4] * s[4], yy = n * s[3] - s[5] * s[5];
    const bool defined = xx > 1e-12 * n * s[2] && yy > 1e-12 * n * s[3];
    value = defined ? (n * s[1] - s[4] * s[5]) / (sqrt(xx) * sqrt(yy)) : 0;
  } else {
    value = -(s[1] + x.w + y.w);
  }
  if (terms.shrinkage > 0) {
    const double support = n - terms.shrink_from;
    value *= support > 0 ? support / (support + terms.shrinkage) : 0;
  }
  return n >= terms.min_overlap ? static_cast<float>(value) : NAN;
}

/// visit.operator()<kind>() with `kind` as a compile-time constant.
template <class Visit>
auto with_sums(PairSums kind, Visit&& visit) {
  switch (kind) {
    case PairSums::kCount:
      return visit.template operator()<PairSums::kCount>();
    case PairSums::kProduct:
      return visit.template operator()<PairSums::kProduct>();
    case PairSums::kCounted:
      return visit.template operator()<PairSums::kCounted>();
    case PairSums::kCommon:
      return visit.template operator()<PairSums::kCommon>();
    case PairSums::kCorrelation:
      return visit.template operator()<PairSums::kCorrelation>();
    default:
      return visit.template operator()<PairSums::kAbsolute>();
  }
}
inline int64_t sums_bytes(PairSums kind) {
  return with_sums(kind, [&]<PairSums k>() { return Sums<k>::kWidth * int64_t{sizeof(typename Sums<k>::Value)}; });
}

}  // namespace kindred::detail

namespace kindred::cpu {
/// forced: the way to take; null: the cheapest.
SimilarityPlan similar_rows(Context& ctx, CsrView rows, const SimilarityParams& params, const SimilarityPlan* forced,
                            MatrixView<int32_t> ids, MatrixView<float> similarities);
SimilarityPlan similar_rows(Context& ctx, CsrView queries, VectorView<const int32_t> self, CsrView rows,
                            const SimilarityParams& params, const SimilarityPlan* forced, MatrixView<int32_t> ids,
                            MatrixView<float> similarities);
}  // namespace kindred::cpu
namespace kindred::cuda {
void similar_rows(Context& ctx, CsrView rows, const SimilarityParams& params, MatrixView<int32_t> ids,
                  MatrixView<float> similarities);
void similar_rows(Context& ctx, CsrView queries, VectorView<const int32_t> self, CsrView rows,
                  const SimilarityParams& params, MatrixView<int32_t> ids, MatrixView<float> similarities);
}  // namespace kindred::cuda
