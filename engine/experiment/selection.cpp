// SPDX-License-Identifier: Apache-2.0
#include "engine/experiment/selection.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/core/error.hpp"
#include "engine/core/file.hpp"
#include "engine/core/interrupt.hpp"
#include "engine/core/log.hpp"
#include "engine/data/normalize.hpp"
#include "engine/experiment/model.hpp"
#include "engine/store/model_file.hpp"

namespace kindred {
namespace {
using Json = nlohmann::ordered_json;

/// Seconds of training from which a finished fit is kept as a checkpoint until the run has ended.
constexpr double kWorthKeeping = 60;

/// Before the names of the best epoch's tables in a checkpoint.
const std::string kBest = "best.";

}  // namespace

Evaluation evaluate_part(Context& ctx, const FittedModel& model, const PreparedData& data, const HeldOut& part,
                         const EvaluateOptions& options) {
  std::vector<const HostCsr*> seen{&data.train.matrix};
  if (&part == &data.test) seen.push_back(&data.validation.matrix);
  return evaluate(ctx, model,
                  {.held_out = part,
                   .seen = std::move(seen),
                   .negatives = negatives_of(data, options),
                   .catalogue = &data.catalogue,
                   .history = &data.train.matrix},
                  options);
}

FittedModel refit(const Config& config, Context& ctx, Interactions& more, const Catalogue& catalogue, int epochs) {
  const NormalizedTrain normalized(ctx, more, config.data.normalize);
  Progress progress("refit", epochs, "epochs");
  FitHooks hooks;
  hooks.after_epoch = [&](const EpochReport& report, const auto&, const auto&) {
    check_interrupt();
    progress.update(report.epoch);
    return true;
  };
  FittedModel model = fit_model(ctx, more, catalogue, config, epochs, hooks, true);
  normalized.undo(model);
  return model;
}

Selection::Selection(const Config& config, Context& ctx, PreparedData& data, RunFolder& folder)
    : config_(config), ctx_(ctx), data_(data), folder_(folder) {
  if (!config.early_stopping.metric.empty()) stopping_metric_ = parse_metric(config.early_stopping.metric);
}

FittedModel Selection::fit() {
  FittedModel model;
  {
    const NormalizedTrain normalized(ctx_, data_.train, config_.data.normalize);
    model =
        epochs_of(config_) > 0 ? fit_epochs(normalized) : fit_model(ctx_, data_.train, data_.catalogue, config_, 0, {});
    normalized.undo(model);
  }
  ctx_.release_unused();
  if (!data_.validation.empty()) validation_ = validate(model, true);
  return model;
}

FittedModel Selection::fit_epochs(const NormalizedTrain& normalized) {
  int epochs = epochs_of(config_);
  FitState state;
  if (folder_.start() == RunStart::kResume && std::filesystem::exists(folder_.round_file("checkpoint.h5"))) {
    state = restore();
    if (seen_.stopped) epochs = state.epoch;
    log_info("resumed", {{"epoch", state.epoch}});
    folder_.write_status({"running", state.epoch, epochs_of(config_)});
  }
  Progress progress("training", epochs, "epochs");
  FitHooks hooks;
  hooks.resume = state.epoch > 0 ? &state : nullptr;
  hooks.after_epoch = [&](const EpochReport& report, const auto& model, const auto& now) {
    chosen_ = report.epoch;
    const auto undone = [&] {
      FittedModel snapshot = model();
      normalized.undo(snapshot);
      return snapshot;
    };
    return after_epoch(report, undone, now, progress);
  };
  chosen_ = state.epoch;
  FittedModel last = fit_model(ctx_, data_.train, data_.catalogue, config_, epochs, hooks);
  if (seen_.best.tables.empty() || seen_.best.epoch == chosen_) return last;
  chosen_ = seen_.best.epoch;
  log_info("the best epoch is taken", {{"epoch", chosen_}});
  last = {};
  return fit_model(ctx_, data_.train, data_.catalogue, config_, chosen_, {.after_epoch = {}, .resume = &seen_.best});
}

Evaluation Selection::validate(const FittedModel& model, bool intervals) const {
  EvaluateOptions options = config_.evaluate;
  options.users = config_.validation_users;
  options.intervals = intervals;
  return evaluate_part(ctx_, model, data_, data_.validation, options);
}

bool Selection::after_epoch(const EpochReport& report, const std::function<FittedModel()>& model,
                            const std::function<FitState()>& state, Progress& progress) {
  Json line{{"epoch", report.epoch}, {"seconds", report.seconds}};
  if (report.loss) line["loss"] = *report.loss, line["loss_seconds"] = report.loss_seconds;
  std::string note = report.loss ? fmt::format("loss {:.6g}", *report.loss) : "";
  const bool last = report.epoch == epochs_of(config_);
  if (!data_.validation.empty() && (report.epoch % config_.every == 0 || last)) {
    const Stopwatch watch;
    const Evaluation evaluation = validate(model(), false);
    for (size_t m = 0; m < evaluation.metrics.size(); ++m) {
      const std::string name = evaluation.name(m);
      const double value = evaluation.values[m].mean;
      line[name] = value;
      const bool decides = stopping_metric_ && evaluation.metrics[m].name() == stopping_metric_->name();
      if (decides) judge(value, report.epoch, state);
      if (decides || (!stopping_metric_ && m == 0)) note += fmt::format("  {} {:.4f}", name, value);
    }
    line["validation_seconds"] = watch.seconds();
  }
  seen_.log.push_back(line.dump());
  std::string lines;
  for (const auto& earlier : seen_.log) lines += earlier + "\n";
  write_file(folder_.round_file("epochs.jsonl"), lines);
  const int epochs_left = epochs_of(config_) - report.epoch + folder_.rounds_left() * epochs_of(config_);
  const double left = epochs_left * since_epoch_.lap();
  folder_.write_status({"running", report.epoch, epochs_of(config_), left});
  log_info("epoch", {{"epoch", report.epoch}, {"seconds", report.seconds}, {"remarks", note}});
  progress.note(note);
  progress.update(report.epoch);

  const int signal = signal_received();
  const bool ends = last || seen_.stopped;
  // What follows (test, refit, export) may be interrupted too: an end worth more than a minute is kept.
  const double wait = ends ? std::min(kWorthKeeping, config_.checkpoint_minutes * 60) : config_.checkpoint_minutes * 60;
  if (signal != 0 || since_checkpoint_.seconds() >= wait) save(state());
  if (signal != 0) throw Interrupted(signal);
  return !ends;
}

void Selection::judge(double value, int epoch, const std::function<FitState()>& state) {
  const double gain = stopping_metric_->larger_is_better() ? value - seen_.best_value : seen_.best_value - value;
  if (seen_.best.tables.empty() || gain > config_.early_stopping.min_delta) {
    seen_.best = state();
    seen_.best_value = value;
    seen_.without_gain = 0;
  } else if (++seen_.without_gain >= config_.early_stopping.patience) {
    seen_.stopped = true;
    log_info("stopped early", {{"metric", stopping_metric_->name()}, {"best", seen_.best_value}, {"epoch", epoch}});
  }
}

void Selection::save(FitState now) {
  const Json text{{"log", seen_.log},
                  {"best_epoch", seen_.best.epoch},
                  {"best_value", seen_.best_value},
                  {"without_gain", seen_.without_gain},
                  {"stopped", seen_.stopped}};
  Checkpoint checkpoint{now.epoch, text.dump(), std::move(now.tables)};
  const size_t own = checkpoint.tables.size();
  for (auto& [name, table] : seen_.best.tables) checkpoint.tables.emplace_back(kBest + name, std::move(table));
  save_checkpoint(checkpoint, folder_.round_file("checkpoint.h5"));
  for (size_t t = 0; t < seen_.best.tables.size(); ++t)
    seen_.best.tables[t].second = std::move(checkpoint.tables[own + t].second);
  since_checkpoint_.lap();
}

FitState Selection::restore() {
  Checkpoint checkpoint = load_checkpoint(folder_.round_file("checkpoint.h5"));
  const Json text = Json::parse(checkpoint.text, nullptr, false);
  FitState state{checkpoint.epoch, {}};
  try {
    seen_.log = text.at("log").get<std::vector<std::string>>();
    seen_.best.epoch = text.at("best_epoch");
    seen_.best_value = text.at("best_value");
    seen_.without_gain = text.at("without_gain");
    seen_.stopped = text.at("stopped");
  } catch (const Json::exception&) {
    throw InputError(folder_.round_file("checkpoint.h5").string() +
                     ": not a checkpoint of this program; start anew with --force");
  }
  for (auto& [name, table] : checkpoint.tables) {
    if (name.starts_with(kBest))
      seen_.best.tables.emplace_back(name.substr(kBest.size()), std::move(table));
    else
      state.tables.emplace_back(name, std::move(table));
  }
  return state;
}

}  // namespace kindred
