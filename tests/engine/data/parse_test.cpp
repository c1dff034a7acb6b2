// SPDX-License-Identifier: Apache-2.0
#include "engine/data/parse.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <ctime>
#include <optional>
#include <random>
#include <string>

namespace kindred {
namespace {

std::optional<float> number(std::string_view text) {
  float value = 0;
  return parse_number(text, value) ? std::optional(value) : std::nullopt;
}

std::optional<int64_t> time_of(std::string_view text, TimeForm form) {
  int64_t raw = 0;
  return parse_time(text, form, raw) ? std::optional(raw) : std::nullopt;
}
std::optional<int64_t> iso(std::string_view text) { return time_of(text, TimeForm::kIso); }

TEST(Parse, Numbers) {
  EXPECT_EQ(number("5"), 5.f);
  EXPECT_EQ(number("3.5"), 3.5f);
  EXPECT_EQ(number("-1e3"), -1000.f);
  EXPECT_EQ(number(" 4.0 "), 4.f);
  for (const char* text : {"", " ", "five", "4.0x", "4,0", "nan", "NaN", "inf", "-inf", "1e60", "0x10", "1 2", "--1"}) {
    EXPECT_EQ(number(text), std::nullopt) << text;
  }
}

TEST(Parse, NumbersAsTheCLibraryReadsThem) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 20000; ++round) {
    char text[64];
    const double value =
        std::ldexp(static_cast<double>(static_cast<int64_t>(random())), static_cast<int>(random() % 80) - 80);
    std::snprintf(text, sizeof text, "%.*g", 1 + static_cast<int>(random() % 17), value);
    ASSERT_EQ(number(text), std::strtof(text, nullptr)) << text;
  }
}

TEST(Parse, IsoTimesAsTheCLibraryReadsThem) {
  std::mt19937_64 random(4);
  for (int round = 0; round < 20000; ++round) {
    const auto seconds = static_cast<std::time_t>(random() % 8'000'000'000) - 2'000'000'000;  // 1906 to 2160
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    char text[64];
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
    const auto microseconds = static_cast<int64_t>(random() % 1'000'000);
    char whole[96];
    std::snprintf(whole, sizeof whole, "%s.%06lldZ", text, static_cast<long long>(microseconds));
    ASSERT_EQ(iso(whole), int64_t{seconds} * 1'000'000 + microseconds) << whole;
    ASSERT_EQ(iso(text), int64_t{seconds} * 1'000'000);
  }
}

TEST(Parse, IsoForms) {
  const int64_t day = 1'795'392'000'000'000;  // 2026-11-23
  EXPECT_EQ(iso("2026-11-23"), day);
  EXPECT_EQ(iso("2026-11-23T02:00"), day + 7'200'000'000);
  EXPECT_EQ(iso("2026-11-23 02:00:00.25"), day + 7'200'250'000);
  EXPECT_EQ(iso("2026-11-23T02:00:00+01:00"), day + 3'600'000'000);
  EXPECT_EQ(iso("2026-11-23T02:00:00-0130"), day + 12'600'000'000);
  EXPECT_EQ(iso("2026-11-23T02:00:00+01"), day + 3'600'000'000);
  EXPECT_EQ(iso("2026-11-23T00:00:00.1234569Z"), day + 123'456);
  EXPECT_EQ(iso("2024-02-29"), 1'709'164'800'000'000);
  for (const char* text :
       {"", "2026", "2026-11", "2026-13-01", "2026-00-01", "2026-02-29", "1900-02-29", "2026-11-31", "2026-11-23T",
        "2026-11-23T24:00", "2026-11-23T02", "2026-11-23T02:60", "2026-11-23T02:00:61", "2026-11-23T02:00:00.",
        "2026-11-23T02:00Zx", "2026-11-23T02:00+", "23.11.2026"}) {
    EXPECT_EQ(iso(text), std::nullopt) << text;
  }
}

TEST(Parse, FormOfATime) {
  EXPECT_EQ(time_form("964982703"), TimeForm::kInteger);
  EXPECT_EQ(time_form("-5"), TimeForm::kInteger);
  EXPECT_EQ(time_form("964982703.0"), TimeForm::kDecimal);
  EXPECT_EQ(time_form("2026-11-23"), TimeForm::kIso);
}

// The same moment, written in every unit and form.
TEST(Parse, UnixTimesInAllUnits) {
  const auto microseconds = [](std::string_view text, TimeForm form) {
    const auto raw = time_of(text, form);
    EXPECT_TRUE(raw) << text;
    return to_microseconds(*raw, form, time_unit(std::abs(*raw), form));
  };
  const int64_t moment = 964'982'703'000'000;
  EXPECT_EQ(microseconds("964982703", TimeForm::kInteger), moment);
  EXPECT_EQ(microseconds("964982703.0", TimeForm::kInteger), moment);
  EXPECT_EQ(microseconds("964982703000", TimeForm::kInteger), moment);
  EXPECT_EQ(microseconds("964982703000000", TimeForm::kInteger), moment);
  EXPECT_EQ(microseconds("964982703.25", TimeForm::kDecimal), moment + 250'000);
  EXPECT_EQ(microseconds("-964982703.25", TimeForm::kDecimal), -moment - 250'000);
  EXPECT_EQ(microseconds("964982703000.5", TimeForm::kDecimal), moment + 500);
  EXPECT_EQ(microseconds("0", TimeForm::kInteger), 0);
  EXPECT_EQ(time_of("964982703.5", TimeForm::kInteger), std::nullopt);
  EXPECT_EQ(time_of("99999999999999999999", TimeForm::kInteger), std::nullopt);
  EXPECT_EQ(time_of("99999999999999999", TimeForm::kDecimal), std::nullopt);
  EXPECT_EQ(time_of("soon", TimeForm::kInteger), std::nullopt);
  EXPECT_EQ(time_of("12.x", TimeForm::kDecimal), std::nullopt);
}

}  // namespace
}  // namespace kindred
