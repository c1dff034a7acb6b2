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

TEST(Csv, PiecesHoldTheRecordsOfTheWhole) {
  std::mt19937 random(2);
  for (int round = 0; round < 2000; ++round) {
    const bool quotes = round % 4 != 0;
    RandomTable table = random_table(random, ",");
    if (!quotes) std::erase(table.text, '"');
    const Dialect dialect{",", quotes};
    const std::vector<Fields> whole = read_records(table.text, dialect);
    for (const size_t bytes : {1, 2, 7, 40, 100000}) {
      const std::vector<size_t> borders = cut_at_records(table.text, dialect, bytes);
      ASSERT_EQ(borders.front(), 0u);
      ASSERT_EQ(borders.back(), table.text.size());
      std::vector<Fields> joined;
      for (size_t b = 1; b < borders.size(); ++b) {
        ASSERT_LT(borders[b - 1], borders[b]);
        const auto piece =
            read_records(std::string_view(table.text).substr(borders[b - 1], borders[b] - borders[b - 1]), dialect);
        joined.insert(joined.end(), piece.begin(), piece.end());
      }
      ASSERT_EQ(joined, whole) << table.text;
      if (bytes == 1) {
        ASSERT_GE(borders.size(), whole.size());
      }
    }
  }
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
  EXPECT_EQ(error_of("a,b\nc,\"d\n", {",", true}, &offset), "a quoted field is never closed");
  EXPECT_EQ(offset, 4u);
  EXPECT_EQ(error_of("a\n\"b\"c,d\n", {",", true}, &offset),
            "text stands after a field's closing quote; write a quote inside a field twice");
  EXPECT_EQ(offset, 2u);
}

TEST(Csv, CountsLines) {
  EXPECT_EQ(line_number("a\nb\nc", 0), 1);
  EXPECT_EQ(line_number("a\nb\nc", 2), 2);
  EXPECT_EQ(line_number("a\nb\nc", 5), 3);
}

}  // namespace
}  // namespace kindred
