// SPDX-License-Identifier: Apache-2.0
// Hu, Koren, Volinsky 2008 and Rendle et al. 2022 (implicit), Zhou et al. 2008 (explicit): one algorithm, three
// weights.
#include "engine/models/als.hpp"

#include <chrono>
#include <cmath>

#include "engine/core/error.hpp"
#include "engine/core/log.hpp"
#include "kernels/memory.hpp"
#include "kernels/random.hpp"
#include "kernels/sparse.hpp"

namespace kindred {
namespace {

/// Stages of the random draws: one for each table.
constexpr uint32_t kUserStage = 1, kItemStage = 2;

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// c = 1 + alpha f(r) of each interaction; empty where all are 1.
std::vector<float> confidences(const Interactions& train, const AlsOptions& options) {
  check_als_values(train, options);
  const HostCsr& r = train.matrix;
  if (options.alpha == 0) return {};
  std::vector<float> c(r.indices.size());
  for (int64_t e = 0; e < r.nnz(); ++e)
    c[static_cast<size_t>(e)] = 1 + options.alpha * (options.log_confidence ? std::log1p(r.value(e)) : r.value(e));
  return c;
}

double mean_value(const HostCsr& r) {
  double sum = 0;
  for (int64_t e = 0; e < r.nnz(); ++e) sum += r.value(e);
  return r.nnz() > 0 ? sum / static_cast<double>(r.nnz()) : 0;
}

/// A fit under way.
class Als {
 public:
  Als(Context& ctx, const Interactions& train, const AlsOptions& options, const FitState* resume)
      : ctx_(ctx), train_(train), options_(options), params_(options.params) {
    const bool is_explicit = options.feedback == "explicit";
    if (is_explicit) {
      params_.objective = AlsObjective::kExplicit;
      params_.biases = options.biases;
      params_.mean = static_cast<float>(mean_value(train.matrix));
    } else {
      values_ = confidences(train, options);
    }
    const HostCsr& r = train.matrix;
    rows_ = ResidentCsr(ctx, r.offsets, r.indices, is_explicit ? std::span<const float>(r.values) : values_, r.cols,
                        "interactions");
    columns_ = transpose(ctx, rows_.view());
    const int64_t width = options.factors + (params_.biases ? 1 : 0);
    users_ = Matrix<float>(ctx, train.num_users(), width, "user factors");
    items_ = Matrix<float>(ctx, train.num_items(), width, "item factors");
    if (resume != nullptr) {
      restore(*resume, "users", users_);
      restore(*resume, "items", items_);
      ctx.wait();
    } else {
      const float deviation = options.init_scale / std::sqrt(static_cast<float>(options.factors));
      fill_normal(ctx, users_.view().flat(), 0, deviation, ctx.seed(), kUserStage);
      fill_normal(ctx, items_.view().flat(), 0, deviation, ctx.seed(), kItemStage);
    }
  }

  void epoch(int number) {
    half_sweep(rows_.view(), items_, users_, number, "user", *train_.users);
    half_sweep(columns_.view(), users_, items_, number, "item", *train_.items);
  }

  double loss() { return als_loss(ctx_, rows_.view(), users_.view(), items_.view(), columns_.offsets.view(), params_); }

  FitState state(int epoch) {
    FitState out{epoch, {}};
    out.tables.emplace_back("users", to_host(users_));
    out.tables.emplace_back("items", to_host(items_));
    return out;
  }

  FittedModel model() {
    FittedModel out = describe(train_, "als");
    Factors factors;
    factors.users = to_host(users_);
    factors.items = to_host(items_);
    if (params_.biases) {
      factors.user_bias = split_bias(factors.users);
      factors.item_bias = split_bias(factors.items);
    }
    out.scorer = std::move(factors);
    out.global_mean = params_.mean;
    out.predicts_values = params_.objective == AlsObjective::kExplicit;
    out.fold_in = AlsFoldIn{params_, options_.alpha, options_.log_confidence};
    return out;
  }

 private:
  void half_sweep(CsrView rows, const Matrix<float>& fixed, Matrix<float>& solved, int number, const char* side,
                  const Ids& ids) {
    try {
      als_half_sweep(ctx_, rows, fixed.view(), solved.view(), params_);
      ctx_.wait();
    } catch (const NumericError& error) {
      const std::string who = error.row >= 0 ? std::string(", ") + side + " " + ids.text(error.row) : "";
      throw NumericError("als: epoch " + std::to_string(number) + who + ": " + error.what() +
                             "; try a larger model.regularization, a smaller model.alpha or fewer factors",
                         error.row);
    }
  }

  void restore(const FitState& state, const std::string& name, Matrix<float>& to) {
    for (const auto& [table, matrix] : state.tables) {
      if (table != name) continue;
      if (matrix.rows != to.rows() || matrix.cols != to.cols())
        throw InputError("checkpoint: " + name + " are " + std::to_string(matrix.rows) + " x " +
                         std::to_string(matrix.cols) + ", the run needs " + std::to_string(to.rows()) + " x " +
                         std::to_string(to.cols()) + "; start anew with --force");
      upload<float>(ctx_, matrix.data, to.view().flat());
      return;
    }
    throw InputError("checkpoint: has no table '" + name + "'; start anew with --force");
  }

  HostMatrix to_host(const Matrix<float>& table) {
    HostMatrix out(table.rows(), table.cols());
    download<const float>(ctx_, table.view().flat(), out.data);
    ctx_.wait();
    return out;
  }

  /// Takes the last column away and returns it.
  static std::vector<float> split_bias(HostMatrix& table) {
    std::vector<float> bias(static_cast<size_t>(table.rows));
    const int64_t kept = table.cols - 1;
    for (int64_t r = 0; r < table.rows; ++r) {
      bias[static_cast<size_t>(r)] = table.row(r).back();
      std::copy_n(table.data.begin() + r * table.cols, kept, table.data.begin() + r * kept);
    }
    table.cols = kept;
    table.data.resize(static_cast<size_t>(table.rows * kept));
    return bias;
  }

  Context& ctx_;
  const Interactions& train_;
  const AlsOptions& options_;
  AlsParams params_;
  std::vector<float> values_;  // confidences, where they differ from 1
  ResidentCsr rows_;
  Csr columns_;
  Matrix<float> users_, items_;
};

}  // namespace

void check_als_values(const Interactions& train, const AlsOptions& options) {
  if (options.feedback != "implicit") return;
  const HostCsr& r = train.matrix;
  for (int64_t user = 0; user < r.rows(); ++user)
    for (int64_t e = r.offsets[static_cast<size_t>(user)]; e < r.offsets[static_cast<size_t>(user) + 1]; ++e)
      if (r.value(e) < 0)
        throw InputError("user " + train.users->text(user) + ", item " +
                         train.items->text(r.indices[static_cast<size_t>(e)]) + ": the value is " +
                         format_float(r.value(e)) +
                         "; implicit feedback needs values of 0 and more, or model.feedback = \"explicit\"");
}

FittedModel fit_als(Context& ctx, const Interactions& train, const AlsOptions& options, const FitHooks& hooks) {
  Als als(ctx, train, options, hooks.resume);
  for (int epoch = hooks.resume != nullptr ? hooks.resume->epoch + 1 : 1; epoch <= options.epochs; ++epoch) {
    EpochReport report{.epoch = epoch, .seconds = 0, .loss = {}, .loss_seconds = 0};
    const auto start = std::chrono::steady_clock::now();
    als.epoch(epoch);
    report.seconds = seconds_since(start);
    if (options.loss_every_epoch || epoch == options.epochs) {
      const auto loss_start = std::chrono::steady_clock::now();
      report.loss = als.loss();
      report.loss_seconds = seconds_since(loss_start);
      if (!std::isfinite(*report.loss))
        throw NumericError("als: epoch " + std::to_string(epoch) +
                               ": the loss is not finite; try a larger model.regularization or a smaller model.alpha",
                           -1);
    }
    if (hooks.after_epoch && !hooks.after_epoch(
                                 report, [&] { return als.model(); }, [&] { return als.state(epoch); }))
      break;
  }
  return als.model();
}

}  // namespace kindred
