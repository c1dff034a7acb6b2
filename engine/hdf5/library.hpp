// SPDX-License-Identifier: Apache-2.0
// What the sources of this folder share: the library's lock, handles that close themselves, its last error, and the
// file driver through which it reads and writes. The only header that includes hdf5.h.
#pragma once
#include <hdf5.h>

#include <filesystem>
#include <mutex>
#include <string>
#include <utility>

#include "engine/hdf5/hdf5.hpp"

namespace kindred::hdf5 {

/// Starts the library at its first call (its own messages silenced) and holds its lock.
std::unique_lock<std::recursive_mutex> lock_library();

/// An identifier that is closed by `close`.
class Handle {
 public:
  Handle() = default;
  Handle(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {}
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(close_, other.close_);
    return *this;
  }
  ~Handle() {
    if (id_ < 0) return;
    const auto lock = lock_library();
    close_(id_);
  }
  hid_t get() const { return id_; }
  bool valid() const { return id_ >= 0; }
  hid_t release() { return std::exchange(id_, -1); }

 private:
  hid_t id_ = -1;
  herr_t (*close_)(hid_t) = nullptr;
};

/// What the library said last, innermost first cause: "wrong fixed array header checksum".
std::string last_error();

/// A file below HDF5. The first write that fails is kept in `error` and ends all writing, while HDF5 goes on as if
/// nothing had happened: its own ways out of a full disk are not to be relied on.
struct DriverFile {
  std::filesystem::path path;
  int fd = -1;
  uint64_t size = 0;
  bool writable = false;
  int error = 0;  ///< errno of the first write that failed
};

/// File access through `file`, which must outlive what is opened with it.
Handle access_through(DriverFile& file);

/// The library's type of a form's elements.
Handle memory_type(Type type, int64_t item_bytes);

constexpr int64_t kChunkBytes = 1 << 20;

}  // namespace kindred::hdf5
