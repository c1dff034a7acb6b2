// SPDX-License-Identifier: Apache-2.0
#include "engine/data/statistics.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "data_files.hpp"

namespace kindred {
namespace {

using test::read_all;
using test::TemporaryFolder;

Statistics of_text(const std::string& ratings, const std::string& items = "", const StatisticsOptions& options = {}) {
  const TemporaryFolder folder;
  DataOptions data;
  data.interactions = folder.write("ratings.csv", ratings);
  data.bad_rows = BadRows::kQuarantine;
  if (!items.empty()) {
    data.items.file = folder.write("items.csv", items);
    data.items.keep_all = true;
  }
  return statistics(read_all(data), options);
}

TEST(Statistics, CountsOfASmallSet) {
  const Statistics s = of_text(
      "user,item,rating,time\n"
      "1,10,5,2020-01-31\n1,20,3,2020-02-01\n1,30,4,2020-02-29\n"
      "2,10,1,2020-03-01\n2,10,2,2020-03-02\n3,10,five,2020-03-01\n",
      "id,title,tags\n10,Ten,a|b\n20,,b\n30,Thirty,\n40,Forty,a\n");
  EXPECT_EQ(s.users, 2);
  EXPECT_EQ(s.items, 3);
  EXPECT_EQ(s.interactions, 4);
  EXPECT_DOUBLE_EQ(s.density, 4. / 6);
  EXPECT_DOUBLE_EQ(s.values->mean, 3.5);
  EXPECT_DOUBLE_EQ(s.values->deviation, std::sqrt(1.25));
  EXPECT_DOUBLE_EQ(s.values->median(), 3.5);
  EXPECT_DOUBLE_EQ(s.values->quantiles[1], 2.03);  // 1 % of the way from 2 to 3, three steps in all
  EXPECT_DOUBLE_EQ(s.of_user.median(), 2);
  EXPECT_DOUBLE_EQ(s.of_item.most(), 2);
  EXPECT_EQ(s.listed_unseen, 1);
  EXPECT_EQ(s.untitled, 1);
  EXPECT_EQ(s.untagged, 1);
  EXPECT_EQ(s.rows_read, 5);
  EXPECT_EQ(s.merged, 1);
  EXPECT_EQ(s.rejected, 1);
  ASSERT_EQ(s.rejected_rows.size(), 1u);
  EXPECT_EQ(s.rejected_rows[0].line, 7);
  EXPECT_EQ(s.single_users, 1);
  EXPECT_EQ(s.single_items, 2);

  // Counts 1, 1, 2: the lower third has a quarter. Gini = 2 (1 + 2 + 6) / (3 * 4) - 4 / 3.
  EXPECT_NEAR(s.lorenz[0], 0, 1e-15);
  EXPECT_NEAR(s.lorenz[33], 0.99 / 4, 1e-12);
  EXPECT_NEAR(s.lorenz[100], 1, 1e-15);
  EXPECT_NEAR(s.gini, 1. / 6, 1e-12);

  ASSERT_EQ(s.most_rated.size(), 3u);
  EXPECT_EQ(s.most_rated[0].title, "Ten");
  EXPECT_EQ(s.most_rated[1].id, "20");  // a tie: the lower row
  // C = 4/3, m = (3.5 + 3 + 4) / 3.
  EXPECT_DOUBLE_EQ(*s.usual_count, 4. / 3);
  EXPECT_DOUBLE_EQ(*s.mean_of_means, 3.5);
  EXPECT_EQ(s.best[0].id, "30");
  EXPECT_DOUBLE_EQ(s.best[0].score, (4. / 3 * 3.5 + 4) / (4. / 3 + 1));
  EXPECT_EQ(s.worst[0].id, "20");
  ASSERT_EQ(s.tags.size(), 2u);
  EXPECT_EQ(s.tags[0].tag, "b");
  EXPECT_EQ(s.tags[0].interactions, 3);
  EXPECT_EQ(s.tags[1].items, 2);
  EXPECT_DOUBLE_EQ(s.tags[1].mean, 3.5);

  EXPECT_EQ(s.period, "day");
  ASSERT_EQ(s.periods.size(), 32u);
  EXPECT_EQ(s.periods[29].start, "2020-02-29");
  EXPECT_EQ(s.periods[29].count, 1);
  EXPECT_EQ(s.periods[30].count, 0);
  EXPECT_EQ(s.first_time, "2020-01-31T00:00:00Z");
}

TEST(Statistics, PeriodsFitTheSpan) {
  const auto period = [](const std::string& last) {
    return of_text("user,item,time\n1,1,1999-12-31T23:30:00Z\n1,2," + last + "\n");
  };
  Statistics s = period("2000-01-01T02:00:00Z");
  EXPECT_EQ(s.period, "hour");
  ASSERT_EQ(s.periods.size(), 4u);
  EXPECT_EQ(s.periods[1].start, "2000-01-01T00");
  s = period("2001-01-01");
  EXPECT_EQ(s.period, "month");
  ASSERT_EQ(s.periods.size(), 14u);
  EXPECT_EQ(s.periods[1].start, "2000-01");
  s = period("2040-01-01");
  EXPECT_EQ(s.period, "year");
  EXPECT_EQ(s.periods.size(), 42u);
  EXPECT_EQ(s.first_time, "1999-12-31T23:30:00Z");
}

TEST(Statistics, TimesOutsideTheCalendarAreNoTimes) {
  const Statistics s = of_text("user,item,time\n1,1,-9000000000000000000\n1,2,9000000000000000000\n2,1,\n");
  EXPECT_EQ(s.untimed, 3);
  EXPECT_TRUE(s.periods.empty());
}

TEST(Statistics, WithoutValuesThereIsNoMean) {
  const Statistics s = of_text("user,item\n1,1\n1,2\n2,1\n");
  EXPECT_FALSE(s.values);
  EXPECT_FALSE(s.usual_count);
  EXPECT_TRUE(s.best.empty());
  EXPECT_TRUE(s.period.empty());
  EXPECT_EQ(s.most_rated.size(), 2u);
  EXPECT_FALSE(s.untitled);
}

TEST(Statistics, FewValuesAreShownOneByOne) {
  const Statistics s = of_text("user,item,rating\n1,1,-1\n1,2,0.1\n2,1,0.1\n2,2,7\n");
  ASSERT_EQ(s.values->bins.size(), 3u);
  EXPECT_EQ(s.values->bins[1].low, 0.1);  // as it was written, though it is stored as a float
  EXPECT_EQ(s.values->bins[1].high, 0.1);
  EXPECT_EQ(s.values->bins[1].count, 2);
}

TEST(Statistics, AllEqualValuesAreOneBin) {
  std::string text = "user,item,rating\n";
  for (int item = 0; item < 5; ++item) text += "1," + std::to_string(item) + ",4\n";
  const Statistics s = of_text(text + "2,0,4\n");
  ASSERT_EQ(s.values->bins.size(), 1u);
  EXPECT_EQ(s.values->deviation, 0);
  EXPECT_EQ(s.constant_users, 1);  // user 2 has too few to tell
  EXPECT_EQ(s.gini, of_text(text + "2,0,1\n").gini);
}

TEST(Statistics, WarnsOfWhatStandsOut) {
  std::string text = "user,item,rating\n";
  for (int user = 0; user < 1100; ++user) text += std::to_string(user) + "," + std::to_string(user) + ",3\n";
  const Statistics s = of_text(text + "1,1,4\n1,zero,none\n");
  ASSERT_EQ(s.warnings.size(), 5u);
  EXPECT_EQ(s.warnings[0],
            "1 of 1,102 rows cannot be read and are left out; training stops at the first one unless data.bad_rows = "
            "\"quarantine\".");
  EXPECT_TRUE(s.warnings[1].starts_with("1 rows repeat a pair")) << s.warnings[1];
  EXPECT_TRUE(s.warnings[2].starts_with("The density of 0.091 % is below 0.1 %")) << s.warnings[2];
  EXPECT_TRUE(s.warnings[3].starts_with("100 % of the users have a single interaction")) << s.warnings[3];
  EXPECT_TRUE(s.warnings[4].starts_with("100 % of the items have a single interaction")) << s.warnings[4];
}

// Every bin counts what lies in it, the bins touch, and quantiles are those of the sorted numbers.
TEST(Statistics, BinsAndQuantilesOfRandomNumbers) {
  std::mt19937 random(1);
  for (const int shape : {0, 1, 2}) {
    PreparedData data;
    const int64_t n = 500;
    std::vector<double> sorted;
    HostCsr& m = data.train.matrix;
    for (int64_t i = 0; i < n; ++i) {
      const double unit = std::uniform_real_distribution<>(0, 1)(random);
      const double value = shape == 0 ? unit * 30 - 10 : shape == 1 ? std::exp(14 * unit - 4) : 1e5 + 50 * unit;
      m.indices.push_back(static_cast<int32_t>(i));
      m.values.push_back(static_cast<float>(value));
      sorted.push_back(m.values.back());
    }
    m.offsets = {0, n};
    m.cols = n;
    data.train.items = std::make_shared<Ids>(Ids::integers([&] {
      std::vector<int64_t> ids(static_cast<size_t>(n));
      for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int64_t>(i);
      return ids;
    }()));
    std::sort(sorted.begin(), sorted.end());
    const Statistics s = statistics(data);
    EXPECT_EQ(s.values->log_bins, shape == 1);
    for (size_t q = 0; q < kQuantiles.size(); ++q) {
      const double rank = kQuantiles[q] * static_cast<double>(n - 1);
      const auto below = static_cast<size_t>(rank);
      const double low = sorted[below], high = sorted[std::min(below + 1, sorted.size() - 1)];
      const double expected = low + (rank - std::floor(rank)) * (high - low);
      EXPECT_NEAR(s.values->quantiles[q], expected, 1e-6 * std::abs(expected) + 1e-9);
    }
    int64_t total = 0;
    for (size_t b = 0; b < s.values->bins.size(); ++b) {
      const Bin& bin = s.values->bins[b];
      if (b > 0) {
        EXPECT_DOUBLE_EQ(bin.low, s.values->bins[b - 1].high);
      }
      EXPECT_EQ(bin.count, std::ranges::count_if(sorted, [&](double v) { return v >= bin.low && v < bin.high; }));
      total += bin.count;
    }
    EXPECT_EQ(total, n);
    EXPECT_GT(s.values->bins.front().count, 0);
    EXPECT_GT(s.values->bins.back().count, 0);
  }
}

TEST(ListedItems, AreKeptWithoutInteractions) {
  const TemporaryFolder folder;
  DataOptions data;
  data.interactions = folder.write("ratings.csv", "user,item\n1,20\n2,40\n2,20\n");
  data.items.file = folder.write("items.csv", "id,title\n30,Thirty\n20,Twenty\n10,Ten\n");
  data.items.keep_all = true;
  const PreparedData all = read_all(data);
  EXPECT_EQ(test::pairs(all.train), (test::Pairs{{{"1", "20"}, 1}, {{"2", "20"}, 1}, {{"2", "40"}, 1}}));
  EXPECT_EQ(*all.train.items, Ids::integers({10, 20, 30, 40}));
  EXPECT_EQ(all.catalogue.titles, (std::vector<std::string>{"Ten", "Twenty", "Thirty", ""}));
  data.items.file = folder.write("words.csv", "id,title\nten,Ten\n20,Twenty\n");
  EXPECT_FALSE(read_all(data).train.items->integer());
  EXPECT_EQ(read_all(data).train.num_items(), 3);
  data.id_type = "integer";
  EXPECT_EQ(test::input_error(folder, [&] { read_all(data); }),
            "words.csv:2: id: expected a whole number as id, found 'ten'");
}

}  // namespace
}  // namespace kindred
