// SPDX-License-Identifier: Apache-2.0
// Lines off a terminal, the log file beside them, and figures for people.
#include "engine/core/log.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "engine/core/error.hpp"
#include "engine/core/file.hpp"
#include "tests/engine/support.hpp"

namespace kindred {
namespace {

using ::testing::MatchesRegex;

const std::string kTime = "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z ";

/// What `call` writes to stderr, which is no terminal meanwhile.
template <class Call>
std::string stderr_of(Call&& call, bool quiet = false) {
  ::testing::internal::CaptureStderr();
  start_logging("kindred-test", quiet);
  call();
  return ::testing::internal::GetCapturedStderr();
}

TEST(Log, LinesAreParsable) {
  EXPECT_THAT(stderr_of([] {
                log_info("epoch", {{"epoch", 3}, {"seconds", 0.123456}, {"by", "als"}});
              }),
              MatchesRegex(kTime + "info kindred-test epoch epoch=3 seconds=0\\.1235 by=als\n"));
  EXPECT_THAT(stderr_of([] { log_warning("take care"); }), MatchesRegex(kTime + "warning kindred-test take care\n"));
  EXPECT_THAT(stderr_of([] { log_error("it failed"); }), MatchesRegex(kTime + "error kindred-test it failed\n"));
}

TEST(Log, ValuesThatWouldBreakALineAreQuoted) {
  EXPECT_EQ(LogField("key", "plain/path.csv").text, "key=plain/path.csv");
  EXPECT_EQ(LogField("key", "two words").text, "key=\"two words\"");
  EXPECT_EQ(LogField("key", "").text, "key=\"\"");
  EXPECT_EQ(LogField("key", "a=b").text, "key=\"a=b\"");
  EXPECT_EQ(LogField("key", "say \"no\"").text, "key=\"say \\\"no\\\"\"");
  EXPECT_EQ(LogField("key", "a\nb").text, "key=\"a\\nb\"");
  EXPECT_EQ(LogField("key", std::numeric_limits<int64_t>::max()).text, "key=9223372036854775807");
}

TEST(Log, AMessageStaysOnItsLine) {
  EXPECT_THAT(stderr_of([] { log_info("file a\nb {}"); }),
              MatchesRegex(kTime + "info kindred-test file a\\\\nb \\{\\}\n"));
}

TEST(Log, QuietKeepsWarnings) {
  EXPECT_THAT(stderr_of(
                  [] {
                    log_info("news");
                    log_warning("care");
                  },
                  true),
              MatchesRegex(kTime + "warning kindred-test care\n"));
}

TEST(Log, TheFileGetsEveryLineAndIsContinued) {
  const test::TemporaryFolder folder;
  const auto path = folder / "log.txt";
  stderr_of(
      [&] {
        log_to_file(path);
        log_info("first");
        log_to_file("");
        log_info("nowhere");
        log_to_file(path);
        log_warning("second", {{"n", 2}});
        log_to_file("");
      },
      true);
  EXPECT_THAT(read_file(path),
              MatchesRegex(kTime + "info kindred-test first\n" + kTime + "warning kindred-test second n=2\n"));
}

TEST(Log, AFileThatCannotBeWrittenIsAnError) {
  const test::TemporaryFolder folder;
  write_file(folder / "file", "");
  EXPECT_THROW(log_to_file(folder / "file" / "log.txt"), IoError);
}

TEST(Progress, IsSilentForShortWorkOffATerminal) {
  EXPECT_EQ(stderr_of([] {
              Progress progress("training", 10, "epochs");
              for (int i = 1; i <= 10; ++i) progress.update(i);
            }),
            "");
}

TEST(Format, ForPeople) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(1023), "1023 B");
  EXPECT_EQ(format_bytes(1536), "1.5 KiB");
  EXPECT_EQ(format_bytes(int64_t{3} << 40), "3.0 TiB");
  EXPECT_EQ(format_bytes(int64_t{5} << 52), "20480.0 TiB");
  EXPECT_EQ(format_count(9999), "9999");
  EXPECT_EQ(format_count(20000), "20.0 k");
  EXPECT_EQ(format_count(20000000), "20.0 M");
  EXPECT_EQ(format_count(3000000000), "3.0 G");
  EXPECT_EQ(format_seconds(0.24), "0.2 s");
  EXPECT_EQ(format_seconds(42.4), "42 s");
  EXPECT_EQ(format_seconds(61), "1 min 1 s");
  EXPECT_EQ(format_seconds(4320), "1 h 12 min");
}

TEST(Format, ShortestThatReadsBackEqual) {
  EXPECT_EQ(format_float(0.1f), "0.1");
  EXPECT_EQ(format_double(0.1), "0.1");
  for (const float value : {1.f / 3, 1e-37f, 16777217.f, -0.f}) EXPECT_EQ(std::stof(format_float(value)), value);
  for (const double value : {1. / 3, 1e-300, std::nextafter(1., 2.)}) EXPECT_EQ(std::stod(format_double(value)), value);
}

}  // namespace
}  // namespace kindred
