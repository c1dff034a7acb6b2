// SPDX-License-Identifier: Apache-2.0
#include "engine/experiment/run_folder.hpp"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <vector>

#include "engine/core/error.hpp"
#include "engine/core/file.hpp"
#include "engine/store/model_file.hpp"

namespace kindred {
namespace fs = std::filesystem;
namespace {

/// What a run writes beside its model; nothing else in the folder is touched.
constexpr const char* kFiles[] = {"config.toml", "metrics.json", "epochs.jsonl",  "per_user.csv",
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

/// "model.h5.part1234": a file that PendingFile did not get to rename.
bool is_half_written(const std::string& name) {
  const size_t at = name.rfind(".part");
  return at != std::string::npos && at + 5 < name.size() &&
         name.find_first_not_of("0123456789", at + 5) == std::string::npos;
}

/// The folders of rounds in the folder of a run.
std::vector<fs::path> round_folders(const fs::path& folder) {
  std::vector<fs::path> found;
  for (int round = 1; fs::is_directory(folder / fmt::format("fold-{}", round)); ++round)
    found.push_back(folder / fmt::format("fold-{}", round));
  return found;
}

/// The locked file "lock", which names us.
int take_lock(const fs::path& folder) {
  const fs::path lock = folder / "lock";
  int fd = -1;
  const auto fail = [&] {
    const int error = errno;
    if (fd >= 0) ::close(fd);
    throw IoError(lock.string() + ": cannot lock: " + std::strerror(error));
  };
  const auto refuse = [&] {
    const std::string holder = read_file(lock);
    ::close(fd);
    throw InputError(folder.string() + ": process " + printable(holder) +
                     " (pid, host) writes this run; wait for it, or remove " + lock.string() + " if it is gone");
  };
  for (;;) {
    fd = ::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) fail();
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) errno == EWOULDBLOCK ? refuse() : fail();
    struct stat ours {
    }, named{};
    if (::fstat(fd, &ours) == 0 && ::stat(lock.c_str(), &named) == 0 && ours.st_ino == named.st_ino) break;
    ::close(fd);  // its holder removed it between our open and our lock
  }
  const std::string left = read_file(lock), us = fmt::format("{} {}", getpid(), host_name());
  if (!left.empty() && !left.ends_with(" " + host_name())) refuse();
  if (::ftruncate(fd, 0) != 0 || ::pwrite(fd, us.data(), us.size(), 0) != static_cast<ssize_t>(us.size())) fail();
  return fd;
}

void release(const fs::path& folder, int lock) {
  std::error_code ignored;
  fs::remove(folder / "lock", ignored);
  ::close(lock);
}

}  // namespace

std::string utc_now() { return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr))); }

RunStart inspect_run_folder(const fs::path& folder, const std::string& resolved, const RunRequest& request) {
  if (fs::exists(folder) && !fs::is_directory(folder))
    throw InputError(folder.string() + ": is a file; the run folder needs another name (output, --out)");
  if (request.force || !fs::exists(folder / "status.json")) {
    if (const std::string model = model_name_in(resolved); !request.force && fs::exists(folder / model))
      throw InputError(folder.string() + ": holds a " + model + " but no run; --force replaces it");
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
  const bool begun = fs::exists(folder / "checkpoint.h5") || !round_folders(folder).empty();
  return begun ? RunStart::kResume : RunStart::kFresh;
}

RunFolder::RunFolder(fs::path folder, const std::string& resolved, const RunRequest& request)
    : folder_(std::move(folder)), round_folder_(folder_) {
  std::error_code error;
  fs::create_directories(folder_, error);
  if (error) throw IoError(folder_.string() + ": cannot make the run folder: " + error.message());
  lock_ = take_lock(folder_);
  try {
    start_ = inspect_run_folder(folder_, resolved, request);
    if (start_ == RunStart::kFresh) keep_model(resolved);
    remove_leftovers();
  } catch (...) {
    release(folder_, lock_);
    throw;
  }
}

void RunFolder::keep_model(const std::string& resolved) const {
  if (!fs::exists(file("config.toml"))) return;
  const fs::path before = file(model_name_in(read_file(file("config.toml")))), now = file(model_name_in(resolved));
  if (before != now && fs::exists(before)) fs::rename(before, now);
}

void RunFolder::remove_leftovers() const {
  std::vector<fs::path> folders = round_folders(folder_), leftovers;
  folders.push_back(folder_);
  for (const auto& folder : folders) {
    for (const auto& entry : fs::directory_iterator(folder))
      if (is_half_written(entry.path().filename().string())) leftovers.push_back(entry.path());
    if (start_ == RunStart::kFresh)
      for (const char* name : kFiles) leftovers.push_back(folder / name);
  }
  for (const auto& path : leftovers) fs::remove(path);
  std::error_code not_empty;  // somebody else's files stay
  for (const auto& folder : folders)
    if (start_ == RunStart::kFresh && folder != folder_) fs::remove(folder, not_empty);
}

void RunFolder::begin_round(int round, int rounds) {
  round_ = round, rounds_ = rounds;
  if (rounds == 1) return;
  round_folder_ = file(fmt::format("fold-{}", round + 1));
  std::error_code error;
  fs::create_directory(round_folder_, error);
  if (error) throw IoError(round_folder_.string() + ": cannot make the folder: " + error.message());
}

RunFolder::~RunFolder() { release(folder_, lock_); }

void RunFolder::write_status(const Status& status) {
  status_ = status;
  nlohmann::ordered_json json{{"state", status.state},
                              {"epoch", status.epoch},
                              {"epochs", status.epochs},
                              {"eta_seconds", status.eta_seconds},
                              {"updated", utc_now()}};
  if (rounds_ > 1) json["fold"] = round_ + 1, json["folds"] = rounds_;
  if (!status.reason.empty()) json["reason"] = status.reason;
  write_file(file("status.json"), json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

}  // namespace kindred
