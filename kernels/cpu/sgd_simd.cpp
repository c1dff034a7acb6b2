// SPDX-License-Identifier: Apache-2.0
// The loops of stochastic gradient descent.
//
// A block's rows come from the caches (its item rows from the second level), so what counts is the chain from one
// sample of a user to the next: product, sum over lanes, slope, step. The user's row stays in the first level during
// its run; widths that models have are compiled with their number of vectors, which keeps both rows in registers.
#include "kernels/cpu/sgd_simd.hpp"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/sgd_simd.cpp"
#include <hwy/foreach_target.h>
//
#include <hwy/cache_control.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace kindred::cpu::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using detail::SgdProblem, detail::SgdRows;

constexpr int64_t kAhead = 6;  // samples whose item rows are called for early
using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

HWY_INLINE void PrefetchRow(const float* row, size_t n) {
  for (size_t k = 0; k < n; k += 16) hwy::Prefetch(row + k);
}

struct WholeVector {
  HWY_INLINE V Load(const float* from) const { return hn::LoadU(D(), from); }
  HWY_INLINE void Store(V v, float* to) const { hn::StoreU(v, D(), to); }
};
/// The first lanes alone: the row's neighbor belongs to somebody else. Only AVX2 and beyond have loads and stores that
/// leave the others in peace.
struct PartVector {
  static constexpr bool kMasks = HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL;
  size_t count;

  HWY_INLINE V Load(const float* from) const {
    if constexpr (kMasks) {
      return hn::MaskedLoad(hn::FirstN(D(), count), D(), from);
    } else {
      HWY_ALIGN float lanes[HWY_LANES(float)] = {};
      std::copy_n(from, count, lanes);
      return hn::Load(D(), lanes);
    }
  }
  HWY_INLINE void Store(V v, float* to) const {
    if constexpr (kMasks) {
      hn::BlendedStore(v, hn::FirstN(D(), count), D(), to);
    } else {
      HWY_ALIGN float lanes[HWY_LANES(float)];
      hn::Store(v, D(), lanes);
      std::copy_n(lanes, count, to);
    }
  }
};

/// visit(k, vector) for each vector of [0, n), the last of which may be a part.
template <class Visit>
HWY_INLINE void ForVectors(size_t n, Visit&& visit) {
  const size_t lanes = hn::Lanes(D());
  size_t k = 0;
  for (; k + lanes <= n; k += lanes) visit(k, WholeVector());
  if (k < n) visit(k, PartVector{n - k});
}

HWY_INLINE float Sum(V v) { return hn::GetLane(hn::SumOfLanes(D(), v)); }

HWY_INLINE float Dot(const float* HWY_RESTRICT a, const float* HWY_RESTRICT b, size_t n) {
  const size_t lanes = hn::Lanes(D());
  V even = hn::Zero(D()), odd = even;
  size_t k = 0;
  for (; k + 2 * lanes <= n; k += 2 * lanes) {
    even = hn::MulAdd(hn::LoadU(D(), a + k), hn::LoadU(D(), b + k), even);
    odd = hn::MulAdd(hn::LoadU(D(), a + k + lanes), hn::LoadU(D(), b + k + lanes), odd);
  }
  ForVectors(n - k, [&](size_t l, auto vector)
                        HWY_ATTR { even = hn::MulAdd(vector.Load(a + k + l), vector.Load(b + k + l), even); });
  return Sum(hn::Add(even, odd));
}

/// Where a row's second rate begins.
template <SgdOptimizer kOptimizer>
HWY_INLINE size_t FirstPart(size_t n) {
  return kOptimizer == SgdOptimizer::kLibmf ? std::min<size_t>(n, detail::kLibmfFirst) : n;
}

/// Lanes of the vector at k that lie in the first `part` places: those of `first`, the others of `second`.
HWY_INLINE V Split(size_t k, size_t part, V first, V second) {
  const size_t lanes = hn::Lanes(D());
  if (k + lanes <= part) return first;
  if (k >= part) return second;
  return hn::IfThenElse(hn::FirstN(D(), part - k), first, second);
}

/// Steps of one row whose gradient is alpha other + beta row; neither overlaps the other.
template <SgdOptimizer kOptimizer>
HWY_INLINE void Step(float* HWY_RESTRICT row, const float* HWY_RESTRICT other, size_t n, float alpha, float beta,
                     float rate, float* HWY_RESTRICT state) {
  if constexpr (kOptimizer == SgdOptimizer::kSgd) {
    const V keep = hn::Set(D(), 1 - rate * beta), move = hn::Set(D(), -rate * alpha);
    ForVectors(n, [&](size_t k, auto vector) HWY_ATTR {
      vector.Store(hn::MulAdd(move, vector.Load(other + k), hn::Mul(keep, vector.Load(row + k))), row + k);
    });
    return;
  }
  const V a = hn::Set(D(), alpha), b = hn::Set(D(), beta);
  const size_t part = FirstPart<kOptimizer>(n);
  V first = hn::Zero(D()), second = first;
  ForVectors(n, [&](size_t k, auto vector) HWY_ATTR {
    const V g = hn::MulAdd(a, vector.Load(other + k), hn::Mul(b, vector.Load(row + k)));
    const V square = hn::Mul(g, g);
    if constexpr (kOptimizer == SgdOptimizer::kLibmf) {
      first = hn::Add(first, Split(k, part, square, hn::Zero(D())));
      second = hn::Add(second, Split(k, part, hn::Zero(D()), square));
    } else {
      first = hn::Add(first, square);
    }
  });
  const float squares = Sum(first);
  if constexpr (kOptimizer == SgdOptimizer::kAdam) {
    const float scale = detail::sgd_adam_rate(rate, squares / static_cast<float>(n), state);
    float* HWY_RESTRICT moments = state + detail::kAdamScalars;
    const V move = hn::Set(D(), -scale), old = hn::Set(D(), detail::kAdamBeta1);
    const V na = hn::Set(D(), (1 - detail::kAdamBeta1) * alpha), nb = hn::Set(D(), (1 - detail::kAdamBeta1) * beta);
    ForVectors(n, [&](size_t k, auto vector) HWY_ATTR {
      const V x = vector.Load(row + k);
      const V g = hn::MulAdd(na, vector.Load(other + k), hn::Mul(nb, x));
      const V m = hn::MulAdd(old, vector.Load(moments + k), g);
      vector.Store(m, moments + k);
      vector.Store(hn::MulAdd(move, m, x), row + k);
    });
    return;
  }
  float rates[2];
  if constexpr (kOptimizer == SgdOptimizer::kLibmf) {
    rates[0] = detail::sgd_libmf_rate(rate, squares / static_cast<float>(part), state);
    rates[1] = part < n ? detail::sgd_libmf_rate(rate, Sum(second) / static_cast<float>(n - part), state + 1) : 0;
  } else {
    rates[0] = rates[1] = detail::sgd_adagrad_rate(rate, squares / static_cast<float>(n), state);
  }
  const V early = hn::Set(D(), -rates[0]), late = hn::Set(D(), -rates[1]);
  ForVectors(n, [&](size_t k, auto vector) HWY_ATTR {
    const V x = vector.Load(row + k);
    const V g = hn::MulAdd(a, vector.Load(other + k), hn::Mul(b, x));
    vector.Store(hn::MulAdd(Split(k, part, early, late), g, x), row + k);
  });
}

HWY_INLINE void StepBias(const SgdProblem& p, const SgdRows& rows, int64_t row, float slope) {
  if (rows.bias == nullptr) return;
  detail::sgd_step_bias(p.params.optimizer, p.rate, slope + p.params.bias_regularization * rows.bias[row],
                        rows.bias + row, rows.bias_state + row * rows.bias_state_width);
}
HWY_INLINE float Bias(const SgdRows& rows, int64_t row) { return rows.bias != nullptr ? rows.bias[row] : 0; }

/// A block of a pointwise loss without negatives. kWidth: the number of factors where it is compiled in, else 0.
template <SgdOptimizer kOptimizer, size_t kWidth>
void PointwiseBlock(const SgdProblem& p, int64_t block, const SgdScratch& scratch, SgdTally& tally) {
  const size_t n = kWidth > 0 ? kWidth : static_cast<size_t>(p.factors);
  const auto width = static_cast<int64_t>(n);
  const SgdPlan::View& plan = p.plan;
  float* HWY_RESTRICT const x = scratch.rows;
  float* HWY_RESTRICT const before = scratch.rows + sgd_row_floats(width);
  const int64_t last = plan.run_begin[plan.block_runs[block + 1]];
  double loss = 0;
  for (int64_t run = plan.block_runs[block]; run < plan.block_runs[block + 1]; ++run) {
    const int64_t user = plan.run_user[run], begin = plan.run_begin[run], end = plan.run_begin[run + 1];
    if (run + 1 < plan.block_runs[block + 1]) PrefetchRow(p.users.factors + plan.run_user[run + 1] * width, n);
    float* const home = p.users.factors + user * width;
    float* const user_state = p.users.state + user * p.users.state_width;
    std::copy_n(home, n, x);
    for (int64_t e = begin; e < end; ++e) {
      if (e + kAhead < last) PrefetchRow(p.items.factors + plan.item[e + kAhead] * width, n);
      const int64_t item = plan.item[e];
      float* HWY_RESTRICT const q = p.items.factors + item * width;
      const float score = Dot(x, q, n) + p.params.mean + Bias(p.users, user) + Bias(p.items, item);
      const detail::SgdTerm term =
          detail::sgd_pointwise(p.params.loss, score, plan.value != nullptr ? plan.value[e] : 1.f);
      const float slope = detail::sgd_clipped(term.slope, p.params.clip);
      loss += term.loss;
      StepBias(p, p.users, user, slope);
      StepBias(p, p.items, item, slope);
      if constexpr (kOptimizer == SgdOptimizer::kSgd) {
        const V move = hn::Set(D(), -p.rate * slope);
        const V keep_x = hn::Set(D(), 1 - p.rate * p.params.user_regularization);
        const V keep_q = hn::Set(D(), 1 - p.rate * p.params.item_regularization);
        ForVectors(n, [&](size_t k, auto vector) HWY_ATTR {
          const V a = vector.Load(x + k), b = vector.Load(q + k);
          vector.Store(hn::MulAdd(move, b, hn::Mul(keep_x, a)), x + k);
          vector.Store(hn::MulAdd(move, a, hn::Mul(keep_q, b)), q + k);
        });
      } else {
        ForVectors(n, [&](size_t k, auto vector) HWY_ATTR { vector.Store(vector.Load(q + k), before + k); });
        Step<kOptimizer>(q, x, n, slope, p.params.item_regularization, p.rate,
                         p.items.state + item * p.items.state_width);
        Step<kOptimizer>(x, before, n, slope, p.params.user_regularization, p.rate, user_state);
      }
    }
    std::copy_n(x, n, home);
  }
  tally.loss += loss;
  tally.samples += last - plan.run_begin[plan.block_runs[block]];
}

/// A block of any loss.
template <SgdOptimizer kOptimizer>
void ListBlock(const SgdProblem& p, int64_t block, const SgdScratch& scratch, SgdTally& tally) {
  const SgdPlan::View& plan = p.plan;
  const auto n = static_cast<size_t>(p.factors);
  const int64_t capacity = p.list_capacity(), bands = plan.bands;
  float* const x = scratch.rows;
  float* const own = p.base != nullptr ? x + sgd_row_floats(p.factors) : x;  // without the base
  float* const step = x + 2 * sgd_row_floats(p.factors);
  float* const scores = scratch.scores;
  float* const similarities = scores + capacity;
  float* const norms = similarities + capacity;
  float* const expected = norms + capacity;
  const bool cosine = p.params.cosine, softmax = p.params.loss == SgdLoss::kSoftmax;
  const int64_t band_begin = plan.whole ? 0 : plan.band_begin[block % bands];
  const int64_t band_end = plan.whole ? plan.items : plan.band_begin[block % bands + 1];
  const int64_t block_begin = plan.run_begin[plan.block_runs[block]];
  const int64_t block_end = plan.run_begin[plan.block_runs[block + 1]];
  const auto has = [&](int32_t item) { return (scratch.has[item / 64] >> (item % 64) & 1) != 0; };

  for (int64_t run = plan.block_runs[block]; run < plan.block_runs[block + 1]; ++run) {
    const int64_t user = plan.run_user[run], begin = plan.run_begin[run], end = plan.run_begin[run + 1];
    float* const home = p.users.factors + user * p.factors;
    const float* const base = p.base != nullptr ? p.base + user * p.factors : nullptr;
    std::copy_n(home, n, own);
    for (int64_t e = plan.offsets[user]; e < plan.offsets[user + 1]; ++e)
      scratch.has[plan.indices[e] / 64] |= uint64_t{1} << plan.indices[e] % 64;
    for (int64_t e = begin; e < end; ++e) {
      if (base != nullptr)
        ForVectors(n, [&](size_t k, auto vector)
                          HWY_ATTR { vector.Store(hn::Add(vector.Load(own + k), vector.Load(base + k)), x + k); });
      const int count = sgd_list(p, block_begin, block_end, band_begin, band_end, e, has, scratch.items, tally);
      const float x_square = cosine ? Dot(x, x, n) : 1, x_norm = std::sqrt(std::max(x_square, 1e-30f));
      for (int k = 0; k < count; ++k) {
        if (k + kAhead < count) PrefetchRow(p.items.factors + scratch.items[k + kAhead] * p.factors, n);
        const int64_t item = scratch.items[k];
        const float* const q = p.items.factors + item * p.factors;
        const float dot = Dot(x, q, n);
        if (cosine) {
          norms[k] = std::sqrt(std::max(Dot(q, q, n), 1e-30f));
          scores[k] = similarities[k] = dot / (x_norm * norms[k]);
        } else {
          scores[k] = dot + p.params.mean + Bias(p.users, user) + Bias(p.items, item);
        }
        if (softmax) expected[k] = p.log_expected(scratch.items[k]);
      }
      tally.loss +=
          double{detail::sgd_list_loss(p.params, plan.value != nullptr ? plan.value[e] : 1.f, count, scores, expected)};

      // All slopes are known: the items move against the user as he was, he against the items as each was in its turn.
      ForVectors(n, [&](size_t k, auto vector) HWY_ATTR { vector.Store(hn::Zero(D()), step + k); });
      float slopes = 0, turned = 0;
      for (int k = 0; k < count; ++k) {
        const float slope = scores[k];
        if (slope == 0) continue;
        const int64_t item = scratch.items[k];
        float* const q = p.items.factors + item * p.factors;
        float alpha = slope, beta = p.params.item_regularization;
        if (cosine) {
          alpha = slope / (x_norm * norms[k]);
          beta -= slope * similarities[k] / (norms[k] * norms[k]);
          turned += slope * similarities[k];
        }
        slopes += slope;
        const V a = hn::Set(D(), alpha);
        ForVectors(n, [&](size_t l, auto vector) HWY_ATTR {
          vector.Store(hn::MulAdd(a, vector.Load(q + l), vector.Load(step + l)), step + l);
        });
        Step<kOptimizer>(q, x, n, alpha, beta, p.rate, p.items.state + item * p.items.state_width);
        StepBias(p, p.items, item, slope);
      }
      if (cosine) {
        const V back = hn::Set(D(), -turned / (x_norm * x_norm));
        ForVectors(n, [&](size_t k, auto vector) HWY_ATTR {
          vector.Store(hn::MulAdd(back, vector.Load(x + k), vector.Load(step + k)), step + k);
        });
      }
      if (p.gradient != nullptr) {
        float* const gradient = p.gradient + user * p.factors;
        ForVectors(n, [&](size_t k, auto vector) HWY_ATTR {
          vector.Store(hn::Add(vector.Load(gradient + k), vector.Load(step + k)), gradient + k);
        });
      }
      Step<kOptimizer>(own, step, n, 1, p.params.user_regularization, p.rate,
                       p.users.state + user * p.users.state_width);
      StepBias(p, p.users, user, slopes);
    }
    for (int64_t e = plan.offsets[user]; e < plan.offsets[user + 1]; ++e) scratch.has[plan.indices[e] / 64] = 0;
    std::copy_n(own, n, home);
  }
  tally.samples += block_end - block_begin;
}

template <SgdOptimizer kOptimizer>
void BlockOf(const SgdProblem& p, int64_t block, const SgdScratch& scratch, SgdTally& tally) {
  const bool alone = is_pointwise(p.params.loss) && p.list_capacity() == 1 && !p.params.cosine && p.base == nullptr;
  if (!alone) return ListBlock<kOptimizer>(p, block, scratch, tally);
  switch (p.factors) {
    case 32:
      return PointwiseBlock<kOptimizer, 32>(p, block, scratch, tally);
    case 64:
      return PointwiseBlock<kOptimizer, 64>(p, block, scratch, tally);
    case 128:
      return PointwiseBlock<kOptimizer, 128>(p, block, scratch, tally);
    default:
      return PointwiseBlock<kOptimizer, 0>(p, block, scratch, tally);
  }
}

void Block(const SgdProblem& p, int64_t block, const SgdScratch& scratch, SgdTally& tally) {
  switch (p.params.optimizer) {
    case SgdOptimizer::kSgd:
      return BlockOf<SgdOptimizer::kSgd>(p, block, scratch, tally);
    case SgdOptimizer::kAdaGrad:
      return BlockOf<SgdOptimizer::kAdaGrad>(p, block, scratch, tally);
    case SgdOptimizer::kLibmf:
      return BlockOf<SgdOptimizer::kLibmf>(p, block, scratch, tally);
    case SgdOptimizer::kAdam:
      return BlockOf<SgdOptimizer::kAdam>(p, block, scratch, tally);
  }
}

}  // namespace kindred::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kindred::cpu {

HWY_EXPORT(Block);

void sgd_block(const detail::SgdProblem& problem, int64_t block, const SgdScratch& scratch, SgdTally& tally) {
  HWY_DYNAMIC_DISPATCH(Block)(problem, block, scratch, tally);
}

}  // namespace kindred::cpu
#endif
