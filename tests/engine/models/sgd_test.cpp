// SPDX-License-Identifier: Apache-2.0
// Fits by stochastic gradient descent on planted data: what they find, resuming, guards, SVD++ against a float64 loop.
#include "engine/models/sgd.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <memory>
#include <random>

#include "engine/core/error.hpp"
#include "kernels/detail/sgd.hpp"
#include "tests/engine/models/three_users.hpp"

namespace kindred {
namespace {

using testing::HasSubstr;

/// Ratings of a planted model with biases, and two tastes.
Interactions planted(int users, int items, double density, uint32_t seed = 3) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> uniform;
  Interactions out;
  out.users = test::numbered(users);
  out.items = test::numbered(items);
  out.matrix.cols = items;
  for (int u = 0; u < users; ++u) {
    for (int i = 0; i < items; ++i) {
      const bool same = u % 2 == i % 2;
      if (uniform(random) > density * (same ? 1.8 : 0.2)) continue;
      out.matrix.indices.push_back(i);
      out.matrix.values.push_back(static_cast<float>(3 + 0.3 * (u % 5 - 2) + 0.2 * (i % 7 - 3) + (same ? 0.8 : -0.8)));
    }
    out.matrix.offsets.push_back(out.matrix.nnz());
  }
  return out;
}

SgdOptions ratings() {
  SgdOptions o;
  o.factors = 8, o.epochs = 60, o.learning_rate = 0.05f;
  o.params.user_regularization = o.params.item_regularization = 0.002f;
  return o;
}

double rmse(const FittedModel& model, const Interactions& data) {
  const auto& f = std::get<Factors>(model.scorer);
  double sum = 0;
  for (int64_t u = 0; u < data.num_users(); ++u)
    for (size_t e = 0; e < data.matrix.row(u).size(); ++e) {
      const int32_t item = data.matrix.row(u)[e];
      double score = double{model.global_mean};
      if (!f.user_bias.empty()) score += f.user_bias[static_cast<size_t>(u)];
      if (!f.item_bias.empty()) score += f.item_bias[static_cast<size_t>(item)];
      for (size_t k = 0; k < f.users.row(u).size(); ++k) score += double{f.users.row(u)[k]} * f.items.row(item)[k];
      sum += std::pow(score - double{data.matrix.row_values(u)[e]}, 2);
    }
  return std::sqrt(sum / static_cast<double>(data.size()));
}

/// Share of pairs (an item of the user's taste that he does not have, one of the other) in the right order.
double ordered(const FittedModel& model) {
  const auto& f = std::get<Factors>(model.scorer);
  double right = 0, all = 0;
  for (int64_t u = 0; u < f.users.rows; ++u)
    for (int64_t i = u % 2; i < f.items.rows; i += 2)
      for (int64_t j = 1 - u % 2; j < f.items.rows; j += 2) {
        double gap = 0;
        for (size_t k = 0; k < f.users.row(u).size(); ++k)
          gap += double{f.users.row(u)[k]} * (f.items.row(i)[k] - f.items.row(j)[k]);
        if (!f.item_bias.empty()) gap += f.item_bias[static_cast<size_t>(i)] - f.item_bias[static_cast<size_t>(j)];
        right += gap > 0, ++all;
      }
  return right / all;
}

TEST(SgdModel, FindsPlantedRatings) {
  Context ctx{{.device = "cpu", .threads = 2}};
  const Interactions train = planted(80, 60, 0.4);
  for (const SgdOptimizer optimizer :
       {SgdOptimizer::kSgd, SgdOptimizer::kAdaGrad, SgdOptimizer::kLibmf, SgdOptimizer::kAdam}) {
    SgdOptions o = ratings();
    o.params.optimizer = optimizer;
    if (optimizer == SgdOptimizer::kAdam) o.learning_rate = 0.01f;
    const FittedModel model = fit_sgd(ctx, train, o);
    EXPECT_LT(rmse(model, train), 0.1) << static_cast<int>(optimizer);
    EXPECT_TRUE(model.predicts_values);
    EXPECT_EQ(std::get<AlsFoldIn>(model.fold_in).params.objective, AlsObjective::kExplicit);
  }
}

TEST(SgdModel, EveryRankingLossLearnsTheTastes) {
  Context ctx{{.device = "cpu", .threads = 2}};
  const Interactions train = planted(80, 60, 0.3);
  for (const SgdLoss loss : {SgdLoss::kLogistic, SgdLoss::kBpr, SgdLoss::kSoftmax, SgdLoss::kContrastive})
    for (const bool in_batch : {false, true}) {
      SgdOptions o;
      o.factors = 8, o.epochs = 40, o.learning_rate = 0.05f;
      o.params.loss = loss;
      o.params.uniform = in_batch ? 0 : 8;
      o.params.in_batch = in_batch, o.params.batch_size = 16;
      o.params.cosine = loss == SgdLoss::kContrastive;
      o.params.margin = 0.2f, o.params.negative_weight = 2;
      const FittedModel model = fit_sgd(ctx, train, o);
      EXPECT_GT(ordered(model), 0.75) << static_cast<int>(loss) << in_batch;
      EXPECT_FALSE(model.predicts_values);
      EXPECT_EQ(model.metric, o.params.cosine ? Metric::kCosine : Metric::kInnerProduct);
      EXPECT_EQ(model.link, loss == SgdLoss::kLogistic ? Link::kSigmoid : Link::kIdentity);
    }
}

TEST(SgdModel, AResumedFitEndsWithTheSameBits) {
  const Interactions train = planted(50, 40, 0.4);
  for (const bool history : {false, true})
    for (const SgdOptimizer optimizer : {SgdOptimizer::kSgd, SgdOptimizer::kAdam}) {
      Context ctx{{.device = "cpu", .threads = 2}};
      SgdOptions o = ratings();
      o.epochs = 7, o.decay = 0.9f, o.implicit_history = history;
      o.params.optimizer = optimizer;
      const FittedModel whole = fit_sgd(ctx, train, o);
      FitState stopped;
      FitHooks hooks;
      hooks.after_epoch = [&](const EpochReport& report, const auto&, const auto& state) {
        if (report.epoch == 3) stopped = state();
        return report.epoch < 3;
      };
      fit_sgd(ctx, train, o, hooks);
      Context other{{.device = "cpu", .threads = 7}};
      const FittedModel resumed = fit_sgd(other, train, o, {.after_epoch = {}, .resume = &stopped});
      EXPECT_EQ(std::get<Factors>(resumed.scorer).users.data, std::get<Factors>(whole.scorer).users.data);
      EXPECT_EQ(std::get<Factors>(resumed.scorer).items.data, std::get<Factors>(whole.scorer).items.data);
      EXPECT_EQ(std::get<Factors>(resumed.scorer).item_bias, std::get<Factors>(whole.scorer).item_bias);
    }
}

// The whole of SVD++ in float64: rounds, the sums of what users have, their gradients.
TEST(SgdModel, ImplicitHistoryIsAFloat64Loop) {
  Context ctx{{.device = "cpu", .threads = 2}};
  const Interactions train = planted(40, 32, 0.4);
  SgdOptions o = ratings();
  o.factors = 6, o.epochs = 2, o.implicit_history = true;
  const FittedModel model = fit_sgd(ctx, train, o);
  const auto& found = std::get<Factors>(model.scorer);

  // The same start, from a fit of no epochs.
  SgdOptions none = o;
  none.epochs = 0;
  const auto start = std::get<Factors>(fit_sgd(ctx, train, none).scorer);
  const size_t d = 6;
  const auto doubles = [](const HostMatrix& m) { return std::vector<double>(m.data.begin(), m.data.end()); };
  std::vector<double> p = doubles(start.users), q = doubles(start.items), y(q.size()), base(p.size());
  std::vector<double> user_bias(40), item_bias(32);
  const HostCsr& r = train.matrix;
  std::vector<double> count(32);
  for (const int32_t item : r.indices) ++count[static_cast<size_t>(item)];
  const SgdPlan plan(ctx, r.offsets, r.indices, r.values, r.cols, SgdSchedule::kBlocked, ctx.seed());
  const SgdPlan::View view = plan.view();
  const double rate = double{o.learning_rate}, lambda = double{o.params.user_regularization};
  const double mean = double{model.global_mean};
  for (int64_t epoch = 1; epoch <= 2; ++epoch)
    for (const int64_t shift : detail::sgd_shifts(view.bands, {.seed = ctx.seed(), .epoch = epoch})) {
      std::vector<double> gradient(p.size());
      for (int64_t a = 0; a < view.bands; ++a) {
        const int64_t block = a * view.bands + (a + shift) % view.bands;
        for (int64_t run = view.block_runs[block]; run < view.block_runs[block + 1]; ++run)
          for (int64_t e = view.run_begin[run]; e < view.run_begin[run + 1]; ++e) {
            const auto u = static_cast<size_t>(view.run_user[run]), i = static_cast<size_t>(view.item[e]);
            double slope = mean + user_bias[u] + item_bias[i] - double{view.value[e]};
            for (size_t k = 0; k < d; ++k) slope += (p[u * d + k] + base[u * d + k]) * q[i * d + k];
            for (size_t k = 0; k < d; ++k) {
              const double x = p[u * d + k] + base[u * d + k], item = q[i * d + k];
              gradient[u * d + k] += slope * item;
              p[u * d + k] -= rate * (slope * item + lambda * p[u * d + k]);
              q[i * d + k] -= rate * (slope * x + lambda * item);
            }
            user_bias[u] -= rate * slope, item_bias[i] -= rate * slope;
          }
      }
      std::vector<double> step(y.size());
      for (size_t u = 0; u < 40; ++u)
        for (const int32_t item : r.row(static_cast<int64_t>(u)))
          for (size_t k = 0; k < d; ++k)
            step[static_cast<size_t>(item) * d + k] +=
                gradient[u * d + k] / std::sqrt(static_cast<double>(r.row(static_cast<int64_t>(u)).size()));
      for (size_t i = 0; i < 32; ++i)
        for (size_t k = 0; k < d; ++k)
          y[i * d + k] -= rate * (step[i * d + k] + lambda * count[i] / static_cast<double>(view.bands) * y[i * d + k]);
      for (size_t u = 0; u < 40; ++u)
        for (size_t k = 0; k < d; ++k) {
          base[u * d + k] = 0;
          for (const int32_t item : r.row(static_cast<int64_t>(u)))
            base[u * d + k] += y[static_cast<size_t>(item) * d + k] /
                               std::sqrt(static_cast<double>(r.row(static_cast<int64_t>(u)).size()));
        }
    }
  for (size_t e = 0; e < p.size(); ++e) EXPECT_NEAR(found.users.data[e], p[e] + base[e], 1e-5);
  for (size_t e = 0; e < q.size(); ++e) EXPECT_NEAR(found.items.data[e], q[e], 1e-5);
}

TEST(SgdModel, ARateThatBlowsUpIsToldWithAdvice) {
  Context ctx{{.device = "cpu", .threads = 2}};
  SgdOptions o = ratings();
  o.learning_rate = 50;
  EXPECT_THAT([&] { fit_sgd(ctx, planted(40, 30, 0.5), o); },
              testing::ThrowsMessage<NumericError>(testing::AllOf(
                  HasSubstr("the loss is not finite; try a model.learning_rate below 50"), HasSubstr("model.clip"))));
}

TEST(SgdModel, ALossThatRisesHalvesTheRate) {
  Context ctx{{.device = "cpu", .threads = 2}};
  SgdOptions o = ratings();
  o.epochs = 40, o.decay = 1;
  o.learning_rate = 0.9f;  // too large, but clipped slopes keep it finite
  o.params.clip = 0.5f;
  float halvings = 0;
  FitHooks hooks;
  hooks.after_epoch = [&](const EpochReport&, const auto&, const auto& state) {
    const FitState now = state();
    EXPECT_EQ(now.tables.back().first, "guard");
    halvings = now.tables.back().second.data[0];
    return true;
  };
  fit_sgd(ctx, planted(40, 30, 0.5), o, hooks);
  EXPECT_GE(halvings, 1);
}

TEST(SgdModel, SmallAndEqualData) {
  Context ctx{{.device = "cpu", .threads = 2}};
  Interactions one = planted(1, 1, 1);
  one.matrix.offsets = {0, 1}, one.matrix.indices = {0}, one.matrix.values = {4};
  const FittedModel model = fit_sgd(ctx, one, ratings());
  EXPECT_NEAR(rmse(model, one), 0, 1e-2);
  Interactions equal = planted(20, 20, 0.5);
  for (float& v : equal.matrix.values) v = 3;
  EXPECT_NEAR(rmse(fit_sgd(ctx, equal, ratings()), equal), 0, 1e-2);
  // One who has everything: nothing to draw for her, the others go on.
  Interactions all = planted(20, 20, 0.4);
  all.matrix.indices.resize(static_cast<size_t>(all.matrix.offsets[19]));
  for (int32_t i = 0; i < 20; ++i) all.matrix.indices.push_back(i);
  all.matrix.offsets[20] = all.matrix.nnz();
  all.matrix.values.assign(all.matrix.indices.size(), 1);
  SgdOptions bpr = ratings();
  bpr.params.loss = SgdLoss::kBpr, bpr.params.uniform = 2;
  const FittedModel others = fit_sgd(ctx, all, bpr);
  for (const float v : std::get<Factors>(others.scorer).users.data) EXPECT_TRUE(std::isfinite(v));
}

}  // namespace
}  // namespace kindred
