// SPDX-License-Identifier: Apache-2.0
// Files written whole or not at all: failed calls, a killed process, and reading.
#include "engine/core/file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <iterator>

#include "engine/core/error.hpp"
#include "tests/engine/store/temporary_folder.hpp"

namespace kindred {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

class File : public ::testing::Test {
 protected:
  void TearDown() override { faults().before = nullptr; }
  long files() const { return std::distance(fs::directory_iterator(folder_.path()), fs::directory_iterator()); }

  testing::TemporaryFolder folder_;
  const fs::path path_ = folder_ / "file";
};

TEST_F(File, WhatIsWrittenIsRead) {
  for (const size_t size : {0, 1, 4096, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20}) {
    const std::string content(size, 'x');
    write_file(path_, content);
    EXPECT_TRUE(read_file(path_) == content) << size;
    EXPECT_TRUE(MappedFile(path_).view() == content) << size;
    EXPECT_EQ(files(), 1);
  }
}

TEST_F(File, EveryFailedCallKeepsTheOldContentAndLeavesNothing) {
  write_file(path_, "old");
  for (const std::string call : {"open", "write", "sync", "rename"}) {
    for (const int error : {ENOSPC, EIO, EACCES}) {
      faults().before = [&](std::string_view made, const fs::path&) { return made == call ? error : 0; };
      std::string message;
      try {
        write_file(path_, "new");
      } catch (const IoError& failure) {
        message = failure.what();
      }
      faults().before = nullptr;
      EXPECT_THAT(message, HasSubstr(path_.string() + ": cannot "));
      EXPECT_THAT(message, HasSubstr(std::strerror(error)));
      EXPECT_EQ(message.ends_with("; free some space or write elsewhere"), error == ENOSPC);
      EXPECT_EQ(read_file(path_), "old");
      EXPECT_EQ(files(), 1);
    }
  }
}

TEST_F(File, WithoutCommitNothingIsLeft) {
  { PendingFile(path_).write(std::string(2 << 20, 'x')); }
  EXPECT_EQ(files(), 0);
}

TEST_F(File, AProcessKilledAtAnyCallKeepsTheOldContentWhole) {
  for (const std::string call : {"open", "write", "sync", "rename"}) {
    write_file(path_, "old");
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      faults().before = [&](std::string_view made, const fs::path&) { return made == call ? raise(SIGKILL) : 0; };
      write_file(path_, std::string(3 << 20, 'n'));
      _exit(0);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << call;
    EXPECT_EQ(read_file(path_), "old") << call;
  }
}

TEST_F(File, ReadingNamesWhatIsThere) {
  const auto error_of = [](const fs::path& path) {
    try {
      read_file(path);
    } catch (const InputError& error) {
      return std::string(error.what());
    }
    return std::string("(no error)");
  };
  EXPECT_EQ(error_of(path_), path_.string() + ": cannot read: No such file or directory; expected a file");
  EXPECT_EQ(error_of(folder_.path()), folder_.path().string() + ": cannot read: is a folder; expected a file");
  EXPECT_THROW(MappedFile{folder_.path()}, InputError);
}

TEST_F(File, WritingIntoNoFolderOrOverAFolderIsRefused) {
  EXPECT_THROW(write_file(folder_ / "none/file", "x"), IoError);
  fs::create_directory(path_);
  EXPECT_THROW(write_file(path_, "x"), IoError);
  EXPECT_EQ(files(), 1);
}

}  // namespace
}  // namespace kindred
