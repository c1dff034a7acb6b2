// SPDX-License-Identifier: Apache-2.0
// Stochastic gradient descent: the oracle's gradients against finite differences, steps against the oracle for every
// loss and optimizer, draws against their distributions, the plan's promises, bits for any number of threads.
#include "kernels/sgd.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <set>

#include "kernels/cpu/sgd_simd.hpp"
#include "tests/kernels/backends.hpp"
#include "tests/reference/sgd.hpp"

namespace kindred {
namespace {

using reference::SgdList, reference::SgdModel;
using testing::HasSubstr;
using testing::ThrowsMessage;

struct Data {
  std::vector<int64_t> offsets{0};
  std::vector<int32_t> indices;
  std::vector<float> values;
  int64_t items = 0;
  int64_t users() const { return static_cast<int64_t>(offsets.size()) - 1; }
  bool has(int user, int item) const {
    return std::binary_search(indices.begin() + offsets[static_cast<size_t>(user)],
                              indices.begin() + offsets[static_cast<size_t>(user) + 1], item);
  }
};

/// Random rows, items by a skewed law; the last user has every item but item 0 where there is more than one, user 0
/// nothing.
Data random_data(int64_t users, int64_t items, double density, uint32_t seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> uniform;
  Data out;
  out.items = items;
  for (int64_t u = 0; u < users; ++u) {
    for (int64_t i = 0; i < items; ++i) {
      const bool all = u + 1 == users;
      if (u == 0 && users > 1) continue;
      if (all ? i > 0 || items == 1
              : uniform(random) < density * 2 * static_cast<double>(items - i) / static_cast<double>(items)) {
        out.indices.push_back(static_cast<int32_t>(i));
        out.values.push_back(static_cast<float>(random() % 10 + 1) / 2);
      }
    }
    out.offsets.push_back(static_cast<int64_t>(out.indices.size()));
  }
  return out;
}

SgdPlan plan_of(Context& ctx, const Data& data, bool values = true, SgdSchedule schedule = SgdSchedule::kBlocked) {
  return {ctx,
          data.offsets,
          data.indices,
          values ? std::span<const float>(data.values) : std::span<const float>(),
          data.items,
          schedule,
          11};
}

/// Reads the plan as the header describes it, on the host.
class HostPlan {
 public:
  explicit HostPlan(const Data& data) : data_(data), plan_(plan_of(cpu_, data)), view_(plan_.view()) {}
  const SgdPlan& plan() const { return plan_; }
  const SgdPlan::View& view() const { return view_; }

  /// The lists of an epoch, in the order of rounds and bands.
  std::vector<SgdList> lists(const SgdParams& params, const SgdStep& step) const {
    detail::SgdProblem p;
    p.plan = view_;
    p.params = params;
    p.draws = detail::sgd_draws(step);
    std::vector<SgdList> out;
    SgdTally tally;
    std::vector<int32_t> items(static_cast<size_t>(p.list_capacity()));
    for (const int64_t shift : detail::sgd_shifts(view_.bands, step))
      for (int64_t a = 0; a < view_.bands; ++a) {
        const int64_t b = (a + shift) % view_.bands, block = a * view_.bands + b;
        for (int64_t run = view_.block_runs[block]; run < view_.block_runs[block + 1]; ++run)
          for (int64_t e = view_.run_begin[run]; e < view_.run_begin[run + 1]; ++e) {
            const int user = view_.run_user[run];
            const int count = cpu::sgd_list(
                p, view_.run_begin[view_.block_runs[block]], view_.run_begin[view_.block_runs[block + 1]],
                view_.band_begin[b], view_.band_begin[b + 1], e, [&](int32_t item) { return data_.has(user, item); },
                items.data(), tally);
            SgdList& list = out.emplace_back();
            list.user = user;
            list.value = view_.value[e];
            list.items.assign(items.begin(), items.begin() + count);
            const double others = p.list_capacity() - 1 - params.uniform;
            for (const int item : list.items)
              list.expected.push_back(double(params.uniform) / static_cast<double>(data_.items) +
                                      others * double{view_.share[item]});
          }
      }
    return out;
  }

 private:
  const Data& data_;
  Context cpu_{{.device = "cpu", .threads = 1}};
  SgdPlan plan_;
  SgdPlan::View view_;
};

/// Every loss with settings under which it is smooth: a margin below all cosines, and no slopes that are differences of
/// nearly equal numbers.
std::vector<SgdParams> losses() {
  SgdParams squared{.loss = SgdLoss::kSquared, .mean = 2.5f};
  SgdParams squared_negatives{.loss = SgdLoss::kSquared, .uniform = 3};
  SgdParams logistic{.loss = SgdLoss::kLogistic, .uniform = 2, .popularity = 2};
  SgdParams bpr{.loss = SgdLoss::kBpr, .uniform = 1};
  SgdParams bpr_many{.loss = SgdLoss::kBpr, .uniform = 5, .popularity = 4, .clip = 0.08f};
  SgdParams softmax{.loss = SgdLoss::kSoftmax, .uniform = 6, .popularity = 3, .temperature = 1.5f};
  SgdParams softmax_cosine{
      .loss = SgdLoss::kSoftmax, .cosine = true, .uniform = 3, .in_batch = true, .batch_size = 12, .temperature = 0.5f};
  SgdParams contrastive{
      .loss = SgdLoss::kContrastive, .cosine = true, .uniform = 35, .margin = -1.1f, .negative_weight = 3};
  std::vector<SgdParams> all{squared, squared_negatives, logistic, bpr, bpr_many, softmax, softmax_cosine, contrastive};
  for (SgdParams& p : all) p.user_regularization = 0.01f, p.item_regularization = 0.02f, p.bias_regularization = 0.03f;
  return all;
}

constexpr SgdOptimizer kOptimizers[] = {SgdOptimizer::kSgd, SgdOptimizer::kAdaGrad, SgdOptimizer::kLibmf,
                                        SgdOptimizer::kAdam};

SgdModel random_model(int64_t users, int64_t items, int64_t factors, bool user_bias, bool item_bias, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, 0.4f);
  const auto rows = [&](int64_t count) {
    std::vector<reference::Row> out(static_cast<size_t>(count), reference::Row(static_cast<size_t>(factors)));
    for (auto& row : out)
      for (double& v : row) v = double{normal(random)};
    return out;
  };
  SgdModel m{rows(users),
             rows(items),
             {},
             reference::Row(static_cast<size_t>(users)),
             reference::Row(static_cast<size_t>(items))};
  if (user_bias)
    for (double& v : m.user_bias) v = double{normal(random)};
  if (item_bias)
    for (double& v : m.item_bias) v = double{normal(random)};
  return m;
}

// The oracle itself: its slopes and rows' gradients are derivatives of its loss.
TEST(SgdReference, GradientsAreDerivatives) {
  for (SgdParams p : losses()) {
    p.clip = 0;
    SCOPED_TRACE(static_cast<int>(p.loss));
    p.user_regularization = p.item_regularization = p.bias_regularization = 0;
    SgdList list{1, 3.5, {2, 0, 4, 5, 6}, {1, 0.5, 2, 1.5, 0.7}};
    SgdModel model = random_model(3, 8, 7, false, !p.cosine, 5);
    SgdModel moved = model;
    reference::sgd_epoch(moved, p, 1, {list}, false, !p.cosine);  // plain descent with rate 1: the step is the gradient
    const auto loss = [&] { return reference::sgd_loss(p, list, reference::sgd_scores(model, p, list)); };
    const auto check = [&](double& x, double after) {
      const double gradient = x - after, at = x, h = 1e-5;
      x = at + h;
      const double above = loss();
      x = at - h;
      const double below = loss();
      x = at;
      ASSERT_NEAR((above - below) / (2 * h), gradient, 1e-5 * std::max(1., std::abs(gradient)));
    };
    for (size_t f = 0; f < 7; ++f) check(model.users[1][f], moved.users[1][f]);
    for (size_t i = 0; i < 8; ++i) {
      for (size_t f = 0; f < 7; ++f) check(model.items[i][f], moved.items[i][f]);
      check(model.item_bias[i], moved.item_bias[i]);
    }
  }
}

class Sgd : public OpTest {
 protected:
  struct Tables {
    Matrix<float> factors, state;
    Array<float> bias;
    Matrix<float> bias_state;
    SgdTable view() { return {factors.view(), state.view(), bias.view(), bias_state.view()}; }
  };

  Tables tables(Context& on, const std::vector<reference::Row>& rows, const reference::Row* bias,
                SgdOptimizer optimizer) {
    const auto n = static_cast<int64_t>(rows.size()), d = static_cast<int64_t>(rows[0].size());
    std::vector<float> flat;
    for (const auto& row : rows)
      for (const double v : row) flat.push_back(static_cast<float>(v));
    Tables out{Matrix<float>(on, n, d, "rows"), Matrix<float>(on, n, sgd_state_width(optimizer, d), "state"), {}, {}};
    upload<float>(on, flat, out.factors.view().flat());
    fill_zero(on, out.state.view().flat());
    if (bias != nullptr) {
      const std::vector<float> host(bias->begin(), bias->end());
      out.bias = Array<float>(on, n, "bias");
      out.bias_state = Matrix<float>(on, n, sgd_state_width(optimizer, 1), "bias state");
      upload<float>(on, host, out.bias.view());
      fill_zero(on, out.bias_state.view().flat());
      on.wait();
    }
    on.wait();
    return out;
  }

  void expect_rows(const std::vector<float>& found, const std::vector<reference::Row>& expected, double bound) {
    size_t e = 0;
    for (size_t r = 0; r < expected.size(); ++r)
      for (size_t f = 0; f < expected[r].size(); ++f, ++e)
        ASSERT_NEAR(found[e], expected[r][f], bound) << "row " << r << " factor " << f;
  }

  /// One round of one epoch against the oracle.
  void check(const Data& data, int64_t factors, const SgdParams& p, bool history = false) {
    const HostPlan host(data);
    const SgdStep step{.rate = 0.05f, .seed = 3, .epoch = 2};
    const bool user_bias = is_pointwise(p.loss) && !p.cosine, item_bias = !p.cosine;
    SgdModel model = random_model(data.users(), data.items, factors, user_bias, item_bias, 21);
    std::vector<float> base;
    if (history) {
      model.base = random_model(data.users(), 1, factors, false, false, 8).users;
      for (const auto& row : model.base) base.insert(base.end(), row.begin(), row.end());
    }
    const SgdPlan plan = plan_of(ctx, data);
    ASSERT_EQ(plan.bands(), host.plan().bands());
    auto users = tables(ctx, model.users, user_bias ? &model.user_bias : nullptr, p.optimizer);
    auto items = tables(ctx, model.items, item_bias ? &model.item_bias : nullptr, p.optimizer);
    Matrix<float> bases, gradients;
    if (history) {
      bases = put(base, data.users(), factors);
      gradients = put(std::vector<float>(base.size()), data.users(), factors);
    }
    SgdTally sum;
    for (int64_t round = 0; round < plan.bands(); round += 3) {  // in parts, which are the whole
      SgdStep part = step;
      part.round = round, part.rounds = std::min<int64_t>(3, plan.bands() - round);
      const SgdTally tally =
          sgd_rounds(ctx, plan, users.view(), items.view(), p, part, {bases.view(), gradients.view()});
      sum.loss += tally.loss, sum.samples += tally.samples, sum.draws += tally.draws, sum.skipped += tally.skipped;
    }
    const auto lists = host.lists(p, step);
    ASSERT_EQ(sum.samples, static_cast<int64_t>(data.indices.size()));
    ASSERT_EQ(sum.draws, sum.samples * (p.uniform + p.popularity));
    std::vector<reference::Row> gradient(model.users.size(), reference::Row(static_cast<size_t>(factors)));
    const double loss = reference::sgd_epoch(model, p, double{step.rate}, lists, user_bias, item_bias, &gradient);
    ASSERT_NEAR(sum.loss, loss, 2e-4 * (std::abs(loss) + 1));
    // A row sees up to some hundred steps of about 0.05; each is off by some units of 2^-24 of itself.
    const double bound = 2e-5;
    expect_rows(get(users.factors.view().flat()), model.users, bound);
    expect_rows(get(items.factors.view().flat()), model.items, bound);
    if (user_bias) expect_rows(get(users.bias.view()), {model.user_bias}, bound);
    if (item_bias) expect_rows(get(items.bias.view()), {model.item_bias}, bound);
    if (history) expect_rows(get(gradients.view().flat()), gradient, 10 * bound);
  }
};

TEST_P(Sgd, StepsAreTheOraclesForEveryLossAndOptimizer) {
  const Data data = random_data(40, 60, 0.12, 1);
  for (const SgdParams& loss : losses())
    for (const SgdOptimizer optimizer : kOptimizers) {
      SCOPED_TRACE(testing::Message() << "loss " << static_cast<int>(loss.loss) << ", optimizer "
                                      << static_cast<int>(optimizer));
      SgdParams p = loss;
      p.optimizer = optimizer;
      check(data, 20, p);
    }
}

TEST_P(Sgd, StepsOfEveryWidthAndShape) {
  SgdParams p{.loss = SgdLoss::kSquared, .mean = 2, .user_regularization = 0.02f, .item_regularization = 0.01f};
  for (const int64_t factors : {1, 5, 8, 16, 32, 64, 100, 128, 300})
    for (const SgdOptimizer optimizer : {SgdOptimizer::kSgd, SgdOptimizer::kLibmf}) {
      SCOPED_TRACE(testing::Message() << factors << " factors");
      p.optimizer = optimizer;
      check(random_data(20, 24, 0.2, 3), factors, p);
    }
  for (const auto& [users, items] : {std::pair<int64_t, int64_t>{1, 1}, {1, 30}, {30, 1}, {3, 200}}) {
    SCOPED_TRACE(testing::Message() << users << " x " << items);
    check(random_data(users, items, 0.3, 4), 12, p);
  }
}

TEST_P(Sgd, NegativesBelowTheMarginRest) {
  Data data;  // one user, one interaction; item 1 lies beside him, item 2 across
  data.offsets = {0, 1}, data.indices = {0}, data.items = 3;
  const SgdPlan plan = plan_of(ctx, data, false);
  auto users = put(std::vector<float>{1, 0}, 1, 2), items = put(std::vector<float>{1, 1, 2, 0.1f, 0, 3}, 3, 2);
  const SgdParams p{.loss = SgdLoss::kContrastive, .cosine = true, .uniform = 40, .margin = 0.5f};
  const SgdTally tally =
      sgd_rounds(ctx, plan, {users.view(), {}, {}, {}}, {items.view(), {}, {}, {}}, p, {.rate = 0.01f});
  const auto found = get(items.view().flat());
  EXPECT_EQ(found[4], 0);
  EXPECT_EQ(found[5], 3);
  EXPECT_GT(found[3], 0.1f);  // turned away
  EXPECT_LT(found[1], 1);     // turned towards
  EXPECT_GT(tally.loss, 1 - std::sqrt(0.5));
}

TEST_P(Sgd, UsersMayBeMoreThanTheirRow) {
  for (const SgdOptimizer optimizer : kOptimizers)
    check(random_data(20, 24, 0.2, 6), 12,
          {.loss = SgdLoss::kSquared, .optimizer = optimizer, .mean = 2, .user_regularization = 0.1f}, true);
}

// The CPU's vectors, whatever their length, and plain loops.
TEST(SgdCpu, EveryInstructionSetTakesTheSameSteps) {
  if (emulated()) GTEST_SKIP() << "the CPU's loops are tested with the CPU's backend";
  const Data data = random_data(30, 40, 0.15, 9);
  const SgdModel model = random_model(30, 40, 21, false, false, 2);
  for (const SgdParams& p : losses()) {
    std::vector<float> first;
    for_each_instruction_set([&] {
      Context ctx{{.device = "cpu", .threads = 1}};
      const SgdPlan plan = plan_of(ctx, data);
      Matrix<float> users(ctx, 30, 21, "users"), items(ctx, 40, 21, "items");
      for (size_t r = 0; r < 30; ++r) std::ranges::copy(model.users[r], users.view().row(static_cast<int64_t>(r)));
      for (size_t r = 0; r < 40; ++r) std::ranges::copy(model.items[r], items.view().row(static_cast<int64_t>(r)));
      sgd_rounds(ctx, plan, {users.view(), {}, {}, {}}, {items.view(), {}, {}, {}}, p, {.rate = 0.05f});
      const std::vector<float> found(items.view().data, items.view().data + items.view().size());
      if (first.empty()) first = found;
      for (size_t e = 0; e < found.size(); ++e) ASSERT_NEAR(found[e], first[e], 1e-4);
    });
  }
}

TEST_P(Sgd, TheSameBitsForAnyNumberOfThreadsAndOnARepeat) {
  const int64_t rows = emulated() ? 40 : 200;
  const Data data = random_data(rows, rows, 0.08, 12);
  const SgdModel model = random_model(rows, rows, 24, false, true, 31);
  for (const SgdParams& loss : losses()) {
    SgdParams p = loss;
    p.optimizer = SgdOptimizer::kAdam;
    std::vector<float> first;
    for (const int threads : {1, 2, 7, 7}) {
      Context other{{.device = GetParam(), .threads = threads}};
      const SgdPlan plan = plan_of(other, data);
      auto users = tables(other, model.users, nullptr, p.optimizer);
      auto items = tables(other, model.items, p.cosine ? nullptr : &model.item_bias, p.optimizer);
      for (int epoch = 1; epoch <= 2; ++epoch)
        sgd_rounds(other, plan, users.view(), items.view(), p, {.rate = 0.02f, .seed = 5, .epoch = epoch});
      std::vector<float> found(static_cast<size_t>(items.factors.view().size()));
      download<float>(other, items.factors.view().flat(), found);
      other.wait();
      if (first.empty()) first = found;
      ASSERT_EQ(found, first) << threads << " threads";
    }
  }
}

// Threads that meet in rows lose steps now and then, not the way: a planted matrix is found.
TEST(SgdCpu, HogwildFindsAPlantedMatrix) {
  if (emulated()) GTEST_SKIP() << "hogwild is for the CPU";
  Context ctx{{.device = "cpu", .threads = 1}};  // racing on purpose is not for a sanitizer to see
  Data data = random_data(60, 50, 0.3, 2);
  const SgdModel truth = random_model(60, 50, 3, false, false, 4);
  for (int user = 0; user < 60; ++user)
    for (int64_t e = data.offsets[static_cast<size_t>(user)]; e < data.offsets[static_cast<size_t>(user) + 1]; ++e)
      data.values[static_cast<size_t>(e)] =
          static_cast<float>(reference::dot(truth.users[static_cast<size_t>(user)],
                                            truth.items[static_cast<size_t>(data.indices[static_cast<size_t>(e)])]));
  const SgdPlan plan = plan_of(ctx, data, true, SgdSchedule::kHogwild);
  Matrix<float> users(ctx, 60, 8, "users"), items(ctx, 50, 8, "items");
  for (int64_t e = 0; e < users.view().size(); ++e) users.view().data[e] = 0.3f * std::sin(static_cast<float>(e));
  for (int64_t e = 0; e < items.view().size(); ++e) items.view().data[e] = 0.3f * std::cos(static_cast<float>(7 * e));
  SgdTally tally;
  for (int epoch = 0; epoch < 400; ++epoch)
    tally = sgd_rounds(ctx, plan, {users.view(), {}, {}, {}}, {items.view(), {}, {}, {}}, {},
                       {.rate = 0.05f, .epoch = epoch});
  EXPECT_LT(tally.loss / static_cast<double>(tally.samples), 1e-4);
}

class SgdDraws : public testing::Test {
 protected:
  /// Pearson's statistic of counts against expected ones.
  static double chi_square(const std::vector<int64_t>& counts, const std::vector<double>& expected) {
    double sum = 0;
    for (size_t k = 0; k < counts.size(); ++k)
      if (expected[k] > 0)
        sum += (static_cast<double>(counts[k]) - expected[k]) * (static_cast<double>(counts[k]) - expected[k]) /
               expected[k];
    return sum;
  }
  /// What the statistic exceeds once in 100,000 times (Wilson, Hilferty 1931).
  static double critical(int64_t freedom) {
    const double f = static_cast<double>(freedom), z = 4.265;
    return f * std::pow(1 - 2 / (9 * f) + z * std::sqrt(2 / (9 * f)), 3);
  }
};

TEST_F(SgdDraws, NegativesAreUniformOrByPopularityWithinTheBand) {
  const Data data = random_data(300, 400, 0.05, 7);
  const HostPlan host(data);
  const SgdPlan::View& view = host.view();
  std::vector<double> popularity(400);
  for (const int32_t item : data.indices) ++popularity[static_cast<size_t>(item)];
  detail::SgdProblem p;
  p.plan = view;
  p.params.uniform = 1, p.params.popularity = 1;
  p.draws = {99, 1};
  const int64_t draws = 200000;
  for (const int64_t band : {int64_t{0}, view.bands - 1})
    for (const int k : {0, 1}) {
      const int64_t begin = view.band_begin[band], end = view.band_begin[band + 1];
      const int32_t taken = view.band_items[begin];  // one item that the user has
      std::vector<int64_t> counts(400);
      for (int64_t sample = 0; sample < draws; ++sample) {
        const uint32_t word = p.draws(static_cast<uint64_t>(sample))[static_cast<size_t>(k)];
        const int32_t item = detail::sgd_draw(p, begin, end, sample, k, word, [&](int32_t i) { return i == taken; });
        ASSERT_NE(item, taken);
        if (item >= 0) ++counts[static_cast<size_t>(item)];
      }
      std::vector<double> expected(400);
      double total = 0;
      for (int64_t place = begin; place < end; ++place) {
        const auto item = static_cast<size_t>(view.band_items[place]);
        if (view.band_items[place] != taken) total += expected[item] = k == 0 ? 1 : popularity[item];
      }
      for (double& e : expected) e *= static_cast<double>(draws) / total;
      EXPECT_LT(chi_square(counts, expected), critical(end - begin - 2)) << "band " << band << ", kind " << k;
    }
}

TEST_F(SgdDraws, UsersWithEveryItemGetNoNegativesAndAreCounted) {
  Context ctx{{.device = contexts().front(), .threads = 1}};
  Data data;  // one user with all of three items
  data.offsets = {0, 3}, data.indices = {0, 1, 2}, data.items = 3;
  const SgdPlan plan = plan_of(ctx, data, false);
  Matrix<float> users(ctx, 1, 4, "users"), items(ctx, 3, 4, "items");
  fill_zero(ctx, users.view().flat()), fill_zero(ctx, items.view().flat());
  const SgdTally tally = sgd_rounds(ctx, plan, {users.view(), {}, {}, {}}, {items.view(), {}, {}, {}},
                                    {.loss = SgdLoss::kBpr, .uniform = 2}, {});
  EXPECT_EQ(tally.samples, 3);
  EXPECT_EQ(tally.draws, 6);
  EXPECT_EQ(tally.skipped, 6);
  EXPECT_EQ(tally.loss, 0);
}

TEST_F(SgdDraws, APlanHoldsEveryInteractionOnceInBandsOfEqualWeight) {
  const Data data = random_data(500, 300, 0.06, 8);
  const HostPlan host(data);
  const SgdPlan::View& view = host.view();
  ASSERT_EQ(view.bands, 16);
  std::set<std::pair<int, int>> seen;
  std::vector<int64_t> weights(16);
  for (int64_t block = 0; block < 256; ++block) {
    std::set<int32_t> users, band;
    for (int64_t k = view.band_begin[block % 16]; k < view.band_begin[block % 16 + 1]; ++k)
      band.insert(view.band_items[k]);
    EXPECT_NEAR(static_cast<double>(band.size()), 300 / 16., 1);
    for (int64_t run = view.block_runs[block]; run < view.block_runs[block + 1]; ++run) {
      EXPECT_TRUE(users.insert(view.run_user[run]).second);  // a user has one run in a block
      for (int64_t e = view.run_begin[run]; e < view.run_begin[run + 1]; ++e) {
        const int user = view.run_user[run], item = view.item[e];
        EXPECT_TRUE(band.contains(item));
        EXPECT_TRUE(seen.emplace(user, item).second);
        const auto row_end = data.indices.begin() + data.offsets[static_cast<size_t>(user) + 1];
        const auto at = std::lower_bound(data.indices.begin() + data.offsets[static_cast<size_t>(user)], row_end, item);
        EXPECT_TRUE(at != row_end && *at == item);
        EXPECT_EQ(view.value[e], data.values[static_cast<size_t>(at - data.indices.begin())]);
        ++weights[static_cast<size_t>(block % 16)];
      }
    }
  }
  EXPECT_EQ(seen.size(), data.indices.size());
  const auto [least, most] = std::ranges::minmax(weights);
  EXPECT_LT(static_cast<double>(most - least), 0.1 * static_cast<double>(most));
}

TEST_P(Sgd, RefusesWhatDoesNotFit) {
  const Data data = random_data(10, 12, 0.3, 1);
  const SgdPlan plan = plan_of(ctx, data);
  const auto users = put(std::vector<float>(40), 10, 4), items = put(std::vector<float>(48), 12, 4),
             wide = put(std::vector<float>(60), 12, 5);
  auto bias = put(std::vector<float>(10));
  const auto call = [&](SgdParams p, SgdStep step, bool with_bias = false, bool other_width = false) {
    SgdTable u{{const_cast<float*>(users.view().data), 10, 4, ctx.device()}, {}, {}, {}};
    SgdTable i{{const_cast<float*>((other_width ? wide : items).view().data), 12, other_width ? 5 : 4, ctx.device()},
               {},
               {},
               {}};
    if (with_bias) u.bias = bias.view();
    sgd_rounds(ctx, plan, u, i, p, step);
  };
  const auto refuses = [&](const auto& body, const char* text) {
    EXPECT_THAT(body, ThrowsMessage<InvalidArgument>(HasSubstr(text)));
  };
  refuses([&] { call({}, {.rate = NAN}); }, "rate is nan; it must be finite");
  refuses([&] { call({.user_regularization = -1}, {}); }, "user_regularization is -1.0");
  refuses([&] { call({.temperature = 0}, {}); }, "temperature is 0.0");
  refuses([&] { call({.loss = SgdLoss::kBpr}, {}); }, "ask for at least one");
  refuses([&] { call({.uniform = 5000}, {}); }, "5000 uniform");
  refuses([&] { call({.cosine = true}, {}, true); }, "cosine scores have no biases");
  refuses([&] { call({.loss = SgdLoss::kBpr, .uniform = 1}, {}, true); }, "user biases have no gradient");
  refuses([&] { call({}, {}, false, true); }, "user factors are 10 x 4");
  refuses([&] { call({.optimizer = SgdOptimizer::kAdam}, {}); }, "user state is 0 x 0; this optimizer needs 10 x 7");
  refuses([&] { call({}, {.round = 2}); }, "an epoch has 1");
}

KINDRED_FOR_EACH_BACKEND(Sgd);

}  // namespace
}  // namespace kindred
