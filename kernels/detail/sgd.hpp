// SPDX-License-Identifier: Apache-2.0
// What the backends of kernels/sgd.hpp share: the plan as plain pointers, draws of negatives, losses, steps of scalars.
#pragma once
#include <math.h>

#include "kernels/host_device.hpp"
#include "kernels/philox.hpp"
#include "kernels/sgd.hpp"

namespace kindred {

/// Block (a, b) has runs [block_runs[a bands + b], block_runs[a bands + b + 1]); run r is user run_user[r] with samples
/// [run_begin[r], run_begin[r + 1]): all that the user has of item band b.
struct SgdPlan::View {
  int64_t bands = 0;
  const int64_t* block_runs = nullptr;
  const int64_t* run_begin = nullptr;
  const int32_t* run_user = nullptr;
  const int32_t* item = nullptr;
  const float* value = nullptr;  // null: 1
  // Items by band. Popularity by Walker's alias method: place k of a band stays itself with alias_share[k] / 2^32.
  const int64_t* band_begin = nullptr;
  const int32_t* band_items = nullptr;
  const uint32_t* alias_share = nullptr;
  const int32_t* alias = nullptr;
  const float* share = nullptr;  // of each item, of all interactions
  bool whole = false;            // negatives come from all items, whatever the block (hogwild)
  const int64_t* offsets = nullptr;
  const int32_t* indices = nullptr;
  int64_t items = 0;
};

namespace detail {

constexpr int kSgdTries = 8;
constexpr float kAdaGradFloor = 1e-8f;
constexpr int kLibmfFirst = 8;  // factors with the first of libmf's two rates
constexpr float kAdamBeta1 = 0.9f, kAdamBeta2 = 0.999f, kAdamFloor = 1e-8f;
constexpr int kAdamScalars = 3;  // running means of 1 (the two corrections) and of g^2, before the first moments

struct SgdRows {
  float* factors = nullptr;
  float* state = nullptr;
  float* bias = nullptr;  // null: none
  float* bias_state = nullptr;
  int64_t state_width = 0, bias_state_width = 0;
};

struct SgdProblem {
  SgdPlan::View plan;
  SgdRows users, items;
  SgdParams params;
  const float* base = nullptr;  // null: none
  float* gradient = nullptr;
  int64_t factors = 0;
  float rate = 0;
  Philox draws;

  KINDRED_HOST_DEVICE int drawn() const { return params.uniform + params.popularity; }
  /// Items of a sample's list at most: the positive, the drawn, those of its batch.
  KINDRED_HOST_DEVICE int list_capacity() const { return 1 + drawn() + (params.in_batch ? params.batch_size - 1 : 0); }
  /// log(N Q_j), which the softmax takes off.
  KINDRED_HOST_DEVICE float log_expected(int32_t item) const {
    const float by_popularity = static_cast<float>(list_capacity() - 1 - params.uniform);
    return logf(static_cast<float>(params.uniform) / static_cast<float>(plan.items) + by_popularity * plan.share[item]);
  }
};

/// The item that `word` draws from places [begin, end): the high half of the product picks, the low half decides.
KINDRED_HOST_DEVICE inline int32_t sgd_pick(const SgdPlan::View& plan, int64_t begin, int64_t end, bool popular,
                                            uint32_t word) {
  const uint64_t product = uint64_t{word} * static_cast<uint64_t>(end - begin);
  int64_t place = begin + static_cast<int64_t>(product >> 32);
  if (popular && static_cast<uint32_t>(product) >= plan.alias_share[place]) place = plan.alias[place];
  return plan.band_items[place];
}

/// Negative `k` of a sample that stands at place `sample` of the plan; -1 where `kSgdTries` draws were all items that
/// has(item). Four first draws share a block of random numbers.
template <class Has>
KINDRED_HOST_DEVICE int32_t sgd_draw(const SgdProblem& p, int64_t begin, int64_t end, int64_t sample, int k,
                                     uint32_t first_word, const Has& has) {
  const bool popular = k >= p.params.uniform;
  int32_t item = sgd_pick(p.plan, begin, end, popular, first_word);
  constexpr uint32_t kAgain = 1u << 31;
  for (uint32_t attempt = 1; has(item); ++attempt) {
    if (attempt == kSgdTries) return -1;
    item = sgd_pick(p.plan, begin, end, popular,
                    p.draws(static_cast<uint64_t>(sample), kAgain + static_cast<uint32_t>(k) * kSgdTries + attempt)[0]);
  }
  return item;
}

KINDRED_HOST_DEVICE inline float sgd_sigmoid(float z) { return 1 / (1 + expf(-z)); }
/// log(1 + exp z)
KINDRED_HOST_DEVICE inline float sgd_softplus(float z) { return z > 0 ? z + log1pf(expf(-z)) : log1pf(expf(z)); }

KINDRED_HOST_DEVICE inline float sgd_clipped(float c, float clip) {
  return clip > 0 ? fminf(fmaxf(c, -clip), clip) : c;
}

struct SgdTerm {
  float loss, slope;  // slope: c = dL/ds
};

KINDRED_HOST_DEVICE inline SgdTerm sgd_pointwise(SgdLoss loss, float score, float value) {
  if (loss == SgdLoss::kSquared) return {0.5f * (score - value) * (score - value), score - value};
  const float y = value > 0 ? 1.f : 0.f;
  return {sgd_softplus(score) - y * score, sgd_sigmoid(score) - y};
}

/// The loss of a list whose first item is the positive; scores become slopes. expected[k]: log(N Q) of item k.
KINDRED_HOST_DEVICE inline float sgd_list_loss(const SgdParams& params, float value, int count, float* scores,
                                               const float* expected) {
  const int negatives = count - 1;
  float loss = 0;
  switch (params.loss) {
    case SgdLoss::kSquared:
    case SgdLoss::kLogistic:
      for (int k = 0; k < count; ++k) {
        const SgdTerm term = sgd_pointwise(params.loss, scores[k], k == 0 ? value : 0);
        loss += term.loss;
        scores[k] = term.slope;
      }
      break;
    case SgdLoss::kBpr: {
      const float positive = scores[0], share = negatives > 0 ? 1 / static_cast<float>(negatives) : 0.f;
      float sum = 0;
      for (int k = 1; k < count; ++k) {
        const float gap = scores[k] - positive;
        loss += share * sgd_softplus(gap);
        scores[k] = share * sgd_sigmoid(gap);
        sum += scores[k];
      }
      scores[0] = -sum;
      break;
    }
    case SgdLoss::kSoftmax: {
      const float scale = 1 / params.temperature, positive = scores[0] * scale;
      float most = positive;
      for (int k = 1; k < count; ++k) {
        scores[k] = scores[k] * scale - expected[k];
        most = fmaxf(most, scores[k]);
      }
      float sum = scores[0] = expf(positive - most);
      for (int k = 1; k < count; ++k) sum += scores[k] = expf(scores[k] - most);
      const float part = scale / sum;
      for (int k = 0; k < count; ++k) scores[k] *= part;
      scores[0] -= scale;
      if (negatives == 0) scores[0] = 0;
      loss = logf(sum) + most - positive;
      break;
    }
    case SgdLoss::kContrastive: {
      const float weight = negatives > 0 ? params.negative_weight / static_cast<float>(negatives) : 0.f;
      loss = 1 - scores[0];
      scores[0] = -1;
      for (int k = 1; k < count; ++k) {
        const float above = scores[k] - params.margin;
        loss += above > 0 ? weight * above : 0.f;
        scores[k] = above > 0 ? weight : 0.f;
      }
      break;
    }
  }
  for (int k = 0; k < count; ++k) scores[k] = sgd_clipped(scores[k], params.clip);
  return loss;
}

/// The factor of a row's gradient, from the sum of its squares and the row's G; updates G.
KINDRED_HOST_DEVICE inline float sgd_adagrad_rate(float rate, float mean_square, float* g) {
  *g += mean_square;
  return rate / sqrtf(*g + kAdaGradFloor);
}
KINDRED_HOST_DEVICE inline float sgd_libmf_rate(float rate, float mean_square, float* g) {
  const float before = rate / sqrtf(1 + *g);
  *g += mean_square;
  return before;
}
/// Updates the three scalars of a row's Adam state; x -= result * m for its first moments m.
KINDRED_HOST_DEVICE inline float sgd_adam_rate(float rate, float mean_square, float* state) {
  state[0] = kAdamBeta1 * state[0] + (1 - kAdamBeta1);
  state[1] = kAdamBeta2 * state[1] + (1 - kAdamBeta2);
  state[2] = kAdamBeta2 * state[2] + (1 - kAdamBeta2) * mean_square;
  return rate / (state[0] * (sqrtf(state[2] / state[1]) + kAdamFloor));
}

/// One step of a bias.
KINDRED_HOST_DEVICE inline void sgd_step_bias(SgdOptimizer optimizer, float rate, float gradient, float* x,
                                              float* state) {
  const float square = gradient * gradient;
  switch (optimizer) {
    case SgdOptimizer::kSgd:
      *x -= rate * gradient;
      break;
    case SgdOptimizer::kAdaGrad:
      *x -= sgd_adagrad_rate(rate, square, state) * gradient;
      break;
    case SgdOptimizer::kLibmf:
      *x -= sgd_libmf_rate(rate, square, state) * gradient;
      break;
    case SgdOptimizer::kAdam: {
      const float scale = sgd_adam_rate(rate, square, state);
      state[kAdamScalars] = kAdamBeta1 * state[kAdamScalars] + (1 - kAdamBeta1) * gradient;
      *x -= scale * state[kAdamScalars];
      break;
    }
  }
}

/// The shifts of an epoch's rounds: 0 to bands - 1, shuffled.
std::vector<int64_t> sgd_shifts(int64_t bands, const SgdStep& step);
/// The draws of an epoch's negatives. A key of its own: the counter's 64 + 32 bits are the sample and the draw.
Philox sgd_draws(const SgdStep& step);

}  // namespace detail

namespace cpu {
/// Blocks (a, (a + shift) mod bands) for all a, or, where shift < 0, all blocks as they come. tallies: one a block.
void sgd_round(Context& ctx, const detail::SgdProblem& problem, int64_t shift, std::span<SgdTally> tallies);
}  // namespace cpu
namespace cuda {
/// Rounds with these shifts, one after the other. tallies: one a band.
void sgd_rounds(Context& ctx, const kindred::detail::SgdProblem& problem, std::span<const int64_t> shifts,
                std::span<SgdTally> tallies);
}  // namespace cuda
}  // namespace kindred
