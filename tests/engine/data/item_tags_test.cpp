// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "data_files.hpp"

namespace kindred {
namespace {

using test::input_error;
using test::read_all;
using test::TemporaryFolder;
using Names = std::vector<std::string>;

Names tags_of(const Catalogue& catalogue, int64_t item) {
  Names names;
  for (const int32_t tag : catalogue.tags.row(item)) names.push_back(catalogue.tag_names[static_cast<size_t>(tag)]);
  return names;
}

struct ItemTags : testing::Test {
  TemporaryFolder folder;
  DataOptions options;
  ItemTags() {
    options.interactions = folder.write("plays.csv", "user,item\n1,10\n1,20\n2,30\n");
    options.tags.file =
        folder.write("tagged.tsv", "userID\titem\ttagID\n1\t10\t7\n2\t10\t7\n1\t10\t5\n1\t10\t6\n1\t20\t6\n1\t99\t6\n");
    options.tags.tag = "tagID";
    options.tags.names = folder.write("tags.tsv",
                                      "tagID\ttagValue\n5\tpop\n6\tchanson fran\xe7"
                                      "aise\n7\tzydeco\n8\tnone\n");
    options.tags.encoding = Encoding::kLatin1;
  }
};

TEST_F(ItemTags, AreAddedToThoseOfTheTable) {
  options.items.file = folder.write("items.csv", "id,tags\n10,old|pop\n30,old\n");
  const Catalogue catalogue = read_all(options).catalogue;
  EXPECT_EQ(catalogue.tag_names, (Names{"chanson fran\xc3\xa7"
                                        "aise",
                                        "old", "pop", "zydeco"}));
  EXPECT_EQ(tags_of(catalogue, 0), (Names{"chanson fran\xc3\xa7"
                                          "aise",
                                          "old", "pop", "zydeco"}));
  EXPECT_EQ(tags_of(catalogue, 1), (Names{"chanson fran\xc3\xa7"
                                          "aise"}));
  EXPECT_EQ(tags_of(catalogue, 2), (Names{"old"}));
}

TEST_F(ItemTags, TheMostFrequentAreKept) {
  options.tags.most = 2;
  const Catalogue catalogue = read_all(options).catalogue;
  EXPECT_EQ(tags_of(catalogue, 0), (Names{"chanson fran\xc3\xa7"
                                          "aise",
                                          "zydeco"}));  // zydeco twice; then by name
  EXPECT_EQ(catalogue.tag_names.size(), 2u);
  EXPECT_EQ(catalogue.tags.rows(), 3);
}

TEST_F(ItemTags, RowsMayHoldTheNames) {
  options.tags.names.clear();
  EXPECT_EQ(tags_of(read_all(options).catalogue, 0), (Names{"5", "6", "7"}));
}

TEST_F(ItemTags, UnknownTagsAreErrors) {
  options.tags.names = folder.write("tags.tsv", "tagID\ttagValue\n7\tzydeco\n");
  EXPECT_EQ(input_error(folder, [&] { read_all(options); }),
            "tagged.tsv:4: tagID: expected a tag that tags.tsv lists, found '5'");
}

}  // namespace
}  // namespace kindred
