// SPDX-License-Identifier: Apache-2.0
#include "engine/experiment/charts.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace kindred {
namespace {

using Numbers = std::vector<double>;

TEST(Charts, TicksAreFewAndRound) {
  EXPECT_EQ(round_ticks(0, 12, 4), (Numbers{0, 5, 10}));
  EXPECT_EQ(round_ticks(0, 26'818, 5), (Numbers{0, 10'000, 20'000}));
  EXPECT_EQ(round_ticks(-1, 1, 5), (Numbers{-1, -0.5, 0, 0.5, 1}));
  EXPECT_EQ(round_ticks(3, 3, 5), (Numbers{3}));
  EXPECT_EQ(axis_number(round_ticks(-0.001, 12, 4)[0]), "0");
  std::mt19937 random(1);
  std::uniform_real_distribution<> unit(0, 1);
  for (int round = 0; round < 1000; ++round) {
    const double span = std::pow(10, 12 * unit(random) - 6), low = (unit(random) - 0.5) * 100 * span;
    const double high = low + span;
    const int most = 2 + static_cast<int>(random() % 8);
    const Numbers ticks = round_ticks(low, high, most);
    EXPECT_LE(ticks.size(), static_cast<size_t>(most));
    const double slack = (high - low) * 1e-6;
    for (size_t t = 0; t < ticks.size(); ++t) {
      EXPECT_GE(ticks[t], low - slack);
      EXPECT_LE(ticks[t], high + slack);
      if (t > 1) {
        EXPECT_NEAR(ticks[t] - ticks[t - 1], ticks[1] - ticks[0], slack);
      }
    }
  }
}

TEST(Charts, LogarithmicTicks) {
  EXPECT_EQ(log_ticks(1, 512), (Numbers{1, 10, 100}));
  EXPECT_EQ(log_ticks(16, 256), (Numbers{20, 50, 100, 200}));
  EXPECT_EQ(log_ticks(0.25, 2), (Numbers{0.5, 1, 2}));
}

TEST(Charts, NumbersOfAnAxisAreShort) {
  const std::pair<double, const char*> cases[] = {{0, "0"},       {0.1 + 0.2, "0.3"}, {950, "950"}, {-2.5, "-2.5"},
                                                  {1500, "1.5k"}, {20'000, "20k"},    {3e6, "3M"},  {2.5e9, "2.5G"}};
  for (const auto& [value, text] : cases) EXPECT_EQ(axis_number(value), text);
}

TEST(Charts, TextIsEscaped) {
  EXPECT_EQ(escape_html("<b>\"Tom\" & Amélie</b>"), "&lt;b&gt;&quot;Tom&quot; &amp; Amélie&lt;/b&gt;");
  EXPECT_EQ(escape_html(std::string("a\x01z\xff") + "\n"), "a\uFFFDz\uFFFD\n");
}

TEST(Charts, EmptyChartsAreNone) {
  EXPECT_EQ(draw(BarChart{.description = "", .bars = {{0, 1, 0, "", ""}}, .x = {}, .mark = {}}), "");
}

}  // namespace
}  // namespace kindred
