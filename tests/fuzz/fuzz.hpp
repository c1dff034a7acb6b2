// SPDX-License-Identifier: Apache-2.0
// What the fuzz targets share: a file in memory, and checks that end the process so that the fuzzer keeps the input.
#pragma once
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include "engine/core/error.hpp"
#include "engine/core/log.hpp"

namespace kindred::fuzz {

inline void check(bool holds, std::string_view what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %.*s\n", static_cast<int>(what.size()), what.data());
  std::abort();
}

/// Errors of input are one line of text and nothing else.
inline void check_message(const InputError& error) {
  const std::string_view message = error.what();
  check(!message.empty() && message.find('\n') == std::string_view::npos, "an error is one line");
}

/// A file that exists in memory alone.
class MemoryFile {
 public:
  explicit MemoryFile(std::string_view content) : fd_(memfd_create("fuzz", 0)) {
    check(fd_ >= 0 && write(fd_, content.data(), content.size()) == static_cast<ssize_t>(content.size()), "memory");
  }
  ~MemoryFile() { close(fd_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  std::filesystem::path path() const { return "/proc/self/fd/" + std::to_string(fd_); }

 private:
  int fd_;
};

/// Only warnings: a line for each input would drown what the fuzzer says.
inline void be_quiet() {
  static const bool once = (start_logging("fuzz", true), true);
  (void)once;
}

}  // namespace kindred::fuzz
