// SPDX-License-Identifier: Apache-2.0
#include "engine/data/csv.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace kindred {
namespace {

using Fields = std::vector<std::string>;
using ::testing::ElementsAre;

std::vector<Fields> read_records(std::string_view text, const Dialect& dialect) {
  std::vector<Fields> records;
  for (RecordReader reader(text, dialect); reader.next();) {
    records.emplace_back(reader.fields().begin(), reader.fields().end());
  }
  return records;
}

std::string error_of(std::string_view text, const Dialect& dialect, size_t* offset = nullptr) {
  try {
    read_records(text, dialect);
  } catch (const RecordError& error) {
    if (offset) *offset = error.offset;
    return error.message;
  }
  return "(no error)";
}

struct RandomTable {
  std::vector<Fields> records;
  std::string text{};
};

// Records of awkward fields, written as RFC 4180 asks.
RandomTable random_table(std::mt19937& random, const std::string& delimiter) {
  const auto below = [&](int n) { return std::uniform_int_distribution<int>(0, n - 1)(random); };
  const std::string alphabet = "ab1 \"\n\r,;:\xC3\xA9";
  RandomTable table;
  const int rows = 1 + below(12), columns = 1 + below(4);
  const std::string line_end = below(2) ? "\n" : "\r\n";
  for (int r = 0; r < rows; ++r) {
    Fields fields;
    for (int c = 0; c < columns; ++c) {
      std::string field;
      for (int length = below(6); length > 0; --length)
        field += alphabet[static_cast<size_t>(below(static_cast<int>(alphabet.size())))];
      std::string written = field;
      if (field.find_first_of("\"\n\r,;:") != std::string::npos || field.find(delimiter) != std::string::npos ||
          field.empty() || below(3) == 0) {
        std::string inside;
        for (const char byte : field) inside.append(byte == '"' ? 2 : 1, byte);
        written = '"' + inside + '"';
      }
      table.text += (c ? delimiter : "") + written;
      fields.push_back(field);
    }
    if (r + 1 < rows || below(2)) table.text += line_end;
    if (below(5) == 0 && r + 1 < rows) table.text += line_end;  // a blank line
    table.records.push_back(fields);
  }
  return table;
}

TEST(Csv, ReadsBackWhatRfc4180Writes) {
  std::mt19937 random(1);
  for (int round = 0; round < 2000; ++round) {
    for (const std::string delimiter : {",", ";", "\t", "::"}) {
      const RandomTable table = random_table(random, delimiter);
      ASSERT_EQ(read_records(table.text, {delimiter, true}), table.records) << table.text;
    }
  }
}

// Fields of all lengths, so that marks stand at every place of a block of 64 bytes.
TEST(Csv, FieldsOfAllLengths) {
  std::mt19937 random(3);
  for (const std::string delimiter : {",", "::"}) {
    for (const bool quotes : {true, false}) {
      std::string text;
      std::vector<Fields> expected;
      for (int row = 0; row < 3000; ++row) {
        Fields fields;
        for (int c = 0; c < 3; ++c) fields.push_back(std::string(1 + random() % 90, static_cast<char>('a' + c)));
        text += fields[0] + delimiter + (quotes && row % 7 == 0 ? '"' + fields[1] + '"' : fields[1]) + delimiter +
                fields[2] + (row % 2 ? "\r\n" : "\n");
        expected.push_back(fields);
      }
      EXPECT_EQ(read_records(text, {delimiter, quotes}), expected);
    }
  }
}

TEST(Csv, GoesOnBehindTheLineOfABrokenRecord) {
  RecordReader reader("a,b\n\"c\"d,e\nf,g\n\"h,i\nj,k\n", {",", true});
  Fields first;
  int broken = 0;
  for (;;) {
    try {
      if (!reader.next()) break;
      first.emplace_back(reader.fields()[0]);
    } catch (const RecordError&) {
      ++broken;
      reader.skip_line();
    }
  }
  EXPECT_EQ(first, (Fields{"a", "f", "j"}));
  EXPECT_EQ(broken, 2);
}

TEST(Csv, TheLastRecordThatEnds) {
  const auto end = [](std::string_view text, bool quotes = true) {
    const RecordEnd last = last_record_end(text, {",", quotes});
    return std::pair(last.offset, last.in_quotes);
  };
  EXPECT_EQ(end(""), std::pair(size_t{0}, false));
  EXPECT_EQ(end("a,b"), std::pair(size_t{0}, false));
  EXPECT_EQ(end("a,b\nc"), std::pair(size_t{4}, false));
  EXPECT_EQ(end("a\n\"b\nc"), std::pair(size_t{2}, true));
  EXPECT_EQ(end("a\n\"b\nc", false), std::pair(size_t{5}, false));
  EXPECT_EQ(end("a\n\"b\"\"\nc"), std::pair(size_t{2}, true));
  EXPECT_EQ(end("a\n\"b\nc\"\nd"), std::pair(size_t{8}, false));
  EXPECT_EQ(end("5\" disc\nx"), std::pair(size_t{8}, false));  // text, not a quote that opens
}

TEST(Csv, WithoutQuotesAQuoteIsText) {
  EXPECT_THAT(read_records("1\t\"Weird Al\" Yankovic\n2\t\"\n", {"\t", false}),
              ElementsAre(Fields{"1", "\"Weird Al\" Yankovic"}, Fields{"2", "\""}));
}

TEST(Csv, AQuoteInsideAFieldIsText) {
  EXPECT_THAT(read_records("5\" disc,12\" single\nx,y\n", {",", true}),
              ElementsAre(Fields{"5\" disc", "12\" single"}, Fields{"x", "y"}));
}

TEST(Csv, EmptyFieldsAndNoLastLineEnd) {
  EXPECT_THAT(read_records("a,,\r\n,b,", {",", true}), ElementsAre(Fields{"a", "", ""}, Fields{"", "b", ""}));
  EXPECT_THAT(read_records("\"a\"\r", {",", true}), ElementsAre(Fields{"a"}));
  EXPECT_TRUE(read_records("", {",", true}).empty());
  EXPECT_TRUE(read_records("\r\n\n", {",", true}).empty());
}

TEST(Csv, SaysWhichRecordIsBroken) {
  size_t offset = 0;
  EXPECT_EQ(error_of("a,b\nc,\"d\n", {",", true}, &offset),
            "a quoted field is never closed; close it, or set data.quote = \"none\" where quotes are text");
  EXPECT_EQ(offset, 4u);
  EXPECT_EQ(error_of("a\n\"b\"c,d\n", {",", true}, &offset),
            "text stands after a field's closing quote; write a quote inside a field twice");
  EXPECT_EQ(offset, 2u);
}

}  // namespace
}  // namespace kindred
