// SPDX-License-Identifier: Apache-2.0
#include "engine/experiment/selection.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/core/error.hpp"
#include "engine/core/file.hpp"
#include "engine/core/interrupt.hpp"
#include "engine/core/log.hpp"
#include "engine/data/item_vectors.hpp"
#include "engine/data/normalize.hpp"
#include "engine/models/bayesian_average.hpp"
#include "engine/models/content.hpp"
#include "engine/models/popularity.hpp"
#include "engine/store/model_file.hpp"

namespace kindred {
namespace {
using Json = nlohmann::ordered_json;

/// Seconds of training from which a finished fit is kept as a checkpoint until the run has ended.
constexpr double kWorthKeeping = 60;

/// Before the names of the best epoch's tables in a checkpoint.
const std::string kBest = "best.";

/// Neighbors of items by the vectors that another model has of them; items that it does not know have none.
NeighborLists neighbors_over(const Config& config, Context& ctx, const Ids& items) {
  const NeighborSearch& search = config.knn.search;
  const FittedModel over = load_model(config.over, {.users = false, .history = false, .catalogue = false});
  if (!std::holds_alternative<Factors>(over.scorer))
    throw InputError(fmt::format("model.over: {}: model '{}' has no factors; expected one that has, like als",
                                 config.over.string(), over.model));
  std::vector<int32_t> ours(static_cast<size_t>(over.num_items())), known, known_rows;  // theirs -> ours; theirs, ours
  for (int32_t i = 0; i < over.num_items(); ++i) ours[static_cast<size_t>(i)] = items.find(over.items->text(i));
  for (int32_t i = 0; i < over.num_items(); ++i)
    if (ours[static_cast<size_t>(i)] >= 0) known.push_back(i), known_rows.push_back(ours[static_cast<size_t>(i)]);
  if (const auto missing = items.size() - static_cast<int64_t>(known.size()); missing > 0)
    log_warning("items that model.over does not know have no neighbors", {{"items", missing}});
  std::vector<uint8_t> allowed(ours.size());
  for (size_t i = 0; i < ours.size(); ++i) allowed[i] = ours[i] >= 0;
  using M = SimilarityMetric;
  const M metric = search.similarity.metric;
  const Similarity similarity = metric == M::kDot         ? Similarity::kDot
                                : metric == M::kEuclidean ? Similarity::kEuclidean
                                                          : Similarity::kCosine;
  const TopK lists = Recommender(ctx, over).similar_items(known, search.neighbors, similarity, {.allowed = allowed});
  // Known items as train numbers them: rows without a list are empty.
  const auto k = static_cast<size_t>(lists.k), rows = static_cast<size_t>(items.size());
  std::vector<int32_t> ids(rows * k, -1);
  std::vector<float> similarities(rows * k, kNoScore);
  for (size_t q = 0; q < known.size(); ++q)
    for (size_t e = 0; e < k; ++e) {
      const int32_t found = lists.items[q * k + e];
      const size_t to = static_cast<size_t>(known_rows[q]) * k + e;
      if (found >= 0) ids[to] = ours[static_cast<size_t>(found)], similarities[to] = lists.scores[q * k + e];
    }
  return weigh_neighbors(ids, similarities, items.size(), items.size(), search);
}

/// Models without epochs.
FittedModel fit_at_once(const Config& config, Context& ctx, Interactions& train, const Catalogue& catalogue) {
  if (config.model == "popularity") return fit_popularity(train);
  if (config.model == "bayesian-average") return fit_bayesian_average(train);
  if (config.model == "content") {
    const HostMatrix vectors = config.vectors.empty() ? HostMatrix{} : read_item_vectors(config.vectors, *train.items);
    return fit_content(ctx, train, catalogue, vectors, config.content);
  }
  KnnOptions options = config.knn;
  const auto fit_knn = [&] {
    if (config.model == "user-knn") return fit_user_knn(ctx, train, options);
    return config.over.empty() ? fit_item_knn(ctx, train, options)
                               : fit_item_knn(train, neighbors_over(config, ctx, *train.items), options);
  };
  options.normalized = config.data.normalize != Normalize::kNone;
  FittedModel model = fit_knn();
  // Centering is normalizing when the similarities are known.
  if (options.weighted_average) NormalizedTrain(ctx, train, options.center).undo(model);
  return model;
}

FittedModel refit_epochs(const Config& config, Context& ctx, const Interactions& more, int epochs) {
  AlsOptions options = config.als;
  options.epochs = epochs;
  options.loss_every_epoch = false;
  Progress progress("refit", epochs, "epochs");
  FitHooks hooks;
  hooks.after_epoch = [&](const EpochReport& report, const auto&, const auto&) {
    check_interrupt();
    progress.update(report.epoch);
    return true;
  };
  return fit_als(ctx, more, options, hooks);
}

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
  FittedModel model =
      is_fitted_at_once(config) ? fit_at_once(config, ctx, more, catalogue) : refit_epochs(config, ctx, more, epochs);
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
        is_fitted_at_once(config_) ? fit_at_once(config_, ctx_, data_.train, data_.catalogue) : fit_epochs(normalized);
    normalized.undo(model);
  }
  ctx_.release_unused();
  if (!data_.validation.empty()) validation_ = validate(model, true);
  return model;
}

FittedModel Selection::fit_epochs(const NormalizedTrain& normalized) {
  AlsOptions options = config_.als;
  FitState state;
  if (folder_.start() == RunStart::kResume && std::filesystem::exists(folder_.round_file("checkpoint.h5"))) {
    state = restore();
    if (seen_.stopped) options.epochs = state.epoch;
    log_info("resumed", {{"epoch", state.epoch}});
    folder_.write_status({"running", state.epoch, config_.als.epochs});
  }
  Progress progress("training", options.epochs, "epochs");
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
  FittedModel last = fit_als(ctx_, data_.train, options, hooks);
  if (seen_.best.tables.empty() || seen_.best.epoch == chosen_) return last;
  chosen_ = options.epochs = seen_.best.epoch;
  log_info("the best epoch is taken", {{"epoch", chosen_}});
  last = {};
  return fit_als(ctx_, data_.train, options, {.after_epoch = {}, .resume = &seen_.best});
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
  const bool last = report.epoch == config_.als.epochs;
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
  const int epochs_left = config_.als.epochs - report.epoch + folder_.rounds_left() * config_.als.epochs;
  const double left = epochs_left * since_epoch_.lap();
  folder_.write_status({"running", report.epoch, config_.als.epochs, left});
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
