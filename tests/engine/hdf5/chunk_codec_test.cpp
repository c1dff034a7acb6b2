// SPDX-License-Identifier: Apache-2.0
// Chunks come back; the Fletcher-32 sum is HDF5's, by its own definition; what is damaged is refused.
#include "engine/hdf5/chunk_codec.hpp"

#include <gtest/gtest.h>

#include <random>

namespace kindred {
namespace {

std::vector<std::byte> random_bytes(std::mt19937& rng, size_t count, int most) {
  std::vector<std::byte> bytes(count);
  for (std::byte& b : bytes) b = static_cast<std::byte>(std::uniform_int_distribution<int>(0, most)(rng));
  return bytes;
}

/// The definition: big-endian words, both sums modulo 65,535, of which 0 is written as 65,535 unless all words are 0.
uint32_t fletcher_by_definition(const std::vector<std::byte>& bytes) {
  uint64_t first = 0, second = 0;
  bool any = false;
  for (size_t i = 0; i < bytes.size(); i += 2) {
    const auto low = i + 1 < bytes.size() ? std::to_integer<uint64_t>(bytes[i + 1]) : 0;
    const uint64_t word = std::to_integer<uint64_t>(bytes[i]) << 8 | low;
    any = any || word != 0;
    first = (first + word) % 65535;
    second = (second + first) % 65535;
  }
  const auto written = [&](uint64_t sum, bool nonzero) {
    return static_cast<uint32_t>(sum == 0 && nonzero ? 65535 : sum);
  };
  return written(second, any) << 16 | written(first, any);
}

TEST(ChunkCodec, FletcherIsAsDefined) {
  std::mt19937 rng(1);
  for (const size_t size : {0u, 1u, 2u, 3u, 7u, 719u, 720u, 721u, 722u, 1440u, 100'000u, 100'001u})
    for (const int most : {0, 1, 255}) {
      const auto bytes = random_bytes(rng, size, most);
      EXPECT_EQ(fletcher32(bytes), fletcher_by_definition(bytes)) << size << " bytes up to " << most;
    }
  const std::vector<std::byte> ones(72'000, std::byte{0xff});  // every word is 65,535, that is 0
  EXPECT_EQ(fletcher32(ones), 0xffffffffu);
}

TEST(ChunkCodec, ChunksComeBack) {
  std::mt19937 rng(2);
  std::vector<std::byte> stored, scratch;
  for (const bool deflate : {false, true})
    for (const size_t size : {1u, 4u, 1000u, 1u << 20})
      for (const int most : {0, 3, 255}) {
        const auto bytes = random_bytes(rng, size, most);
        encode_chunk(bytes, deflate, stored);
        EXPECT_LE(static_cast<int64_t>(stored.size()), max_stored_bytes(static_cast<int64_t>(size), deflate));
        const auto back = decode_chunk(stored, deflate, size, scratch);
        EXPECT_TRUE(std::equal(back.begin(), back.end(), bytes.begin(), bytes.end()));
        EXPECT_TRUE(decode_chunk(stored, deflate, size - 1, scratch).empty());
        EXPECT_TRUE(decode_chunk(stored, deflate, size + 1, scratch).empty());
        EXPECT_TRUE(decode_chunk(std::span(stored).first(stored.size() - 1), deflate, size, scratch).empty());
        stored[rng() % stored.size()] ^= std::byte{0x10};
        EXPECT_TRUE(decode_chunk(stored, deflate, size, scratch).empty());
      }
}

}  // namespace
}  // namespace kindred
