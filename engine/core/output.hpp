// SPDX-License-Identifier: Apache-2.0
// Where a program's result goes as text: standard output, or a file that appears when it is whole.
#pragma once
#include <optional>

#include "engine/core/error.hpp"
#include "engine/core/file.hpp"

namespace kindred {

/// Standard output was closed by its reader (`| head`): programs end quietly.
class ClosedPipe : public IoError {
 public:
  using IoError::IoError;
};

class Output {
 public:
  /// path "-": standard output.
  explicit Output(const std::filesystem::path& path);

  /// Lines are gathered here.
  std::string text;
  /// Call after lines: writes them where enough have come together.
  void flush_if_full();
  /// Writes what is left; a file takes its name. Without it a file is as it was.
  void finish();

 private:
  void flush();
  std::optional<PendingFile> file_;
};

/// Appends a CSV field (RFC 4180): quoted where it holds a comma, a quote or a line break.
void append_csv(std::string& to, std::string_view text);

/// Writes all of `text` to standard output. Throws ClosedPipe, or IoError with the system's reason.
void write_stdout(std::string_view text);

}  // namespace kindred
