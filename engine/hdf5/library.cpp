// SPDX-License-Identifier: Apache-2.0
// The library's start, lock, error text and our file driver.
#include "engine/hdf5/library.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "engine/core/file.hpp"

namespace kindred::hdf5 {
namespace {

struct Opened {
  H5FD_t base;  // first: HDF5 sees a pointer to it
  DriverFile* file;
  haddr_t end_of_addresses = 0;
};
Opened& opened(H5FD_t* base) { return *reinterpret_cast<Opened*>(base); }
const Opened& opened(const H5FD_t* base) { return *reinterpret_cast<const Opened*>(base); }

H5FD_t* driver_open(const char*, unsigned, hid_t access, haddr_t) {
  auto* const* file = static_cast<DriverFile* const*>(H5Pget_driver_info(access));
  return file ? &(new Opened{{}, *file})->base : nullptr;
}

herr_t driver_close(H5FD_t* base) {
  delete &opened(base);
  return 0;
}

herr_t driver_query(const H5FD_t*, unsigned long* flags) {
  *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE |
           H5FD_FEAT_AGGREGATE_SMALLDATA;
  return 0;
}

haddr_t driver_get_eoa(const H5FD_t* base, H5FD_mem_t) { return opened(base).end_of_addresses; }

herr_t driver_set_eoa(H5FD_t* base, H5FD_mem_t, haddr_t address) {
  opened(base).end_of_addresses = address;
  return 0;
}

haddr_t driver_get_eof(const H5FD_t* base, H5FD_mem_t) { return opened(base).file->size; }

herr_t driver_read(H5FD_t* base, H5FD_mem_t, hid_t, haddr_t address, size_t size, void* buffer) {
  const DriverFile& file = *opened(base).file;
  auto* to = static_cast<char*>(buffer);
  while (size > 0) {
    const ssize_t got = pread(file.fd, to, size, static_cast<off_t>(address));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -1;
    if (got == 0) {
      if (!file.writable) return -1;
      std::memset(to, 0, size);  // allocated, not yet written
      return 0;
    }
    to += got;
    address += static_cast<haddr_t>(got);
    size -= static_cast<size_t>(got);
  }
  return 0;
}

herr_t driver_write(H5FD_t* base, H5FD_mem_t, hid_t, haddr_t address, size_t size, const void* buffer) {
  DriverFile& file = *opened(base).file;
  if (!file.writable) return -1;
  if (file.error == 0 && faults().before) file.error = faults().before("write", file.path);
  const auto* from = static_cast<const char*>(buffer);
  while (file.error == 0 && size > 0) {
    const ssize_t put = pwrite(file.fd, from, size, static_cast<off_t>(address));
    if (put < 0) {
      if (errno != EINTR) file.error = errno;
      continue;
    }
    from += put;
    address += static_cast<haddr_t>(put);
    size -= static_cast<size_t>(put);
    file.size = std::max<uint64_t>(file.size, address);
  }
  return 0;
}

herr_t driver_truncate(H5FD_t* base, hid_t, hbool_t) {
  const Opened& self = opened(base);
  DriverFile& file = *self.file;
  if (!file.writable || file.size == self.end_of_addresses) return 0;
  if (file.error == 0 && ftruncate(file.fd, static_cast<off_t>(self.end_of_addresses)) != 0) file.error = errno;
  file.size = self.end_of_addresses;
  return 0;
}

hid_t register_driver() {
  static H5FD_class_t driver = [] {
    H5FD_class_t d{};
    d.name = "kindred";
    d.maxaddr = (static_cast<haddr_t>(1) << 63) - 1;
    d.fc_degree = H5F_CLOSE_STRONG;
    d.fapl_size = sizeof(DriverFile*);
    d.open = driver_open;
    d.close = driver_close;
    d.query = driver_query;
    d.get_eoa = driver_get_eoa;
    d.set_eoa = driver_set_eoa;
    d.get_eof = driver_get_eof;
    d.read = driver_read;
    d.write = driver_write;
    d.truncate = driver_truncate;
    const H5FD_mem_t map[] = H5FD_FLMAP_DICHOTOMY;
    std::copy(std::begin(map), std::end(map), std::begin(d.fl_map));
    return d;
  }();
  return H5FDregister(&driver);
}

hid_t start_library() {
  H5open();
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  return register_driver();
}

hid_t driver_id() {
  static const hid_t id = start_library();
  return id;
}

herr_t keep_description(unsigned, const H5E_error2_t* error, void* text) {
  if (error->desc && *error->desc) *static_cast<std::string*>(text) = error->desc;
  return 0;
}

}  // namespace

std::unique_lock<std::recursive_mutex> lock_library() {
  static std::recursive_mutex mutex;
  std::unique_lock lock(mutex);
  driver_id();
  return lock;
}

std::string version() {
  const auto lock = lock_library();
  unsigned major = 0, minor = 0, release = 0;
  H5get_libversion(&major, &minor, &release);
  return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(release);
}

std::string last_error() {
  std::string text = "no reason given";
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, keep_description, &text);
  H5Eclear2(H5E_DEFAULT);
  return text;
}

Handle access_through(DriverFile& file) {
  Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  const DriverFile* pointer = &file;
  H5Pset_driver(access.get(), driver_id(), &pointer);
  H5Pset_fclose_degree(access.get(), H5F_CLOSE_STRONG);
  // Version 1.10's layout checksums every piece of metadata.
  H5Pset_libver_bounds(access.get(), H5F_LIBVER_V110, H5F_LIBVER_V110);
  return access;
}

Handle memory_type(Type type, int64_t item_bytes) {
  switch (type) {
    case Type::kFloat32:
      return {H5Tcopy(H5T_IEEE_F32LE), H5Tclose};
    case Type::kInt32:
      return {H5Tcopy(H5T_STD_I32LE), H5Tclose};
    case Type::kInt64:
      return {H5Tcopy(H5T_STD_I64LE), H5Tclose};
    case Type::kString:
      break;
  }
  Handle text(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(text.get(), static_cast<size_t>(item_bytes));
  H5Tset_strpad(text.get(), H5T_STR_NULLPAD);
  H5Tset_cset(text.get(), H5T_CSET_UTF8);
  return text;
}

std::string Form::type_name() const {
  switch (type) {
    case Type::kFloat32:
      return "<f4";
    case Type::kInt32:
      return "<i4";
    case Type::kInt64:
      return "<i8";
    case Type::kString:
      break;
  }
  return "|S" + std::to_string(item_bytes);
}

Form floats(std::vector<int64_t> extents) {
  return {.type = Type::kFloat32, .item_bytes = 4, .extents = std::move(extents)};
}
Form int32s(std::vector<int64_t> extents) {
  return {.type = Type::kInt32, .item_bytes = 4, .extents = std::move(extents), .deflate = true};
}
Form int64s(std::vector<int64_t> extents) {
  return {.type = Type::kInt64, .item_bytes = 8, .extents = std::move(extents), .deflate = true};
}
Form strings(int64_t longest, std::vector<int64_t> extents) {
  return {.type = Type::kString,
          .item_bytes = std::max<int64_t>(1, longest),
          .extents = std::move(extents),
          .deflate = true};
}

}  // namespace kindred::hdf5
