// SPDX-License-Identifier: Apache-2.0
// Text from files of every kind, and its pieces.
#include "engine/data/text_stream.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <random>

#include "tests/engine/support.hpp"

namespace kindred {
namespace {

using test::input_error;
using test::TemporaryFolder;
using ::testing::HasSubstr;

std::string gzip(const std::string& text) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string all_of(const std::filesystem::path& path, Encoding encoding = Encoding::kUtf8) {
  TextStream stream(path, encoding);
  return read_text(stream);
}

std::string random_text(std::mt19937& random, size_t size) {
  std::string text(size, ' ');
  for (char& c : text) c = static_cast<char>('a' + random() % 20);
  return text;
}

TEST(TextStream, PlainAndGzipAreTheSame) {
  std::mt19937 random(1);
  const TemporaryFolder folder;
  const size_t mib = size_t{1} << 20;
  for (const size_t size : {size_t{1}, size_t{1000}, mib - 1, mib, mib + 1, 5 * mib + 17}) {
    const std::string text = random_text(random, size);
    EXPECT_TRUE(all_of(folder.write("t.csv", text)) == text) << size;
    EXPECT_TRUE(all_of(folder.write("t.csv.gz", gzip(text))) == text) << size;
    // Members one after the other, as `cat a.gz b.gz` leaves them.
    EXPECT_TRUE(all_of(folder.write("t.csv.gz", gzip(text) + gzip("more"))) == text + "more") << size;
  }
}

TEST(TextStream, LatinOneBecomesUtf8) {
  const TemporaryFolder folder;
  std::string latin, utf8;
  for (int c = 1; c < 256; ++c) {
    latin += static_cast<char>(c);
    if (c >= 0x80) utf8 += static_cast<char>(0xC0 | c >> 6);
    utf8 += static_cast<char>(c >= 0x80 ? 0x80 | (c & 0x3F) : c);
  }
  std::string many_latin, many_utf8;
  for (int i = 0; i < 9000; ++i) many_latin += latin, many_utf8 += utf8;
  EXPECT_TRUE(all_of(folder.write("l.csv", many_latin), Encoding::kLatin1) == many_utf8);
  EXPECT_TRUE(all_of(folder.write("l.csv.gz", gzip(many_latin)), Encoding::kLatin1) == many_utf8);
}

TEST(TextStream, AByteOrderMarkIsNoText) {
  const TemporaryFolder folder;
  EXPECT_EQ(all_of(folder.write("b.csv",
                                "\xEF\xBB\xBF"
                                "a,b\n")),
            "a,b\n");
}

TEST(TextStream, WhatCannotBeRead) {
  const TemporaryFolder folder;
  std::mt19937 random(2);
  const std::string packed = gzip(random_text(random, 3 << 20));
  const auto error = [&](const std::string& name, const std::string& content) {
    const auto path = folder.write(name, content);
    return input_error(folder, [&] { all_of(path); });
  };
  for (const size_t size : {size_t{3}, size_t{9}, size_t{200}, packed.size() / 2, packed.size() - 1})
    EXPECT_EQ(error("t.gz", packed.substr(0, size)),
              "t.gz: the gzip file ends too early: it is truncated; copy or download it again")
        << size;
  std::string damaged = packed;
  damaged[packed.size() / 2] = static_cast<char>(damaged[packed.size() / 2] ^ 0x40);
  EXPECT_THAT(error("d.gz", damaged), HasSubstr("d.gz: the gzip file is damaged ("));
  damaged = packed;
  damaged[packed.size() - 6] = static_cast<char>(damaged[packed.size() - 6] ^ 1);  // the checksum
  EXPECT_THAT(error("d.gz", damaged), HasSubstr("d.gz: the gzip file is damaged (incorrect data check)"));
  EXPECT_EQ(error("e.csv", ""), "e.csv: the file is empty");
  EXPECT_EQ(error("e.gz", gzip("")), "e.gz: the file is empty");
}

std::vector<std::string> pieces_of(const std::filesystem::path& path, const Dialect& dialect, size_t bytes,
                                   size_t longest = size_t{16} << 20) {
  TextStream stream(path, Encoding::kUtf8);
  PieceReader reader(stream, dialect, bytes, longest);
  std::vector<std::string> pieces;
  for (TextBuffer piece; reader.next(piece);) pieces.emplace_back(piece.view());
  return pieces;
}

std::vector<std::vector<std::string>> records_of(std::string_view text, const Dialect& dialect) {
  std::vector<std::vector<std::string>> records;
  for (RecordReader reader(text, dialect); reader.next();)
    records.emplace_back(reader.fields().begin(), reader.fields().end());
  return records;
}

// Every size of pieces: together they are the text, and their records are those of the whole.
TEST(PieceReader, PiecesHoldTheRecordsOfTheWhole) {
  std::mt19937 random(3);
  const TemporaryFolder folder;
  for (int round = 0; round < 300; ++round) {
    const bool quotes = round % 3 != 0;
    std::string text;
    for (int row = 0; row < 12; ++row) {
      for (int c = 0; c < 3; ++c) {
        static constexpr const char* kPlain[] = {"", "a", "5\" disc", "longer text", "x y"};
        static constexpr const char* kQuoted[] = {"\"a,b\"", "\"two\nlines\"", "\"say \"\"hi\"\"\"", "\"\"",
                                                  "\"\n\n\""};
        text += c ? "," : "";
        text += quotes && random() % 3 == 0 ? kQuoted[random() % 5] : kPlain[random() % 5];
      }
      if (row < 11 || random() % 2) text += random() % 2 ? "\n" : "\r\n";
    }
    const Dialect dialect{",", quotes};
    const auto whole = records_of(text, dialect);
    const auto path = folder.write("p.csv", text);
    for (const size_t bytes : {1, 2, 7, 40, 100000}) {
      std::string joined;
      std::vector<std::vector<std::string>> records;
      for (const std::string& piece : pieces_of(path, dialect, bytes)) {
        joined += piece;
        for (auto& record : records_of(piece, dialect)) records.push_back(std::move(record));
      }
      ASSERT_EQ(joined, text);
      ASSERT_EQ(records, whole) << text;
    }
  }
}

TEST(PieceReader, ARecordThatNeverEndsIsItsFirstLine) {
  const TemporaryFolder folder;
  const auto path = folder.write("o.csv", "a,b\nc,\"d\ne,f\ng,h\n");
  using Pieces = std::vector<std::string>;
  EXPECT_EQ(pieces_of(path, {",", true}, 100), (Pieces{"a,b\n", "c,\"d\n", "e,f\ng,h\n"}));
  EXPECT_EQ(pieces_of(path, {",", true}, 4, 8), (Pieces{"a,b\n", "c,\"d\n", "e,f\n", "g,h\n"}));
  // A line longer than any record.
  const auto endless = folder.write("l.csv", "a\n" + std::string(100, 'x') + "\n");
  EXPECT_THROW(pieces_of(endless, {",", true}, 4, 16), RecordError);
}

}  // namespace
}  // namespace kindred
