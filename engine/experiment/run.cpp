// SPDX-License-Identifier: Apache-2.0
#include "engine/experiment/run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/core/error.hpp"
#include "engine/core/file.hpp"
#include "engine/core/interrupt.hpp"
#include "engine/core/log.hpp"
#include "engine/core/output.hpp"
#include "engine/data/normalize.hpp"
#include "engine/experiment/cost.hpp"
#include "engine/experiment/recommendations.hpp"
#include "engine/experiment/report.hpp"
#include "engine/experiment/selection.hpp"
#include "engine/store/model_file.hpp"

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

/// Every value that the run will fit or fold in, so that a wrong one does not come up at the refit.
void check_values(const Config& config, const PreparedData& data) {
  if (config.model != "als") return;
  const auto check = [&](const HostCsr& part) {
    try {
      check_als_values(*data.train.users, *data.train.items, part, config.als);
    } catch (const InputError&) {
      if (data.first_negative.empty()) throw;
      throw InputError(data.first_negative +
                       "; implicit feedback needs values of 0 and more: leave others out with data.min_value = 0.0, or "
                       "set model.feedback = \"explicit\"");
    }
  };
  check(data.train.matrix);
  check(data.validation.given);
  check(data.test.given);
  if (config.refit != "none") check(data.validation.matrix);
  if (config.refit == "all") check(data.test.matrix);
}

PreparedData read_data(const Config& config) {
  PreparedData data = prepare(config.data, config.split, config.seed, config.threads);
  if (data.train.size() == 0)
    throw InputError("split: train is empty; lower split.test and split.validation or bring more data");
  check_values(config, data);
  const bool drawn_later = config.split.rounds() > 1 && config.split.validation_given && config.split.validation > 0;
  if (!config.early_stopping.metric.empty() && data.validation.empty() && !drawn_later)
    throw InputError("train.early_stopping: needs a validation part; set split.validation above 0");
  for (const auto& metric : config.evaluate.metrics) {
    const auto reason = objection(metric, true, true, has_item_vectors(config) || data.catalogue.tags.rows() > 0);
    if (!reason.empty()) throw InputError("evaluate.metrics: " + reason + "; name a catalogue with tags in data.items");
  }
  if (std::ranges::any_of(config.evaluate.metrics, [&](const auto& m) { return m.k > data.train.num_items(); }))
    log_info("a metric's list is longer than the catalogue: it holds all items", {{"items", data.train.num_items()}});
  if (config.model == "als" && config.als.feedback == "implicit") warn_of_stars(data.train);
  check_normalizable(data.train, config.data.normalize);
  note_small_data(data.train);
  return data;
}

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

/// A held-out part joins train, what was given of its users first.
void move_to_train(PreparedData& data, HeldOut& part) {
  if (part.given.rows() > 0) data.train = merge(data.train, part.given);
  data.train = merge(data.train, part.matrix);
  part.given = part.matrix = HostCsr{};
}

/// What is given of held-out users' histories, in both parts.
HostCsr all_given(const Interactions& train, PreparedData& parts) {
  HostCsr &of_validation = parts.validation.given, &of_test = parts.test.given;
  if (of_validation.rows() == 0) return std::move(of_test);
  if (of_test.rows() == 0) return std::move(of_validation);
  return merge({train.users, train.items, std::move(of_validation), {}, {}, {}}, of_test).matrix;
}

/// What a round found: metrics.json of a run of one round, but for what is known only after the export.
Json describe_round(const PreparedData& data, const Selection& selection, const Evaluation& test) {
  Json epochs = Json::array();
  for (const auto& line : selection.log()) epochs.push_back(Json::parse(line));
  Json out = {{"data",
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
  if (const int64_t given = data.validation.given.nnz() + data.test.given.nnz(); given > 0)
    out["data"]["given"] = given;
  return out;
}

/// Mean and standard deviation over folds (n - 1) of each metric.
Json over_folds(const Json& folds, const char* part) {
  Json out = Json::object();
  for (const auto& [name, first] : folds.at(0).at(part).items()) {
    double sum = 0, squares = 0;
    const auto count = static_cast<double>(folds.size());
    for (const auto& fold : folds) sum += fold.at(part).at(name).at("mean").get<double>();
    for (const auto& fold : folds) {
      const double gap = fold.at(part).at(name).at("mean").get<double>() - sum / count;
      squares += gap * gap;
    }
    out[name] = {{"mean", sum / count}, {"std", std::sqrt(squares / (count - 1))}};
  }
  return out;
}

int mean_epochs(const Json& rounds) {
  double sum = 0;
  for (const auto& round : rounds) sum += round.at("epochs_chosen").get<int>();
  return static_cast<int>(std::lround(sum / static_cast<double>(rounds.size())));
}

/// metrics.json, but for what is known only after the export.
Json describe_run(const Config& config, const Context& ctx, const PreparedData& data, const Json& rounds) {
  Json out = {{"name", config.name},
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
                {"refit", config.refit}}}};
  if (rounds.size() == 1) {
    out.update(rounds.at(0));
    return out;
  }
  out["data"] = {
      {"users", data.train.num_users()}, {"items", data.train.num_items()}, {"interactions", data.train.size()}};
  out["validation"] = over_folds(rounds, "validation");
  out["test"] = over_folds(rounds, "test");
  out["folds"] = rounds;
  out["epochs_chosen"] = mean_epochs(rounds);
  return out;
}

std::string folds_table(const Json& test) {
  std::string out = fmt::format("{:<18} {:>10}   {}\n", "test", "mean", "standard deviation over folds");
  for (const auto& [name, value] : test.items())
    out +=
        fmt::format("{:<18} {:>10.4f}   {:.4f}\n", name, value.at("mean").get<double>(), value.at("std").get<double>());
  return out;
}

/// Rounds of a run: one, or one a fold. Each is fitted, chosen on its validation part and measured on its test part.
struct Rounds {
  Json found = Json::array();
  PreparedData last;  ///< parts of the last round
  FittedModel model;  ///< of the last round
  std::string table;  ///< its test metrics
};

Rounds fit_rounds(RunFolder& folder, const Config& config, Context& ctx, PreparedData& data, Seconds& seconds) {
  Rounds out;
  const int rounds = config.split.rounds();
  for (int round = 0; round < rounds; ++round) {
    folder.begin_round(round, rounds);
    const auto record = folder.round_file("metrics.json");
    if (rounds > 1 && std::filesystem::exists(record)) {  // a run that was stopped has done this fold
      out.found.push_back(Json::parse(read_file(record)));
      continue;
    }
    Stopwatch watch;
    out.last = take_round(data, round, config.split, config.seed, config.threads);
    log_info(rounds > 1 ? fmt::format("fold {} of {}", round + 1, rounds) : "data",
             {{"users", out.last.train.num_users()},
              {"items", out.last.train.num_items()},
              {"train", out.last.train.size()},
              {"validation", out.last.validation.matrix.nnz()},
              {"test", out.last.test.matrix.nnz()},
              {"device", ctx.device_name()}});
    if (round == 0) log_cost(run_cost(config, ctx, out.last));
    Selection selection(config, ctx, out.last, folder);
    out.model = selection.fit();
    seconds.fit += watch.lap();

    EvaluateOptions options = config.evaluate;
    options.users = config.test_users;
    const Evaluation test =
        out.last.test.empty() ? Evaluation{} : evaluate_part(ctx, out.model, out.last, out.last.test, options);
    if (!test.users.empty()) write_per_user(test, *out.last.train.users, folder.round_file("per_user.csv"));
    out.table = metrics_table(test);
    out.found.push_back(describe_round(out.last, selection, test));
    seconds.evaluate += watch.lap();
    if (rounds > 1) {
      write_file(record, dump(out.found.back(), 2) + "\n");
      std::filesystem::remove(folder.round_file("checkpoint.h5"));
    }
    check_interrupt();
  }
  return out;
}

/// Fits, evaluates and exports into a folder that is ours.
RunResult train_into(RunFolder& folder, const Config& config, Context& ctx, PreparedData data, Seconds seconds) {
  Rounds rounds = fit_rounds(folder, config, ctx, data, seconds);
  const bool folds = config.split.rounds() > 1;
  if (folds) rounds.last = {};  // a copy of parts of `data`
  PreparedData& parts = folds ? data : rounds.last;
  Json metrics = describe_run(config, ctx, parts, rounds.found);
  const int epochs = metrics.at("epochs_chosen");

  Stopwatch watch;
  if (config.refit != "none") {
    move_to_train(parts, parts.validation);
    if (config.refit == "all") move_to_train(parts, parts.test);
    rounds.model = {};  // its memory is the next one's
    rounds.model = refit(config, ctx, parts.train, parts.catalogue, epochs);
    seconds.fit += watch.lap();
    check_interrupt();
  }

  RunResult result;
  result.folder = config.output;
  result.table = folds ? folds_table(metrics.at("test")) : rounds.table;
  const auto file = config.output / config.export_model;
  if (!folds || config.refit == "all") {
    FittedModel& model = rounds.model;
    model.name = config.name;
    model.catalogue = std::move(parts.catalogue);
    model.held_out_validation = std::move(parts.validation.matrix);
    model.held_out_test = std::move(parts.test.matrix);
    model.held_out_given = all_given(parts.train, parts);
    model.history = std::move(parts.train.matrix);
    model.config_toml = config.resolved;
    model.metrics_json = dump(metrics, -1);
    model.created = utc_now();
    model.content_hash = save_model(model, file, history_kept(config.export_history));
    metrics["content_hash"] = model.content_hash;
    result.model = file;
    if (!config.recommendations_to.empty()) {
      const int64_t users = write_recommendations(ctx, model, config.recommendations_k, config.recommendations_to);
      log_info("recommendations", {{"users", users}, {"to", config.recommendations_to}});
    }
  } else {
    std::filesystem::remove(file);  // of an earlier run; this one has none
  }
  seconds.exporting = watch.lap();

  metrics["seconds"] = {
      {"load", seconds.load}, {"fit", seconds.fit}, {"evaluate", seconds.evaluate}, {"export", seconds.exporting}};
  metrics["peak_memory_mib"] = {{"host", process_memory().peak >> 20},
                                {"device", ctx.on_cuda() ? ctx.memory().peak >> 20 : 0}};
  result.metrics_json = dump(metrics, 2) + "\n";
  write_file(folder.file("metrics.json"), result.metrics_json);
  folder.write_status({"finished", epochs, epochs_of(config)});
  std::error_code ignored;
  std::filesystem::remove(folder.file("checkpoint.h5"), ignored);
  log_info("done", {{"model", result.model.empty() ? "none; k-fold exports one with train.refit = \"all\""
                                                   : result.model.string()},
                    {"fit", format_seconds(seconds.fit)},
                    {"peak", format_bytes(process_memory().peak)}});
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
  if (config.split.rounds() == 1 || config.refit == "all") result.model = config.output / config.export_model;
  result.was_finished = true;
  return result;
}

}  // namespace

std::string dry_run(const Config& config) {
  Context ctx({.device = config.device, .threads = config.threads, .seed = config.seed});
  const ReadingEstimate reading = estimate_reading(config);
  if (!reading.fits()) return reading.text() + "\nnot read: it would not fit\n\n" + config.resolved;
  PreparedData all = read_data(config);
  const PreparedData data = take_round(all, 0, config.split, config.seed, config.threads);
  const std::string folds = config.split.rounds() > 1 ? fmt::format("folds {}\n", config.split.rounds()) : "";
  return (reading.rows > 0 ? reading.text() + "\n" : "") +
         fmt::format("users {}\nitems {}\n{}train {}\nvalidation {}\ntest {}\n{}\n{}", data.train.num_users(),
                     data.train.num_items(), folds, data.train.size(), data.validation.matrix.nnz(),
                     data.test.matrix.nnz(), cost_text(run_cost(config, ctx, data)), config.resolved);
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
