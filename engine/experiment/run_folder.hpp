// SPDX-License-Identifier: Apache-2.0
// The folder of a run: one writer at a time, its state in status.json. docs/run-folder.md lists the files.
#pragma once
#include <filesystem>
#include <string>

#include "engine/experiment/run.hpp"

namespace kindred {

enum class RunStart : uint8_t { kFresh, kResume, kFinished };

/// Looks, writes nothing. InputError where the folder holds a run and neither resume nor force was asked, or resume
/// with another config (naming the keys).
RunStart inspect_run_folder(const std::filesystem::path& folder, const std::string& resolved,
                            const RunRequest& request);

/// The right to write a run folder, held by a lock file with pid and host. One of a process that is gone is taken over.
class RunFolder {
 public:
  /// Creates the folder; a fresh start removes the files of an earlier run. InputError where another process holds it.
  RunFolder(std::filesystem::path folder, RunStart start);
  ~RunFolder();
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;

  std::filesystem::path file(const std::string& name) const { return folder_ / name; }
  void write_status(const std::string& state, int epoch, int epochs, double eta_seconds) const;

 private:
  std::filesystem::path folder_;
};

/// "2026-11-23T02:00:00Z"
std::string utc_now();

}  // namespace kindred
