// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

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
            "i.csv:2: title: expected UTF-8, found 'caf\xE9'; convert the file with iconv");
  EXPECT_EQ(error("key,title\n1,a\n"),
            "i.csv: no column for the item id; found key, title; set data.items.columns.id to a name");
  EXPECT_EQ(error("id,title\n"), "i.csv: a header and no rows");
}

}  // namespace
}  // namespace kindred
