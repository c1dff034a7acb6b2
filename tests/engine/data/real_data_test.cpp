// SPDX-License-Identifier: Apache-2.0
// Public data sets, where they are at hand (KINDRED_DATA, else ../shared/data): counts that others took independently.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <numeric>

#include "data_files.hpp"

namespace kindred {
namespace {

using test::read_all;

std::filesystem::path data_path(const std::string& name) {
  const char* folder = std::getenv("KINDRED_DATA");
  return std::filesystem::path(folder ? folder : KINDRED_SOURCE_DIR "/../shared/data") / name;
}

#define NEEDS(path)                   \
  if (!std::filesystem::exists(path)) \
  GTEST_SKIP() << (path) << " is absent; set KINDRED_DATA to the folder of the data sets"

int64_t longest_row(const HostCsr& matrix) {
  int64_t longest = 0;
  for (int64_t u = 0; u < matrix.rows(); ++u) longest = std::max(longest, static_cast<int64_t>(matrix.row(u).size()));
  return longest;
}

TEST(RealData, MovieLensSmall) {
  const auto folder = data_path("ml-latest-small");
  NEEDS(folder);
  DataOptions options;
  options.interactions = folder / "ratings.csv";
  options.items.file = folder / "movies.csv";
  const PreparedData data = read_all(options);
  EXPECT_EQ(data.rows_read, 100'836);
  EXPECT_EQ(data.train.size(), 100'836);
  EXPECT_EQ(data.train.num_users(), 610);
  EXPECT_EQ(data.train.num_items(), 9724);
  EXPECT_TRUE(data.train.users->integer() && data.train.items->integer());
  const auto& values = data.train.matrix.values;
  EXPECT_NEAR(std::accumulate(values.begin(), values.end(), 0.) / 100'836, 3.50, 0.005);
  EXPECT_EQ(longest_row(data.train.matrix), 2698);
  std::vector<int64_t> of_film(9724);
  for (const int32_t film : data.train.matrix.indices) ++of_film[static_cast<size_t>(film)];
  EXPECT_EQ(*std::max_element(of_film.begin(), of_film.end()), 329);
  EXPECT_EQ(*std::min_element(of_film.begin(), of_film.end()), 1);
  EXPECT_EQ(data.train.times.front(), 964'982'703'000'000);

  const int32_t jumanji = data.train.items->find("2");
  EXPECT_EQ(data.catalogue.titles[static_cast<size_t>(jumanji)], "Jumanji (1995)");
  EXPECT_EQ(data.catalogue.tags.row(jumanji).size(), 3u);
  EXPECT_EQ(data.catalogue.tag_names.size(), 20u);  // with "(no genres listed)"
  EXPECT_EQ(data.catalogue.titles[static_cast<size_t>(data.train.items->find("11"))], "American President, The (1995)");
}

TEST(RealData, Gowalla) {
  const auto folder = data_path("gowalla");
  NEEDS(folder);
  DataOptions options;
  options.format = "adjacency";
  SplitOptions split;
  split.protocol = "files";
  split.files.train = folder / "train.txt";
  split.files.test = folder / "test.txt";
  const PreparedData data = prepare(options, split, 1, 2);
  EXPECT_EQ(data.train.num_users(), 29'858);
  EXPECT_EQ(data.train.num_items(), 40'981);
  EXPECT_EQ(data.train.size(), 810'128);
  EXPECT_EQ(data.test.matrix.nnz(), 217'242);
  EXPECT_EQ(data.duplicates, 0);
  EXPECT_EQ(data.test.dropped_users, 0);
  EXPECT_EQ(std::accumulate(data.test.unknown.begin(), data.test.unknown.end(), 0), 0);
  EXPECT_EQ(merge(data.train, data.test.matrix).size(), 810'128 + 217'242);  // no pair is in both
}

TEST(RealData, RetailRocket) {
  const auto folder = data_path("retailrocket");
  NEEDS(folder);
  int64_t rows = 0;
  for (const char* kind : {"view", "add_to_cart", "purchase"}) {
    DataOptions options;
    options.interactions = folder / (std::string(kind) + "_ecommerce.dat");
    options.columns.user = "visitorid";
    options.columns.item = "itemid";
    options.events["1"] = 1;  // its column named event holds a 1 in every row
    const PreparedData data = read_all(options);
    rows += data.rows_read;
    EXPECT_TRUE(data.train.times.empty());
  }
  EXPECT_EQ(rows, 92'487);
}

TEST(RealData, LastFm) {
  const auto folder = data_path("hetrec-lastfm-2k");
  NEEDS(folder);
  DataOptions options;
  options.interactions = folder / "user_artists.dat";
  options.columns.user = "userID";
  options.columns.item = "artistID";
  options.columns.value = "weight";
  options.items.file = folder / "artists.dat";
  options.friends.file = folder / "user_friends.dat";
  const PreparedData data = read_all(options);
  EXPECT_EQ(data.train.size(), 92'834);
  EXPECT_EQ(data.train.num_users(), 1892);
  EXPECT_EQ(data.train.num_items(), 17'632);
  EXPECT_EQ(data.friends.nnz(), 25'434);  // 12,717 pairs, each listed both ways
  const auto& titles = data.catalogue.titles;
  EXPECT_NE(std::find(titles.begin(), titles.end(), "\"Weird Al\" Yankovic"), titles.end());
}

}  // namespace
}  // namespace kindred
