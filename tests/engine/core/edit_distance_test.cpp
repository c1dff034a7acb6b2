// SPDX-License-Identifier: Apache-2.0
#include "engine/core/edit_distance.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace kindred {
namespace {

/// The recurrence as it is written down.
size_t by_definition(std::string_view a, std::string_view b) {
  std::vector<std::vector<size_t>> d(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i)
    for (size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        d[i][j] = i + j;
        continue;
      }
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  return d.back().back();
}

TEST(EditDistance, KnowsTheFourEdits) {
  EXPECT_EQ(EditDistance("jumanji").to("jumanji"), 0u);
  EXPECT_EQ(EditDistance("jumanji").to("juminji"), 1u);
  EXPECT_EQ(EditDistance("matrix").to("matirx"), 1u);
  EXPECT_EQ(EditDistance("factor").to("factors"), 1u);
  EXPECT_EQ(EditDistance("factors").to("factor"), 1u);
  EXPECT_EQ(EditDistance("ca").to("abc"), 3u);  // a swapped pair is not edited again
  EXPECT_EQ(EditDistance("").to("abc"), 3u);
  EXPECT_EQ(EditDistance("abc").to(""), 3u);
}

TEST(EditDistance, IsTheOneOfTheDefinition) {
  std::mt19937 random(5);
  for (int round = 0; round < 3000; ++round) {
    const auto word = [&] {
      const size_t longest = round % 3 == 0 ? 70 : 12;  // beyond a machine word, too
      std::string out(random() % (longest + 1), 'a');
      for (char& c : out) c = static_cast<char>(round % 2 == 0 ? 'a' + random() % 3 : random() % 256);
      return out;
    };
    const std::string a = word();
    std::string b = word();
    if (round % 5 == 0 && a.size() > 2) {  // a near one
      b = a;
      std::swap(b[random() % (b.size() - 1)], b[b.size() - 1]);
      b.erase(random() % b.size(), 1);
    }
    ASSERT_EQ(EditDistance(a).to(b), by_definition(a, b)) << a << " / " << b;
  }
}

}  // namespace
}  // namespace kindred
