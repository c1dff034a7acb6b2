// SPDX-License-Identifier: Apache-2.0
#include "engine/experiment/run.hpp"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "engine/core/error.hpp"
#include "engine/core/file.hpp"
#include "engine/core/interrupt.hpp"
#include "engine/core/log.hpp"
#include "engine/experiment/run_folder.hpp"
#include "engine/models/popularity.hpp"
#include "engine/store/model_file.hpp"

namespace kindred {
namespace {
using Json = nlohmann::ordered_json;

class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

Json metrics_json(const Evaluation& evaluation) {
  Json out = Json::object();
  for (size_t m = 0; m < evaluation.metrics.size(); ++m) {
    const MetricValue& value = evaluation.values[m];
    out[evaluation.metrics[m].name()] = {{"mean", value.mean}, {"low", value.low}, {"high", value.high}};
  }
  return out;
}

/// "test" metrics as a table for people.
std::string metrics_table(const Evaluation& evaluation) {
  std::string out = fmt::format("{:<14} {:>10}   {}\n", "test", "mean", "95 % interval");
  for (size_t m = 0; m < evaluation.metrics.size(); ++m) {
    const MetricValue& value = evaluation.values[m];
    out += fmt::format("{:<14} {:>10.4f}   {:.4f} to {:.4f}\n", evaluation.metrics[m].name(), value.mean, value.low,
                       value.high);
  }
  return out;
}

int64_t host_peak_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss / 1024;
}

/// Ratings in stars under implicit feedback: a low star counts as a liking, which is rarely meant.
void warn_of_stars(const Interactions& train) {
  const auto& values = train.matrix.values;
  if (values.empty()) return;
  const auto [low, high] = std::ranges::minmax_element(values);
  const bool grid = std::ranges::all_of(values, [](float v) { return v * 2 == std::round(v * 2); });
  if (grid && *low >= 0.5f && *low < *high && (*high == 5 || *high == 10))
    log_warning("values look like stars, and feedback is implicit: every rating counts as a liking",
                {{"lowest", static_cast<double>(*low)}, {"highest", static_cast<double>(*high)}});
}

void note_small_data(const Interactions& train) {
  if (train.num_users() == 1 || train.num_items() == 1)
    log_warning("there is one user or one item: lists will say little",
                {{"users", train.num_users()}, {"items", train.num_items()}});
  const auto& values = train.matrix.values;
  if (values.size() > 1 && std::ranges::all_of(values, [&](float v) { return v == values[0]; }))
    log_info("all values are equal", {{"value", static_cast<double>(values[0])}});
}

/// What a fit's selection has seen so far; travels in the checkpoint.
struct Selection {
  Json epochs = Json::array();
  FitState best;  ///< of the best validation; tables only with early stopping
  double best_value = 0;
  int without_gain = 0;
  bool stopped = false;
  Json validation = Json::object();  ///< metrics of the chosen epoch
};

class Run {
 public:
  Run(const Config& config, Context& ctx, const PreparedData& data, RunFolder& folder)
      : config_(config), ctx_(ctx), data_(data), folder_(folder) {
    if (!config.early_stopping.metric.empty()) stopping_metric_ = parse_metric(config.early_stopping.metric);
  }

  /// Fits with validation and early stopping; the model of the chosen epoch.
  FittedModel select(RunStart start) {
    if (config_.model == "popularity") {
      epochs_ = 0;
      FittedModel model = fit_popularity(data_.train);
      if (!data_.validation.empty()) selection_.validation = metrics_json(validate(model));
      return model;
    }
    AlsOptions options = config_.als;
    FitState state;
    if (start == RunStart::kResume) {
      state = restore();
      if (selection_.stopped) options.epochs = state.epoch;
      log_info("resumed", {{"epoch", state.epoch}});
    }
    Progress progress("training", options.epochs, "epochs");
    FitHooks hooks;
    hooks.resume = state.epoch > 0 ? &state : nullptr;
    hooks.after_epoch = [&](const EpochReport& report, const auto& model, const auto& now) {
      return after_epoch(report, model, now, progress);
    };
    FittedModel last = fit_als(ctx_, data_.train, options, hooks);
    epochs_ = selection_.epochs.empty() ? options.epochs : selection_.epochs.back().at("epoch").get<int>();
    if (!stopping_metric_ || selection_.best.tables.empty() || selection_.best.epoch == epochs_) return last;
    epochs_ = options.epochs = selection_.best.epoch;
    log_info("the best epoch is taken", {{"epoch", epochs_}});
    return fit_als(ctx_, data_.train, options, {.after_epoch = {}, .resume = &selection_.best});
  }

  /// One more fit with the chosen number of epochs, on more data.
  FittedModel refit(const Interactions& more) {
    if (config_.model == "popularity") return fit_popularity(more);
    AlsOptions options = config_.als;
    options.epochs = epochs_;
    options.loss_every_epoch = false;
    Progress progress("refit", epochs_, "epochs");
    FitHooks hooks;
    hooks.after_epoch = [&](const EpochReport& report, const auto&, const auto&) {
      check_interrupt();
      progress.update(report.epoch);
      return true;
    };
    return fit_als(ctx_, more, options, hooks);
  }

  const Selection& selection() const { return selection_; }
  int epochs() const { return epochs_; }

 private:
  Evaluation validate(const FittedModel& model) {
    EvaluateOptions options = config_.evaluate;
    options.users = config_.validation_users;
    options.intervals = false;
    return evaluate(ctx_, model, {&data_.train.matrix}, data_.validation, options);
  }

  bool after_epoch(const EpochReport& report, const std::function<FittedModel()>& model,
                   const std::function<FitState()>& state, Progress& progress) {
    Json line{{"epoch", report.epoch}, {"seconds", report.seconds}};
    if (report.loss) line["loss"] = *report.loss, line["loss_seconds"] = report.loss_seconds;
    std::string note = report.loss ? fmt::format("loss {:.6g}", *report.loss) : "";
    const bool last = report.epoch == config_.als.epochs;
    if (!data_.validation.empty() && (report.epoch % config_.every == 0 || last)) {
      const Stopwatch watch;
      const Evaluation evaluation = validate(model());
      for (size_t m = 0; m < evaluation.metrics.size(); ++m)
        line[evaluation.metrics[m].name()] = evaluation.values[m].mean;
      line["validation_seconds"] = watch.seconds();
      note += fmt::format("  {} {:.4f}", evaluation.metrics[0].name(), evaluation.values[0].mean);
      judge(evaluation, report.epoch, state);
    }
    selection_.epochs.push_back(line);
    std::string lines;
    for (const auto& epoch : selection_.epochs) lines += epoch.dump() + "\n";
    write_file(folder_.file("epochs.jsonl"), lines);
    const double left = (config_.als.epochs - report.epoch) * report.seconds;
    folder_.write_status("running", report.epoch, config_.als.epochs, left);
    log_info("epoch", {{"epoch", report.epoch}, {"seconds", report.seconds}, {"remarks", note}});
    progress.note(note);
    progress.update(report.epoch);

    const int signal = signal_received();
    const bool due = since_checkpoint_.seconds() >= config_.checkpoint_minutes * 60;
    const bool before_refit = (last || selection_.stopped) && config_.refit != "none";
    if (signal != 0 || due || before_refit) save(state());
    if (signal != 0) {
      folder_.write_status("interrupted", report.epoch, config_.als.epochs, left);
      throw Interrupted(signal);
    }
    return !selection_.stopped;
  }

  /// Early stopping: is this epoch the best so far, and is it time to stop?
  void judge(const Evaluation& evaluation, int epoch, const std::function<FitState()>& state) {
    if (!stopping_metric_) {
      selection_.validation = metrics_json(evaluation);
      return;
    }
    size_t m = 0;
    while (evaluation.metrics[m].name() != stopping_metric_->name()) ++m;
    const double value = evaluation.values[m].mean;
    const double gain =
        stopping_metric_->larger_is_better() ? value - selection_.best_value : selection_.best_value - value;
    if (selection_.best.tables.empty() || gain > config_.early_stopping.min_delta) {
      selection_.best = state();
      selection_.best.epoch = epoch;
      selection_.best_value = value;
      selection_.validation = metrics_json(evaluation);
      selection_.without_gain = 0;
    } else if (++selection_.without_gain >= config_.early_stopping.patience) {
      selection_.stopped = true;
      log_info("stopped early",
               {{"metric", stopping_metric_->name()}, {"best", selection_.best_value}, {"epoch", epoch}});
    }
  }

  void save(FitState now) {
    const Json text{{"epochs", selection_.epochs},         {"best_epoch", selection_.best.epoch},
                    {"best_value", selection_.best_value}, {"without_gain", selection_.without_gain},
                    {"stopped", selection_.stopped},       {"validation", selection_.validation}};
    Checkpoint checkpoint{now.epoch, text.dump(), std::move(now.tables)};
    for (const auto& [name, table] : selection_.best.tables) checkpoint.tables.emplace_back("best." + name, table);
    save_checkpoint(checkpoint, folder_.file("checkpoint.h5"));
    since_checkpoint_ = Stopwatch();
  }

  FitState restore() {
    Checkpoint checkpoint = load_checkpoint(folder_.file("checkpoint.h5"));
    const Json text = Json::parse(checkpoint.text, nullptr, false);
    FitState state{checkpoint.epoch, {}};
    try {
      selection_.epochs = text.at("epochs");
      selection_.best.epoch = text.at("best_epoch");
      selection_.best_value = text.at("best_value");
      selection_.without_gain = text.at("without_gain");
      selection_.stopped = text.at("stopped");
      selection_.validation = text.at("validation");
    } catch (const Json::exception&) {
      throw InputError(folder_.file("checkpoint.h5").string() +
                       ": not a checkpoint of this program; start anew with --force");
    }
    for (auto& [name, table] : checkpoint.tables) {
      if (name.starts_with("best."))
        selection_.best.tables.emplace_back(name.substr(5), std::move(table));
      else
        state.tables.emplace_back(name, std::move(table));
    }
    return state;
  }

  const Config& config_;
  Context& ctx_;
  const PreparedData& data_;
  RunFolder& folder_;
  std::optional<MetricSpec> stopping_metric_;
  Selection selection_;
  Stopwatch since_checkpoint_;
  int epochs_ = 0;
};

void write_per_user(const Evaluation& evaluation, const Ids& users, const std::filesystem::path& path) {
  PendingFile file(path);
  std::string line = "user";
  for (const auto& metric : evaluation.metrics) line += "," + metric.name();
  file.write(line + "\n");
  for (size_t u = 0; u < evaluation.users.size(); ++u) {
    line = users.text(evaluation.users[u]);
    if (line.find_first_of(",\"\r\n") != std::string::npos) {
      std::string escaped = "\"";
      for (const char c : line) escaped += c == '"' ? "\"\"" : std::string(1, c);
      line = escaped + "\"";
    }
    for (const auto& values : evaluation.per_user) line += "," + format_double(values[u]);
    file.write(line + "\n");
  }
  file.commit();
}

KeepHistory history_kept(const std::string& word) {
  return word == "values" ? KeepHistory::kValues : word == "items" ? KeepHistory::kItems : KeepHistory::kNone;
}

PreparedData read_data(const Config& config) {
  PreparedData data = prepare(config.data, config.split, config.seed, config.threads);
  if (data.train.size() == 0)
    throw InputError("split: train is empty; lower split.test and split.validation or bring more data");
  if (!config.early_stopping.metric.empty() && data.validation.empty())
    throw InputError("train.early_stopping: needs a validation part; set split.validation above 0");
  if (config.model == "als" && config.als.feedback == "implicit") warn_of_stars(data.train);
  note_small_data(data.train);
  return data;
}

}  // namespace

std::string dry_run(const Config& config) {
  const PreparedData data = read_data(config);
  return fmt::format("users {}\nitems {}\ntrain {}\nvalidation {}\ntest {}\n\n{}", data.train.num_users(),
                     data.train.num_items(), data.train.size(), data.validation.matrix.nnz(), data.test.matrix.nnz(),
                     config.resolved);
}

RunResult run_training(const Config& config, const RunRequest& request) {
  RunResult result;
  result.folder = config.output;
  result.model = config.output / config.export_model;
  const RunStart start = inspect_run_folder(config.output, config.resolved, request);
  if (start == RunStart::kFinished) {
    log_info("this run is finished, nothing to do", {{"folder", config.output.string()}});
    result.was_finished = true;
    return result;
  }
  Context ctx({.device = config.device, .threads = config.threads, .seed = config.seed});
  if (!ctx.fallback().empty()) log_info("training on the CPU", {{"reason", ctx.fallback()}});
  const Stopwatch load_watch;
  PreparedData data = read_data(config);
  const double load_seconds = load_watch.seconds();
  if (std::ranges::any_of(config.evaluate.metrics, [&](const auto& m) { return m.k > data.train.num_items(); }))
    log_info("a metric's list is longer than the catalogue; lists hold all items then",
             {{"items", data.train.num_items()}});

  RunFolder folder(config.output, start);
  log_to_file(folder.file("log.txt"));
  write_file(folder.file("config.toml"), config.resolved);
  folder.write_status("running", 0, config.als.epochs, 0);
  log_info("data", {{"users", data.train.num_users()},
                    {"items", data.train.num_items()},
                    {"train", data.train.size()},
                    {"validation", data.validation.matrix.nnz()},
                    {"test", data.test.matrix.nnz()},
                    {"device", ctx.device_name()}});

  const Stopwatch fit_watch;
  Run run(config, ctx, data, folder);
  FittedModel model = run.select(start);
  double fit_seconds = fit_watch.seconds();

  const Stopwatch evaluate_watch;
  Evaluation test;
  Json test_metrics = Json::object();
  if (!data.test.matrix.offsets.empty() && data.test.matrix.rows() > 0 && !data.test.empty()) {
    EvaluateOptions options = config.evaluate;
    options.users = config.test_users;
    test = evaluate(ctx, model, {&data.train.matrix, &data.validation.matrix}, data.test, options);
    test_metrics = metrics_json(test);
    write_per_user(test, *data.train.users, folder.file("per_user.csv"));
    result.table = metrics_table(test);
  } else {
    result.table = "nothing was held out for a test: no metrics\n";
  }
  const double evaluate_seconds = evaluate_watch.seconds();

  const int64_t train_size = data.train.size(), validation_size = data.validation.matrix.nnz(),
                test_size = data.test.matrix.nnz();
  if (config.refit != "none") {
    const Stopwatch watch;
    data.train = merge(data.train, data.validation.matrix);
    data.validation.matrix = HostCsr{};
    if (config.refit == "all") {
      data.train = merge(data.train, data.test.matrix);
      data.test.matrix = HostCsr{};
    }
    model = run.refit(data.train);
    fit_seconds += watch.seconds();
  }

  const Stopwatch export_watch;
  model.name = config.name;
  model.catalogue = std::move(data.catalogue);
  model.history = std::move(data.train.matrix);
  model.held_out_validation = std::move(data.validation.matrix);
  model.held_out_test = std::move(data.test.matrix);
  model.config_toml = config.resolved;
  model.created = utc_now();
  Json metrics{
      {"name", config.name},
      {"model", config.model},
      {"seed", config.seed},
      {"device", ctx.device_name()},
      {"kindred_version", KINDRED_VERSION},
      {"git", KINDRED_GIT},
      {"content_hash", ""},
      {"protocol",
       {{"split", config.split.protocol}, {"filter_seen", config.evaluate.filter_seen}, {"refit", config.refit}}},
      {"data",
       {{"users", model.num_users()},
        {"items", model.num_items()},
        {"train", train_size},
        {"validation", validation_size},
        {"test", test_size},
        {"users_evaluated", test.users.size()},
        {"users_dropped", data.test.dropped_users}}},
      {"validation", run.selection().validation},
      {"test", test_metrics},
      {"epochs", run.selection().epochs},
      {"epochs_chosen", run.epochs()}};
  model.metrics_json = metrics.dump();
  const auto history = history_kept(config.export_history);
  metrics["content_hash"] = save_model(model, result.model, history);
  metrics["seconds"] = {
      {"load", load_seconds}, {"fit", fit_seconds}, {"evaluate", evaluate_seconds}, {"export", export_watch.seconds()}};
  metrics["peak_memory_mib"] = {{"host", host_peak_mib()}, {"device", ctx.on_cuda() ? ctx.memory().peak >> 20 : 0}};
  result.metrics_json = metrics.dump(2) + "\n";
  write_file(folder.file("metrics.json"), result.metrics_json);
  folder.write_status("finished", run.epochs(), config.als.epochs, 0);
  std::error_code ignored;
  std::filesystem::remove(folder.file("checkpoint.h5"), ignored);
  log_info("done", {{"model", result.model.string()},
                    {"fit", format_seconds(fit_seconds)},
                    {"peak", format_bytes(host_peak_mib() << 20)}});
  log_to_file("");
  return result;
}

}  // namespace kindred
