// SPDX-License-Identifier: Apache-2.0
// Charts as inline SVG. Positions along x are shares of the width, written in percent: a chart fills its column, and
// its text keeps its size on a phone as on a desk. Colors are the page's (chart_style()).
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kindred {

/// Text inside HTML and its attributes; what XML does not allow becomes U+FFFD.
std::string escape_html(std::string_view text);

/// 0 to 12, at most 4: {0, 5, 10}. Multiples of 1, 2 or 5 times a power of ten within the range.
std::vector<double> round_ticks(double low, double high, int most);
/// Multiples by 10, or by 1, 2, 5 where that gives less than three; 0 < low < high.
std::vector<double> log_ticks(double low, double high);
/// "950", "20k", "1.5M"
std::string axis_number(double value);

/// A place along an axis, 0 to 1, and what is written there.
struct Tick {
  double at = 0;
  std::string label;
};

struct Bar {
  double from = 0, to = 0;  ///< along x, 0 to 1
  double height = 0;
  std::string label;  ///< above it
  std::string hint;   ///< where a mouse rests on it
};

struct BarChart {
  std::string description;  ///< for those who cannot see it
  std::vector<Bar> bars;    ///< from left to right; very many become one shape
  std::vector<Tick> x;
  bool y_axis = true;
  std::optional<Tick> mark;  ///< a label on top
  bool mark_across = true;   ///< with a line down to the axis
};
std::string draw(const BarChart& chart);

/// A curve in the unit square under the diagonal, both axes in percent.
struct ShareCurve {
  std::string description;
  std::vector<std::pair<double, double>> points;
  std::pair<double, double> dot;
  std::string dot_label, diagonal_label;
};
std::string draw(const ShareCurve& chart);

/// A bar of `share` of the width.
std::string meter(double share);

/// The CSS that charts need; colors are the variables --ink --muted --line --bar --mark --paper.
std::string_view chart_style();

}  // namespace kindred
