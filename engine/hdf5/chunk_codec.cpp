// SPDX-License-Identifier: Apache-2.0
// Deflate through zlib; Fletcher-32 in blocks that compilers vectorise.
#include "engine/hdf5/chunk_codec.hpp"

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace kindred {
namespace {

constexpr size_t kChecksumBytes = 4;
constexpr int kDeflateLevel = 1;  // ids and indices: level 6 takes four times as long for a tenth less

/// Ones' complement: a sum modulo 65,535 of which only an empty sum is 0.
uint32_t fold(uint64_t sum) {
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint32_t>(sum);
}

uint32_t swap_bytes(uint32_t word) { return (word & 0xff) << 8 | word >> 8; }

}  // namespace

// The words are summed as they lie (little-endian): swapping the bytes of a word is a rotation by 8, a factor of 256
// modulo 65,535, which the sums take over, so that swapping the two results is enough.
uint32_t fletcher32(std::span<const std::byte> bytes) {
  constexpr size_t kBlock = 360;  // the longest whose weighted sum fits 32 bits
  const size_t words = bytes.size() / 2;
  uint64_t first = 0, second = 0;
  for (size_t begin = 0; begin < words; begin += kBlock) {
    const size_t count = std::min(kBlock, words - begin);
    uint16_t block[kBlock] = {};
    std::memcpy(block + (kBlock - count), bytes.data() + 2 * begin, 2 * count);
    uint32_t sum = 0, weighted = 0;
    for (uint32_t i = 0; i < kBlock; ++i) {
      sum += block[i];
      weighted += (static_cast<uint32_t>(kBlock) - i) * block[i];
    }
    second = fold(second + count * first + weighted);
    first = fold(first + sum);
  }
  if (bytes.size() % 2 != 0) {
    first = fold(first + std::to_integer<uint32_t>(bytes.back()));
    second = fold(second + first);
  }
  return swap_bytes(fold(second)) << 16 | swap_bytes(fold(first));
}

int64_t max_stored_bytes(int64_t raw_bytes, bool deflate) {
  const auto size = static_cast<uLong>(raw_bytes);
  return static_cast<int64_t>((deflate ? compressBound(size) : size) + kChecksumBytes);
}

void encode_chunk(std::span<const std::byte> raw, bool deflate, std::vector<std::byte>& stored) {
  size_t size = raw.size();
  stored.resize(static_cast<size_t>(max_stored_bytes(static_cast<int64_t>(raw.size()), deflate)));
  if (deflate) {
    uLongf packed = stored.size();
    if (compress2(reinterpret_cast<Bytef*>(stored.data()), &packed, reinterpret_cast<const Bytef*>(raw.data()),
                  raw.size(), kDeflateLevel) != Z_OK)
      throw std::bad_alloc();
    size = packed;
  } else {
    std::memcpy(stored.data(), raw.data(), size);
  }
  stored.resize(size + kChecksumBytes);
  const uint32_t sum = fletcher32({stored.data(), size});
  for (size_t i = 0; i < kChecksumBytes; ++i) stored[size + i] = static_cast<std::byte>(sum >> (8 * i));
}

std::span<const std::byte> decode_chunk(std::span<const std::byte> stored, bool deflate, size_t raw_bytes,
                                        std::vector<std::byte>& scratch) {
  if (stored.size() < kChecksumBytes) return {};
  const std::span<const std::byte> coded = stored.first(stored.size() - kChecksumBytes);
  uint32_t sum = 0;
  for (size_t i = 0; i < kChecksumBytes; ++i) sum |= std::to_integer<uint32_t>(stored[coded.size() + i]) << (8 * i);
  if (sum != fletcher32(coded)) return {};
  if (!deflate) return coded.size() == raw_bytes ? coded : std::span<const std::byte>();
  scratch.resize(raw_bytes);
  uLongf unpacked = raw_bytes;
  if (uncompress(reinterpret_cast<Bytef*>(scratch.data()), &unpacked, reinterpret_cast<const Bytef*>(coded.data()),
                 coded.size()) != Z_OK ||
      unpacked != raw_bytes)
    return {};
  return scratch;
}

}  // namespace kindred
