// SPDX-License-Identifier: Apache-2.0
// Stochastic gradient descent on a device: a warp a block of the round, lanes over factors.
//
// What limits it. A sample reads and writes two rows, 16 bytes a factor, and its steps hang on one another: load,
// product, sum over lanes, store take about a microsecond. So many warps must be under way: the plan cuts 1,024 bands
// where the shape allows, and 32 warps on each multiprocessor cover each other's waits. The user's row stays in
// registers while his run lasts; item rows of one block are few enough to stay in the L2.
//
// Who touches what. A row belongs to one warp in a round, its factor f to lane f % 32: no atomics, no order but that of
// the samples. Scalars of a row (bias, the optimizer's sums) are read by all lanes and written by lane 0, with barriers
// of the warp between. The list of a sample (items, scores, slopes) lies in shared memory; lanes draw and judge its
// items side by side, and votes keep their order.
#include <vector>

#include "kernels/cuda/device/reduce.cuh"
#include "kernels/cuda/device/search.cuh"
#include "kernels/cuda/launch.cuh"
#include "kernels/detail/sgd.hpp"

namespace kindred::cuda {
namespace {

using kindred::detail::SgdProblem, kindred::detail::SgdRows, kindred::detail::SgdTerm;
namespace common = kindred::detail;

constexpr int kListArrays = 5;  // items, scores, similarities, norms, expected

/// A row in registers: lane l holds factors l, l + 32, …
template <int kValues>
struct Row {
  float v[kValues];

  __device__ void load(const float* from, int n) {
#pragma unroll
    for (int j = 0; j < kValues; ++j) v[j] = lane_id() + kWarp * j < n ? from[lane_id() + kWarp * j] : 0.f;
  }
  __device__ void store(float* to, int n) const {
#pragma unroll
    for (int j = 0; j < kValues; ++j)
      if (lane_id() + kWarp * j < n) to[lane_id() + kWarp * j] = v[j];
  }
  __device__ void add(float scale, const Row& other) {
#pragma unroll
    for (int j = 0; j < kValues; ++j) v[j] += scale * other.v[j];
  }
};

template <int kValues>
__device__ float dot(const Row<kValues>& a, const Row<kValues>& b) {
  float sum = 0;
#pragma unroll
  for (int j = 0; j < kValues; ++j) sum += a.v[j] * b.v[j];
  return warp_sum(sum);
}

/// The step of a row whose gradient is alpha other + beta row.
template <int kValues>
__device__ void step_row(const SgdProblem& p, Row<kValues>& row, const Row<kValues>& other, float alpha, float beta,
                         float* state) {
  const int n = static_cast<int>(p.factors);
  Row<kValues> g;
  float first = 0, second = 0;
#pragma unroll
  for (int j = 0; j < kValues; ++j) {
    g.v[j] = alpha * other.v[j] + beta * row.v[j];
    (lane_id() + kWarp * j < common::kLibmfFirst ? first : second) += g.v[j] * g.v[j];
  }
  if (p.params.optimizer == SgdOptimizer::kSgd) return row.add(-p.rate, g);
  first = warp_sum(first), second = warp_sum(second);
  const int early = n < common::kLibmfFirst ? n : common::kLibmfFirst;
  const float mean = (first + second) / static_cast<float>(n);
  __syncwarp();  // the scalars of an earlier step are written
  float scalar[common::kAdamScalars] = {};
  if (p.params.optimizer == SgdOptimizer::kAdaGrad) {
    scalar[0] = state[0];
    const float rate = common::sgd_adagrad_rate(p.rate, mean, scalar);
    row.add(-rate, g);
  } else if (p.params.optimizer == SgdOptimizer::kLibmf) {
    scalar[0] = state[0], scalar[1] = state[1];
    const float rates[2] = {
        common::sgd_libmf_rate(p.rate, first / static_cast<float>(early), scalar),
        n > early ? common::sgd_libmf_rate(p.rate, second / static_cast<float>(n - early), scalar + 1) : 0.f};
#pragma unroll
    for (int j = 0; j < kValues; ++j)
      row.v[j] -= (lane_id() + kWarp * j < common::kLibmfFirst ? rates[0] : rates[1]) * g.v[j];
  } else {
    scalar[0] = state[0], scalar[1] = state[1], scalar[2] = state[2];
    const float rate = common::sgd_adam_rate(p.rate, mean, scalar);
    Row<kValues> moments;
    moments.load(state + common::kAdamScalars, n);
#pragma unroll
    for (int j = 0; j < kValues; ++j)
      moments.v[j] = common::kAdamBeta1 * moments.v[j] + (1 - common::kAdamBeta1) * g.v[j];
    moments.store(state + common::kAdamScalars, n);
    row.add(-rate, moments);
  }
  __syncwarp();  // every lane has read them
  const int scalars = p.params.optimizer == SgdOptimizer::kAdaGrad ? 1
                      : p.params.optimizer == SgdOptimizer::kLibmf ? 2
                                                                   : common::kAdamScalars;
  if (lane_id() < scalars) state[lane_id()] = lane_id() == 0 ? scalar[0] : lane_id() == 1 ? scalar[1] : scalar[2];
}

__device__ void step_bias(const SgdProblem& p, const SgdRows& rows, int64_t row, float slope) {
  if (rows.bias == nullptr || lane_id() != 0) return;
  common::sgd_step_bias(p.params.optimizer, p.rate, slope + p.params.bias_regularization * rows.bias[row],
                        rows.bias + row, rows.bias_state + row * rows.bias_state_width);
}

__device__ float bias_of(const SgdRows& rows, int64_t row) { return rows.bias != nullptr ? rows.bias[row] : 0.f; }

/// Appends the items of those lanes that have one (not below 0), in the order of lanes.
__device__ int append(int32_t item, int32_t* items, int count) {
  __syncwarp();
  const unsigned found = __ballot_sync(kAllLanes, item >= 0);
  if (item >= 0) items[count + __popc(found & lanes_below())] = item;
  return count + __popc(found);
}

/// The sample's list, as cpu::sgd_list has it.
__device__ int make_list(const SgdProblem& p, int64_t block_begin, int64_t block_end, int64_t begin, int64_t end,
                         int64_t user, int64_t sample, int32_t* items, int64_t* skipped) {
  const SgdPlan::View& plan = p.plan;
  const int64_t first = plan.offsets[user], last = plan.offsets[user + 1];
  const auto has = [&](int32_t item) {
    const int64_t place = lower_bound(plan.indices, first, last, item);
    return place < last && plan.indices[place] == item;
  };
  int count = append(lane_id() == 0 ? plan.item[sample] : -1, items, 0);
  for (int k = 0; k < p.drawn(); k += kWarp) {
    const int mine = k + lane_id();
    int32_t item = -1;
    if (mine < p.drawn()) {
      const auto words = p.draws(static_cast<uint64_t>(sample), static_cast<uint32_t>(mine / 4));
      const int which = mine % 4;  // an index that is not known at compile time would need a stack
      const uint32_t word = which == 0 ? words[0] : which == 1 ? words[1] : which == 2 ? words[2] : words[3];
      item = common::sgd_draw(p, begin, end, sample, mine, word, has);
    }
    count = append(item, items, count);
  }
  *skipped += p.drawn() + 1 - count;
  if (p.params.in_batch) {
    const int64_t start = block_begin + (sample - block_begin) / p.params.batch_size * p.params.batch_size;
    for (int k = 0; k < p.params.batch_size; k += kWarp) {
      const int64_t e = start + k + lane_id();
      const bool within = k + lane_id() < p.params.batch_size && e < block_end && !has(plan.item[e]);
      count = append(within ? plan.item[e] : -1, items, count);
    }
  }
  __syncwarp();
  return count;
}

/// sgd_list_loss by all lanes.
__device__ float list_loss(const SgdParams& params, float value, int count, float* scores, const float* expected) {
  __syncwarp();
  const int negatives = count - 1;
  const float positive = scores[0], share = negatives > 0 ? 1 / static_cast<float>(negatives) : 0.f;
  const float scale = 1 / params.temperature;
  float loss = 0, sum = 0, most = positive * scale, slope_0 = 0;
  const auto logit = [&](int k) { return scores[k] * scale - (k > 0 ? expected[k] : 0.f); };
  if (params.loss == SgdLoss::kSoftmax) {
    for (int k = lane_id(); k < count; k += kWarp) most = fmaxf(most, logit(k));
    most = warp_max(most);
    for (int k = lane_id(); k < count; k += kWarp) sum += expf(logit(k) - most);
    sum = warp_sum(sum);
  }
  __syncwarp();  // every lane has read scores[0]
  for (int k = lane_id(); k < count; k += kWarp) {
    float slope = 0;
    if (is_pointwise(params.loss)) {
      const SgdTerm term = common::sgd_pointwise(params.loss, scores[k], k == 0 ? value : 0.f);
      loss += term.loss;
      slope = term.slope;
    } else if (params.loss == SgdLoss::kBpr && k > 0) {
      loss += share * common::sgd_softplus(scores[k] - positive);
      slope = share * common::sgd_sigmoid(scores[k] - positive);
      slope_0 -= slope;
    } else if (params.loss == SgdLoss::kSoftmax) {
      slope = negatives > 0 ? expf(logit(k) - most) * scale / sum - (k == 0 ? scale : 0.f) : 0.f;
    } else if (params.loss == SgdLoss::kContrastive) {
      const float above = scores[k] - params.margin, weight = params.negative_weight * share;
      slope = k == 0 ? -1.f : above > 0 ? weight : 0.f;
      loss += k == 0 ? 1 - positive : above > 0 ? weight * above : 0.f;
    }
    scores[k] = common::sgd_clipped(slope, params.clip);
  }
  if (params.loss == SgdLoss::kBpr) {
    slope_0 = warp_sum(slope_0);
    if (lane_id() == 0) scores[0] = common::sgd_clipped(slope_0, params.clip);
  }
  loss = warp_sum(loss);
  if (params.loss == SgdLoss::kSoftmax) loss = logf(sum) + most - positive * scale;
  __syncwarp();
  return loss;
}

/// Scores of a list against x.
template <int kValues>
__device__ void score_list(const SgdProblem& p, int64_t user, const Row<kValues>& x, float x_norm, int count,
                           const int32_t* items, float* scores, float* similarities, float* norms, float* expected) {
  const int n = static_cast<int>(p.factors);
  for (int k = 0; k < count; ++k) {
    const int64_t item = items[k];
    Row<kValues> q;
    q.load(p.items.factors + item * p.factors, n);
    float score = dot(x, q);
    if (p.params.cosine) {
      const float norm = sqrtf(fmaxf(dot(q, q), 1e-30f));
      score /= x_norm * norm;
      if (lane_id() == 0) norms[k] = norm, similarities[k] = score;
    } else {
      score += p.params.mean + bias_of(p.users, user) + bias_of(p.items, item);
    }
    if (lane_id() == 0) {
      scores[k] = score;
      if (p.params.loss == SgdLoss::kSoftmax) expected[k] = p.log_expected(items[k]);
    }
  }
}

/// Moves the items of a list and the user's row.
template <int kValues>
__device__ void move_rows(const SgdProblem& p, int64_t user, const Row<kValues>& x, float x_norm, int count,
                          const int32_t* items, const float* slopes, const float* similarities, const float* norms,
                          Row<kValues>& own) {
  const int n = static_cast<int>(p.factors);
  Row<kValues> step{};
  float sum = 0, turned = 0;
  for (int k = 0; k < count; ++k) {
    const float slope = slopes[k];
    if (slope == 0) continue;
    const int64_t item = items[k];
    float alpha = slope, beta = p.params.item_regularization;
    if (p.params.cosine) {
      alpha = slope / (x_norm * norms[k]);
      beta -= slope * similarities[k] / (norms[k] * norms[k]);
      turned += slope * similarities[k];
    }
    sum += slope;
    Row<kValues> q;
    q.load(p.items.factors + item * p.factors, n);
    step.add(alpha, q);
    step_row(p, q, x, alpha, beta, p.items.state + item * p.items.state_width);
    q.store(p.items.factors + item * p.factors, n);
    step_bias(p, p.items, item, slope);
  }
  if (p.params.cosine) step.add(-turned / (x_norm * x_norm), x);
  if (p.gradient != nullptr) {
    Row<kValues> gradient;
    gradient.load(p.gradient + user * p.factors, n);
    gradient.add(1, step);
    gradient.store(p.gradient + user * p.factors, n);
  }
  step_row(p, own, step, 1.f, p.params.user_regularization, p.users.state + user * p.users.state_width);
  step_bias(p, p.users, user, sum);
}

/// A warp takes block (a, (a + shift) mod bands), a being its place in the grid.
template <int kValues>
__global__ void __launch_bounds__(kWarp, 1) take_blocks(SgdProblem p, int64_t shift, SgdTally* tallies) {
  const SgdPlan::View& plan = p.plan;
  const int n = static_cast<int>(p.factors), capacity = p.list_capacity();
  float* const arrays = dynamic_shared<float>();
  int32_t* const items = reinterpret_cast<int32_t*>(arrays);
  float* const scores = arrays + capacity;
  float* const similarities = scores + capacity;
  float* const norms = similarities + capacity;
  float* const expected = norms + capacity;

  const int64_t a = blockIdx.x, b = (a + shift) % plan.bands, block = a * plan.bands + b;
  const int64_t first_run = plan.block_runs[block], last_run = plan.block_runs[block + 1];
  const int64_t block_begin = plan.run_begin[first_run], block_end = plan.run_begin[last_run];
  double loss = 0;
  int64_t skipped = 0;
  for (int64_t run = first_run; run < last_run; ++run) {
    const int64_t user = plan.run_user[run];
    Row<kValues> own, base{};
    own.load(p.users.factors + user * p.factors, n);
    if (p.base != nullptr) base.load(p.base + user * p.factors, n);
    for (int64_t e = plan.run_begin[run]; e < plan.run_begin[run + 1]; ++e) {
      Row<kValues> x = own;
      x.add(1, base);
      const int count =
          make_list(p, block_begin, block_end, plan.band_begin[b], plan.band_begin[b + 1], user, e, items, &skipped);
      const float x_norm = p.params.cosine ? sqrtf(fmaxf(dot(x, x), 1e-30f)) : 1.f;
      score_list(p, user, x, x_norm, count, items, scores, similarities, norms, expected);
      loss += list_loss(p.params, plan.value != nullptr ? plan.value[e] : 1.f, count, scores, expected);
      move_rows(p, user, x, x_norm, count, items, scores, similarities, norms, own);
      __syncwarp();  // biases and lists: written, and read, before the next sample
    }
    own.store(p.users.factors + user * p.factors, n);
  }
  if (lane_id() != 0) return;
  SgdTally& tally = tallies[a];
  tally.loss += loss;
  tally.samples += block_end - block_begin;
  tally.draws += (block_end - block_begin) * p.drawn();
  tally.skipped += skipped;
}

template <int kValues>
void launch_rounds(Context& ctx, const SgdProblem& problem, std::span<const int64_t> shifts, SgdTally* tallies) {
  LaunchConfig config{static_cast<unsigned>(problem.plan.bands), kWarp};
  config.shared_bytes = static_cast<size_t>(problem.list_capacity()) * kListArrays * sizeof(float);
  for (const int64_t shift : shifts) launch(ctx, take_blocks<kValues>, config, problem, shift, tallies);
}

}  // namespace

void sgd_rounds(Context& ctx, const SgdProblem& problem, std::span<const int64_t> shifts, std::span<SgdTally> tallies) {
  Array<SgdTally> sums(ctx, static_cast<int64_t>(tallies.size()), "sgd tallies");
  fill_zero(ctx, sums.view());
  const int64_t values = (problem.factors + kWarp - 1) / kWarp;
  if (values <= 1)
    launch_rounds<1>(ctx, problem, shifts, sums.data());
  else if (values <= 2)
    launch_rounds<2>(ctx, problem, shifts, sums.data());
  else if (values <= 4)
    launch_rounds<4>(ctx, problem, shifts, sums.data());
  else if (values <= 8)
    launch_rounds<8>(ctx, problem, shifts, sums.data());
  else if (values <= 16)
    launch_rounds<16>(ctx, problem, shifts, sums.data());
  else
    launch_rounds<32>(ctx, problem, shifts, sums.data());
  download<SgdTally>(ctx, sums.view(), tallies);
  ctx.wait();
}

}  // namespace kindred::cuda
