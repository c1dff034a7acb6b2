// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>

#include "data_files.hpp"

namespace kindred {
namespace {

using test::input_error;
using test::TemporaryFolder;

std::vector<std::string> tags_of(const Catalogue& catalogue, int64_t item) {
  std::vector<std::string> names;
  for (const int32_t tag : catalogue.tags.row(item)) names.push_back(catalogue.tag_names[static_cast<size_t>(tag)]);
  return names;
}

using Names = std::vector<std::string>;

TEST(Catalogue, TitlesAndTagsOfKnownItems) {
  const TemporaryFolder folder;
  CatalogueFile file;
  file.file = folder.write("movies.csv",
                           "movieId,title,genres\r\n"
                           "30,\"American President, The (1995)\",Romance|Comedy|Romance\r\n"
                           "10,\"Say \"\"hi\"\"\",(no genres listed)\r\n"
                           "99,Nobody saw it,Western\r\n"
                           "20,Am\xC3\xA9lie,\r\n");
  const Catalogue catalogue = read_catalogue(file, Ids::integers({10, 20, 30, 40}));
  EXPECT_EQ(catalogue.titles, (Names{"Say \"hi\"", "Am\xC3\xA9lie", "American President, The (1995)", ""}));
  EXPECT_EQ(catalogue.tag_names, (Names{"(no genres listed)", "Comedy", "Romance"}));
  ASSERT_EQ(catalogue.tags.rows(), 4);
  EXPECT_EQ(catalogue.tags.cols, 3);
  EXPECT_EQ(tags_of(catalogue, 0), Names{"(no genres listed)"});
  EXPECT_EQ(tags_of(catalogue, 1), Names{});
  EXPECT_EQ(tags_of(catalogue, 2), (Names{"Comedy", "Romance"}));
  EXPECT_EQ(tags_of(catalogue, 3), Names{});
}

TEST(Catalogue, OtherColumnsAndSeparators) {
  const TemporaryFolder folder;
  CatalogueFile file;
  file.file =
      folder.write("artists.tsv", "artist\tname\tstyles\nb\t\"Weird Al\" Yankovic\tparody; pop\na\tABBA\tpop;\n");
  file.columns = {.id = "artist", .title = "", .tags = "styles"};
  file.tag_separator = std::string(";");
  const Catalogue catalogue = read_catalogue(file, Ids::strings("ab", {0, 1, 2}));
  EXPECT_EQ(catalogue.titles, (Names{"ABBA", "\"Weird Al\" Yankovic"}));
  EXPECT_EQ(tags_of(catalogue, 0), Names{"pop"});
  EXPECT_EQ(tags_of(catalogue, 1), (Names{"parody", "pop"}));
}

TEST(Catalogue, WithoutTitlesOrTags) {
  const TemporaryFolder folder;
  const Catalogue catalogue = read_catalogue({.file = folder.write("i.csv", "id,year\n1,1999\n")}, Ids::integers({1}));
  EXPECT_TRUE(catalogue.titles.empty());
  EXPECT_EQ(catalogue.tags.rows(), 0);
  EXPECT_TRUE(catalogue.tag_names.empty());
}

TEST(Catalogue, Errors) {
  const TemporaryFolder folder;
  const auto error = [&](const std::string& content) {
    const CatalogueFile file{.file = folder.write("i.csv", content)};
    return input_error(folder, [&] { read_catalogue(file, Ids::integers({1, 2})); });
  };
  EXPECT_EQ(error("id,title\n1,a\n2,b\n1,c\n"), "i.csv:4: id: expected each id once, found '1' here and on line 2");
  EXPECT_EQ(error("id,title\n1,a\n7,\"b\nb\"\n7,c\n"),
            "i.csv:5: id: expected each id once, found '7' here and on line 3");
  EXPECT_EQ(error("id,title\n1,a,b\n"), "i.csv:2: expected 2 fields, found 3");
  EXPECT_EQ(error("id,title\n1,caf\xE9\n"),
            "i.csv:2: title: expected UTF-8, found 'caf\\xe9'; set data.encoding = \"latin-1\" where the files are, or "
            "convert this one with iconv");
  EXPECT_EQ(error("key,title\n1,a\n"),
            "i.csv: no column for the item id; found key, title; set data.items.columns.id to a name");
  EXPECT_EQ(error("id,title\n"), "i.csv: a header and no rows");
}

TEST(Catalogue, FeaturesAreTypedAndMissingOnesMarked) {
  const TemporaryFolder folder;
  CatalogueFile file;
  file.file =
      folder.write("users.csv",
                   "userId,country,age,about,city\nbob,FR,31.5,\"likes, a lot\",Paris\nann,DE,,,\ncid,DE,40,x,\n"
                   "zoe,XX,99,never seen,Rome\n");
  file.columns.categorical = {"city", "country"};
  file.columns.numeric = {"age"};
  file.columns.text = {"about"};
  const Catalogue users = read_catalogue(file, Ids::strings("annbobcideve", {0, 3, 6, 9, 12}), CatalogueSide::kUsers);
  ASSERT_EQ(users.categorical.size(), 2u);
  EXPECT_EQ(users.categorical[0].name, "city");
  EXPECT_EQ(users.categorical[0].words, Names{"Paris"});  // of users with interactions alone
  EXPECT_EQ(users.categorical[0].codes, (std::vector<int32_t>{-1, 0, -1, -1}));
  EXPECT_EQ(users.categorical[1].words, (Names{"DE", "FR"}));
  EXPECT_EQ(users.categorical[1].codes, (std::vector<int32_t>{0, 1, 0, -1}));
  ASSERT_EQ(users.numeric.size(), 1u);
  const auto& ages = users.numeric[0].values;
  EXPECT_TRUE(std::isnan(ages[0]) && std::isnan(ages[3]));
  EXPECT_EQ(ages[1], 31.5f);
  EXPECT_EQ(ages[2], 40.f);
  ASSERT_EQ(users.text.size(), 1u);
  EXPECT_EQ(users.text[0].texts, (Names{"", "likes, a lot", "x", ""}));

  file.columns.numeric = {"country"};
  EXPECT_EQ(input_error(folder,
                        [&] {
                          read_catalogue(file, Ids::strings("ann", {0, 3}), CatalogueSide::kUsers);
                        }),
            "users.csv:2: country: expected a number or an empty field, found 'FR'");
  file.columns.numeric = {"agee"};
  EXPECT_EQ(input_error(folder,
                        [&] {
                          read_catalogue(file, Ids::strings("ann", {0, 3}), CatalogueSide::kUsers);
                        }),
            "users.csv: no column 'agee'; found userId, country, age, about, city; set data.users.columns.numeric to a "
            "name; did you mean 'age'?");
  file.columns.numeric = {};
  file.file = folder.write("users.csv", "userId,country,about,city\nann,DE,x,y\nbob,FR,x,y\nann,FR,x,y\n");
  EXPECT_EQ(input_error(folder,
                        [&] {
                          read_catalogue(file, Ids::strings("bob", {0, 3}), CatalogueSide::kUsers);
                        }),
            "users.csv:4: userId: expected each id once, found 'ann' here and on line 2");
}

TEST(Catalogue, UsersWithLettersMakeTheirSidesIdsStrings) {
  const TemporaryFolder folder;
  DataOptions options;
  options.interactions = folder.write("r.csv", "user,item\n1,10\n2,9\n");
  options.users.file = folder.write("users.csv", "id,age\n1,30\nx,40\n");
  options.users.columns.numeric = {"age"};
  const PreparedData data = test::read_all(options);
  EXPECT_FALSE(data.train.users->integer());
  EXPECT_TRUE(data.train.items->integer());
  EXPECT_EQ(data.user_catalogue.numeric[0].values[0], 30.f);
}

TEST(Friends, ArePairsBothWays) {
  const TemporaryFolder folder;
  DataOptions options;
  options.interactions = folder.write("r.csv", "user,item\n1,10\n2,9\n3,9\n4,9\n");
  options.friends.file = folder.write("f.csv", "userID\tfriendID\n2\t1\n1\t2\n4\t2\n7\t1\n4\t2\n");
  const HostCsr friends = test::read_all(options).friends;
  EXPECT_EQ(friends.offsets, (std::vector<int64_t>{0, 1, 3, 3, 4}));
  EXPECT_EQ(friends.indices, (std::vector<int32_t>{1, 0, 3, 1}));
  EXPECT_EQ(friends.cols, 4);

  options.friends.file = folder.write("f.csv", "user,friend\n1,2\n3,3\n");
  EXPECT_EQ(input_error(folder, [&] { test::read_all(options); }), "f.csv:3: expected two users, found '3' and '3'");
  options.friends.file = folder.write("f.csv", "a,b\n1,2\n");
  EXPECT_EQ(input_error(folder, [&] { test::read_all(options); }),
            "f.csv: no column for the user; found a, b; set data.friends.columns.user to a name");
}

}  // namespace
}  // namespace kindred
