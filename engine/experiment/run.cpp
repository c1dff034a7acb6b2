// SPDX-License-Identifier: Apache-2.0
#include "engine/experiment/run.hpp"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/core/error.hpp"
#include "engine/core/file.hpp"
#include "engine/core/interrupt.hpp"
#include "engine/core/log.hpp"
#include "engine/data/normalize.hpp"
#include "engine/experiment/recommendations.hpp"
#include "engine/experiment/report.hpp"
#include "engine/experiment/selection.hpp"
#include "engine/store/model_file.hpp"
#include "engine/store/text.hpp"

namespace kindred {
namespace {
using Json = nlohmann::ordered_json;

Json metrics_json(const Evaluation& evaluation) {
  Json out = Json::object();
  for (size_t m = 0; m < evaluation.metrics.size(); ++m) {
    const MetricValue& value = evaluation.values[m];
    Json& entry = out[evaluation.name(m)] = {{"mean", value.mean}};
    if (!std::isnan(value.low)) entry["low"] = value.low, entry["high"] = value.high;
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

void write_rejected(const std::vector<RejectedRow>& rows, const std::filesystem::path& path) {
  PendingFile file(path);
  file.write("file,line,reason,text\n");
  std::string line;
  for (const RejectedRow& row : rows) {
    line.clear();
    append_csv(line, row.file);
    line += "," + std::to_string(row.line) + ",";
    append_csv(line, row.reason);
    line += ",";
    append_csv(line, row.text);
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
  for (const auto& metric : config.evaluate.metrics) {
    const auto reason = objection(metric, true, true, !is_baseline(config) || data.catalogue.tags.rows() > 0);
    if (!reason.empty()) throw InputError("evaluate.metrics: " + reason + "; name a catalogue with tags in data.items");
  }
  if (std::ranges::any_of(config.evaluate.metrics, [&](const auto& m) { return m.k > data.train.num_items(); }))
    log_info("a metric's list is longer than the catalogue: it holds all items", {{"items", data.train.num_items()}});
  if (config.model == "als" && config.als.feedback == "implicit") {
    if (!data.first_negative.empty() && std::ranges::any_of(data.train.matrix.values, [](float v) { return v < 0; }))
      throw InputError(data.first_negative +
                       "; implicit feedback needs values of 0 and more: leave others out with data.min_value = 0.0, or "
                       "set model.feedback = \"explicit\"");
    warn_of_stars(data.train);
  }
  check_normalizable(data.train, config.data.normalize);
  note_small_data(data.train);
  return data;
}

/// What a model takes as its number of epochs; a baseline has none.
int epochs_of(const Config& config) { return is_baseline(config) ? 0 : config.als.epochs; }

/// JSON whatever bytes a name has.
std::string dump(const Json& json, int indent) { return json.dump(indent, ' ', false, Json::error_handler_t::replace); }

/// log.txt takes the lines of the log while this lives.
class LogFile {
 public:
  explicit LogFile(const std::filesystem::path& path) { log_to_file(path); }
  ~LogFile() { log_to_file(""); }
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;
};

struct Seconds {
  double load = 0, fit = 0, evaluate = 0, exporting = 0;
};

Evaluation evaluate_test(const Config& config, Context& ctx, const FittedModel& model, const PreparedData& data) {
  if (data.test.empty()) return {};
  EvaluateOptions options = config.evaluate;
  options.users = config.test_users;
  return evaluate(ctx, model,
                  {.held_out = data.test,
                   .seen = {&data.train.matrix, &data.validation.matrix},
                   .negatives = negatives_of(data, options),
                   .catalogue = &data.catalogue},
                  options);
}

void move_to_train(PreparedData& data, HeldOut& part) {
  data.train = merge(data.train, part.matrix);
  part.matrix = HostCsr{};
}

/// metrics.json, but for what is known only after the export.
Json describe_run(const Config& config, const Context& ctx, const PreparedData& data, const Selection& selection,
                  const Evaluation& test) {
  Json epochs = Json::array();
  for (const auto& line : selection.log()) epochs.push_back(Json::parse(line));
  return {{"name", config.name},
          {"model", config.model},
          {"seed", config.seed},
          {"device", ctx.device_name()},
          {"kindred_version", KINDRED_VERSION},
          {"git", KINDRED_GIT},
          {"content_hash", ""},
          {"protocol",
           {{"split", config.split.protocol},
            {"candidates", config.evaluate.only_negatives ? "negatives" : "all"},
            {"filter_seen", config.evaluate.filter_seen},
            {"refit", config.refit}}},
          {"data",
           {{"users", data.train.num_users()},
            {"items", data.train.num_items()},
            {"train", data.train.size()},
            {"validation", data.validation.matrix.nnz()},
            {"test", data.test.matrix.nnz()},
            {"users_evaluated", test.users_with_relevant},
            {"users_dropped", data.test.dropped_users}}},
          {"validation", metrics_json(selection.validation())},
          {"test", metrics_json(test)},
          {"epochs", std::move(epochs)},
          {"epochs_chosen", selection.epochs()}};
}

/// Fits, evaluates and exports into a folder that is ours.
RunResult train_into(RunFolder& folder, const Config& config, Context& ctx, PreparedData data, Seconds seconds) {
  RunResult result;
  result.folder = config.output;
  result.model = config.output / config.export_model;
  log_info("data", {{"users", data.train.num_users()},
                    {"items", data.train.num_items()},
                    {"train", data.train.size()},
                    {"validation", data.validation.matrix.nnz()},
                    {"test", data.test.matrix.nnz()},
                    {"device", ctx.device_name()}});

  Stopwatch watch;
  Selection selection(config, ctx, data, folder);
  FittedModel model = selection.fit();
  seconds.fit = watch.lap();

  const Evaluation test = evaluate_test(config, ctx, model, data);
  if (!test.users.empty()) write_per_user(test, *data.train.users, folder.file("per_user.csv"));
  result.table = metrics_table(test);
  seconds.evaluate = watch.lap();
  check_interrupt();

  Json metrics = describe_run(config, ctx, data, selection, test);
  if (config.refit != "none") {
    move_to_train(data, data.validation);
    if (config.refit == "all") move_to_train(data, data.test);
    model = selection.refit(data.train);
    seconds.fit += watch.lap();
    check_interrupt();
  }

  model.name = config.name;
  model.catalogue = std::move(data.catalogue);
  model.history = std::move(data.train.matrix);
  model.held_out_validation = std::move(data.validation.matrix);
  model.held_out_test = std::move(data.test.matrix);
  model.config_toml = config.resolved;
  model.metrics_json = dump(metrics, -1);
  model.created = utc_now();
  model.content_hash = save_model(model, result.model, history_kept(config.export_history));
  metrics["content_hash"] = model.content_hash;
  if (!config.recommendations_to.empty()) {
    const int64_t users = write_recommendations(ctx, model, config.recommendations_k, config.recommendations_to);
    log_info("recommendations", {{"users", users}, {"to", config.recommendations_to}});
  }
  seconds.exporting = watch.lap();

  metrics["seconds"] = {
      {"load", seconds.load}, {"fit", seconds.fit}, {"evaluate", seconds.evaluate}, {"export", seconds.exporting}};
  metrics["peak_memory_mib"] = {{"host", host_peak_mib()}, {"device", ctx.on_cuda() ? ctx.memory().peak >> 20 : 0}};
  result.metrics_json = dump(metrics, 2) + "\n";
  write_file(folder.file("metrics.json"), result.metrics_json);
  folder.write_status({"finished", selection.epochs(), epochs_of(config)});
  std::error_code ignored;
  std::filesystem::remove(folder.file("checkpoint.h5"), ignored);
  log_info("done", {{"model", result.model.string()},
                    {"fit", format_seconds(seconds.fit)},
                    {"peak", format_bytes(host_peak_mib() << 20)}});
  return result;
}

/// Leaves word of how a run ended; where even that cannot be written, the error under way says why.
void end_with(RunFolder& folder, const std::string& state, const std::string& reason) {
  Status status = folder.status();
  status.state = state, status.eta_seconds = 0, status.reason = reason;
  try {
    folder.write_status(status);
  } catch (const Error&) {
  }
}

RunResult finished(const Config& config) {
  log_info("this run is finished, nothing to do", {{"folder", config.output.string()}});
  RunResult result;
  result.folder = config.output;
  result.model = config.output / config.export_model;
  result.was_finished = true;
  return result;
}

}  // namespace

std::string dry_run(const Config& config) {
  const PreparedData data = read_data(config);
  return fmt::format("users {}\nitems {}\ntrain {}\nvalidation {}\ntest {}\n\n{}", data.train.num_users(),
                     data.train.num_items(), data.train.size(), data.validation.matrix.nnz(), data.test.matrix.nnz(),
                     config.resolved);
}

RunResult run_training(const Config& config, const RunRequest& request) {
  if (inspect_run_folder(config.output, config.resolved, request) == RunStart::kFinished) return finished(config);
  Context ctx({.device = config.device, .threads = config.threads, .seed = config.seed});
  if (!ctx.fallback().empty()) log_info("training on the CPU", {{"reason", ctx.fallback()}});
  Stopwatch watch;
  PreparedData data = read_data(config);
  const Seconds seconds{.load = watch.lap()};

  RunFolder folder(config.output, config.resolved, request);  // from here on the folder changes
  if (folder.start() == RunStart::kFinished) return finished(config);
  const LogFile log(folder.file("log.txt"));
  write_file(folder.file("config.toml"), config.resolved);
  if (!data.rejected.empty()) write_rejected(data.rejected, folder.file("rejected.csv"));
  folder.write_status({"running", 0, epochs_of(config)});
  try {
    return train_into(folder, config, ctx, std::move(data), seconds);
  } catch (const Interrupted&) {
    end_with(folder, "interrupted", "");
    log_info("stopped; --resume goes on", {{"epoch", folder.status().epoch}, {"folder", config.output.string()}});
    throw;
  } catch (const std::exception& error) {
    end_with(folder, "failed", error.what());
    throw;
  }
}

}  // namespace kindred
