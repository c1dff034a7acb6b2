// SPDX-License-Identifier: Apache-2.0
// Front door of stochastic gradient descent: checks arguments, orders the rounds of an epoch.
#include "kernels/sgd.hpp"

#include <cmath>
#include <numeric>

#include "kernels/detail/check.hpp"
#include "kernels/detail/context.hpp"
#include "kernels/detail/sgd.hpp"

namespace kindred {
namespace {

constexpr uint32_t kRoundStage = 0x53474401, kDrawStage = 0x53474402;

void require(bool holds, const std::string& message) {
  if (!holds) detail::bad_argument("sgd_rounds", message);
}

void check_number(const char* name, float value, float low) {
  require(std::isfinite(value) && value >= low, std::string(name) + " is " + std::to_string(value) +
                                                    "; it must be finite and at least " + std::to_string(low));
}

void check_params(const SgdParams& p, const SgdStep& step) {
  check_number("rate", step.rate, 0);
  check_number("user_regularization", p.user_regularization, 0);
  check_number("item_regularization", p.item_regularization, 0);
  check_number("bias_regularization", p.bias_regularization, 0);
  check_number("mean", p.mean, -INFINITY);
  check_number("margin", p.margin, -INFINITY);
  check_number("negative_weight", p.negative_weight, 0);
  check_number("clip", p.clip, 0);
  require(std::isfinite(p.temperature) && p.temperature > 0,
          "temperature is " + std::to_string(p.temperature) + "; it must be finite and above 0");
  require(p.batch_size >= 1, "batch_size is " + std::to_string(p.batch_size) + "; it must be at least 1");
  const int64_t negatives = int64_t{p.uniform} + p.popularity + (p.in_batch ? p.batch_size - 1 : 0);
  require(p.uniform >= 0 && p.popularity >= 0 && negatives <= kMaxNegatives,
          std::to_string(p.uniform) + " uniform and " + std::to_string(p.popularity) + " popular negatives" +
              (p.in_batch ? " beside a batch of " + std::to_string(p.batch_size) : "") + "; there are 0 to " +
              std::to_string(kMaxNegatives) + " in all");
  require(negatives > 0 || (p.loss != SgdLoss::kBpr && p.loss != SgdLoss::kSoftmax),
          "this loss compares with negatives; ask for at least one");
}

void check_table(Context& ctx, const char* side, const SgdTable& table, int64_t rows, int64_t factors,
                 const SgdParams& params) {
  const std::string name = side;
  const auto check_state = [&](const MatrixView<float>& state, int64_t width, const std::string& what) {
    require(width == 0 || (state.rows == rows && state.cols == width),
            what + " is " + detail::shape(state) + "; this optimizer needs " + std::to_string(rows) + " x " +
                std::to_string(width));
    detail::check_device(ctx, "sgd_rounds", what.c_str(), state);
  };
  require(table.factors.rows == rows && table.factors.cols == factors,
          name + " factors are " + detail::shape(table.factors) + "; the plan and the other side need " +
              std::to_string(rows) + " x " + std::to_string(factors));
  detail::check_device(ctx, "sgd_rounds", side, table.factors);
  check_state(table.state, sgd_state_width(params.optimizer, factors), name + " state");
  if (table.bias.empty()) return;
  require(!params.cosine, "cosine scores have no biases; " + name + " biases must be empty");
  detail::check_size("sgd_rounds", (name + " bias").c_str(), table.bias.size, "a row each", rows);
  detail::check_device(ctx, "sgd_rounds", side, table.bias);
  check_state(table.bias_state, sgd_state_width(params.optimizer, 1), name + " bias state");
}

detail::SgdRows rows_of(const SgdTable& table) {
  return {table.factors.data,    table.state.data, table.bias.empty() ? nullptr : table.bias.data,
          table.bias_state.data, table.state.cols, table.bias_state.cols};
}

detail::SgdProblem problem_of(const SgdPlan& plan, const SgdTable& users, const SgdTable& items,
                              const SgdParams& params, const SgdStep& step, const SgdHistory& history) {
  return {.plan = plan.view(),
          .users = rows_of(users),
          .items = rows_of(items),
          .params = params,
          .base = history.base.data,
          .gradient = history.gradient.data,
          .factors = items.factors.cols,
          .rate = step.rate,
          .draws = detail::sgd_draws(step)};
}

}  // namespace

std::vector<int64_t> detail::sgd_shifts(int64_t bands, const SgdStep& step) {
  std::vector<int64_t> shifts(static_cast<size_t>(bands));
  std::iota(shifts.begin(), shifts.end(), int64_t{0});
  const Philox philox{step.seed, kRoundStage};
  for (size_t k = shifts.size(); k > 1; --k) {
    const uint32_t word = philox(k, static_cast<uint32_t>(step.epoch))[0];
    std::swap(shifts[k - 1], shifts[static_cast<size_t>(uint64_t{word} * k >> 32)]);
  }
  return shifts;
}

Philox detail::sgd_draws(const SgdStep& step) {
  return {step.seed + static_cast<uint64_t>(step.epoch) * 0x9e3779b97f4a7c15, kDrawStage};
}

int64_t sgd_state_width(SgdOptimizer optimizer, int64_t factors) {
  switch (optimizer) {
    case SgdOptimizer::kSgd:
      return 0;
    case SgdOptimizer::kAdaGrad:
      return 1;
    case SgdOptimizer::kLibmf:
      return 2;
    case SgdOptimizer::kAdam:
      return detail::kAdamScalars + factors;
  }
  return 0;
}

SgdTally sgd_rounds(Context& ctx, const SgdPlan& plan, const SgdTable& users, const SgdTable& items,
                    const SgdParams& params, const SgdStep& step, const SgdHistory& history) {
  check_params(params, step);
  const int64_t factors = items.factors.cols;
  require(factors >= 1 && factors <= 1024, std::to_string(factors) + " factors; there are 1 to 1024");
  check_table(ctx, "user", users, plan.users(), factors, params);
  check_table(ctx, "item", items, plan.items(), factors, params);
  require(users.bias.empty() || is_pointwise(params.loss),
          "user biases have no gradient under a loss that compares items; leave them empty");
  require(history.base.data == nullptr ? history.gradient.data == nullptr
                                       : history.base.rows == plan.users() && history.base.cols == factors &&
                                             history.gradient.rows == plan.users() && history.gradient.cols == factors,
          "history base is " + detail::shape(history.base) + " and its gradient " + detail::shape(history.gradient) +
              "; both or none are " + std::to_string(plan.users()) + " x " + std::to_string(factors));
  detail::check_device(ctx, "sgd_rounds", "history base", history.base);
  detail::check_device(ctx, "sgd_rounds", "history gradient", history.gradient);
  const int64_t last = step.rounds < 0 ? plan.bands() : step.round + step.rounds;
  require(step.round >= 0 && step.round <= last && last <= plan.bands(),
          "rounds " + std::to_string(step.round) + " to " + std::to_string(last) + "; an epoch has " +
              std::to_string(plan.bands()));

  SgdTally sum;
  if (plan.samples() == 0) return sum;
  const detail::SgdProblem problem = problem_of(plan, users, items, params, step, history);
  const bool hogwild = plan.schedule() == SgdSchedule::kHogwild;
  const std::vector<int64_t> shifts = detail::sgd_shifts(plan.bands(), step);
  const auto rounds =
      std::span(shifts).subspan(static_cast<size_t>(step.round), static_cast<size_t>(last - step.round));
  const auto bands = static_cast<size_t>(plan.bands());
  std::vector<SgdTally> tallies(hogwild ? bands * bands : bands);
  if (ctx.on_cuda()) {
    require(!hogwild, "the hogwild schedule is for the CPU; use blocked");
    cuda::sgd_rounds(ctx, problem, rounds, tallies);
  } else if (hogwild) {
    require(rounds.size() == shifts.size(), "a hogwild epoch has no rounds; take it whole");
    cpu::sgd_round(ctx, problem, -1, tallies);
  } else {
    for (const int64_t shift : rounds) cpu::sgd_round(ctx, problem, shift, tallies);
  }
  for (const SgdTally& tally : tallies) {
    sum.loss += tally.loss;
    sum.samples += tally.samples;
    sum.draws += tally.draws;
    sum.skipped += tally.skipped;
  }
  return sum;
}

}  // namespace kindred
