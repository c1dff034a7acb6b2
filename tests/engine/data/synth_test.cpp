// SPDX-License-Identifier: Apache-2.0
#include "engine/data/synth.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "data_files.hpp"
#include "engine/core/file.hpp"
#include "engine/data/csv.hpp"

namespace kindred {
namespace {

using test::input_error;
using test::read_all;
using test::TemporaryFolder;

constexpr const char* kFiles[] = {"ratings.csv", "events.csv", "items.csv", "users.csv", "friends.csv", "truth.json"};

// The records behind the header.
std::vector<std::vector<std::string>> records(const std::filesystem::path& path) {
  const std::string text = read_file(path);
  std::vector<std::vector<std::string>> out;
  RecordReader reader(text, {});
  reader.next();
  while (reader.next()) out.emplace_back(reader.fields().begin(), reader.fields().end());
  return out;
}

nlohmann::json truth_of(const TemporaryFolder& folder) {
  return nlohmann::json::parse(read_file(folder.path() / "truth.json"));
}

DataOptions data_of(const TemporaryFolder& folder) {
  return {.interactions = folder.path() / "ratings.csv", .items = {.file = folder.path() / "items.csv"}};
}

TEST(Synth, EqualOptionsGiveEqualBytes) {
  const TemporaryFolder one, three, other;
  SynthOptions options{.users = 3000, .items = 900, .interactions = 200'000, .seed = 7, .threads = 1};
  write_synthetic(one.path(), options);
  options.threads = 3;
  write_synthetic(three.path(), options);
  options.seed = 8;
  write_synthetic(other.path(), options);
  for (const char* file : kFiles) {
    EXPECT_TRUE(read_file(one.path() / file) == read_file(three.path() / file)) << file;
    if (std::string(file) != "items.csv") {
      EXPECT_FALSE(read_file(one.path() / file) == read_file(other.path() / file)) << file;
    }
  }
}

// Exactly the interactions asked for, over distinct pairs, with every user and every item among them.
TEST(Synth, CountsAreExact) {
  const SynthOptions cases[] = {{.users = 1000, .items = 500, .interactions = 50'000},
                                {.users = 1, .items = 1, .interactions = 1},
                                {.users = 30, .items = 20, .interactions = 600},  // every pair
                                {.users = 30, .items = 20, .interactions = 599},
                                {.users = 40, .items = 10, .interactions = 60},
                                {.users = 10, .items = 400, .interactions = 400},
                                {.users = 2000, .items = 3000, .interactions = 3000, .factors = 1}};
  for (const SynthOptions& options : cases) {
    const TemporaryFolder folder;
    write_synthetic(folder.path(), options);
    const PreparedData data = read_all(data_of(folder));
    EXPECT_EQ(data.rows_read, options.interactions);
    EXPECT_EQ(data.duplicates, 0);
    EXPECT_EQ(data.train.num_users(), options.users);
    EXPECT_EQ(data.train.num_items(), options.items);
    EXPECT_EQ(records(folder.path() / "users.csv").size(), static_cast<size_t>(options.users));
    std::set<std::string> titles(data.catalogue.titles.begin(), data.catalogue.titles.end());
    EXPECT_EQ(titles.size(), static_cast<size_t>(options.items));
    for (const std::string& title : titles) EXPECT_THAT(title, ::testing::EndsWith(")"));
    for (int64_t i = 0; i < options.items; ++i) {
      EXPECT_GE(data.catalogue.tags.row(i).size(), 1u);
      EXPECT_LE(data.catalogue.tags.row(i).size(), 3u);
    }
  }
}

TEST(Synth, FewerInteractionsThanUsersOrItems) {
  const TemporaryFolder folder;
  write_synthetic(folder.path(), {.users = 100, .items = 200, .interactions = 30});
  const PreparedData data = read_all(data_of(folder));
  EXPECT_EQ(data.train.size(), 30);
}

TEST(Synth, TruthTellsOfTheRowsWritten) {
  const TemporaryFolder folder;
  const SynthOptions options{.users = 2000, .items = 700, .interactions = 120'000, .seed = 3};
  write_synthetic(folder.path(), options);
  const SynthTruth truth(options);
  double sum = 0, squares = 0, mean_squares = 0;
  const auto rows = records(folder.path() / "ratings.csv");
  for (const auto& row : rows) sum += std::stod(row[2]);
  const double mean = sum / static_cast<double>(rows.size());
  for (const auto& row : rows) {
    const double rating = std::stod(row[2]);
    EXPECT_EQ(rating * 2, std::floor(rating * 2));
    EXPECT_GE(rating, 0.5);
    EXPECT_LE(rating, 5);
    const double expected = truth.expected_rating(std::stoll(row[0]), std::stoll(row[1]));
    squares += (rating - expected) * (rating - expected);
    mean_squares += (rating - mean) * (rating - mean);
  }
  const double floor = std::sqrt(squares / static_cast<double>(rows.size()));
  const auto json = truth_of(folder);
  EXPECT_NEAR(json["rmse_floor"], floor, 1e-9);
  EXPECT_NEAR(json["mean_rating"], mean, 1e-9);
  EXPECT_EQ(json["noise"], truth.noise());
  EXPECT_EQ(json["interactions"], 120'000);
  // Rounding to half steps adds 0.5^2 / 12 to the noise's variance; the ends of the scale take some away.
  EXPECT_LT(floor, std::sqrt(truth.noise() * truth.noise() + 0.25 / 12) + 0.005);
  EXPECT_GT(floor, 0.9 * truth.noise());
  EXPECT_GT(std::sqrt(mean_squares / static_cast<double>(rows.size())), 1.3 * floor);

  std::map<std::string, int64_t> kinds;
  for (const auto& row : records(folder.path() / "events.csv")) ++kinds[row[2]];
  EXPECT_EQ(kinds, (json["events"].get<std::map<std::string, int64_t>>()));
  EXPECT_THAT(kinds, ::testing::SizeIs(6));
  EXPECT_EQ(kinds["view"], 120'000);
  EXPECT_EQ(json["friends"], records(folder.path() / "friends.csv").size());
}

// Times of a pair: seen, then acted on, then rated no earlier than seen.
TEST(Synth, EventsFollowViews) {
  const TemporaryFolder folder;
  write_synthetic(folder.path(), {.users = 200, .items = 100, .interactions = 5000});
  std::map<std::pair<std::string, std::string>, int64_t> seen;
  for (const auto& row : records(folder.path() / "events.csv")) {
    const auto pair = std::pair(row[0], row[1]);
    if (row[2] == "view") seen[pair] = std::stoll(row[3]);
    ASSERT_TRUE(seen.contains(pair));
    EXPECT_GE(std::stoll(row[3]), seen[pair]);
  }
  for (const auto& row : records(folder.path() / "ratings.csv"))
    EXPECT_GT(std::stoll(row[3]), (seen.at({row[0], row[1]})));
}

TEST(Synth, PopularityActivityAndTasteShapeTheData) {
  const TemporaryFolder folder;
  const SynthOptions options{.users = 4000, .items = 1000, .interactions = 200'000};
  write_synthetic(folder.path(), options);
  const Interactions all = read_all(data_of(folder)).train;
  std::vector<int64_t> of_item(1000), of_user(4000);
  const SynthTruth truth(options);
  double chosen = 0, any = 0;
  for (int64_t u = 0; u < all.num_users(); ++u) {
    of_user[static_cast<size_t>(u)] = static_cast<int64_t>(all.matrix.row(u).size());
    for (const int32_t item : all.matrix.row(u)) ++of_item[static_cast<size_t>(item)];
  }
  for (int64_t u = 0; u < 100; ++u) {
    for (int64_t i = 0; i < 1000; ++i) any += truth.expected_rating(u + 1, i + 1) / (100 * 1000);
    const auto row = all.matrix.row(u);
    for (const int32_t item : row)
      chosen += truth.expected_rating(u + 1, item + 1) / (100. * static_cast<double>(row.size()));
  }
  EXPECT_GT(chosen, any + 0.1);  // users take what they like
  std::sort(of_item.rbegin(), of_item.rend());
  std::sort(of_user.rbegin(), of_user.rend());
  const auto share = [](const std::vector<int64_t>& counts, size_t first) {
    return static_cast<double>(
               std::accumulate(counts.begin(), counts.begin() + static_cast<std::ptrdiff_t>(first), int64_t{0})) /
           200'000;
  };
  EXPECT_GT(share(of_item, 100), 0.5);  // a tenth of the items has most of the interactions
  EXPECT_GT(share(of_user, 400), 0.3);
  EXPECT_GE(of_user.back(), 200'000 / 4000 / 7);
}

// Friends' expected ratings agree more than those of any two users.
TEST(Synth, FriendsHaveSimilarTastes) {
  const TemporaryFolder folder;
  const SynthOptions options{.users = 1000, .items = 200, .interactions = 20'000};
  write_synthetic(folder.path(), options);
  const SynthTruth truth(options);
  const auto correlation = [&](int64_t a, int64_t b) {
    double x = 0, y = 0, xx = 0, yy = 0, xy = 0;
    for (int64_t i = 1; i <= 200; ++i) {
      const double p = truth.expected_rating(a, i), q = truth.expected_rating(b, i);
      x += p, y += q, xx += p * p, yy += q * q, xy += p * q;
    }
    return (xy - x * y / 200) / std::sqrt((xx - x * x / 200) * (yy - y * y / 200));
  };
  double friends = 0, strangers = 0;
  const auto pairs = records(folder.path() / "friends.csv");
  ASSERT_GT(pairs.size(), 1000u);
  for (size_t p = 0; p < 1000; ++p) {
    const int64_t user = std::stoll(pairs[p][0]), other = std::stoll(pairs[p][1]);
    ASSERT_LT(user, other);
    friends += correlation(user, other) / 1000;
    strangers += correlation(user, 1 + (other * 577) % 1000) / 1000;
  }
  EXPECT_GT(friends, strangers + 0.2);
  EXPECT_EQ((std::set<std::vector<std::string>>(pairs.begin(), pairs.end()).size()), pairs.size());
}

TEST(Synth, Errors) {
  const TemporaryFolder folder;
  const auto error = [&](const SynthOptions& options) {
    return input_error(folder, [&] { write_synthetic(folder.path() / "out", options); });
  };
  EXPECT_EQ(error({.users = 0}), "synth: users: expected 1 to 2147483647, found 0");
  EXPECT_EQ(error({.items = -1}), "synth: items: expected 1 to 2147483647, found -1");
  EXPECT_EQ(error({.users = 10, .items = 10, .interactions = 101}),
            "synth: interactions (of distinct pairs): expected 1 to 100, found 101");
  EXPECT_EQ(error({.factors = 0}), "synth: factors: expected 1 to 1024, found 0");
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "out"));
  const auto file = folder.write("file", "");
  EXPECT_THAT(input_error(folder, [&] { write_synthetic(file, {}); }),
              ::testing::StartsWith("file: cannot make this folder"));
}

// A write that fails leaves no file behind.
TEST(Synth, NothingHalfWritten) {
  const TemporaryFolder folder;
  faults().before = [](std::string_view call, const std::filesystem::path& path) {
    return call == "write" && path.string().find("events") != std::string::npos ? ENOSPC : 0;
  };
  EXPECT_THROW(write_synthetic(folder.path(), {}), IoError);
  faults().before = nullptr;
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

}  // namespace
}  // namespace kindred
