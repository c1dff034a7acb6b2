// SPDX-License-Identifier: Apache-2.0
// How a chunk lies in an HDF5 file: optionally deflated, then followed by its Fletcher-32 checksum. Kindred codes
// chunks itself instead of through HDF5's filter pipeline: nothing is copied twice, and what a damaged chunk unpacks to
// is bounded by the chunk's size.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace kindred {

/// HDF5's Fletcher-32 over big-endian 16-bit words; an odd last byte counts as a word's high half.
uint32_t fletcher32(std::span<const std::byte> bytes);

/// Fills `stored` with the coded chunk.
void encode_chunk(std::span<const std::byte> raw, bool deflate, std::vector<std::byte>& stored);

/// The largest coded size of a chunk of `raw_bytes`.
int64_t max_stored_bytes(int64_t raw_bytes, bool deflate);

/// The chunk's `raw_bytes` bytes, in `stored` itself or in `scratch`; empty where the checksum is wrong or the bytes do
/// not unpack to exactly that size.
std::span<const std::byte> decode_chunk(std::span<const std::byte> stored, bool deflate, size_t raw_bytes,
                                        std::vector<std::byte>& scratch);

}  // namespace kindred
