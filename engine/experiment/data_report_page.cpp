// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engine/core/log.hpp"
#include "engine/experiment/charts.hpp"
#include "engine/experiment/data_report.hpp"
#include "engine/experiment/data_report_text.hpp"

namespace kindred {
namespace {

constexpr std::string_view kStyle =
    R"css(:root { color-scheme: light dark; --paper: #fcfcfb; --ink: #1b1d20; --muted: #5b6168; --line: #e5e5e1;
  --bar: #3c74b8; --mark: #ad4310; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #15171a; --ink: #e8e9eb; --muted: #a2a8b0; --line: #2d3136; --bar: #6ea2df; --mark: #f0a06a; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 2.5rem 1.25rem 4rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; overflow-wrap: anywhere; }
p, h1, h2, h3, dl, dd, ol, ul, figure { margin: 0; padding: 0; }
figure { display: flex; flex-direction: column; justify-content: space-between; }
.apart figure { justify-content: start; }
.eyebrow { font-size: 0.8125rem; letter-spacing: 0.06em; text-transform: uppercase; color: var(--muted); }
h1 { font-size: 2.25rem; line-height: 1.2; font-weight: 700; letter-spacing: -0.015em; }
.lead { margin-top: 0.5rem; max-width: 44rem; color: var(--muted); }
h2 { margin: 3.5rem 0 1.25rem; padding-top: 0.9rem; border-top: 1px solid var(--line); font-size: 1.375rem; line-height: 1.3; }
h3 { font-size: 1rem; line-height: 1.4; }
.note { color: var(--muted); font-size: 0.875rem; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: 1.25rem 1.5rem; margin-top: 2rem; }
.figures dt { color: var(--muted); font-size: 0.8125rem; }
.figures dd { font-size: 1.625rem; line-height: 1.25; font-weight: 600; font-variant-numeric: tabular-nums; }
.warnings { list-style: none; margin-top: 2rem; }
.warnings li { padding: 0.5rem 0 0.5rem 1rem; border-left: 3px solid var(--mark); margin-bottom: 0.5rem; max-width: 48rem; }
.pair + .pair { margin-top: 2rem; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: 2rem 3.5rem; }
.list { list-style: none; margin-top: 0.75rem; }
.list li { display: grid; grid-template-columns: 1fr auto; gap: 0.1rem 1rem; padding: 0.45rem 0; }
.list .meter, .list .note { grid-column: 1 / -1; }
.list span > .note { display: inline-block; }
.number { font-variant-numeric: tabular-nums; font-weight: 600; text-align: right; }
.facts { width: 100%; max-width: 44rem; border-collapse: collapse; font-size: 0.9375rem; }
.facts th { text-align: left; font-weight: 400; }
.facts td { text-align: right; font-variant-numeric: tabular-nums; padding-left: 1rem; }
.facts tr > * { padding-top: 0.35rem; padding-bottom: 0.35rem; border-bottom: 1px solid var(--line); vertical-align: top; }
.facts td.left { text-align: left; }
.facts thead th { text-align: right; color: var(--muted); font-size: 0.875rem; padding-left: 1rem; }
footer { margin-top: 3.5rem; }
)css";

std::string figure(const std::string& heading, const std::string& note, const std::string& chart) {
  return fmt::format("<figure>\n<figcaption><h3>{}</h3>\n<p class=\"note\">{}</p></figcaption>\n{}</figure>\n",
                     escape_html(heading), escape_html(note), chart);
}

std::string share_text(double share) {  // not broken before the sign
  return share > 0 && share < 0.01 ? fmt::format("{:.1g}\u00a0%", 100 * share)
                                   : fmt::format("{:.0f}\u00a0%", 100 * share);
}

double share_of(int64_t part, int64_t whole) {
  return static_cast<double>(part) / static_cast<double>(std::max<int64_t>(1, whole));
}

// ---- charts

/// Places along an axis over bins: of one value each, of equal width, or doubling.
struct Axis {
  double low = 0, high = 1;
  bool log = false;

  explicit Axis(const Spread& spread)
      : low(spread.bins.front().low), high(spread.bins.back().high), log(spread.log_bins) {}
  double place(double value) const {
    return log ? std::log(value / low) / std::log(high / low) : (value - low) / (high - low);
  }
};

BarChart histogram(const Spread& spread, bool whole, const char* what) {
  constexpr size_t kLabelled = 12;
  BarChart chart;
  int64_t total = 0;
  for (const Bin& bin : spread.bins) total += bin.count;
  const bool steps = spread.bins.front().low == spread.bins.front().high;
  const auto count = static_cast<double>(spread.bins.size());
  chart.y_axis = !steps || spread.bins.size() > kLabelled;
  for (size_t b = 0; b < spread.bins.size(); ++b) {
    const Bin& bin = spread.bins[b];
    Bar& bar = chart.bars.emplace_back();
    const Axis axis(spread);
    bar.from = steps ? static_cast<double>(b) / count : axis.place(bin.low);
    bar.to = steps ? static_cast<double>(b + 1) / count : axis.place(bin.high);
    bar.height = static_cast<double>(bin.count);
    const double share = share_of(bin.count, total);
    if (!chart.y_axis) bar.label = share < 0.005 ? "<1%" : fmt::format("{:.0f}%", 100 * share);
    bar.hint = fmt::format("{}: {} {} ({})", bin_text(bin, whole), format_grouped(bin.count), what, share_text(share));
  }
  if (steps) {
    const size_t every = 1 + (spread.bins.size() - 1) / kLabelled;
    for (size_t b = 0; b < spread.bins.size(); b += every)
      chart.x.push_back({(static_cast<double>(b) + 0.5) / count, axis_number(spread.bins[b].low)});
    return chart;
  }
  const Axis axis(spread);
  for (const double tick : axis.log ? log_ticks(axis.low, axis.high) : round_ticks(axis.low, axis.high, 6))
    chart.x.push_back({axis.place(tick), axis_number(tick)});
  chart.mark = Tick{axis.place(spread.median()), "median " + number_text(spread.median())};
  return chart;
}

std::string values_figure(const Spread& values) {
  const Bin& most = *std::ranges::max_element(values.bins, {}, &Bin::count);
  int64_t total = 0;
  for (const Bin& bin : values.bins) total += bin.count;
  const std::string note =
      fmt::format("Mean {}, median {}. Most frequent: {} ({}).", number_text(values.mean), number_text(values.median()),
                  bin_text(most, false), share_text(share_of(most.count, total)));
  BarChart chart = histogram(values, false, "interactions");
  chart.description = "Histogram of the values. " + note;
  return figure(values.log_bins ? "Values, on a log scale" : "Values", note, draw(chart));
}

std::string activity_figure(const Statistics& s) {
  const auto most = std::ranges::max_element(s.periods, {}, &Period::count);
  const auto count = static_cast<double>(s.periods.size());
  BarChart chart;
  for (size_t p = 0; p < s.periods.size(); ++p) {
    const Period& period = s.periods[p];
    chart.bars.push_back({static_cast<double>(p) / count, static_cast<double>(p + 1) / count,
                          static_cast<double>(period.count), "",
                          fmt::format("{}: {} interactions", period.start, format_grouped(period.count))});
  }
  // A tick at each n-th year where there are many months, else at each n-th period.
  constexpr size_t kTicks = 6;
  const bool years = s.period == "month" && s.periods.size() > 36;
  const size_t every = 1 + (s.periods.size() - 1) / kTicks;
  const int year_step = years ? (s.periods.size() <= 12 * kTicks ? 1 : s.periods.size() <= 24 * kTicks ? 2 : 5) : 0;
  for (size_t p = 0; p < s.periods.size(); ++p) {
    const std::string& start = s.periods[p].start;
    const double middle = (static_cast<double>(p) + 0.5) / count;
    if (years) {
      if (start.ends_with("-01") && std::stoi(start) % year_step == 0)
        chart.x.push_back({static_cast<double>(p) / count, start.substr(0, 4)});
    } else if (p % every == 0) {
      chart.x.push_back({middle, start.size() > 10  ? start.substr(11) + " h"
                                 : start.size() > 7 ? start.substr(5)
                                                    : start});
    }
  }
  const double at = (static_cast<double>(most - s.periods.begin()) + 0.5) / count;
  chart.mark_across = false;
  chart.mark = Tick{at, fmt::format("{}: {}", most->start, format_grouped(most->count))};
  const std::string note = fmt::format("{} to {}; most in {}, with {} ({}).", s.first_time.substr(0, 10),
                                       s.last_time.substr(0, 10), most->start, format_grouped(most->count),
                                       share_text(share_of(most->count, s.interactions - s.untimed)));
  chart.description = fmt::format("Interactions by {}. {}", s.period, note);
  return figure(fmt::format("Interactions by {}", s.period), note, draw(chart));
}

std::string side_figure(const Spread& spread, const char* one, const char* many) {
  const std::string note = fmt::format("Half of the {} have {} or more; the most that one has is {}.", many,
                                       number_text(std::ceil(spread.median())), number_text(spread.most()));
  BarChart chart = histogram(spread, true, many);
  chart.description = fmt::format("Histogram of {} by their number of interactions, on a log scale. {}", many, note);
  return figure(fmt::format("{} by number of interactions, on a log scale", one), note, draw(chart));
}

std::string quantile_table(const Statistics& s) {
  constexpr std::string_view kNames[] = {"Least", "1 %", "5 %", "25 %", "Median", "75 %", "95 %", "99 %", "Most"};
  std::string rows;
  const auto row = [&](std::string_view name, auto&& number) {
    rows += fmt::format("<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td>", name, number_text(number(s.of_user)),
                        number_text(number(s.of_item)));
    if (s.values) rows += fmt::format("<td>{}</td>", number_text(number(*s.values)));
    rows += "</tr>\n";
  };
  for (size_t q = 0; q < kQuantiles.size(); ++q)
    row(kNames[q], [q](const Spread& spread) { return spread.quantiles[q]; });
  row("Mean", [](const Spread& spread) { return spread.mean; });
  row("Deviation", [](const Spread& spread) { return spread.deviation; });
  return fmt::format(
      "<section>\n<h3>Quantiles</h3>\n<p class=\"note\">So many users or items have at most this number of "
      "interactions.</p>\n"
      "<table class=\"facts\"><thead><tr><td></td><th scope=\"col\">of a user</th><th scope=\"col\">of an "
      "item</th>{}</tr>"
      "</thead>\n<tbody>\n{}</tbody></table>\n</section>\n",
      s.values ? "<th scope=\"col\">values</th>" : "", rows);
}

std::string lorenz_figure(const Statistics& s) {
  ShareCurve chart;
  for (size_t p = 0; p < s.lorenz.size(); ++p) chart.points.emplace_back(static_cast<double>(p) / 100, s.lorenz[p]);
  chart.dot = {0.9, s.lorenz[90]};
  chart.dot_label = fmt::format("top 10\u00a0%: {}", share_text(1 - s.lorenz[90]));
  chart.diagonal_label = "if all were alike";
  const std::string note = fmt::format(
      "Share of the interactions (upward) that the least popular items (to the right) have. The most popular "
      "1\u00a0% of the items have {}, 10\u00a0% have {}. Gini coefficient {:.2f}.",
      share_text(1 - s.lorenz[99]), share_text(1 - s.lorenz[90]), s.gini);
  chart.description = "Lorenz curve of popularity. " + note;
  return figure("Popularity, as a Lorenz curve", note, draw(chart));
}

// ---- lists

std::string name_of(const RankedItem& item) {
  if (item.title.empty()) return escape_html(item.id);
  return fmt::format("{} <span class=\"note\">{}</span>", escape_html(item.title), escape_html(item.id));
}

std::string list(const std::string& heading, const std::string& note, const std::string& entries) {
  return fmt::format("<section>\n<h3>{}</h3>\n<p class=\"note\">{}</p>\n<ol class=\"list\">\n{}</ol>\n</section>\n",
                     escape_html(heading), escape_html(note), entries);
}

std::string metered(const std::string& name, int64_t count, int64_t most, const std::string& note) {
  return fmt::format("<li><span>{} <span class=\"note\">{}</span></span><span class=\"number\">{}</span>{}</li>\n",
                     name, note, format_grouped(count), meter(share_of(count, most)));
}

std::string scored_list(const std::string& heading, const std::string& note, const std::vector<RankedItem>& items) {
  std::string entries;
  for (const RankedItem& item : items)
    entries += fmt::format(
        "<li><span>{}</span><span class=\"number\">{:.3f}</span><span class=\"note\">mean {:.3f} of "
        "{}</span></li>\n",
        name_of(item), item.score, item.mean, format_grouped(item.count));
  return list(heading, note, entries);
}

std::string popular_section(const Statistics& s) {
  std::string entries, tags;
  for (const RankedItem& item : s.most_rated)
    entries += metered(escape_html(item.title.empty() ? item.id : item.title), item.count, s.most_rated[0].count,
                       (item.title.empty() ? "" : escape_html(item.id)) +
                           (s.values ? fmt::format("{}mean {:.3f}", item.title.empty() ? "" : ", ", item.mean) : ""));
  for (const TagCount& tag : s.tags)
    tags += metered(escape_html(tag.tag), tag.interactions, s.tags[0].interactions,
                    fmt::format("{} {}{}", format_grouped(tag.items), tag.items == 1 ? "item" : "items",
                                s.values ? fmt::format(", mean {:.3f}", tag.mean) : ""));
  std::string out =
      "<h2>What is popular</h2>\n<div class=\"pair\">\n" + list("Most rated", "Items with most interactions.", entries);
  if (!tags.empty())
    out +=
        list("Tags",
             fmt::format("Interactions with items of the tag; {} tags in all.", format_grouped(s.distinct_tags)), tags);
  return out + "</div>\n";
}

std::string liked_section(const Statistics& s) {
  return fmt::format(
             "<h2>Best and worst</h2>\n<p class=\"note\">Bayesian averages: means drawn towards {:.3f}, the mean of "
             "all items’ means, as if each item had {:.2f} such ratings more (the mean number).</p>\n"
             "<div class=\"pair\" style=\"margin-top:1.25rem\">\n",
             *s.mean_of_means, *s.usual_count) +
         scored_list("Best", "", s.best) + scored_list("Worst", "", s.worst) + "</div>\n";
}

std::string oddities(const Statistics& s) {
  std::string rows;
  const auto row = [&](const char* what, int64_t count) {
    rows += fmt::format("<tr><th scope=\"row\">{}</th><td>{}</td></tr>\n", what, format_grouped(count));
  };
  row("Rows read", s.rows_read);
  row("Rows that repeat a pair of user and item", s.merged);
  row("Rows that cannot be read", s.rejected);
  row("Items listed that nobody has had", s.listed_unseen);
  if (s.untitled) row("Items without a title", *s.untitled);
  if (s.untagged) row("Items without tags", *s.untagged);
  if (!s.period.empty()) row("Interactions without a time", s.untimed);
  row("Users with one interaction", s.single_users);
  row("Items with one interaction", s.single_items);
  if (s.values) row("Users whose values are all the same", s.constant_users);
  std::string out = "<h2>Missing and odd</h2>\n<table class=\"facts\">\n" + rows + "</table>\n";
  if (s.rejected_rows.empty()) return out;
  out += "<h3 style=\"margin-top:2rem\">Rows that cannot be read, the first of them</h3>\n<table class=\"facts\">\n";
  for (const RejectedRow& bad : s.rejected_rows)
    out += fmt::format("<tr><th scope=\"row\">{}:{}</th><td class=\"left\">{}</td></tr>\n", escape_html(bad.file),
                       bad.line, escape_html(bad.reason));
  return out + "</table>\n";
}

std::string key_figures(const Statistics& s) {
  std::string out = "<dl class=\"figures\">\n";
  const auto add = [&](const char* what, const std::string& text) {
    out += fmt::format("<div><dt>{}</dt><dd>{}</dd></div>\n", what, text);
  };
  add("Interactions", format_grouped(s.interactions));
  add("Users", format_grouped(s.users));
  add("Items", format_grouped(s.items));
  add("Density", fmt::format("{:.3g} %", 100 * s.density));
  add("Mean of a user", number_text(s.of_user.mean));
  add("Mean of an item", number_text(s.of_item.mean));
  return out + "</dl>\n";
}

/// JSON that may stand inside a script element.
std::string inert(std::string json) {
  for (size_t at = 0; (at = json.find_first_of("<>&", at)) != std::string::npos;)
    json.replace(at, 1, fmt::format("\\u{:04x}", static_cast<unsigned>(json[at])));
  return json;
}

}  // namespace

std::string statistics_page(const Statistics& s, const std::string& name) {
  std::string out = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>{}: what is in the "
      "data</title>\n"
      "<style>\n{}{}</style>\n</head>\n<body>\n<header>\n<p class=\"eyebrow\">What is in the data</p>\n<h1>{}</h1>\n",
      escape_html(name), kStyle, chart_style(), escape_html(name));
  if (!s.period.empty())
    out += fmt::format("<p class=\"lead\">{} to {}</p>\n", s.first_time.substr(0, 10), s.last_time.substr(0, 10));
  out += "</header>\n<main>\n" + key_figures(s);
  if (!s.warnings.empty()) {
    out += "<ul class=\"warnings\">\n";
    for (const std::string& warning : s.warnings) out += "<li>" + escape_html(warning) + "</li>\n";
    out += "</ul>\n";
  }
  if (s.values || !s.periods.empty()) {
    out += "<h2>Values and time</h2>\n<div class=\"pair\">\n";
    if (s.values) out += values_figure(*s.values);
    if (!s.periods.empty()) out += activity_figure(s);
    out += "</div>\n";
  }
  out += "<h2>How it is spread</h2>\n<div class=\"pair\">\n" + side_figure(s.of_user, "Users", "users") +
         side_figure(s.of_item, "Items", "items") + "</div>\n<div class=\"pair apart\">\n" + lorenz_figure(s) +
         quantile_table(s) + "</div>\n";
  out += popular_section(s);
  if (s.values) out += liked_section(s);
  out += oddities(s);
  out +=
      "</main>\n<footer class=\"note\">Written by kindred-data stats; its figures as JSON are in this file.</footer>\n";
  return out + "<script type=\"application/json\" id=\"statistics\">\n" + inert(statistics_json(s)) +
         "</script>\n</body>\n</html>\n";
}

}  // namespace kindred
