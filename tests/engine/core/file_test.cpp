// SPDX-License-Identifier: Apache-2.0
// A name holds the old content or the new one, whole: whatever call fails, wherever the process is killed, however full
// the disk is.
#include "engine/core/file.hpp"

#include <gmock/gmock.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <map>

#include "engine/core/error.hpp"
#include "tests/engine/support.hpp"

namespace kindred {
namespace {

namespace fs = std::filesystem;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr size_t kLarge = 5 << 20;  // several of the buffers that writes go through

class File : public ::testing::Test {
 protected:
  ~File() override { faults().before = nullptr; }

  size_t files() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(folder_.path()), fs::directory_iterator{}));
  }
  /// Exit code of a child that runs `body`, or minus the signal that ended it.
  template <class Body>
  static int in_child(Body&& body) {
    const pid_t child = fork();
    if (child == 0) _exit(body());
    int status = 0;
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
  }

  test::TemporaryFolder folder_;
  const fs::path path_ = folder_ / "a file é";
};

template <class E, class Call>
std::string error_of(Call&& call) {
  try {
    call();
  } catch (const E& error) {
    return error.what();
  }
  return "no error";
}

TEST_F(File, ReadsBackWhatWasWritten) {
  using namespace std::string_literals;
  std::vector<std::string> contents{""s, "a"s, "a\0b\n"s, std::string(kLarge, 'x')};
  for (const size_t size : {4096, (1 << 20) - 1, 1 << 20, (1 << 20) + 1}) contents.emplace_back(size, 'x');
  for (const auto& content : contents) {
    write_file(path_, content);
    EXPECT_TRUE(read_file(path_) == content) << content.size();
    EXPECT_TRUE(MappedFile(path_).view() == content) << content.size();
    EXPECT_EQ(files(), 1U);
  }
}

TEST_F(File, IsInvisibleUntilCommitted) {
  PendingFile file(path_);
  file.write(std::string(kLarge, 'x'));
  EXPECT_FALSE(fs::exists(path_));
  file.commit();
  EXPECT_EQ(fs::file_size(path_), kLarge);
  EXPECT_EQ(files(), 1U);
}

TEST_F(File, LeavesNothingWithoutCommit) {
  write_file(path_, "old");
  { PendingFile(path_).write(std::string(kLarge, 'x')); }
  EXPECT_EQ(read_file(path_), "old");
  EXPECT_EQ(files(), 1U);
}

TEST_F(File, TakesWhatALibraryWroteByName) {
  PendingFile file(path_);
  std::ofstream(file.beside()) << "by another";
  file.commit();
  EXPECT_EQ(read_file(path_), "by another");
}

TEST_F(File, EveryFailingCallLeavesTheOldContent) {
  const std::map<int, std::string> advice{{ENOSPC, "; free some space or write elsewhere"},
                                          {EACCES, "; choose a folder that may be written to"},
                                          {EIO, ""}};
  for (const std::string failing : {"open", "write", "sync", "rename"}) {
    for (const auto& [number, says] : advice) {
      write_file(path_, "old");
      faults().before = [&, code = number](std::string_view call, const fs::path& path) {
        EXPECT_EQ(path, path_);
        return call == failing ? code : 0;
      };
      const std::string error = error_of<IoError>([&] { write_file(path_, std::string(kLarge, 'x')); });
      faults().before = nullptr;
      EXPECT_THAT(error, StartsWith(path_.string() + ": cannot ")) << failing;
      EXPECT_THAT(error, EndsWith(std::string(": ") + std::strerror(number) + says)) << failing;
      EXPECT_EQ(read_file(path_), "old") << failing;
      EXPECT_EQ(files(), 1U) << failing;
    }
  }
}

TEST_F(File, AnyWriteOfManyMayFail) {
  write_file(path_, "old");
  int writes = 0;
  faults().before = [&](std::string_view call, const fs::path&) { return call == "write" && ++writes == 3 ? EIO : 0; };
  EXPECT_THAT(error_of<IoError>([&] {
                PendingFile file(path_);
                for (int i = 0; i < 5; ++i) file.write(std::string(1 << 20, 'x'));
                file.commit();
              }),
              HasSubstr("cannot write: Input/output error"));
  EXPECT_EQ(writes, 3);
  EXPECT_EQ(read_file(path_), "old");
  EXPECT_EQ(files(), 1U);
}

TEST_F(File, KilledAtAnyCallLeavesTheOldContentAndTheNextWriteWorks) {
  for (const std::string at : {"open", "write", "sync", "rename"}) {
    write_file(path_, "old");
    const int end = in_child([&] {
      faults().before = [&](std::string_view call, const fs::path&) { return call == at ? raise(SIGKILL) : 0; };
      write_file(path_, std::string(kLarge, 'x'));
      return 0;
    });
    ASSERT_EQ(end, -SIGKILL) << at;
    EXPECT_EQ(read_file(path_), "old") << at;
    write_file(path_, "new");
    EXPECT_EQ(read_file(path_), "new") << at;
  }
}

TEST_F(File, AFullDiskIsSaidAndLeavesTheOldContent) {
  constexpr int kNotAllowed = 77;
  const int end = in_child([&] {
    // The file system is seen by the child alone and goes with it.
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount("tmpfs", folder_.path().c_str(), "tmpfs", 0, "size=256k") != 0)
      return kNotAllowed;
    write_file(path_, "old");
    const std::string error = error_of<IoError>([&] { write_file(path_, std::string(kLarge, 'x')); });
    if (error.find("No space left on device; free some space") == std::string::npos) return 1;
    if (read_file(path_) != "old" || files() != 1) return 2;
    write_file(path_, "new");  // what was half written gave its space back
    return read_file(path_) == "new" ? 0 : 3;
  });
  if (end == kNotAllowed) GTEST_SKIP() << "mounting a small disk needs root";
  EXPECT_EQ(end, 0);
}

TEST_F(File, WhereNothingCanBeWritten) {
  EXPECT_EQ(error_of<IoError>([&] { write_file(folder_ / "none" / "x", "a"); }),
            (folder_ / "none" / "x").string() + ": cannot create: No such file or directory");
  EXPECT_EQ(error_of<IoError>([&] { write_file(folder_.path(), "a"); }),
            folder_.path().string() + ": cannot write: Is a directory");
}

TEST_F(File, WhatCannotBeRead) {
  const auto read = [](const fs::path& path) { return error_of<InputError>([&] { read_file(path); }); };
  const auto map = [](const fs::path& path) { return error_of<InputError>([&] { MappedFile{path}; }); };
  const std::string missing = path_.string() + ": cannot read: No such file or directory; expected a file";
  const std::string folder = folder_.path().string() + ": cannot read: is a folder; expected a file";
  EXPECT_EQ(read(path_), missing);
  EXPECT_EQ(map(path_), missing);
  EXPECT_EQ(read(folder_.path()), folder);
  EXPECT_EQ(map(folder_.path()), folder);
}

TEST_F(File, ReadsWhatDoesNotKnowItsSize) {
  EXPECT_THAT(read_file("/proc/self/status"), HasSubstr("Name:"));  // claims 0 bytes
}

TEST_F(File, AMapMayBeMoved) {
  write_file(path_, "content");
  MappedFile first(path_);
  const MappedFile second(std::move(first));
  EXPECT_EQ(second.view(), "content");
}

}  // namespace
}  // namespace kindred
