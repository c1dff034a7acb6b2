// SPDX-License-Identifier: Apache-2.0
// The only file that includes spdlog.
#include "engine/core/log.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <memory>
#include <mutex>

#include "engine/core/error.hpp"

namespace kindred {
namespace {

constexpr const char* kParsable = "%Y-%m-%dT%H:%M:%SZ %l %n %v";
constexpr size_t kLongestLine = 4000;

/// Two loggers: what is shown (short lines on a terminal) and the run's log file, whose lines are always parsable.
class Logger {
 public:
  Logger() : terminal_(isatty(STDERR_FILENO) != 0) { start("kindred", false); }

  void start(std::string_view program, bool quiet) {
    program_ = program;
    auto screen = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    screen_ = make(std::move(screen), terminal_ ? "%v" : kParsable);
    screen_->set_level(quiet ? spdlog::level::warn : spdlog::level::info);
  }

  void to_file(const std::filesystem::path& path) {
    file_.reset();
    if (!path.empty()) {
      try {
        file_ = make(std::make_shared<spdlog::sinks::basic_file_sink_mt>(path.string()), kParsable);
      } catch (const spdlog::spdlog_ex& error) {
        throw IoError(path.string() + ": cannot write the log: " + error.what());
      }
    }
  }

  void log(spdlog::level::level_enum level, std::string_view message, std::initializer_list<LogField> fields) {
    std::string line = printable(message, kLongestLine);
    for (const auto& field : fields) line += " " + field.text;
    clear_progress_line();
    const char* prefix = !terminal_ || level < spdlog::level::warn ? ""
                         : level == spdlog::level::warn            ? "warning: "
                                                                   : "error: ";
    screen_->log(level, "{}{}", prefix, line);
    screen_->flush();
    if (file_ == nullptr) return;
    file_->log(level, "{}", line);
    file_->flush();
  }

  bool terminal() const { return terminal_; }
  bool quiet() const { return screen_->level() > spdlog::level::info; }

 private:
  std::unique_ptr<spdlog::logger> make(spdlog::sink_ptr sink, const char* pattern) const {
    sink->set_formatter(std::make_unique<spdlog::pattern_formatter>(pattern, spdlog::pattern_time_type::utc));
    return std::make_unique<spdlog::logger>(program_, std::move(sink));
  }

  bool terminal_;
  std::string program_;
  std::unique_ptr<spdlog::logger> screen_, file_;
};

Logger& logger() {
  static Logger instance;
  return instance;
}

bool progress_line_open = false;

std::string field(std::string_view key, std::string_view value) {
  const bool plain = !value.empty() && value.find_first_of(" \"=\t\n") == std::string_view::npos;
  if (plain) return fmt::format("{}={}", key, printable(value, kLongestLine));
  std::string escaped;
  for (const char c : value) {
    if (c == '"' || c == '\\') escaped += '\\';
    escaped += c;
  }
  return fmt::format("{}=\"{}\"", key, printable(escaped, 500));
}

}  // namespace

LogField::LogField(std::string_view key, std::string_view value) : text(field(key, value)) {}
LogField::LogField(std::string_view key, int64_t value) : text(fmt::format("{}={}", key, value)) {}
LogField::LogField(std::string_view key, double value) : text(fmt::format("{}={:.4g}", key, value)) {}

void start_logging(std::string_view program, bool quiet) { logger().start(program, quiet); }
void log_to_file(const std::filesystem::path& path) { logger().to_file(path); }
void log_info(std::string_view message, std::initializer_list<LogField> fields) {
  logger().log(spdlog::level::info, message, fields);
}
void log_warning(std::string_view message, std::initializer_list<LogField> fields) {
  logger().log(spdlog::level::warn, message, fields);
}
void log_error(std::string_view message) { logger().log(spdlog::level::err, message, {}); }

void clear_progress_line() {
  if (!progress_line_open) return;
  std::fputs("\r\033[K", stderr);
  std::fflush(stderr);
  progress_line_open = false;
}

Progress::Progress(std::string_view what, int64_t total, std::string_view unit)
    : what_(what), unit_(unit), total_(total), start_(std::chrono::steady_clock::now()), drawn_(start_) {}

Progress::~Progress() { clear_progress_line(); }

void Progress::update(int64_t done) {
  done_ = done;
  const auto now = std::chrono::steady_clock::now();
  const auto interval = logger().terminal() ? std::chrono::milliseconds(100) : std::chrono::milliseconds(10000);
  if (now - drawn_ < interval) return;
  drawn_ = now;
  draw();
}

void Progress::draw() {
  if (logger().quiet()) return;
  const double seconds = std::chrono::duration<double>(drawn_ - start_).count();
  const double rate = seconds > 0 ? static_cast<double>(done_) / seconds : 0;
  const double left = rate > 0 && total_ > 0 ? static_cast<double>(total_ - done_) / rate : 0;
  if (!logger().terminal()) {
    log_info(what_, {{"done", done_}, {"total", total_}, {"unit", unit_}, {"rate", rate}, {"seconds_left", left}});
    return;
  }
  std::string bar;
  if (total_ > 0) {
    constexpr int kWidth = 24;
    const int full = static_cast<int>(kWidth * done_ / std::max<int64_t>(1, total_));
    for (int i = 0; i < kWidth; ++i) bar += i < full ? "█" : "░";
    bar = fmt::format("{} {:3d}% ", bar, static_cast<int>(100 * done_ / std::max<int64_t>(1, total_)));
  }
  const std::string line = fmt::format(
      "\r\033[K{} {}{}{} {}/s{}{}", what_, bar, format_count(done_), total_ > 0 ? " of " + format_count(total_) : "",
      format_count(static_cast<int64_t>(rate)) + " " + unit_, left > 0 ? ", " + format_seconds(left) + " left" : "",
      note_.empty() ? "" : "  " + note_);
  std::fputs(line.c_str(), stderr);
  std::fflush(stderr);
  progress_line_open = true;
}

std::string format_count(int64_t count) {
  if (count < 10000) return std::to_string(count);
  if (count < 1000000) return fmt::format("{:.1f} k", static_cast<double>(count) * 1e-3);
  if (count < 1000000000) return fmt::format("{:.1f} M", static_cast<double>(count) * 1e-6);
  return fmt::format("{:.1f} G", static_cast<double>(count) * 1e-9);
}

std::string format_grouped(int64_t count) {
  std::string out = std::to_string(count);
  const size_t first = count < 0 ? 1 : 0;
  for (size_t at = out.size(); at > first + 3;) out.insert(at -= 3, 1, ',');
  return out;
}

std::string format_seconds(double seconds) {
  if (seconds < 60) return fmt::format("{:.{}f} s", seconds, seconds < 10 ? 1 : 0);
  const auto minutes = static_cast<int64_t>(seconds / 60);
  if (minutes < 60) return fmt::format("{} min {} s", minutes, static_cast<int64_t>(seconds) % 60);
  return fmt::format("{} h {} min", minutes / 60, minutes % 60);
}

std::string format_float(float value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

std::string format_double(double value) {
  char text[40];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

}  // namespace kindred
