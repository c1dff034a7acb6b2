// SPDX-License-Identifier: Apache-2.0
#include "engine/core/file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "engine/core/error.hpp"

namespace kindred {
namespace {

constexpr size_t kBufferBytes = 1 << 20;

[[noreturn]] void fail(const std::filesystem::path& path, const char* what, int error) {
  std::string advice;
  if (error == ENOSPC || error == EDQUOT || error == EFBIG) advice = "; free some space or write elsewhere";
  if (error == EACCES || error == EROFS || error == EPERM) advice = "; choose a folder that may be written to";
  throw IoError(path.string() + ": cannot " + what + ": " + std::strerror(error) + advice);
}

[[noreturn]] void fail_reading(const std::filesystem::path& path, int error) {
  std::string found = error == EISDIR ? "is a folder" : std::strerror(error);
  throw InputError(path.string() + ": cannot read: " + found + "; expected a file");
}

/// 0, or the errno that a test wants this call to fail with.
int injected(std::string_view call, const std::filesystem::path& path) {
  return faults().before ? faults().before(call, path) : 0;
}

int open_for_reading(const std::filesystem::path& path, struct stat& status) {
  const int fd = path == "-" ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0) : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) fail_reading(path, errno);
  if (::fstat(fd, &status) != 0 || S_ISDIR(status.st_mode)) {
    const int error = S_ISDIR(status.st_mode) ? EISDIR : errno;
    ::close(fd);
    fail_reading(path, error);
  }
  return fd;
}

void sync_folder(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) fail(path, "sync", errno);
  const int error = ::fsync(fd) != 0 ? errno : 0;
  ::close(fd);
  if (error != 0 && error != EINVAL) fail(path, "sync", error);  // EINVAL: a file system that has no sync for folders
}

}  // namespace

Faults& faults() {
  static Faults instance;
  return instance;
}

PendingFile::PendingFile(std::filesystem::path path) : path_(std::move(path)) {
  if (std::filesystem::is_directory(path_)) fail(path_, "write", EISDIR);
  beside_ = path_;
  beside_ += ".part" + std::to_string(::getpid());
  if (const int error = injected("open", path_)) fail(path_, "create", error);
  fd_ = ::open(beside_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd_ < 0) fail(path_, "create", errno);
}

PendingFile::~PendingFile() {
  if (fd_ >= 0) ::close(fd_);
  if (!committed_) ::unlink(beside_.c_str());
}

void PendingFile::write(std::string_view bytes) {
  buffer_.append(bytes);
  if (buffer_.size() >= kBufferBytes) flush();
}

void PendingFile::flush() {
  for (std::string_view rest = buffer_; !rest.empty();) {
    if (const int error = injected("write", path_)) fail(path_, "write", error);
    const ssize_t written = ::write(fd_, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail(path_, "write", errno);
    rest.remove_prefix(static_cast<size_t>(written));
  }
  buffer_.clear();
}

void PendingFile::commit() {
  flush();
  if (const int error = injected("sync", path_)) fail(path_, "sync", error);
  if (::fsync(fd_) != 0) fail(path_, "sync", errno);
  if (::close(std::exchange(fd_, -1)) != 0) fail(path_, "close", errno);
  if (const int error = injected("rename", path_)) fail(path_, "rename", error);
  if (::rename(beside_.c_str(), path_.c_str()) != 0) fail(path_, "rename", errno);
  committed_ = true;
  const auto folder = path_.parent_path();
  sync_folder(folder.empty() ? "." : folder);
}

void write_file(const std::filesystem::path& path, std::string_view content) {
  PendingFile file(path);
  file.write(content);
  file.commit();
}

int open_to_read(const std::filesystem::path& path) {
  struct stat status {};
  return open_for_reading(path, status);
}

std::string read_file(const std::filesystem::path& path) {
  struct stat status {};
  const int fd = open_for_reading(path, status);
  std::string content(static_cast<size_t>(status.st_size > 0 ? status.st_size : 0), '\0');
  size_t size = 0;
  for (;;) {
    if (size == content.size()) content.resize(size + 4096);  // pipes and growing files
    const ssize_t got = ::read(fd, content.data() + size, content.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      const int error = errno;
      ::close(fd);
      fail_reading(path, error);
    }
    if (got == 0) break;
    size += static_cast<size_t>(got);
  }
  ::close(fd);
  content.resize(size);
  return content;
}

MappedFile::MappedFile(const std::filesystem::path& path) {
  struct stat status {};
  const int fd = open_for_reading(path, status);
  size_ = static_cast<size_t>(status.st_size);
  if (size_ > 0) {
    void* data = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd, 0);
    const int error = errno;
    ::close(fd);
    if (data == MAP_FAILED) fail_reading(path, error);
    ::madvise(data, size_, MADV_SEQUENTIAL);
    data_ = static_cast<const char*>(data);
  } else {
    ::close(fd);
  }
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<char*>(data_), size_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

}  // namespace kindred
