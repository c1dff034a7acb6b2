// SPDX-License-Identifier: Apache-2.0
// The logger (the one global) and progress. On a terminal: short lines and bars on stderr; elsewhere parsable lines
// "2026-11-23T02:00:00Z info kindred-train message key=value". Results never go here: they are stdout's.
#pragma once
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>

namespace kindred {

/// A value of a log line, "key=value" (quoted where it has spaces).
struct LogField {
  LogField(std::string_view key, std::string_view value);
  LogField(std::string_view key, const char* value) : LogField(key, std::string_view(value)) {}
  LogField(std::string_view key, int64_t value);
  LogField(std::string_view key, int value) : LogField(key, static_cast<int64_t>(value)) {}
  LogField(std::string_view key, double value);  ///< 4 significant digits
  std::string text;
};

/// Called once by each program. `quiet` keeps warnings and errors only.
void start_logging(std::string_view program, bool quiet = false);
/// Also writes each line to a file (the run folder's log.txt), until closed or replaced. "" closes.
void log_to_file(const std::filesystem::path& path);

void log_info(std::string_view message, std::initializer_list<LogField> fields = {});
void log_warning(std::string_view message, std::initializer_list<LogField> fields = {});
void log_error(std::string_view message);

/// Progress of `total` steps (0: unknown): a bar with rate and time left on a terminal, a line every 10 s elsewhere.
class Progress {
 public:
  Progress(std::string_view what, int64_t total, std::string_view unit);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void update(int64_t done);
  /// A remark beside the bar ("ndcg@10 0.312").
  void note(std::string text) { note_ = std::move(text); }

 private:
  void draw();
  std::string what_, unit_, note_;
  int64_t total_, done_ = 0;
  std::chrono::steady_clock::time_point start_, drawn_;
};

/// Ends the progress line of a terminal so that a message starts on a line of its own.
void clear_progress_line();

/// "20.0 M", "20,000,263", "1 h 12 min", shortest float that reads back equal.
std::string format_count(int64_t count);
std::string format_grouped(int64_t count);
std::string format_seconds(double seconds);
std::string format_float(float value);
std::string format_double(double value);

}  // namespace kindred
