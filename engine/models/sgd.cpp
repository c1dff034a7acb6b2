// SPDX-License-Identifier: Apache-2.0
#include "engine/models/sgd.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "engine/core/error.hpp"
#include "engine/core/log.hpp"
#include "kernels/dense.hpp"
#include "kernels/random.hpp"
#include "kernels/sparse.hpp"
#include "kernels/spmm.hpp"

namespace kindred {
namespace {

/// Stages of the random draws: one for each table.
constexpr uint32_t kUserStage = 1, kItemStage = 2;

/// Rises of the loss in a row after which the rate is halved.
constexpr int kRises = 3;

/// Ridge of a new user's row where only a ranking was learned: every item counts a little, as not chosen.
constexpr float kFoldInUnobserved = 0.1f, kFoldInRidge = 0.01f;

/// One side: factors, biases and what the optimizer keeps of them. Empty where the options want none.
struct Side {
  Matrix<float> factors, state, bias, bias_state;

  Side(Context& ctx, int64_t rows, const SgdOptions& options, bool biases, const char* label)
      : factors(ctx, rows, options.factors, label),
        state(ctx, rows, sgd_state_width(options.params.optimizer, options.factors), "optimizer state"),
        bias(ctx, biases ? rows : 0, 1, "biases"),
        bias_state(ctx, biases ? rows : 0, sgd_state_width(options.params.optimizer, 1), "optimizer state") {}

  SgdTable table() { return {factors.view(), state.view(), bias.view().flat(), bias_state.view()}; }
};

/// SVD++: what a user has moves him too, through one more table of items.
struct History {
  ResidentCsr users;           // users x items, no values
  Csr items;                   // its transpose
  Matrix<float> table;         // y
  Matrix<float> base;          // sum of y / sqrt(n) of each user
  Matrix<float> gradient;      // in x_u, of the round
  Array<float> user_scale;     // 1 / sqrt(n_u)
  std::vector<int64_t> count;  // interactions of each item
};

class Sgd {
 public:
  Sgd(Context& ctx, const Interactions& train, const SgdOptions& options, const FitState* resume)
      : ctx_(ctx),
        train_(train),
        options_(options),
        plan_(ctx, train.matrix.offsets, train.matrix.indices, train.matrix.values, train.matrix.cols, options.schedule,
              ctx.seed()),
        users_(ctx, train.num_users(), options, with_user_biases(options), "user factors"),
        items_(ctx, train.num_items(), options, with_item_biases(options), "item factors") {
    if (options.params.loss == SgdLoss::kSquared && predicts_values(options)) options_.params.mean = mean_value();
    if (options.implicit_history) make_history();
    if (resume != nullptr)
      restore(*resume);
    else
      initialize();
    if (options.implicit_history) refresh_base();
  }

  /// The mean loss of the epoch's samples.
  double epoch(int number) {
    const double halved = std::pow(0.5, halvings_);
    const double rate = double{options_.learning_rate} * std::pow(double{options_.decay}, number - 1) * halved;
    SgdStep step{.rate = static_cast<float>(rate), .seed = ctx_.seed(), .epoch = number};
    const int64_t rounds = options_.implicit_history ? plan_.bands() : 1;
    SgdTally sum;
    for (int64_t round = 0; round < rounds; ++round) {
      if (options_.implicit_history) step.round = round, step.rounds = 1;
      const SgdTally tally = sgd_rounds(ctx_, plan_, users_.table(), items_.table(), options_.params, step,
                                        {history_.base.view(), history_.gradient.view()});
      sum.loss += tally.loss, sum.samples += tally.samples, sum.draws += tally.draws, sum.skipped += tally.skipped;
      if (options_.implicit_history) move_history(step.rate);
    }
    const double loss = sum.samples > 0 ? sum.loss / static_cast<double>(sum.samples) : 0;
    if (!std::isfinite(loss))
      throw NumericError("sgd: epoch " + std::to_string(number) +
                             ": the loss is not finite; try a model.learning_rate "
                             "below " +
                             format_float(step.rate) + ", or model.clip",
                         -1);
    if (number == 1 && sum.skipped > 0)
      log_warning(
          "negatives were not found for users who have nearly every item of a band: those draws are skipped",
          {{"skipped", sum.skipped}, {"share", static_cast<double>(sum.skipped) / static_cast<double>(sum.draws)}});
    guard(number, loss);
    return loss;
  }

  FitState state(int epoch) {
    FitState out{epoch, {}};
    for (const auto& [name, matrix] : tables())
      if (matrix->rows() > 0 && matrix->cols() > 0) out.tables.emplace_back(name, to_host(*matrix));
    HostMatrix guard(1, 3);
    guard.data = {static_cast<float>(halvings_), static_cast<float>(rises_), last_loss_};
    out.tables.emplace_back("guard", std::move(guard));
    return out;
  }

  FittedModel model() {
    FittedModel out = describe(train_, "sgd");
    Factors factors;
    factors.users = to_host(users_.factors);
    factors.items = to_host(items_.factors);
    if (options_.implicit_history) {
      const HostMatrix base = to_host(history_.base);
      for (size_t e = 0; e < base.data.size(); ++e) factors.users.data[e] += base.data[e];
    }
    factors.user_bias = to_host(users_.bias).data;
    factors.item_bias = to_host(items_.bias).data;
    if (options_.params.cosine) {
      make_unit(factors.users);
      make_unit(factors.items);
      out.metric = Metric::kCosine;
    }
    if (options_.params.loss == SgdLoss::kLogistic) out.link = Link::kSigmoid;
    out.scorer = std::move(factors);
    out.global_mean = options_.params.mean;
    out.predicts_values = predicts_values(options_);
    AlsFoldIn fold_in;
    if (out.predicts_values) {
      fold_in.params.objective = AlsObjective::kExplicit;
      fold_in.params.biases = options_.biases;
      fold_in.params.mean = options_.params.mean;
      fold_in.params.regularization = options_.params.user_regularization;
    } else {
      fold_in.params.objective = AlsObjective::kIals;
      fold_in.params.unobserved_weight = kFoldInUnobserved;
      fold_in.params.regularization = kFoldInRidge;
    }
    out.fold_in = fold_in;
    return out;
  }

 private:
  static bool with_item_biases(const SgdOptions& o) { return o.biases && !o.params.cosine; }
  static bool with_user_biases(const SgdOptions& o) { return with_item_biases(o) && is_pointwise(o.params.loss); }

  float mean_value() const {
    double sum = 0;
    for (int64_t e = 0; e < train_.size(); ++e) sum += train_.matrix.value(e);
    return train_.size() > 0 ? static_cast<float>(sum / static_cast<double>(train_.size())) : 0.f;
  }

  void initialize() {
    for (const auto& [name, matrix] : tables()) fill_zero(ctx_, matrix->view().flat());
    const float deviation = options_.init_scale / std::sqrt(static_cast<float>(options_.factors));
    fill_normal(ctx_, users_.factors.view().flat(), 0, deviation, ctx_.seed(), kUserStage);
    fill_normal(ctx_, items_.factors.view().flat(), 0, deviation, ctx_.seed(), kItemStage);
  }

  /// All that the next epoch needs.
  std::vector<std::pair<std::string, Matrix<float>*>> tables() {
    return {{"users", &users_.factors},
            {"items", &items_.factors},
            {"user_state", &users_.state},
            {"item_state", &items_.state},
            {"user_bias", &users_.bias},
            {"item_bias", &items_.bias},
            {"user_bias_state", &users_.bias_state},
            {"item_bias_state", &items_.bias_state},
            {"history", &history_.table}};
  }

  void restore(const FitState& state) {
    const auto table_of = [&](const std::string& name, int64_t rows, int64_t cols) -> const HostMatrix& {
      for (const auto& [table, matrix] : state.tables) {
        if (table != name) continue;
        if (matrix.rows != rows || matrix.cols != cols)
          throw InputError("checkpoint: " + name + " is " + std::to_string(matrix.rows) + " x " +
                           std::to_string(matrix.cols) + ", the run needs " + std::to_string(rows) + " x " +
                           std::to_string(cols) + "; start anew with --force");
        return matrix;
      }
      throw InputError("checkpoint: has no table '" + name + "'; start anew with --force");
    };
    for (const auto& [name, matrix] : tables())
      if (matrix->rows() > 0 && matrix->cols() > 0)
        upload<float>(ctx_, table_of(name, matrix->rows(), matrix->cols()).data, matrix->view().flat());
    const HostMatrix& guard = table_of("guard", 1, 3);
    halvings_ = static_cast<int>(guard.data[0]), rises_ = static_cast<int>(guard.data[1]);
    last_loss_ = guard.data[2];
    ctx_.wait();
  }

  void guard(int number, double loss) {
    const auto now = static_cast<float>(loss);
    rises_ = number > 1 && now > last_loss_ ? rises_ + 1 : 0;
    last_loss_ = now;
    if (rises_ < kRises) return;
    rises_ = 0;
    ++halvings_;
    log_warning("the loss rose three epochs in a row: the learning rate is halved",
                {{"epoch", number}, {"halvings", halvings_}});
  }

  void make_history() {
    const HostCsr& r = train_.matrix;
    const int64_t d = options_.factors;
    history_.users = ResidentCsr(ctx_, r.offsets, r.indices, {}, r.cols, "history");
    history_.items = transpose(ctx_, history_.users.view());
    history_.table = Matrix<float>(ctx_, train_.num_items(), d, "history factors");
    history_.base = Matrix<float>(ctx_, train_.num_users(), d, "history of users");
    history_.gradient = Matrix<float>(ctx_, train_.num_users(), d, "history gradient");
    history_.user_scale = Array<float>(ctx_, train_.num_users(), "history scale");
    std::vector<float> scale;
    for (int64_t u = 0; u < train_.num_users(); ++u)
      scale.push_back(r.row(u).empty() ? 0 : 1 / std::sqrt(static_cast<float>(r.row(u).size())));
    upload<float>(ctx_, scale, history_.user_scale.view());
    history_.count.assign(static_cast<size_t>(train_.num_items()), 0);
    for (const int32_t item : r.indices) ++history_.count[static_cast<size_t>(item)];
    ctx_.wait();
  }

  void refresh_base() {
    spmm(ctx_, 1, history_.users.view(), history_.table.view(), 0, history_.base.view());
    scale_rows(ctx_, history_.base.view(), history_.user_scale.view());
    fill_zero(ctx_, history_.gradient.view().flat());
  }

  /// A round's step of y: -rate (sum over users of gradient_u / sqrt(n_u) + regularization y), the latter once for each
  /// user whom the round has met.
  void move_history(float rate) {
    std::vector<float> keep;
    const float part = rate * options_.params.item_regularization / static_cast<float>(plan_.bands());
    for (const int64_t count : history_.count) keep.push_back(std::max(0.f, 1 - part * static_cast<float>(count)));
    Array<float> kept(ctx_, train_.num_items(), "history kept");
    upload<float>(ctx_, keep, kept.view());
    scale_rows(ctx_, history_.table.view(), kept.view());
    scale_rows(ctx_, history_.gradient.view(), history_.user_scale.view());
    spmm(ctx_, -rate, history_.items.view(), history_.gradient.view(), 1, history_.table.view());
    refresh_base();
    ctx_.wait();
  }

  HostMatrix to_host(const Matrix<float>& table) {
    HostMatrix out(table.rows(), table.cols());
    download<const float>(ctx_, table.view().flat(), out.data);
    ctx_.wait();
    return out;
  }

  static void make_unit(HostMatrix& table) {
    for (int64_t r = 0; r < table.rows; ++r) {
      double squares = 0;
      for (const float v : table.row(r)) squares += double{v} * double{v};
      if (squares > 0)
        for (float& v : table.row(r)) v = static_cast<float>(v / std::sqrt(squares));
    }
  }

  Context& ctx_;
  const Interactions& train_;
  SgdOptions options_;
  SgdPlan plan_;
  Side users_, items_;
  History history_;
  int halvings_ = 0, rises_ = 0;
  float last_loss_ = 0;
};

}  // namespace

SgdDefaults sgd_defaults(SgdLoss loss, SgdOptimizer optimizer) {
  const float scale = optimizer == SgdOptimizer::kSgd ? 1 : optimizer == SgdOptimizer::kAdam ? 0.1f : 5;
  switch (loss) {
    case SgdLoss::kSquared:
      return {0.01f * scale, 0.05f, 0};
    case SgdLoss::kLogistic:
      return {0.05f * scale, 0.005f, 4};
    case SgdLoss::kBpr:
      return {0.02f * scale, 0.003f, 8};
    case SgdLoss::kSoftmax:
      return {0.05f * scale, 0, 256};
    case SgdLoss::kContrastive:
      return {0.03f * scale, 0, 256};
  }
  return {};
}

bool predicts_values(const SgdOptions& options) {
  const SgdParams& p = options.params;
  return p.loss == SgdLoss::kSquared && !p.cosine && p.uniform == 0 && p.popularity == 0 && !p.in_batch;
}

FitMemory sgd_memory(const Context& ctx, const FitShape& shape, const SgdOptions& options) {
  const SgdOptimizer optimizer = options.params.optimizer;
  const int64_t d = options.factors, rows = shape.users + shape.items;
  const int64_t factors = 4 * rows * d, biases = options.biases && !options.params.cosine ? rows : 0;
  const int64_t state = 4 * (rows * sgd_state_width(optimizer, d) + biases * (1 + sgd_state_width(optimizer, 1)));
  const int64_t plan = SgdPlan::bytes(ctx, shape.users, shape.items, shape.interactions, shape.values);
  int64_t history = 0;
  if (options.implicit_history)
    history = 4 * shape.interactions + 8 * shape.items + 4 * d * (2 * shape.users + shape.items) + 4 * shape.users;
  FitMemory out;
  out.snapshot = factors + state + 12 * shape.items;
  out.host = plan;
  const int64_t tables = factors + state + history;
  if (ctx.on_cuda())
    out.device = tables + plan + (4 + 4 * shape.values) * shape.interactions + 8 * shape.users;
  else
    out.host += tables;
  return out;
}

FittedModel fit_sgd(Context& ctx, const Interactions& train, const SgdOptions& options, const FitHooks& hooks) {
  Sgd sgd(ctx, train, options, hooks.resume);
  for (int epoch = hooks.resume != nullptr ? hooks.resume->epoch + 1 : 1; epoch <= options.epochs; ++epoch) {
    const auto start = std::chrono::steady_clock::now();
    EpochReport report{.epoch = epoch, .seconds = 0, .loss = sgd.epoch(epoch), .loss_seconds = 0};
    report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (hooks.after_epoch && !hooks.after_epoch(
                                 report, [&] { return sgd.model(); }, [&] { return sgd.state(epoch); }))
      break;
  }
  return sgd.model();
}

}  // namespace kindred
