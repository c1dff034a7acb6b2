// SPDX-License-Identifier: Apache-2.0
#include "engine/experiment/charts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engine/core/utf8.hpp"

namespace kindred {
namespace {

constexpr int kHeight = 200, kSquare = 260;  // pixels of a plot
constexpr size_t kManyBars = 60;

std::string percent(double share) { return fmt::format("{:.5g}%", 100 * share); }

std::string begin(const std::string& description, int height, bool y_axis = true) {
  return fmt::format("<svg class=\"plot{}\" role=\"img\" height=\"{}\" aria-label=\"{}\">\n", y_axis ? "" : " flush",
                     height, escape_html(description));
}

std::string text(const char* cls, std::string_view x, double y, const std::string& content) {
  return fmt::format("<text class=\"{}\" x=\"{}\" y=\"{:.5g}\">{}</text>\n", cls, x, y, escape_html(content));
}

std::string line(const char* cls, double x1, double y1, double x2, double y2) {
  return fmt::format("<line class=\"{}\" x1=\"{}\" y1=\"{:.5g}\" x2=\"{}\" y2=\"{:.5g}\"/>\n", cls, percent(x1), y1,
                     percent(x2), y2);
}

std::string x_axis(const std::vector<Tick>& ticks, int height) {
  std::string out = line("axis", 0, height, 1, height);
  for (const Tick& tick : ticks) out += text("x", percent(tick.at), height + 18, tick.label);
  return out;
}

/// One shape of all bars, in a coordinate system of its own that is stretched to the plot.
std::string outline(const std::vector<Bar>& bars, double most) {
  std::string path = fmt::format("M{:.6g} 1", bars.front().from);
  for (const Bar& bar : bars) path += fmt::format("V{:.4g}H{:.6g}", 1 - bar.height / most, bar.to);
  return fmt::format(
      "<svg width=\"100%\" height=\"{}\" viewBox=\"0 0 1 1\" preserveAspectRatio=\"none\"><path class=\"bar\" "
      "d=\"{}V1Z\"/></svg>\n",
      kHeight, path);
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const Character c = first_character(text);
    const bool control = (c.code < 0x20 && c.code != '\t' && c.code != '\n' && c.code != '\r') || c.code == 0x7f;
    if (c.code == '&') {
      out += "&amp;";
    } else if (c.code == '<') {
      out += "&lt;";
    } else if (c.code == '>') {
      out += "&gt;";
    } else if (c.code == '"') {
      out += "&quot;";
    } else if (!c.valid || control || c.code == 0xfffe || c.code == 0xffff) {
      out += "\xef\xbf\xbd";
    } else {
      out += text.substr(0, c.bytes);
    }
    text.remove_prefix(c.bytes);
  }
  return out;
}

std::vector<double> round_ticks(double low, double high, int most) {
  if (!(high > low) || most < 2) return {low};
  double power = std::pow(10, std::floor(std::log10((high - low) / most)));
  std::vector<double> out;
  for (;; power *= 10) {
    for (const double factor : {1., 2., 5.}) {
      const double step = factor * power, slack = step * 1e-9;
      const double first = std::ceil((low - slack) / step), last = std::floor((high + slack) / step);
      if (last - first >= most) continue;
      for (double k = first; k <= last; ++k) out.push_back(k == 0 ? 0 : k * step);  // not -0
      return out;
    }
  }
}

std::vector<double> log_ticks(double low, double high) {
  std::vector<double> tens, fine;
  for (double power = std::pow(10, std::floor(std::log10(low))); power <= high; power *= 10) {
    for (const double factor : {1., 2., 5.}) {
      const double tick = factor * power;
      if (tick < low * (1 - 1e-9) || tick > high * (1 + 1e-9)) continue;
      fine.push_back(tick);
      if (factor == 1) tens.push_back(tick);
    }
  }
  return tens.size() < 3 ? fine : tens;
}

std::string axis_number(double value) {
  const double size = std::abs(value);
  if (size >= 1e9) return fmt::format("{:.3g}G", value * 1e-9);
  if (size >= 1e6) return fmt::format("{:.3g}M", value * 1e-6);
  if (size >= 1e3) return fmt::format("{:.3g}k", value * 1e-3);
  return fmt::format("{:.4g}", std::round(value * 1e9) * 1e-9);
}

std::string draw(const BarChart& chart) {
  double most = 0;
  for (const Bar& bar : chart.bars) most = std::max(most, bar.height);
  if (most <= 0) return "";
  std::string out = begin(chart.description, kHeight, chart.y_axis);
  if (chart.y_axis) {
    for (const double tick : round_ticks(0, most, 5)) {
      const double y = kHeight * (1 - tick / most);
      if (tick > 0) out += line("grid", 0, y, 1, y);
      out += text("y", "-8", y, axis_number(tick));
    }
  }
  if (chart.bars.size() > kManyBars) {
    out += outline(chart.bars, most);
  } else {
    for (const Bar& bar : chart.bars) {
      const double height = kHeight * bar.height / most, width = bar.to - bar.from;
      const double gap = 0.06 * width;
      out += fmt::format(
          "<rect class=\"bar\" x=\"{}\" y=\"{:.5g}\" width=\"{}\" height=\"{:.5g}\"><title>{}</title></rect>\n",
          percent(bar.from + gap), kHeight - height, percent(width - 2 * gap), height, escape_html(bar.hint));
      if (!bar.label.empty()) out += text("top", percent(bar.from + width / 2), kHeight - height - 6, bar.label);
    }
  }
  if (chart.mark) {
    out += line("mark", chart.mark->at, -4, chart.mark->at, chart.mark_across ? kHeight : 0);
    out += text(chart.mark->at < 0.25   ? "mark start"
                : chart.mark->at > 0.75 ? "mark end"
                                        : "mark",
                percent(chart.mark->at), -10, chart.mark->label);
  }
  return out + x_axis(chart.x, kHeight) + "</svg>\n";
}

std::string draw(const ShareCurve& chart) {
  std::string out = begin(chart.description, kSquare);
  for (const double share : {0., 0.25, 0.5, 0.75, 1.}) {
    const double y = kSquare * (1 - share);
    if (share > 0) out += line("grid", 0, y, 1, y);
    out += text("y", "-8", y, fmt::format("{:.0f}%", 100 * share));
  }
  std::string path;
  for (const auto& [x, y] : chart.points) path += fmt::format("{}{:.5g} {:.5g}", path.empty() ? "M" : "L", x, 1 - y);
  out += line("diagonal", 0, kSquare, 1, 0);
  out += text("diagonal end", "48%", kSquare * 0.47, chart.diagonal_label);
  out += fmt::format(
      "<svg width=\"100%\" height=\"{}\" viewBox=\"0 0 1 1\" preserveAspectRatio=\"none\"><path class=\"under\" "
      "d=\"{}L1 1Z\"/><path class=\"curve\" d=\"{}\"/></svg>\n",
      kSquare, path, path);
  const double y = kSquare * (1 - chart.dot.second);
  out += fmt::format("<circle class=\"dot\" cx=\"{}\" cy=\"{:.5g}\" r=\"4\"/>\n", percent(chart.dot.first), y);
  out += text("mark end", percent(chart.dot.first - 0.025), y - 4, chart.dot_label);
  std::vector<Tick> x;
  for (const double share : {0., 0.25, 0.5, 0.75, 1.}) x.push_back({share, fmt::format("{:.0f}%", 100 * share)});
  return out + x_axis(x, kSquare) + "</svg>\n";
}

std::string meter(double share) {
  return fmt::format(
      "<svg class=\"meter\" aria-hidden=\"true\"><rect class=\"rail\" width=\"100%\" height=\"100%\"/>"
      "<rect class=\"bar\" width=\"{}\" height=\"100%\"/></svg>",
      percent(std::clamp(share, 0., 1.)));
}

std::string_view chart_style() {
  return R"css(.plot { display: block; width: calc(100% - 3.4rem); margin: 2rem 1rem 2.2rem 2.4rem; overflow: visible; }
.plot.flush { width: calc(100% - 1rem); margin-left: 0; }
.plot text { font-size: 0.75rem; fill: var(--muted); text-anchor: middle; font-variant-numeric: tabular-nums; }
.plot .y { text-anchor: end; dominant-baseline: central; }
.plot .start { text-anchor: start; }
.plot .end { text-anchor: end; }
.plot .top { fill: var(--ink); }
.plot text.mark { fill: var(--mark); font-weight: 600; paint-order: stroke; stroke: var(--paper); stroke-width: 4px; }
.plot line { stroke: var(--line); stroke-width: 1; shape-rendering: crispEdges; }
.plot line.axis { stroke: var(--muted); }
.plot line.mark { stroke: var(--mark); stroke-width: 1.5; }
.plot line.diagonal { stroke: var(--muted); stroke-dasharray: 3 4; shape-rendering: auto; }
.plot .curve { fill: none; stroke: var(--bar); stroke-width: 2.5; vector-effect: non-scaling-stroke; }
.plot .under { fill: var(--bar); opacity: 0.14; }
.plot .dot { fill: var(--mark); stroke: var(--paper); stroke-width: 2; }
.bar { fill: var(--bar); }
.meter { display: block; width: 100%; height: 4px; border-radius: 2px; }
.meter .rail { fill: var(--line); }
)css";
}

}  // namespace kindred
