// SPDX-License-Identifier: Apache-2.0
// The checksums of the model file: XXH3 of a dataset's bytes, and the content hash over all that counts.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kindred {

/// XXH3 with 64 bits over bytes that come in pieces.
class Xxh3 {
 public:
  Xxh3();
  void update(std::span<const std::byte> bytes);
  /// 16 hex digits, the most significant first, as `xxhsum -H3` prints them.
  std::string hex() const;

 private:
  struct Free {
    void operator()(void* state) const;
  };
  std::unique_ptr<void, Free> state_;
};

std::string xxh3_hex(std::string_view bytes);

/// One hash of many objects: the XXH3 of one line "PATH TYPE EXTENTS XXH3" an object, sorted by bytes, so that neither
/// order nor storage matters. docs/model-file.md defines it for readers in other languages.
class ContentHash {
 public:
  /// `type` as NumPy writes it ("<f4", "|S12"); an attribute's path is "OBJECT@NAME".
  void add(std::string_view path, std::string_view type, std::span<const int64_t> extents, std::string_view xxh3);
  std::string hex() const;

 private:
  std::vector<std::string> lines_;
};

}  // namespace kindred
