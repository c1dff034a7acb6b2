// SPDX-License-Identifier: Apache-2.0
#include "engine/experiment/run_folder.hpp"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "engine/core/error.hpp"
#include "engine/core/file.hpp"

namespace kindred {
namespace fs = std::filesystem;
namespace {

/// What a run writes; nothing else in the folder is touched.
constexpr const char* kFiles[] = {"config.toml", "model.h5",     "metrics.json",  "epochs.jsonl", "per_user.csv",
                                  "status.json", "rejected.csv", "checkpoint.h5", "log.txt"};

std::string host_name() {
  char name[256] = {};
  gethostname(name, sizeof name - 1);
  return name;
}

std::string state_of(const fs::path& folder) {
  try {
    return nlohmann::json::parse(read_file(folder / "status.json")).at("state").get<std::string>();
  } catch (const nlohmann::json::exception&) {
    return "unreadable";
  }
}

/// The holder of a lock that is still alive, "" where there is none.
std::string living_holder(const fs::path& lock) {
  std::string text;
  try {
    text = read_file(lock);
  } catch (const InputError&) {
    return "";  // released meanwhile
  }
  const size_t space = text.find(' ');
  const std::string host = space == std::string::npos ? "" : text.substr(space + 1);
  const long pid = std::strtol(text.c_str(), nullptr, 10);
  if (host == host_name() && (pid <= 0 || (kill(static_cast<pid_t>(pid), 0) != 0 && errno == ESRCH))) return "";
  return fmt::format("process {} on {}", pid, host.empty() ? "an unknown host" : host);
}

}  // namespace

std::string utc_now() { return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr))); }

RunStart inspect_run_folder(const fs::path& folder, const std::string& resolved, const RunRequest& request) {
  if (fs::exists(folder) && !fs::is_directory(folder))
    throw InputError(folder.string() + ": is a file; the run folder needs another name (output, --out)");
  if (request.force || !fs::exists(folder / "status.json")) {
    if (!request.force && fs::exists(folder / "model.h5"))
      throw InputError(folder.string() + ": holds a model.h5 but no run; --force replaces it");
    return RunStart::kFresh;
  }
  const std::string state = state_of(folder);
  if (!request.resume)
    throw InputError(fmt::format("{}: holds a run that is {}; --resume goes on with it, --force replaces it",
                                 folder.string(), state == "finished" ? "finished" : "not finished"));
  const auto keys = differing_keys(read_file(folder / "config.toml"), resolved);
  if (!keys.empty()) {
    std::string list;
    for (const auto& key : keys) list += (list.empty() ? "" : ", ") + key;
    throw InputError(folder.string() + ": --resume with another config: " + list + "; --force starts anew");
  }
  if (state == "finished") return RunStart::kFinished;
  return fs::exists(folder / "checkpoint.h5") ? RunStart::kResume : RunStart::kFresh;
}

RunFolder::RunFolder(fs::path folder, RunStart start) : folder_(std::move(folder)) {
  std::error_code error;
  fs::create_directories(folder_, error);
  if (error) throw IoError(folder_.string() + ": cannot make the run folder: " + error.message());
  const fs::path lock = folder_ / "lock";
  int fd;
  while ((fd = ::open(lock.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666)) < 0) {
    if (errno != EEXIST) throw IoError(lock.string() + ": cannot write: " + std::strerror(errno));
    const std::string holder = living_holder(lock);
    if (!holder.empty())
      throw InputError(folder_.string() + ": " + holder + " is writing this run; wait for it, or remove " +
                       lock.string() + " if it is gone");
    fs::remove(lock, error);
  }
  const std::string text = fmt::format("{} {}", getpid(), host_name());
  const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  ::close(fd);
  if (!written) throw IoError(lock.string() + ": cannot write");
  if (start == RunStart::kFresh)
    for (const char* name : kFiles) fs::remove(folder_ / name, error);
}

RunFolder::~RunFolder() {
  std::error_code error;
  fs::remove(folder_ / "lock", error);
}

void RunFolder::write_status(const std::string& state, int epoch, int epochs, double eta_seconds) const {
  const nlohmann::ordered_json status{
      {"state", state}, {"epoch", epoch}, {"epochs", epochs}, {"eta_seconds", eta_seconds}, {"updated", utc_now()}};
  write_file(file("status.json"), status.dump() + "\n");
}

}  // namespace kindred
