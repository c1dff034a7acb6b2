// SPDX-License-Identifier: Apache-2.0
// Whole runs on a small file: what they leave, how they go on after a stop with the same bits, which epoch they choose,
// what they refuse before a byte is written.
#include "engine/experiment/run.hpp"

#include <gmock/gmock.h>

#include <cerrno>
#include <csignal>
#include <nlohmann/json.hpp>
#include <sstream>

#include "engine/core/interrupt.hpp"
#include "engine/experiment/contender.hpp"
#include "engine/store/model_file.hpp"
#include "tests/engine/experiment/small_run.hpp"

namespace kindred {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using Json = nlohmann::ordered_json;

const std::string kSmall = "[model]\nfactors = 4\n[train]\nepochs = 5\n";

class RunTest : public ::testing::Test {
 protected:
  ~RunTest() override {
    faults().before = nullptr;
    simulate_signal(0);
  }

  Json metrics(const std::string& out = "run") const { return Json::parse(run_.read(out + "/metrics.json")); }
  Json status(const std::string& out = "run") const { return Json::parse(run_.read(out + "/status.json")); }
  std::vector<Json> epochs(const std::string& out = "run") const {
    std::vector<Json> lines;
    std::istringstream text(run_.read(out + "/epochs.jsonl"));
    for (std::string line; std::getline(text, line);) lines.push_back(Json::parse(line));
    return lines;
  }
  FittedModel model(const std::string& out = "run") const { return load_model(run_.folder() / out); }
  std::string error(const Config& config, const RunRequest& request = {}) const {
    return test::input_error(run_.folder(), [&] { run_training(config, request); });
  }
  /// Calls `what` when a file of this name is written for the `time`-th time, before it appears.
  static void when_written(const std::string& name, int time, std::function<int()> what) {
    faults().before = [=, seen = 0](std::string_view call, const std::filesystem::path& path) mutable {
      return call == "rename" && path.filename() == name && ++seen == time ? what() : 0;
    };
  }
  /// Runs until a signal comes while epoch `epoch` is written down.
  static void stop_in(const Config& config, int epoch, const RunRequest& request = {}) {
    when_written("epochs.jsonl", epoch, [] {
      simulate_signal(SIGTERM);
      return 0;
    });
    EXPECT_THROW(run_training(config, request), Interrupted);
    faults().before = nullptr;
    simulate_signal(0);
  }

  test::SmallRun run_;
};

/// Without what differs from run to run.
Json comparable(Json metrics) {
  metrics.erase("seconds");
  metrics.erase("peak_memory_mib");
  for (auto& epoch : metrics.at("epochs"))
    for (const char* time : {"seconds", "loss_seconds", "validation_seconds"}) epoch.erase(time);
  return metrics;
}

const std::vector<float>& user_factors(const FittedModel& model) { return std::get<Factors>(model.scorer).users.data; }

std::vector<std::string> keys(const Json& object) {
  std::vector<std::string> out;
  for (const auto& [key, value] : object.items()) out.push_back(key);
  return out;
}

TEST_F(RunTest, LeavesWhatTheContractNames) {
  const Config config = run_.config(kSmall);
  const RunResult result = run_training(config);
  EXPECT_EQ(result.model, run_.folder() / "run/model.h5");
  EXPECT_THAT(result.table, ::testing::MatchesRegex("test +mean +95 % interval\nrecall@20 .*\nndcg@10 .*\n"));

  std::set<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(result.folder)) files.insert(entry.path().filename());
  EXPECT_THAT(files, ElementsAre("config.toml", "epochs.jsonl", "log.txt", "metrics.json", "model.h5", "per_user.csv",
                                 "status.json"));
  EXPECT_EQ(run_.read("run/config.toml"), config.resolved);
  EXPECT_EQ(status().at("state"), "finished");
  EXPECT_EQ(status().at("epoch"), 5);

  const Json m = metrics();
  EXPECT_EQ(run_.read("run/metrics.json"), result.metrics_json);
  EXPECT_THAT(keys(m),
              ElementsAre("name", "model", "seed", "device", "kindred_version", "git", "content_hash", "protocol",
                          "data", "validation", "test", "epochs", "epochs_chosen", "seconds", "peak_memory_mib"));
  EXPECT_THAT(keys(m.at("seconds")), ElementsAre("load", "fit", "evaluate", "export"));
  EXPECT_GT(m.at("peak_memory_mib").at("host"), 0);
  const Json& data = m.at("data");
  EXPECT_EQ(data.at("users"), 60);
  EXPECT_EQ(data.at("train").get<int>() + data.at("validation").get<int>() + data.at("test").get<int>(), 60 * 12);
  EXPECT_EQ(data.at("users_evaluated"), 60);
  for (const std::string part : {"validation", "test"}) {
    EXPECT_THAT(keys(m.at(part)), ElementsAre("recall@20", "ndcg@10")) << part;
    for (const auto& [name, value] : m.at(part).items()) {
      EXPECT_LE(value.at("low"), value.at("mean")) << part << name;
      EXPECT_GE(value.at("high"), value.at("mean")) << part << name;
      EXPECT_LT(value.at("low"), value.at("high")) << part << name;
    }
  }
  ASSERT_EQ(m.at("epochs").size(), 5U);
  EXPECT_EQ(Json(epochs()), m.at("epochs"));
  for (size_t e = 1; e < 5; ++e) EXPECT_LE(m.at("epochs")[e].at("loss"), m.at("epochs")[e - 1].at("loss"));
  // The last epoch's validation and that of the chosen model are the same figure.
  EXPECT_EQ(m.at("epochs")[4].at("ndcg@10"), m.at("validation").at("ndcg@10").at("mean"));

  const FittedModel exported = model();
  EXPECT_EQ(exported.content_hash, m.at("content_hash"));
  EXPECT_EQ(exported.config_toml, config.resolved);
  EXPECT_EQ(exported.history.nnz(), data.at("train"));
  EXPECT_EQ(exported.held_out_test.nnz(), data.at("test"));
}

TEST_F(RunTest, PerUserMetricsAverageToTheTests) {
  run_training(run_.config(kSmall));
  std::istringstream text(run_.read("run/per_user.csv"));
  std::string line;
  std::getline(text, line);
  EXPECT_EQ(line, "user,recall@20,ndcg@10");
  double sum = 0;
  int users = 0;
  for (; std::getline(text, line); ++users) sum += std::stod(line.substr(line.rfind(',') + 1));
  EXPECT_EQ(users, 60);
  EXPECT_NEAR(sum / users, metrics().at("test").at("ndcg@10").at("mean").get<double>(), 1e-12);
}

TEST_F(RunTest, LearnsMoreThanPopularityKnows) {
  run_training(run_.config(kSmall));
  run_training(run_.config("[model]\ntype = \"popularity\"\n", {}, "popular"));
  const Json popular = metrics("popular");
  EXPECT_TRUE(popular.at("epochs").empty());
  EXPECT_EQ(popular.at("epochs_chosen"), 0);
  EXPECT_EQ(status("popular").at("epochs"), 0);
  EXPECT_GT(metrics().at("test").at("recall@20").at("low"), popular.at("test").at("recall@20").at("mean"));
}

TEST_F(RunTest, SameBitsForAnyNumberOfThreads) {
  run_training(run_.config(kSmall, {"threads=1"}, "one"));
  run_training(run_.config(kSmall, {"threads=3"}, "three"));
  EXPECT_EQ(comparable(metrics("one")), comparable(metrics("three")));
  run_training(run_.config(kSmall, {"seed=7"}, "seed"));
  EXPECT_NE(metrics("seed").at("content_hash"), metrics("one").at("content_hash"));
}

// --- stopping and going on ---

struct StopCase {
  const char* name;
  const char* sections;
  int epochs;  ///< that the uninterrupted run takes at most
};

class ResumeTest : public RunTest, public ::testing::WithParamInterface<StopCase> {};

TEST_P(ResumeTest, ARunStoppedAnywhereEndsWithTheSameBits) {
  run_training(run_.config(GetParam().sections, {}, "whole"));
  const Json whole = comparable(metrics("whole"));
  const int taken = static_cast<int>(whole.at("epochs").size());
  EXPECT_LE(taken, GetParam().epochs);
  for (int epoch = 1; epoch <= taken; ++epoch) {
    const Config config = run_.config(GetParam().sections);
    stop_in(config, epoch, {.force = true});
    EXPECT_EQ(status().at("state"), "interrupted");
    EXPECT_EQ(status().at("epoch"), epoch);
    EXPECT_TRUE(run_.exists("run/checkpoint.h5"));
    EXPECT_FALSE(run_.exists("run/lock"));
    run_training(config, {.resume = true});
    EXPECT_EQ(comparable(metrics()), whole) << "stopped in epoch " << epoch;
    EXPECT_FALSE(run_.exists("run/checkpoint.h5"));
  }
}

INSTANTIATE_TEST_SUITE_P(
    , ResumeTest,
    ::testing::Values(
        StopCase{"Plain", "[model]\nfactors = 4\n[train]\nepochs = 4\n", 4},
        StopCase{"WarmStart", "[model]\nfactors = 4\nsolver = \"cg\"\n[train]\nepochs = 4\nloss = \"last\"\n", 4},
        StopCase{"Explicit", "[model]\nfactors = 4\nfeedback = \"explicit\"\n[train]\nepochs = 3\n", 3},
        StopCase{"EarlyStopping",
                 "[model]\nfactors = 4\n[train]\nepochs = 9\n"
                 "early_stopping = { metric = \"ndcg@10\", patience = 2, min_delta = 0.05 }\nrefit = \"all\"\n",
                 9},
        StopCase{"SparseValidation",
                 "[model]\nfactors = 4\n[train]\nepochs = 5\nrefit = \"validation\"\n[evaluate]\nevery = 2\n", 5}),
    [](const auto& one) { return std::string(one.param.name); });

TEST_F(RunTest, StoppedTwiceIsNoOtherThanOnce) {
  run_training(run_.config(kSmall, {}, "whole"));
  const Config config = run_.config(kSmall);
  stop_in(config, 1);
  stop_in(config, 2, {.resume = true});
  run_training(config, {.resume = true});
  EXPECT_EQ(comparable(metrics()), comparable(metrics("whole")));
}

TEST_F(RunTest, TheTimedCheckpointServesAfterAFailure) {
  run_training(run_.config(kSmall, {}, "whole"));
  const Config config = run_.config(kSmall, {"train.checkpoint_minutes=0"});
  when_written("epochs.jsonl", 4, [] { return ENOSPC; });
  EXPECT_THROW(run_training(config), IoError);
  faults().before = nullptr;
  EXPECT_EQ(status().at("state"), "failed");
  EXPECT_THAT(status().at("reason").get<std::string>(), HasSubstr("epochs.jsonl: cannot rename: No space left"));
  run_training(config, {.resume = true});
  EXPECT_EQ(comparable(metrics()), comparable(metrics("whole")));
  EXPECT_THAT(run_.read("run/log.txt"), HasSubstr("resumed epoch=3"));
}

TEST_F(RunTest, AFailingExportLeavesNoModelAndCanBeMended) {
  const Config config = run_.config(kSmall);
  faults().before = [](std::string_view call, const std::filesystem::path& path) {
    return call == "sync" && path.filename() == "model.h5" ? ENOSPC : 0;
  };
  EXPECT_THROW(run_training(config), IoError);
  faults().before = nullptr;
  EXPECT_FALSE(run_.exists("run/model.h5"));
  EXPECT_FALSE(run_.exists("run/metrics.json"));
  run_training(config, {.resume = true});
  EXPECT_EQ(status().at("state"), "finished");
}

TEST_F(RunTest, ASignalAfterTheLastEpochIsHeardToo) {
  const Config config = run_.config(kSmall);
  when_written("per_user.csv", 1, [] {
    simulate_signal(SIGINT);
    return 0;
  });
  EXPECT_THROW(run_training(config), Interrupted);
  EXPECT_EQ(status().at("state"), "interrupted");
  EXPECT_FALSE(run_.exists("run/model.h5"));
}

TEST_F(RunTest, AFinishedRunIsDone) {
  const Config config = run_.config(kSmall);
  run_training(config);
  const std::string before = run_.read("run/metrics.json");
  EXPECT_THAT(error(config), StartsWith("run: holds a run that is finished"));
  EXPECT_EQ(error(run_.config(kSmall, {"model.factors=8"}), {.resume = true}),
            "run: --resume with another config: model.factors (4, now 8); --force starts anew");
  const RunResult again = run_training(config, {.resume = true});
  EXPECT_TRUE(again.was_finished);
  EXPECT_EQ(run_.read("run/metrics.json"), before);
  run_training(run_.config(kSmall, {"model.factors=8"}), {.force = true});
  EXPECT_EQ(std::get<Factors>(model().scorer).users.cols, 8);
}

// Whatever call a forced run fails at, the folder's model is the old one, whole, until the new one is there.
TEST_F(RunTest, AForcedRunKeepsTheOldModelUntilItHasItsOwn) {
  run_training(run_.config(kSmall));
  const std::string old = model().content_hash;
  const Config config = run_.config(kSmall, {"seed=7", "export.model=other.h5"});
  std::set<std::string> hashes;
  faults().before = [&](std::string_view call, const std::filesystem::path& path) {
    if (call == "open" || (call == "rename" && path.filename() == "other.h5")) {
      if (path.filename() != "config.toml") hashes.insert(model().content_hash);
    }
    return 0;
  };
  run_training(config, {.force = true});
  faults().before = nullptr;
  EXPECT_THAT(hashes, ::testing::Contains(old));
  EXPECT_THAT(hashes, ::testing::IsSubsetOf({old, model().content_hash}));
  EXPECT_NE(model().content_hash, old);
  EXPECT_FALSE(run_.exists("run/model.h5"));
  EXPECT_TRUE(run_.exists("run/other.h5"));
}

TEST_F(RunTest, ResumeWithoutARunStartsOne) {
  run_training(run_.config(kSmall), {.resume = true});
  EXPECT_EQ(status().at("state"), "finished");
}

// --- which epoch, which data ---

TEST_F(RunTest, EarlyStoppingTakesTheBestEpochByItsRule) {
  const int patience = 2;
  const double min_delta = 0.02;
  run_training(
      run_.config("[model]\nfactors = 4\n[train]\nepochs = 40\n"
                  "early_stopping = { metric = \"ndcg@10\", patience = 2, min_delta = 0.02 }\n"));
  double best = -1;
  int best_epoch = 0, without_gain = 0, last = 0;
  for (const Json& line : epochs()) {
    EXPECT_LT(without_gain, patience) << "went on after " << last;
    last = line.at("epoch");
    const double value = line.at("ndcg@10");
    if (best_epoch == 0 || value > best + min_delta)
      best = value, best_epoch = last, without_gain = 0;
    else
      ++without_gain;
  }
  EXPECT_EQ(without_gain, patience);
  EXPECT_LT(last, 40);
  EXPECT_EQ(metrics().at("epochs_chosen"), best_epoch);
  EXPECT_EQ(metrics().at("validation").at("ndcg@10").at("mean"), best);
  run_training(run_.config("[model]\nfactors = 4\n[train]\nepochs = " + std::to_string(best_epoch) + "\n", {}, "best"));
  EXPECT_EQ(user_factors(model()), user_factors(model("best")));
}

TEST_F(RunTest, EarlyStoppingOnAnErrorWantsItSmaller) {
  run_training(
      run_.config("[model]\nfactors = 4\nfeedback = \"explicit\"\n[train]\nepochs = 6\n"
                  "early_stopping = { metric = \"rmse\", patience = 6 }\n"));
  double best = std::numeric_limits<double>::infinity();
  for (const Json& line : epochs()) best = std::min(best, line.at("rmse").get<double>());
  EXPECT_EQ(metrics().at("validation").at("rmse").at("mean"), best);
}

TEST_F(RunTest, RefitOnAllIsAFitOnAll) {
  run_training(run_.config(kSmall, {}, "plain"));
  run_training(run_.config(kSmall, {"train.refit=all"}));
  run_training(run_.config(kSmall, {"split.protocol=none"}, "all"));
  EXPECT_EQ(user_factors(model()), user_factors(model("all")));
  EXPECT_EQ(model().history.nnz(), 60 * 12);
  EXPECT_EQ(model().held_out_test.nnz() + model().held_out_validation.nnz(), 0);
  EXPECT_EQ(metrics().at("test"), metrics("plain").at("test"));  // measured before
  EXPECT_EQ(metrics().at("data"), metrics("plain").at("data"));
  EXPECT_TRUE(metrics("all").at("test").empty());
}

TEST_F(RunTest, RefitAfterEarlyStoppingTakesTheChosenEpochs) {
  run_training(
      run_.config("[model]\nfactors = 4\n[train]\nepochs = 40\nrefit = \"all\"\n"
                  "early_stopping = { metric = \"ndcg@10\", patience = 2, min_delta = 0.02 }\n"));
  const int chosen = metrics().at("epochs_chosen");
  ASSERT_LT(chosen, 40);
  run_training(run_.config(
      "[model]\nfactors = 4\n[split]\nprotocol = \"none\"\n[train]\nepochs = " + std::to_string(chosen) + "\n", {},
      "all"));
  EXPECT_EQ(user_factors(model()), user_factors(model("all")));
}

TEST_F(RunTest, RefitOnValidationKeepsTheTestApart) {
  run_training(run_.config(kSmall, {"train.refit=validation"}));
  const Json data = metrics().at("data");
  EXPECT_EQ(model().history.nnz(), data.at("train").get<int>() + data.at("validation").get<int>());
  EXPECT_EQ(model().held_out_validation.nnz(), 0);
  EXPECT_EQ(model().held_out_test.nnz(), data.at("test"));
}

TEST_F(RunTest, LossOfTheLastEpochAlone) {
  run_training(run_.config(kSmall, {}, "every"));
  run_training(run_.config(kSmall, {"train.loss=last", "evaluate.every=2"}));
  for (const Json& line : epochs()) {
    const int epoch = line.at("epoch");
    EXPECT_EQ(line.contains("loss"), epoch == 5);
    EXPECT_EQ(line.contains("ndcg@10"), epoch % 2 == 0 || epoch == 5);
  }
  EXPECT_EQ(epochs().back().at("loss"), epochs("every").back().at("loss"));
}

// --- protocols ---

const std::string kFolds = "[split]\nprotocol = \"k-fold\"\nfolds = 3\n";

TEST_F(RunTest, KFoldMeasuresEachFoldOnce) {
  const RunResult result = run_training(run_.config(kSmall + kFolds));
  EXPECT_TRUE(result.model.empty());
  EXPECT_FALSE(run_.exists("run/model.h5"));
  EXPECT_THAT(result.table,
              ::testing::MatchesRegex("test +mean +standard deviation over folds\nrecall@20 .*\nndcg@10 .*\n"));
  const Json m = metrics();
  EXPECT_EQ(m.at("content_hash"), "");
  EXPECT_EQ(m.at("data"), Json::parse(R"({"users":60,"items":40,"interactions":720})"));
  EXPECT_EQ(m.at("epochs_chosen"), 5);
  ASSERT_EQ(m.at("folds").size(), 3U);
  int tested = 0;
  double sum = 0, squares = 0;
  for (size_t fold = 0; fold < 3; ++fold) {
    const Json& found = m.at("folds")[fold];
    const std::string place = "run/fold-" + std::to_string(fold + 1);
    EXPECT_EQ(found, Json::parse(run_.read(place + "/metrics.json")));
    EXPECT_EQ(found.at("epochs").size(), 5U);
    EXPECT_EQ(found.at("data").at("train").get<int>() + found.at("data").at("test").get<int>(), 720);
    EXPECT_EQ(found.at("data").at("users_evaluated"), 60);
    EXPECT_TRUE(found.at("validation").empty());
    EXPECT_TRUE(run_.exists(place + "/per_user.csv"));
    EXPECT_FALSE(run_.exists(place + "/checkpoint.h5"));
    tested += found.at("data").at("test").get<int>();
    const double value = found.at("test").at("ndcg@10").at("mean");
    sum += value, squares += value * value;
  }
  EXPECT_EQ(tested, 720);
  EXPECT_NEAR(m.at("test").at("ndcg@10").at("mean").get<double>(), sum / 3, 1e-12);
  EXPECT_NEAR(m.at("test").at("ndcg@10").at("std").get<double>(), std::sqrt((squares - sum * sum / 3) / 2), 1e-9);
  EXPECT_EQ(status().at("state"), "finished");
  EXPECT_TRUE(run_training(run_.config(kSmall + kFolds), {.resume = true}).model.empty());
}

TEST_F(RunTest, KFoldExportsAFitOnAllWhereAsked) {
  run_training(run_.config(kSmall + kFolds, {"train.refit=all"}));
  run_training(run_.config(kSmall, {"split.protocol=none"}, "all"));
  EXPECT_EQ(user_factors(model()), user_factors(model("all")));
  EXPECT_EQ(model().history.nnz(), 60 * 12);
  EXPECT_EQ(model().content_hash, metrics().at("content_hash"));
  EXPECT_EQ(error(run_.config(kSmall + kFolds, {"train.refit=all", "model.factors=8"}), {.resume = true}),
            "run: --resume with another config: model.factors (4, now 8); --force starts anew");
  // A forced run without a model takes the old one away, at its end.
  run_training(run_.config(kSmall + kFolds), {.force = true});
  EXPECT_FALSE(run_.exists("run/model.h5"));
}

TEST_F(RunTest, KFoldStopsEarlyInEachFold) {
  const std::string sections =
      "[model]\nfactors = 4\n[train]\nepochs = 30\nrefit = \"all\"\n"
      "early_stopping = { metric = \"ndcg@10\", patience = 2, min_delta = 0.02 }\n";
  EXPECT_THAT(error(run_.config(sections + kFolds)), StartsWith("train.early_stopping: needs a validation part"));
  run_training(run_.config(sections + kFolds + "validation = 0.2\n"));
  double sum = 0;
  const Json m = metrics();
  for (const Json& fold : m.at("folds")) {
    sum += fold.at("epochs_chosen").get<int>();
    EXPECT_LT(fold.at("epochs").size(), 30U);
    EXPECT_EQ(fold.at("data").at("validation"), 60);  // a fifth of 8
  }
  EXPECT_EQ(m.at("epochs_chosen"), std::lround(sum / 3));
  EXPECT_THAT(keys(m.at("validation").at("ndcg@10")), ElementsAre("mean", "std"));
}

TEST_F(RunTest, KFoldStoppedAnywhereEndsWithTheSameBits) {
  const std::string sections = "[model]\nfactors = 4\n[train]\nepochs = 2\nrefit = \"all\"\n" + kFolds;
  const auto found = [&](const std::string& out) {
    Json all = metrics(out);
    for (auto& fold : all.at("folds"))
      for (auto& epoch : fold.at("epochs"))
        for (const char* time : {"seconds", "loss_seconds"}) epoch.erase(time);
    all.erase("seconds");
    all.erase("peak_memory_mib");
    return all;
  };
  run_training(run_.config(sections, {}, "whole"));
  const Config config = run_.config(sections);
  for (int epoch = 1; epoch <= 6; ++epoch) {  // of 3 folds of 2
    stop_in(config, epoch, {.force = true});
    EXPECT_EQ(status().at("fold"), (epoch + 1) / 2);
    run_training(config, {.resume = true});
    EXPECT_EQ(found("run"), found("whole")) << "stopped in epoch " << epoch;
  }
  // Between folds, and before the export.
  for (const std::string name : {"per_user.csv", "metrics.json", "model.h5"}) {
    when_written(name, 1, [] { return ENOSPC; });
    EXPECT_THROW(run_training(config, {.force = true}), IoError);
    faults().before = nullptr;
    run_training(config, {.resume = true});
    EXPECT_EQ(found("run"), found("whole")) << name;
  }
}

// Held-out users are not in train, are evaluated by the history that is given, and are in the refit on all.
TEST_F(RunTest, WholeUsersAreHeldOut) {
  const std::string users = "[split]\nprotocol = \"users\"\ntest = 0.25\nvalidation = 0.2\n";
  run_training(run_.config(kSmall + users));
  const Json data = metrics().at("data");
  EXPECT_EQ(data.at("train"), (60 - 15 - 12) * 12);
  EXPECT_EQ(data.at("test"), 15 * 2);  // a fifth of 12, rounded down
  EXPECT_EQ(data.at("validation"), 12 * 2);
  EXPECT_EQ(data.at("given"), 27 * 10);
  EXPECT_EQ(data.at("users_evaluated"), 15);
  const FittedModel fitted = model();
  EXPECT_EQ(fitted.history.nnz(), data.at("train"));
  EXPECT_EQ(fitted.held_out_test.nnz(), 15 * 2);
  EXPECT_EQ(fitted.held_out_validation.nnz(), 12 * 2);
  EXPECT_EQ(fitted.held_out_given.nnz(), 27 * 10);
  run_training(run_.config("[model]\ntype = \"popularity\"\n" + users, {}, "popular"));
  EXPECT_GT(metrics().at("test").at("recall@20").at("mean"), metrics("popular").at("test").at("recall@20").at("mean"));

  // The model file has what it takes to judge it again.
  Context ctx({.device = "cpu", .threads = 2});
  EvaluateOptions options;
  for (const char* metric : {"recall@20", "ndcg@10"}) options.metrics.push_back(parse_metric(metric));
  const Contender again = judge(ctx, run_.folder() / "run", {}, options);
  for (size_t m = 0; m < options.metrics.size(); ++m)
    EXPECT_EQ(again.evaluation.values[m].mean, metrics().at("test").at(options.metrics[m].name()).at("mean"));

  run_training(run_.config(kSmall + users, {"train.refit=all"}, "refit"));
  run_training(run_.config(kSmall, {"split.protocol=none"}, "all"));
  EXPECT_EQ(user_factors(model("refit")), user_factors(model("all")));
  EXPECT_EQ(metrics("refit").at("test"), metrics().at("test"));
}

TEST_F(RunTest, SplitsByTime) {
  std::string csv = "user,item,time\n";
  for (int user = 0; user < 30; ++user)
    for (int n = 0; n < 8; ++n)
      csv += std::to_string(user) + "," + std::to_string((user + 3 * n) % 20) + "," + std::to_string(1000 + n) + "\n";
  run_.write("r.csv", csv);
  for (const std::string protocol : {"by-time", "leave-one-out"}) {
    run_training(run_.config(kSmall, {"split.protocol=" + protocol}, protocol));
    const FittedModel fitted = model(protocol);
    for (int32_t user = 0; user < 30; ++user) {
      const int number = std::stoi(fitted.users->text(user));
      ASSERT_EQ(fitted.held_out_test.row(user).size(), 1U);
      EXPECT_EQ(fitted.items->text(fitted.held_out_test.row(user)[0]), std::to_string((number + 21) % 20));
      EXPECT_EQ(fitted.items->text(fitted.held_out_validation.row(user)[0]), std::to_string((number + 18) % 20));
    }
  }
}

TEST_F(RunTest, PartsThatAreFiles) {
  run_.write("train.txt", "1 10 11 12\n2 10 12\n3 11 12\n");
  run_.write("test.txt", "1 13\n2 11\n9 10\n");  // 13 and 9 are unknown to train
  run_.write("c.toml", "output = \"" + (run_.folder() / "run").string() +
                           "\"\ndevice = \"cpu\"\n[data]\nformat = \"adjacency\"\n[split]\nprotocol = \"files\"\n"
                           "files = { train = \"train.txt\", test = \"test.txt\" }\n" +
                           kSmall);
  run_training(load_config(run_.folder() / "c.toml"));
  const Json data = metrics().at("data");
  EXPECT_EQ(data.at("users"), 3);
  EXPECT_EQ(data.at("validation"), 0);
  EXPECT_EQ(data.at("users_evaluated"), 2);
  EXPECT_EQ(data.at("users_dropped"), 1);
  EXPECT_TRUE(metrics().at("validation").empty());
}

// --- data that is hardly any ---

TEST_F(RunTest, DegenerateDataTrains) {
  const std::vector<std::pair<const char*, const char*>> data{
      {"one user", "user,item\n1,1\n1,2\n1,3\n1,4\n"},
      {"one item", "user,item\n1,1\n2,1\n3,1\n"},
      {"one pair", "user,item\n1,1\n"},
      {"equal values", "user,item,rating\n1,1,3\n1,2,3\n2,1,3\n2,3,3\n3,2,3\n3,3,3\n"}};
  for (const auto& [name, csv] : data) {
    for (const std::string kind : {"feedback = \"implicit\"\nfactors = 4\n", "feedback = \"explicit\"\nfactors = 4\n",
                                   "type = \"popularity\"\n", "type = \"bayesian-average\"\n"}) {
      run_.write("r.csv", csv);
      run_training(run_.config("[model]\n" + kind), {.force = true});
      EXPECT_EQ(status().at("state"), "finished") << name << ", " << kind;
    }
  }
}

// --- what is refused before a byte is written ---

TEST_F(RunTest, WrongInputWritesNothing) {
  const auto refused = [&](const std::string& csv, const std::string& sections, const std::string& says) {
    run_.write("r.csv", csv);
    EXPECT_THAT(error(run_.config(sections)), HasSubstr(says));
    EXPECT_FALSE(run_.exists("run")) << says;
  };
  refused("user,item,rating\n1,1,five\n", "", "r.csv:2: rating: expected a number, found 'five'");
  refused("", "", "r.csv");
  refused("user,item,rating\n", "", "r.csv");
  refused("user,item\n1,1\n2,1\n", "[train]\nearly_stopping = { metric = \"ndcg@10\" }\n[split]\nvalidation = 0\n",
          "train.early_stopping: needs a validation part");
  // One value below 0, in whichever part it falls: a run that will fit it says so before it begins.
  std::string below = "user,item,rating\n";
  for (int item = 0; item < 30; ++item) below += "u," + std::to_string(item) + (item == 17 ? ",-2\n" : ",2\n");
  for (const std::string share : {"0.05", "0.45"})
    refused(below, "[train]\nrefit = \"all\"\n[split]\nvalidation = " + share + "\ntest = " + share + "\n",
            "r.csv:19: rating: -2; implicit feedback needs values of 0 and more");
  refused(below, "[split]\nprotocol = \"by-time\"\n", "split.protocol: \"by-time\" needs times");
  refused("user,item\n1,1\n1,2\n2,1\n", "[split]\nprotocol = \"k-fold\"\nfolds = 2\n",
          "split.folds: user 2 has 1 interaction for 2 folds");
  std::filesystem::remove(run_.folder() / "r.csv");
  EXPECT_THAT(error(run_.config("")), StartsWith("r.csv: cannot read: No such file"));
  EXPECT_FALSE(run_.exists("run"));
}

TEST_F(RunTest, WrongInputLeavesAnEarlierRunWhole) {
  run_training(run_.config(kSmall));
  const std::string before = run_.read("run/metrics.json");
  run_.write("r.csv", "user,item,rating\n1,1,five\n");
  EXPECT_THAT(error(run_.config(kSmall), {.force = true}), HasSubstr("found 'five'"));
  EXPECT_EQ(run_.read("run/metrics.json"), before);
  EXPECT_EQ(status().at("state"), "finished");
}

TEST_F(RunTest, ADryRunShowsAndWritesNothing) {
  const Config config = run_.config(kSmall);
  const std::string shown = dry_run(config);
  EXPECT_THAT(shown, HasSubstr("\nusers 60\nitems 40\ntrain 600\nvalidation 60\ntest 60\nmemory_host "));
  EXPECT_THAT(shown, HasSubstr(config.resolved));
  EXPECT_THAT(dry_run(run_.config(kSmall + kFolds)),
              HasSubstr("\nusers 60\nitems 40\nfolds 3\ntrain 480\nvalidation 0\ntest 240\nmemory_host "));
  EXPECT_FALSE(run_.exists("run"));
}

TEST_F(RunTest, StarsUnderImplicitFeedbackAreSaid) {
  const auto log = [&](const std::string& sections) {
    ::testing::internal::CaptureStderr();
    dry_run(run_.config(sections));
    return ::testing::internal::GetCapturedStderr();
  };
  EXPECT_THAT(log(kSmall), HasSubstr("values look like stars"));
  EXPECT_THAT(log("[model]\nfeedback = \"explicit\"\n"), ::testing::Not(HasSubstr("stars")));
}

}  // namespace
}  // namespace kindred
