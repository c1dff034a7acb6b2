// SPDX-License-Identifier: Apache-2.0
#include "engine/data/parse.hpp"

#include <fast_float/fast_float.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace kindred {
namespace {

constexpr int64_t kMillion = 1'000'000;

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Takes exactly `count` digits off the front.
bool take_digits(std::string_view& text, size_t count, int& value) {
  if (text.size() < count || !std::all_of(text.begin(), text.begin() + count, is_digit)) return false;
  std::from_chars(text.data(), text.data() + count, value);
  text.remove_prefix(count);
  return true;
}

bool take(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

// Takes digits behind a decimal point as millionths; digits behind the sixth are cut off.
bool take_fraction(std::string_view& text, int& millionths) {
  millionths = 0;
  int digits = 0;
  for (; !text.empty() && is_digit(text.front()); text.remove_prefix(1), ++digits) {
    if (digits < 6) millionths = millionths * 10 + (text.front() - '0');
  }
  for (int i = digits; i < 6; ++i) millionths *= 10;
  return digits > 0;
}

// Days from 1970-01-01 in the proleptic Gregorian calendar (Howard Hinnant, days_from_civil).
int64_t days_from_civil(int64_t year, int month, int day) {
  year -= month <= 2;
  const int64_t era = (year >= 0 ? year : year - 399) / 400;
  const int64_t year_of_era = year - era * 400;
  const int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  const int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + day_of_era - 719468;
}

bool leap_year(int year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

bool parse_iso(std::string_view text, int64_t& microseconds) {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, fraction = 0, zone_minutes = 0;
  if (!take_digits(text, 4, year) || !take(text, '-') || !take_digits(text, 2, month) || !take(text, '-') ||
      !take_digits(text, 2, day)) {
    return false;
  }
  constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (month < 1 || month > 12 || day < 1 || day > kDays[month - 1] + (month == 2 && leap_year(year))) return false;
  if (take(text, 'T') || take(text, ' ')) {
    if (!take_digits(text, 2, hour) || !take(text, ':') || !take_digits(text, 2, minute)) return false;
    if (take(text, ':')) {
      if (!take_digits(text, 2, second)) return false;
      if ((take(text, '.') || take(text, ',')) && !take_fraction(text, fraction)) return false;
    }
    if (hour > 23 || minute > 59 || second > 60) return false;  // 60: a leap second
    if (!take(text, 'Z') && !text.empty()) {
      const int sign = text.front() == '-' ? -1 : 1;
      int zone_hour = 0, zone_minute = 0;
      if (!(take(text, '+') || take(text, '-')) || !take_digits(text, 2, zone_hour)) return false;
      take(text, ':');
      if (!text.empty() && !take_digits(text, 2, zone_minute)) return false;
      zone_minutes = sign * (zone_hour * 60 + zone_minute);
    }
  }
  if (!text.empty()) return false;
  const int64_t minutes = (days_from_civil(year, month, day) * 24 + hour) * 60 + minute - zone_minutes;
  microseconds = (minutes * 60 + second) * kMillion + fraction;
  return true;
}

// "4", "4.5": up to seven digits with a point among them. Both halves of the quotient are exact floats, so that it is
// the nearest float (Clinger 1990). False for what needs more care.
bool parse_short_decimal(std::string_view text, float& value) {
  constexpr float kPowers[] = {1, 1e1f, 1e2f, 1e3f, 1e4f, 1e5f, 1e6f, 1e7f};
  if (text.empty() || text.size() > 8) return false;
  int32_t digits = 0, count = 0;
  size_t point = text.size();
  for (size_t i = 0; i < text.size(); ++i) {
    const auto digit = static_cast<unsigned char>(text[i] - '0');
    if (digit <= 9) {
      digits = digits * 10 + digit;
      ++count;
    } else if (text[i] == '.' && point == text.size()) {
      point = i;
    } else {
      return false;
    }
  }
  if (count == 0 || count > 7) return false;
  value = static_cast<float>(digits) / kPowers[point == text.size() ? 0 : text.size() - 1 - point];
  return true;
}

template <class Real>
bool parse_any_number(std::string_view text, Real& value) {
  text = trimmed(text);
  const char* const end = text.data() + text.size();
  const auto result = fast_float::from_chars(text.data(), end, value);
  return result.ec == std::errc() && result.ptr == end && std::isfinite(value);
}

}  // namespace

bool parse_number(std::string_view text, float& value) {
  return parse_short_decimal(text, value) || parse_any_number(text, value);
}
bool parse_number(std::string_view text, double& value) { return parse_any_number(text, value); }

TimeForm time_form(std::string_view text) {
  text = trimmed(text);
  if (text.find('-', 1) != std::string_view::npos) return TimeForm::kIso;
  return text.find('.') != std::string_view::npos ? TimeForm::kDecimal : TimeForm::kInteger;
}

bool parse_time(std::string_view text, TimeForm form, int64_t& raw) {
  if (form == TimeForm::kInteger && !text.empty() && text.size() <= 18) {
    int64_t out = 0;
    bool digits = true;
    for (const char c : text) {
      const auto digit = static_cast<unsigned char>(c - '0');
      digits &= digit <= 9;
      out = out * 10 + digit;
    }
    if (digits) {
      raw = out;
      return true;
    }
  }
  text = trimmed(text);
  if (form == TimeForm::kIso) return parse_iso(text, raw);
  const bool negative = !text.empty() && text.front() == '-';
  const char* const end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, raw);
  if (result.ec != std::errc()) return false;
  text.remove_prefix(static_cast<size_t>(result.ptr - text.data()));
  int fraction = 0;
  if (!text.empty() && (!take(text, '.') || (!text.empty() && !take_fraction(text, fraction)) || !text.empty())) {
    return false;
  }
  if (form == TimeForm::kInteger) return fraction == 0;
  constexpr int64_t kLargest = INT64_MAX / kMillion - 1;
  if (raw > kLargest || raw < -kLargest) return false;
  raw = raw * kMillion + (negative ? -fraction : fraction);
  return true;
}

TimeUnit time_unit(int64_t largest, TimeForm form) {
  if (form == TimeForm::kDecimal) largest /= kMillion;
  if (largest < 100'000'000'000) return TimeUnit::kSeconds;
  return largest < 100'000'000'000'000 ? TimeUnit::kMilliseconds : TimeUnit::kMicroseconds;
}

int64_t to_microseconds(int64_t raw, TimeForm form, TimeUnit unit) {
  if (form == TimeForm::kIso) return raw;
  const int64_t per_unit = unit == TimeUnit::kSeconds ? kMillion : unit == TimeUnit::kMilliseconds ? 1000 : 1;
  return form == TimeForm::kInteger ? raw * per_unit : raw / (kMillion / per_unit);
}

}  // namespace kindred
