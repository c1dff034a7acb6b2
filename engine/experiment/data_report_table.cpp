// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engine/core/log.hpp"
#include "engine/experiment/data_report.hpp"
#include "engine/experiment/data_report_text.hpp"
#include "engine/store/text.hpp"

namespace kindred {
namespace {

constexpr size_t kLabel = 26;  // columns of the first column
constexpr size_t kBar = 40, kTitle = 48, kId = 16;

/// `text` in `columns`, filled up with spaces.
std::string cell(std::string_view text, size_t columns) {
  std::string out = shorten(text, columns);
  return out + std::string(columns - std::min(columns, display_width(out)), ' ');
}

std::string bar(int64_t count, int64_t most) {
  constexpr const char* kEighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const auto eighths = static_cast<size_t>(std::ceil(static_cast<double>(kBar * 8) * static_cast<double>(count) /
                                                     static_cast<double>(std::max<int64_t>(1, most))));
  std::string out;
  for (size_t full = 0; full < eighths / 8; ++full) out += "█";
  return out + kEighths[eighths % 8];
}

std::string histogram(const Spread& spread, bool whole) {
  std::string out;
  int64_t most = 0;
  for (const Bin& bin : spread.bins) most = std::max(most, bin.count);
  for (const Bin& bin : spread.bins)
    out += fmt::format("  {} {:>12} {}\n", cell(bin_text(bin, whole), kLabel - 2), format_grouped(bin.count),
                       bar(bin.count, most));
  return out;
}

std::string quantiles(const char* label, const Spread& spread) {
  std::string out = cell(label, kLabel);
  for (const double q : spread.quantiles) out += fmt::format(" {:>8}", number_text(q));
  return out + fmt::format(" {:>8}\n", number_text(spread.mean));
}

/// The same counts by years, months or days: the finest that takes at most kMostPeriods lines.
std::vector<Period> coarser(const std::vector<Period>& periods) {
  constexpr size_t kMostPeriods = 31;
  std::vector<Period> out;
  for (const size_t keep : {13, 10, 7, 4}) {  // of "2018-09-24T17"
    out.clear();
    for (const Period& period : periods) {
      const std::string start = period.start.substr(0, keep);
      if (out.empty() || out.back().start != start) out.push_back({start, 0});
      out.back().count += period.count;
    }
    if (out.size() <= kMostPeriods) break;
  }
  return out;
}

std::string list(const char* heading, const std::vector<RankedItem>& items, bool scored, bool by_score) {
  if (items.empty()) return "";
  std::string out = fmt::format("\n{} {:>12}", cell(heading, kTitle + 2), "interactions");
  if (scored) out += fmt::format(" {:>8} {}", "mean", by_score ? "Bayesian" : "");
  while (out.ends_with(' ')) out.pop_back();
  out += "\n";
  size_t width = 0;
  for (const RankedItem& item : items) width = std::max(width, std::min(kId, display_width(item.id)));
  for (const RankedItem& item : items) {
    const std::string name = item.title.empty() ? item.id : cell(item.id, width) + "  " + item.title;
    out += fmt::format("  {} {:>12}", cell(name, kTitle), format_grouped(item.count));
    if (scored) out += fmt::format(" {:>8.3f}", item.mean);
    if (by_score) out += fmt::format(" {:>8.3f}", item.score);
    out += "\n";
  }
  return out;
}

}  // namespace

std::string number_text(double value) {
  if (std::abs(value) >= 1000 && std::abs(value) < 1e15) return format_grouped(std::llround(value));
  return fmt::format("{:.4g}", value);
}

std::string bin_text(const Bin& bin, bool whole) {
  if (bin.low == bin.high) return fmt::format("{:.6g}", bin.low);
  if (!whole) return fmt::format("{:.6g} to {:.6g}", bin.low, bin.high);
  return bin.high - bin.low <= 1 ? number_text(bin.low)
                                 : fmt::format("{} to {}", number_text(bin.low), number_text(bin.high - 1));
}

std::string statistics_table(const Statistics& s) {
  const bool valued = s.values.has_value();
  std::string out;
  const auto line = [&](const char* label, const std::string& text) { out += cell(label, kLabel) + " " + text + "\n"; };
  line("interactions", format_grouped(s.interactions));
  line("users", format_grouped(s.users));
  line("items", format_grouped(s.items));
  line("density", fmt::format("{:.3g} %", 100 * s.density));
  if (!s.period.empty()) line("time", s.first_time + " to " + s.last_time);

  out += "\n" + std::string(kLabel, ' ');
  for (const char* name : kQuantileNames) out += fmt::format(" {:>8}", name);
  out += fmt::format(" {:>8}\n", "mean");
  out += quantiles("interactions of a user", s.of_user) + quantiles("interactions of an item", s.of_item);
  if (valued) out += quantiles("values", *s.values);

  if (valued) out += "\nvalues\n" + histogram(*s.values, false);
  out += "\nusers by interactions\n" + histogram(s.of_user, true);
  out += "\nitems by interactions\n" + histogram(s.of_item, true);
  out += fmt::format(
      "\n{} the most popular 1 % of the items have {:.0f} % of the interactions, 10 % have {:.0f} % (Gini {:.2f})\n",
      cell("popularity", kLabel), 100 * (1 - s.lorenz[99]), 100 * (1 - s.lorenz[90]), s.gini);

  if (!s.periods.empty()) {
    const std::vector<Period> periods = coarser(s.periods);
    int64_t most = 0;
    for (const Period& period : periods) most = std::max(most, period.count);
    out += "\ninteractions over time\n";
    for (const Period& period : periods)
      out += fmt::format("  {} {:>12} {}\n", cell(period.start, kLabel - 2), format_grouped(period.count),
                         bar(period.count, most));
  }

  out += list("most rated", s.most_rated, valued, false);
  if (valued) {
    out += list("best", s.best, true, true) + list("worst", s.worst, true, true);
    out += fmt::format(
        "  Bayesian: (C m + sum) / (C + n) with C = {:.2f}, the mean number of an item, and m = {:.3f}, the mean of "
        "the items' means\n",
        *s.usual_count, *s.mean_of_means);
  }
  if (!s.tags.empty()) {
    out += fmt::format("\n{} {:>12} {:>12}{}\n",
                       cell(fmt::format("tags ({} in all)", format_grouped(s.distinct_tags)), kLabel), "items",
                       "interactions", valued ? fmt::format(" {:>8}", "mean") : "");
    for (const TagCount& tag : s.tags) {
      out += fmt::format("  {} {:>12} {:>12}", cell(tag.tag, kLabel - 2), format_grouped(tag.items),
                         format_grouped(tag.interactions));
      if (valued) out += fmt::format(" {:>8.3f}", tag.mean);
      out += "\n";
    }
  }

  out += "\nmissing and odd\n";
  const auto count = [&](const char* what, int64_t n) {
    out += fmt::format("  {} {:>12}\n", cell(what, kTitle), format_grouped(n));
  };
  count("rows read", s.rows_read);
  count("rows that repeat a pair of user and item", s.merged);
  count("rows that cannot be read", s.rejected);
  for (const RejectedRow& row : s.rejected_rows) out += fmt::format("    {}:{}: {}\n", row.file, row.line, row.reason);
  count("items listed that nobody has had", s.listed_unseen);
  if (s.untitled) count("items without a title", *s.untitled);
  if (s.untagged) count("items without tags", *s.untagged);
  if (!s.period.empty()) count("interactions without a time", s.untimed);
  count("users with one interaction", s.single_users);
  count("items with one interaction", s.single_items);
  if (valued) count("users whose values are all the same", s.constant_users);
  if (!s.warnings.empty()) out += "\n";
  for (const std::string& warning : s.warnings) out += "! " + warning + "\n";
  return out;
}

}  // namespace kindred
