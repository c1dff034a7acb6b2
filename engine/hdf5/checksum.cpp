// SPDX-License-Identifier: Apache-2.0
// XXH3 through libxxhash, and the lines that the content hash is made of.
#include "engine/hdf5/checksum.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <xxhash.h>

#include <algorithm>
#include <new>

namespace kindred {

void Xxh3::Free::operator()(void* state) const { XXH3_freeState(static_cast<XXH3_state_t*>(state)); }

Xxh3::Xxh3() : state_(XXH3_createState()) {
  if (!state_) throw std::bad_alloc();
  XXH3_64bits_reset(static_cast<XXH3_state_t*>(state_.get()));
}

void Xxh3::update(std::span<const std::byte> bytes) {
  XXH3_64bits_update(static_cast<XXH3_state_t*>(state_.get()), bytes.data(), bytes.size());
}

std::string Xxh3::hex() const {
  return fmt::format("{:016x}", XXH3_64bits_digest(static_cast<const XXH3_state_t*>(state_.get())));
}

std::string xxh3_hex(std::string_view bytes) { return fmt::format("{:016x}", XXH3_64bits(bytes.data(), bytes.size())); }

void ContentHash::add(std::string_view path, std::string_view type, std::span<const int64_t> extents,
                      std::string_view xxh3) {
  lines_.push_back(fmt::format("{} {} {} {}\n", path, type, fmt::join(extents, "x"), xxh3));
}

std::string ContentHash::hex() const {
  std::vector<std::string_view> sorted(lines_.begin(), lines_.end());
  std::sort(sorted.begin(), sorted.end());
  return xxh3_hex(fmt::format("{}", fmt::join(sorted, "")));
}

}  // namespace kindred
