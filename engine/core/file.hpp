// SPDX-License-Identifier: Apache-2.0
// All writing goes through here: a file is written beside its place, synced and renamed, so that its name holds either
// the old content or the new one, whole. Tests make a chosen write fail through `Faults`.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace kindred {

/// The seam for tests: called before each system call that writes ("open", "write", "sync", "rename") with the path;
/// a non-zero return is the errno it fails with.
struct Faults {
  std::function<int(std::string_view call, const std::filesystem::path&)> before;
};
Faults& faults();

/// A file being written. `path` appears, complete, at commit(); without it nothing of the file is left.
/// Throws IoError naming path, system error and bytes ("disk full: needs 1.2 GiB more …").
class PendingFile {
 public:
  explicit PendingFile(std::filesystem::path path);
  ~PendingFile();
  PendingFile(const PendingFile&) = delete;
  PendingFile& operator=(const PendingFile&) = delete;

  void write(std::string_view bytes);
  /// Flushes, syncs, renames, syncs the folder.
  void commit();
  /// Where the bytes are until commit; for libraries that write by themselves (HDF5): they open this file, then
  /// commit().
  const std::filesystem::path& beside() const { return beside_; }

 private:
  void flush();
  std::filesystem::path path_, beside_;
  std::string buffer_;
  int fd_ = -1;
  bool committed_ = false;
};

/// Writes a small file whole, atomically.
void write_file(const std::filesystem::path& path, std::string_view content);

/// A descriptor of a file to read, for the caller to close; of standard input where `path` is "-". InputError as
/// read_file.
int open_to_read(const std::filesystem::path& path);

/// The whole content. InputError where it cannot be read (missing, a folder, no permission).
std::string read_file(const std::filesystem::path& path);

/// A read-only memory map; empty files map to an empty view. InputError as read_file.
class MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&&) = delete;
  std::string_view view() const { return {data_, size_}; }

 private:
  const char* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace kindred
