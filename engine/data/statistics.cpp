// SPDX-License-Identifier: Apache-2.0
#include "engine/data/statistics.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <numeric>
#include <ratio>
#include <span>
#include <type_traits>

#include "engine/core/bayesian_average.hpp"
#include "engine/core/log.hpp"

namespace kindred {
namespace {

constexpr size_t kSteps = 24;      // so many different values are shown one by one
constexpr double kLogRange = 100;  // positive numbers that span more are shown by powers of two

constexpr auto kMillion = std::micro::den;
constexpr int64_t kFirstTime = -62'135'596'800 * kMillion;  // the year 1
constexpr int64_t kLastTime = 253'402'300'800 * kMillion;   // the year 10,000

/// A value as it stood in the file: 0.1, not 0.10000000149.
double as_written(float value) { return std::stod(format_float(value)); }
double as_written(int64_t value) { return static_cast<double>(value); }

/// How often each value occurs; empty where more than kSteps differ.
template <class T>
std::map<T, int64_t> steps(std::span<const T> numbers) {
  std::map<T, int64_t> counts;
  auto last = counts.end();
  for (const T number : numbers) {
    if (last == counts.end() || last->first != number) last = counts.try_emplace(number, 0).first;
    ++last->second;
    if (counts.size() > kSteps) return {};
  }
  return counts;
}

/// The quantiles, by selection: `numbers` is left in another order.
template <class T>
void select_quantiles(std::span<T> numbers, Spread& spread) {
  auto begin = numbers.begin();  // what lies before it is in its place
  const auto at = [&](size_t rank) {
    const auto place = numbers.begin() + static_cast<std::ptrdiff_t>(rank);
    if (place >= begin) {
      std::nth_element(begin, place, numbers.end());
      begin = place + 1;
    }
    return as_written(*place);
  };
  for (size_t q = 0; q < kQuantiles.size(); ++q) {
    const double rank = kQuantiles[q] * static_cast<double>(numbers.size() - 1);
    const auto below = static_cast<size_t>(rank);
    const double low = at(below), share = rank - std::floor(rank);
    spread.quantiles[q] = share == 0 ? low : low + share * (at(below + 1) - low);
  }
}

/// The smallest of 1, 2, 5, 10, … times a power of ten that is not below `least`.
double round_step(double least) {
  const double power = std::pow(10, std::floor(std::log10(least)));
  for (const double factor : {1., 2., 5.}) {
    if (factor * power >= least * (1 - 1e-9)) return factor * power;
  }
  return 10 * power;
}

template <class T>
void fill_bins(std::span<const T> numbers, Spread& spread) {
  const double low = spread.quantiles.front(), high = spread.quantiles.back();
  const double width = spread.log_bins ? 1 : round_step((high - low) / static_cast<double>(kSteps));
  const auto cell = [&](double number) {
    return spread.log_bins ? static_cast<double>(std::ilogb(number)) : std::floor(number / width);
  };
  const double first = cell(low), last = cell(high);
  for (double c = first; c <= last; ++c) {
    const auto edge = [&](double n) {
      return spread.log_bins ? std::exp2(n) : std::stod(fmt::format("{:.12g}", n * width));
    };
    spread.bins.push_back({edge(c), edge(c + 1), 0});
  }
  for (const T number : numbers) {
    const double c = std::clamp(cell(static_cast<double>(number)), first, last);
    ++spread.bins[static_cast<size_t>(c - first)].count;
  }
}

/// `numbers` is left in another order. Counts are shown by powers of two, values one by one where they are few.
template <class T>
Spread spread_of(std::span<T> numbers) {
  constexpr bool kCounts = std::is_integral_v<T>;
  Spread out;
  if (numbers.empty()) return out;
  const auto count = static_cast<double>(numbers.size());
  for (const T number : numbers) out.mean += static_cast<double>(number);
  out.mean /= count;
  for (const T number : numbers) out.deviation += std::pow(static_cast<double>(number) - out.mean, 2);
  out.deviation = std::sqrt(out.deviation / count);
  const std::span<const T> given = numbers;
  if (!kCounts) {
    for (const auto& [number, times] : steps(given))
      out.bins.push_back({as_written(number), as_written(number), times});
  }
  select_quantiles(numbers, out);
  if (!out.bins.empty()) return out;
  out.log_bins = kCounts || (out.quantiles.front() > 0 && out.most() / out.quantiles.front() > kLogRange);
  fill_bins(given, out);
  return out;
}

void fill_lorenz(std::vector<int64_t> counts, Statistics& out) {
  std::sort(counts.begin(), counts.end());
  std::vector<double> sums{0};
  double weighed = 0;
  for (const int64_t count : counts) {
    weighed += static_cast<double>(sums.size()) * static_cast<double>(count);
    sums.push_back(sums.back() + static_cast<double>(count));
  }
  const auto n = static_cast<double>(counts.size());
  if (sums.back() == 0) return;
  out.gini = 2 * weighed / (n * sums.back()) - (n + 1) / n;
  for (size_t p = 0; p < out.lorenz.size(); ++p) {
    const double place = static_cast<double>(p) / 100 * n;
    const auto below = std::min(static_cast<size_t>(place), counts.size() - 1);
    const double inside = place - static_cast<double>(below);
    out.lorenz[p] = (sums[below] + inside * static_cast<double>(counts[below])) / sums.back();
  }
}

// ---- times

using Microseconds = std::chrono::microseconds;
using Moment = std::chrono::sys_time<Microseconds>;

struct PeriodKind {
  const char* name;
  Microseconds longest;  // the span for which it serves
};
constexpr PeriodKind kPeriods[] = {{"hour", std::chrono::days(4)},
                                   {"day", std::chrono::days(120)},
                                   {"month", std::chrono::years(25)},
                                   {"year", Microseconds::max()}};

/// A number a period, consecutive.
int64_t period_number(Moment moment, std::string_view period) {
  using namespace std::chrono;
  if (period == "hour") return floor<hours>(moment).time_since_epoch().count();
  const sys_days day = floor<days>(moment);
  if (period == "day") return day.time_since_epoch().count();
  const year_month_day date(day);
  const int64_t year = static_cast<int>(date.year());
  return period == "year" ? year : year * 12 + static_cast<unsigned>(date.month()) - 1;
}

std::string period_start(int64_t number, std::string_view period) {
  using namespace std::chrono;
  if (period == "year") return fmt::format("{:04}", number);
  if (period == "month") return fmt::format("{:04}-{:02}", number / 12, number % 12 + 1);
  const hours since(period == "hour" ? number : number * 24);
  const sys_days day = floor<days>(sys_time<hours>(since));
  const year_month_day date(day);
  std::string out = fmt::format("{:04}-{:02}-{:02}", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                                static_cast<unsigned>(date.day()));
  if (period == "hour") out += fmt::format("T{:02}", number - day.time_since_epoch().count() * 24);
  return out;
}

std::string date_time(int64_t time) {
  using namespace std::chrono;
  const Moment moment{Microseconds(time)};
  const auto second = floor<seconds>(moment) - floor<hours>(moment);
  const int64_t in_hour = duration_cast<seconds>(second).count();
  return fmt::format("{}:{:02}:{:02}Z", period_start(period_number(moment, "hour"), "hour"), in_hour / 60,
                     in_hour % 60);
}

void fill_activity(const std::vector<int64_t>& times, Statistics& out) {
  const auto known = [](int64_t time) { return time >= kFirstTime && time < kLastTime; };
  int64_t first = kLastTime, last = kFirstTime - 1;
  for (const int64_t time : times) {
    if (!known(time)) {
      ++out.untimed;
      continue;
    }
    first = std::min(first, time);
    last = std::max(last, time);
  }
  if (first > last) return;
  const Microseconds span(last - first);
  const auto kind = std::ranges::find_if(kPeriods, [&](const PeriodKind& p) { return span <= p.longest; });
  out.period = kind->name;
  out.first_time = date_time(first);
  out.last_time = date_time(last);
  const int64_t start = period_number(Moment{Microseconds(first)}, out.period);
  const int64_t end = period_number(Moment{Microseconds(last)}, out.period);
  for (int64_t p = start; p <= end; ++p) out.periods.push_back({period_start(p, out.period), 0});
  for (const int64_t time : times) {
    if (known(time))
      ++out.periods[static_cast<size_t>(period_number(Moment{Microseconds(time)}, out.period) - start)].count;
  }
}

// ---- lists

/// The first `most` of `rows` in the order of `before`, ties by row.
template <class Before>
std::vector<int32_t> first_of(std::vector<int32_t> rows, size_t most, Before before) {
  const auto kept = std::min(most, rows.size());
  std::partial_sort(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(kept), rows.end(),
                    [&](int32_t a, int32_t b) { return before(a, b) || (!before(b, a) && a < b); });
  rows.resize(kept);
  return rows;
}

void fill_lists(const PreparedData& data, const BayesianAverages& averages, const StatisticsOptions& options,
                Statistics& out) {
  const auto& counts = averages.counts;
  std::vector<int32_t> rated;
  for (size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] > 0) rated.push_back(static_cast<int32_t>(i));
  }
  const auto list = [&](auto&& before) {
    std::vector<RankedItem> items;
    for (const int32_t row : first_of(rated, options.items, before)) {
      const auto i = static_cast<size_t>(row);
      const auto& titles = data.catalogue.titles;
      items.push_back({data.train.items->text(row), titles.empty() ? "" : titles[i], counts[i],
                       averages.sums[i] / static_cast<double>(counts[i]), averages.scores[i]});
    }
    return items;
  };
  const auto by = [](const auto& numbers, auto&& before) {
    return [&numbers, before](int32_t a, int32_t b) {
      return before(numbers[static_cast<size_t>(a)], numbers[static_cast<size_t>(b)]);
    };
  };
  out.most_rated = list(by(counts, std::greater<>()));
  if (!out.values) return;
  out.usual_count = averages.usual_count;
  out.mean_of_means = averages.mean_of_means;
  out.best = list(by(averages.scores, std::greater<>()));
  out.worst = list(by(averages.scores, std::less<>()));
}

void fill_tags(const Catalogue& catalogue, const BayesianAverages& averages, const StatisticsOptions& options,
               Statistics& out) {
  if (catalogue.tags.rows() == 0) return;
  out.distinct_tags = static_cast<int64_t>(catalogue.tag_names.size());
  out.untagged = 0;
  std::vector<TagCount> tags;
  std::vector<double> sums(catalogue.tag_names.size());
  for (const std::string& name : catalogue.tag_names) tags.push_back({name});
  for (int64_t item = 0; item < catalogue.tags.rows(); ++item) {
    const auto row = catalogue.tags.row(item);
    *out.untagged += row.empty();
    for (const int32_t tag : row) {
      TagCount& count = tags[static_cast<size_t>(tag)];
      ++count.items;
      count.interactions += averages.counts[static_cast<size_t>(item)];
      sums[static_cast<size_t>(tag)] += averages.sums[static_cast<size_t>(item)];
    }
  }
  std::vector<int32_t> rows(tags.size());
  std::iota(rows.begin(), rows.end(), 0);
  const auto more = [&](int32_t a, int32_t b) {
    return tags[static_cast<size_t>(a)].interactions > tags[static_cast<size_t>(b)].interactions;
  };
  for (const int32_t row : first_of(rows, options.tags, more)) {
    TagCount& tag = tags[static_cast<size_t>(row)];
    tag.mean = sums[static_cast<size_t>(row)] / static_cast<double>(std::max<int64_t>(1, tag.interactions));
    out.tags.push_back(std::move(tag));
  }
}

int64_t count_constant_users(const HostCsr& matrix) {
  int64_t count = 0;
  for (int64_t u = 0; u < matrix.rows(); ++u) {
    const auto values = matrix.row_values(u);
    count += static_cast<int64_t>(values.size()) >= kConstantLeast &&
             std::ranges::all_of(values, [&](float v) { return v == values[0]; });
  }
  return count;
}

// ---- warnings

std::string percent(double share) {
  return share < 0.1 ? fmt::format("{:.2g} %", 100 * share) : fmt::format("{:.0f} %", 100 * share);
}

void warn(Statistics& out) {
  const auto share = [](int64_t part, int64_t whole) {
    return static_cast<double>(part) / static_cast<double>(std::max<int64_t>(1, whole));
  };
  const auto add = [&](std::string text) { out.warnings.push_back(std::move(text)); };
  if (out.rejected > 0)
    add(
        fmt::format("{} of {} rows cannot be read and are left out; training stops at the first one unless "
                    "data.bad_rows = \"quarantine\".",
                    format_grouped(out.rejected), format_grouped(out.rejected + out.rows_read)));
  if (out.merged > 0)
    add(
        fmt::format("{} rows repeat a pair of user and item that another row has; data.duplicates says what becomes of "
                    "them.",
                    format_grouped(out.merged)));
  if (out.density < 0.001)
    add(fmt::format("The density of {} is below 0.1 %: of most pairs nothing is known, and neighbors share few items.",
                    percent(out.density)));
  if (out.constant_users > 0)
    add(fmt::format(
        "All values of a user are the same, {} or more of them, for {} of the users ({}): these say nothing about what "
        "they prefer.",
        kConstantLeast, format_grouped(out.constant_users), percent(share(out.constant_users, out.users))));
  if (share(out.single_users, out.users) > 0.25)
    add(fmt::format("{} of the users have a single interaction: nothing can be held out for them, and little learned.",
                    percent(share(out.single_users, out.users))));
  if (share(out.single_items, out.items) > 0.25)
    add(fmt::format("{} of the items have a single interaction: what is recommended will mostly be among the others.",
                    percent(share(out.single_items, out.items))));
  if (out.untimed > 0)
    add(fmt::format("{} interactions have no time (or one outside the years 1 to 9999).", format_grouped(out.untimed)));
}

}  // namespace

Statistics statistics(const PreparedData& all, const StatisticsOptions& options) {
  const HostCsr& matrix = all.train.matrix;
  Statistics out;
  out.interactions = matrix.nnz();
  if (!matrix.values.empty()) {
    std::vector<float> values = matrix.values;
    out.values = spread_of(std::span(values));
    out.constant_users = count_constant_users(matrix);
  }
  const auto count_side = [](std::vector<int64_t> counts, int64_t& present, int64_t& single) {
    std::erase(counts, 0);
    present = static_cast<int64_t>(counts.size());
    single = std::ranges::count(counts, 1);
    return counts;
  };
  std::vector<int64_t> of_user;
  for (int64_t u = 0; u < matrix.rows(); ++u) of_user.push_back(static_cast<int64_t>(matrix.row(u).size()));
  of_user = count_side(std::move(of_user), out.users, out.single_users);
  const BayesianAverages averages = bayesian_averages(matrix);
  std::vector<int64_t> of_item = count_side(averages.counts, out.items, out.single_items);
  out.listed_unseen = matrix.cols - out.items;
  out.density = static_cast<double>(out.interactions) /
                std::max(1., static_cast<double>(out.users) * static_cast<double>(out.items));
  fill_lorenz(of_item, out);
  out.of_user = spread_of(std::span(of_user));
  out.of_item = spread_of(std::span(of_item));

  fill_activity(all.train.times, out);
  fill_lists(all, averages, options, out);
  fill_tags(all.catalogue, averages, options, out);
  const auto& titles = all.catalogue.titles;
  if (!titles.empty()) out.untitled = std::ranges::count(titles, "");
  out.rows_read = all.rows_read;
  out.merged = all.duplicates;
  out.rejected = static_cast<int64_t>(all.rejected.size());
  out.rejected_rows.assign(
      all.rejected.begin(),
      all.rejected.begin() +
          std::min<std::ptrdiff_t>(std::ssize(all.rejected), static_cast<std::ptrdiff_t>(options.rejected)));
  warn(out);
  return out;
}

}  // namespace kindred
