// SPDX-License-Identifier: Apache-2.0
// Who may write a run folder, and what is in it afterwards.
#include "engine/experiment/run_folder.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <nlohmann/json.hpp>

#include "tests/engine/experiment/small_run.hpp"

namespace kindred {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

const std::string kConfig = "seed = 42\n";

class RunFolderTest : public ::testing::Test {
 protected:
  std::string error(const std::string& resolved = kConfig, const RunRequest& request = {}) const {
    return test::input_error(temporary_, [&] { RunFolder(path_, resolved, request); });
  }
  /// A run that ended in this state.
  void leave(const std::string& state) const {
    RunFolder folder(path_, kConfig, {.force = true});
    write_file(folder.file("config.toml"), kConfig);
    folder.write_status({.state = state});
  }

  test::TemporaryFolder temporary_;
  const std::filesystem::path path_ = temporary_ / "runs/a";
};

TEST_F(RunFolderTest, OneWriterAtATime) {
  {
    const RunFolder first(path_, kConfig, {});
    EXPECT_THAT(read_file(path_ / "lock"), StartsWith(std::to_string(getpid()) + " "));
    EXPECT_THAT(error(), StartsWith("runs/a: process " + std::to_string(getpid()) + " "));
    EXPECT_THAT(error(kConfig, {.force = true}), HasSubstr("writes this run; wait for it, or remove runs/a/lock"));
  }
  EXPECT_FALSE(std::filesystem::exists(path_ / "lock"));
  EXPECT_EQ(error(), "no InputError");
}

TEST_F(RunFolderTest, ALockOfAKilledProcessIsTakenOver) {
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    const RunFolder folder(path_, kConfig, {});
    [[maybe_unused]] const ssize_t told = write(ready[1], "x", 1);
    pause();
    _exit(0);
  }
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  EXPECT_THAT(error(), StartsWith("runs/a: process " + std::to_string(child) + " "));
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_TRUE(std::filesystem::exists(path_ / "lock"));
  EXPECT_EQ(error(), "no InputError");
  close(ready[0]);
  close(ready[1]);
}

TEST_F(RunFolderTest, ALockOfAnotherHostIsRespected) {
  std::filesystem::create_directories(path_);
  write_file(path_ / "lock", "12 some-other-host");
  EXPECT_THAT(error(), StartsWith("runs/a: process 12 some-other-host (pid, host) writes this run"));
  EXPECT_EQ(read_file(path_ / "lock"), "12 some-other-host");
}

TEST_F(RunFolderTest, AnEarlierRunIsLeftAloneUnlessAsked) {
  leave("finished");
  EXPECT_EQ(error(), "runs/a: holds a run that is finished; --resume goes on with it, --force replaces it");
  EXPECT_EQ(inspect_run_folder(path_, kConfig, {.resume = true}), RunStart::kFinished);
  EXPECT_EQ(inspect_run_folder(path_, kConfig, {.force = true}), RunStart::kFresh);
  for (const std::string state : {"running", "interrupted", "failed"}) {
    leave(state);
    EXPECT_EQ(error(), "runs/a: holds a run that is not finished; --resume goes on with it, --force replaces it");
    EXPECT_EQ(inspect_run_folder(path_, kConfig, {.resume = true}), RunStart::kFresh);  // no checkpoint
    write_file(path_ / "checkpoint.h5", "");
    EXPECT_EQ(inspect_run_folder(path_, kConfig, {.resume = true}), RunStart::kResume);
  }
}

TEST_F(RunFolderTest, ResumingAnotherConfigNamesTheKeys) {
  leave("interrupted");
  EXPECT_EQ(error("seed = 7\nname = \"x\"\n", {.resume = true}),
            "runs/a: --resume with another config: name (unset, now \"x\"), seed (42, now 7); --force starts anew");
  EXPECT_EQ(error("seed = 42\nthreads = 3\n", {.resume = true}), "no InputError");  // speed alone
}

TEST_F(RunFolderTest, WhatCannotBeARunFolder) {
  std::filesystem::create_directories(path_);
  write_file(path_ / "model.h5", "");
  EXPECT_EQ(error(), "runs/a: holds a model.h5 but no run; --force replaces it");
  write_file(path_ / "status.json", "no json");
  EXPECT_THAT(error(), StartsWith("runs/a: holds a run that is not finished"));
  std::filesystem::remove_all(path_);
  write_file(path_, "");
  EXPECT_EQ(test::input_error(temporary_, [&] { inspect_run_folder(path_, kConfig, {}); }),
            "runs/a: is a file; the run folder needs another name (output, --out)");
}

TEST_F(RunFolderTest, AFreshStartRemovesWhatARunWritesAndNothingElse) {
  std::filesystem::create_directories(path_);
  for (const std::string name : {"model.h5", "metrics.json", "log.txt", "notes.md", "my.parts", "model.h5.part77"})
    write_file(path_ / name, "x");
  const RunFolder folder(path_, kConfig, {.force = true});
  EXPECT_EQ(folder.start(), RunStart::kFresh);
  std::set<std::string> left;
  for (const auto& entry : std::filesystem::directory_iterator(path_)) left.insert(entry.path().filename());
  EXPECT_THAT(left, ::testing::ElementsAre("lock", "model.h5", "my.parts", "notes.md"));
}

TEST_F(RunFolderTest, AFreshStartRemovesFoldsToo) {
  leave("interrupted");
  for (const std::string name : {"fold-1", "fold-2"}) {
    std::filesystem::create_directories(path_ / name);
    write_file(path_ / name / "metrics.json", "{}");
  }
  write_file(path_ / "fold-2/notes.md", "x");
  EXPECT_EQ(inspect_run_folder(path_, kConfig, {.resume = true}), RunStart::kResume);
  const RunFolder folder(path_, kConfig, {.force = true});
  EXPECT_FALSE(std::filesystem::exists(path_ / "fold-1"));
  EXPECT_FALSE(std::filesystem::exists(path_ / "fold-2/metrics.json"));
  EXPECT_TRUE(std::filesystem::exists(path_ / "fold-2/notes.md"));
}

// The config of the folder says which file is its model; a fresh start keeps it under the new name.
TEST_F(RunFolderTest, TheModelKeepsItsPlaceUnderTheNewName) {
  const std::string named = kConfig + "[export]\nmodel = \"films.h5\"\n";
  std::filesystem::create_directories(path_);
  write_file(path_ / "films.h5", "old");
  EXPECT_EQ(error(named), "runs/a: holds a films.h5 but no run; --force replaces it");
  leave("finished");
  write_file(path_ / "config.toml", named);
  { const RunFolder folder(path_, named, {.force = true}); }
  EXPECT_EQ(read_file(path_ / "films.h5"), "old");
  write_file(path_ / "config.toml", named);
  { const RunFolder folder(path_, kConfig, {.force = true}); }
  EXPECT_EQ(read_file(path_ / "model.h5"), "old");
  EXPECT_FALSE(std::filesystem::exists(path_ / "films.h5"));
}

TEST_F(RunFolderTest, StatusNamesTheFold) {
  RunFolder folder(path_, kConfig, {});
  EXPECT_EQ(folder.round_file("x"), path_ / "x");
  folder.begin_round(1, 5);
  EXPECT_EQ(folder.round_file("x"), path_ / "fold-2/x");
  EXPECT_EQ(folder.rounds_left(), 3);
  folder.write_status({"running", 3, 15, 12.5});
  const auto status = nlohmann::json::parse(read_file(path_ / "status.json"));
  EXPECT_EQ(status.at("fold"), 2);
  EXPECT_EQ(status.at("folds"), 5);
}

TEST_F(RunFolderTest, ResumingKeepsFilesButNotTheHalfWritten) {
  leave("interrupted");
  write_file(path_ / "checkpoint.h5", "x");
  write_file(path_ / "model.h5.part77", "x");
  const RunFolder folder(path_, kConfig, {.resume = true});
  EXPECT_EQ(folder.start(), RunStart::kResume);
  EXPECT_TRUE(std::filesystem::exists(path_ / "checkpoint.h5"));
  EXPECT_FALSE(std::filesystem::exists(path_ / "model.h5.part77"));
}

TEST_F(RunFolderTest, StatusIsJson) {
  RunFolder folder(path_, kConfig, {});
  folder.write_status({"running", 3, 15, 12.5});
  auto status = nlohmann::json::parse(read_file(path_ / "status.json"));
  EXPECT_THAT(status.at("updated").get<std::string>(), ::testing::MatchesRegex("[0-9-]{10}T[0-9:]{8}Z"));
  status.erase("updated");
  EXPECT_EQ(status, nlohmann::json::parse(R"({"state":"running","epoch":3,"epochs":15,"eta_seconds":12.5})"));
  folder.write_status({.state = "failed", .reason = "broken \xff"});
  EXPECT_THAT(nlohmann::json::parse(read_file(path_ / "status.json")).at("reason").get<std::string>(),
              StartsWith("broken "));
}

}  // namespace
}  // namespace kindred
