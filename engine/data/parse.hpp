// SPDX-License-Identifier: Apache-2.0
// Numbers and times from text.
#pragma once
#include <cstdint>
#include <string_view>

namespace kindred {

/// A finite decimal number that fills `text` but for spaces around it. Not finite as a float: false.
bool parse_number(std::string_view text, float& value);
bool parse_number(std::string_view text, double& value);

/// How a file writes its times; all rows alike.
enum class TimeForm : uint8_t { kInteger, kDecimal, kIso };

/// By the look of one time.
TimeForm time_form(std::string_view text);

/// kIso: microseconds since 1970 ("2026-11-23", "2026-11-23T02:00:00.25Z", "… 02:00+01:00"; UTC where no zone stands).
/// kInteger: the number as it stands; a fraction of zeros may follow. kDecimal: the number times 10^6.
bool parse_time(std::string_view text, TimeForm form, int64_t& raw);

/// Unix times come in seconds, milliseconds or microseconds.
enum class TimeUnit : uint8_t { kSeconds, kMilliseconds, kMicroseconds };

/// By the largest magnitude in the file: below 10^11 (the year 5138) seconds, below 10^14 milliseconds.
TimeUnit time_unit(int64_t largest, TimeForm form);

/// From parse_time's value to microseconds since 1970.
int64_t to_microseconds(int64_t raw, TimeForm form, TimeUnit unit);

}  // namespace kindred
