// SPDX-License-Identifier: Apache-2.0
// The folder of a run: one writer at a time, its state in status.json. docs/run-folder.md lists the files.
#pragma once
#include <filesystem>
#include <string>

#include "engine/experiment/run.hpp"

namespace kindred {

enum class RunStart : uint8_t { kFresh, kResume, kFinished };

/// What status.json says beside the time.
struct Status {
  std::string state = "running";  ///< "running" | "interrupted" | "failed" | "finished"
  int epoch = 0, epochs = 0;
  double eta_seconds = 0;
  std::string reason{};  ///< of "failed": the error's line
};

/// What a request would do with a folder. Looks, writes nothing. InputError where the folder holds a run and neither
/// resume nor force was asked, or resume with another config (naming the keys).
RunStart inspect_run_folder(const std::filesystem::path& folder, const std::string& resolved,
                            const RunRequest& request);

/// The right to write a run folder, held by a locked file with pid and host. The system frees it when a process ends,
/// however it ends; one left by another host, where that cannot be known, is respected.
class RunFolder {
 public:
  /// Creates the folder, takes the lock, looks again (as inspect_run_folder) and removes what a killed run left
  /// half-written. A fresh start removes the files of an earlier run too, but for its model: that keeps its place,
  /// under the new run's name for it, until this run's replaces it. InputError where another process holds the folder.
  RunFolder(std::filesystem::path folder, const std::string& resolved, const RunRequest& request);
  ~RunFolder();
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;

  RunStart start() const { return start_; }
  std::filesystem::path file(const std::string& name) const { return folder_ / name; }

  /// A run of several rounds (k-fold) has a folder for each in it: fold-1, fold-2 …; else the round is the run.
  void begin_round(int round, int rounds);
  std::filesystem::path round_file(const std::string& name) const { return round_folder_ / name; }
  int rounds_left() const { return rounds_ - 1 - round_; }

  void write_status(const Status& status);
  const Status& status() const { return status_; }

 private:
  void keep_model(const std::string& resolved) const;
  void remove_leftovers() const;

  std::filesystem::path folder_, round_folder_;
  int round_ = 0, rounds_ = 1;
  int lock_ = -1;
  RunStart start_ = RunStart::kFresh;
  Status status_;
};

/// "2026-11-23T02:00:00Z"
std::string utc_now();

}  // namespace kindred
