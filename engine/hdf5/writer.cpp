// SPDX-License-Identifier: Apache-2.0
// Writing: PendingFile gives the place beside and the rename, our driver the writes, HDF5 the structure between.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "engine/core/error.hpp"
#include "engine/core/file.hpp"
#include "engine/core/log.hpp"
#include "engine/hdf5/chunk_codec.hpp"
#include "engine/hdf5/library.hpp"

namespace kindred::hdf5 {
namespace {

// The most attributes or links that an object keeps in its header: denser storage is never needed.
constexpr unsigned kMostInHeader = 60;

Handle creation(hid_t kind) {
  Handle list(H5Pcreate(kind), H5Pclose);
  H5Pset_obj_track_times(list.get(), false);
  if (kind != H5P_DATASET_CREATE) H5Pset_link_phase_change(list.get(), kMostInHeader, 0);
  H5Pset_attr_phase_change(list.get(), kMostInHeader, 0);
  return list;
}

}  // namespace

struct Writer::Impl {
  std::filesystem::path path;
  PendingFile pending;
  DriverFile driver;
  Handle file;
  ContentHash content;

  explicit Impl(const std::filesystem::path& p) : path(p), pending(p) {}
  ~Impl() {
    if (file.valid() && driver.error == 0) driver.error = ECANCELED;  // not committed: what HDF5 still holds is void
    file = Handle();
    if (driver.fd >= 0) close(driver.fd);
  }

  void check(bool fine) const {
    if (driver.error == ENOSPC || driver.error == EDQUOT)
      throw IoError(fmt::format("{}: disk full after {}; nothing was changed; free some space or write elsewhere",
                                path.string(), format_bytes(static_cast<int64_t>(driver.size))));
    if (driver.error != 0)
      throw IoError(
          fmt::format("{}: cannot write: {}; nothing was changed", path.string(), std::strerror(driver.error)));
    if (!fine) throw IoError(fmt::format("{}: cannot write: HDF5: {}", path.string(), last_error()));
  }
};

Writer::Writer(const std::filesystem::path& path) : impl_(std::make_unique<Impl>(path)) {
  const auto lock = lock_library();
  DriverFile& driver = impl_->driver;
  driver.path = path;
  driver.writable = true;
  driver.fd = open(impl_->pending.beside().c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (driver.fd < 0) driver.error = errno;
  impl_->check(true);
  const Handle access = access_through(driver), list = creation(H5P_FILE_CREATE);
  impl_->file = Handle(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, list.get(), access.get()), H5Fclose);
  impl_->check(impl_->file.valid());
}

Writer::~Writer() = default;

void Writer::group(const std::string& path) {
  const auto lock = lock_library();
  const Handle list = creation(H5P_GROUP_CREATE);
  const Handle made(H5Gcreate2(impl_->file.get(), path.c_str(), H5P_DEFAULT, list.get(), H5P_DEFAULT), H5Gclose);
  impl_->check(made.valid());
}

void Writer::attribute(const std::string& object, const std::string& name, const Attribute& value, bool counts) {
  const auto lock = lock_library();
  Form form;
  std::string bytes;
  if (const auto* text = std::get_if<std::string>(&value)) {
    form = hdf5::strings(static_cast<int64_t>(text->size()), {});
    bytes = *text;
    bytes.resize(static_cast<size_t>(form.item_bytes));
  } else if (const auto* number = std::get_if<float>(&value)) {
    form = floats({});
    bytes.assign(reinterpret_cast<const char*>(number), sizeof *number);
  } else if (const auto* integer = std::get_if<int64_t>(&value)) {
    form = int64s({});
    bytes.assign(reinterpret_cast<const char*>(integer), sizeof *integer);
  } else {
    const auto& list = std::get<std::vector<int64_t>>(value);
    form = int64s({static_cast<int64_t>(list.size())});
    bytes.assign(reinterpret_cast<const char*>(list.data()), list.size() * sizeof(int64_t));
  }
  const auto length = static_cast<hsize_t>(form.rows());
  const Handle type = memory_type(form.type, form.item_bytes);
  const Handle space(form.extents.empty() ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &length, nullptr), H5Sclose);
  const Handle at(H5Oopen(impl_->file.get(), object.c_str(), H5P_DEFAULT), H5Oclose);
  impl_->check(at.valid());
  const Handle made(H5Acreate2(at.get(), name.c_str(), type.get(), space.get(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  impl_->check(made.valid() && H5Awrite(made.get(), type.get(), bytes.data()) >= 0);
  if (counts) impl_->content.add(object + "@" + name, form.type_name(), form.extents, xxh3_hex(bytes));
}

struct Writer::Dataset::Impl {
  Writer& writer;
  std::string path;
  Form form;
  bool counts;
  Handle dataset;
  int64_t chunk_rows = 0;          // 0: not chunked
  int64_t written = 0;             // rows
  std::vector<std::byte> waiting;  // less than a chunk
  std::vector<std::byte> stored;
  Xxh3 hash;
};

Writer::Dataset::Dataset(Writer& writer, const std::string& path, Form form, bool counts)
    : impl_(new Impl{writer, path, std::move(form), counts, {}, 0, 0, {}, {}, {}}) {
  const auto lock = lock_library();
  const Form& f = impl_->form;
  const Handle list = creation(H5P_DATASET_CREATE);
  H5Pset_fill_time(list.get(), H5D_FILL_TIME_NEVER);
  const std::vector<hsize_t> extents(f.extents.begin(), f.extents.end());
  std::vector<hsize_t> most = extents;
  // HDF5 allows no chunks in what holds a single value or nothing.
  if (f.growing || (!f.extents.empty() && f.bytes() > 0)) {
    impl_->chunk_rows = std::max<int64_t>(1, kChunkBytes / std::max<int64_t>(1, f.row_bytes()));
    if (!f.growing) impl_->chunk_rows = std::min(impl_->chunk_rows, f.rows());
    std::vector<hsize_t> chunk = extents;
    chunk[0] = static_cast<hsize_t>(impl_->chunk_rows);
    if (f.growing) most[0] = H5S_UNLIMITED;
    H5Pset_chunk(list.get(), static_cast<int>(chunk.size()), chunk.data());
    if (f.deflate) H5Pset_deflate(list.get(), 1);
    H5Pset_fletcher32(list.get());
  }
  const Handle space(extents.empty() ? H5Screate(H5S_SCALAR)
                                     : H5Screate_simple(static_cast<int>(extents.size()), extents.data(), most.data()),
                     H5Sclose);
  const Handle type = memory_type(f.type, f.item_bytes);
  impl_->dataset = Handle(
      H5Dcreate2(writer.impl_->file.get(), path.c_str(), type.get(), space.get(), H5P_DEFAULT, list.get(), H5P_DEFAULT),
      H5Dclose);
  writer.impl_->check(impl_->dataset.valid());
}

Writer::Dataset::~Dataset() = default;

// One chunk, of whole rows; the last of a dataset is padded with zeros.
void Writer::Dataset::put(std::span<const std::byte> chunk) {
  Impl& d = *impl_;
  const int64_t row_bytes = d.form.row_bytes();
  const auto whole = static_cast<size_t>(d.chunk_rows * row_bytes);
  d.hash.update(chunk);
  const int64_t rows = static_cast<int64_t>(chunk.size()) / row_bytes;
  std::vector<std::byte> padded;
  if (chunk.size() < whole) {
    padded.assign(chunk.begin(), chunk.end());
    padded.resize(whole);
    chunk = padded;
  }
  encode_chunk(chunk, d.form.deflate, d.stored);
  const auto lock = lock_library();
  if (d.form.growing) {
    d.form.extents[0] = d.written + rows;
    const std::vector<hsize_t> extents(d.form.extents.begin(), d.form.extents.end());
    d.writer.impl_->check(H5Dset_extent(d.dataset.get(), extents.data()) >= 0);
  }
  const hsize_t at[2] = {static_cast<hsize_t>(d.written), 0};
  d.writer.impl_->check(H5Dwrite_chunk(d.dataset.get(), H5P_DEFAULT, 0, at, d.stored.size(), d.stored.data()) >= 0);
  d.written += rows;
}

void Writer::Dataset::append(std::span<const std::byte> rows) {
  Impl& d = *impl_;
  const auto whole = d.chunk_rows == 0 ? SIZE_MAX : static_cast<size_t>(d.chunk_rows * d.form.row_bytes());
  while (!rows.empty()) {
    if (d.waiting.empty() && rows.size() >= whole) {
      put(rows.first(whole));
      rows = rows.subspan(whole);
      continue;
    }
    const size_t count = std::min(whole - d.waiting.size(), rows.size());
    d.waiting.insert(d.waiting.end(), rows.begin(), rows.begin() + static_cast<ptrdiff_t>(count));
    rows = rows.subspan(count);
    if (d.waiting.size() == whole) {
      put(d.waiting);
      d.waiting.clear();
    }
  }
}

void Writer::Dataset::finish() {
  Impl& d = *impl_;
  if (d.chunk_rows > 0) {
    if (!d.waiting.empty()) put(d.waiting);
  } else if (d.form.bytes() > 0) {
    d.waiting.resize(static_cast<size_t>(d.form.bytes()));  // an empty text takes one byte
    const auto lock = lock_library();
    const Handle type = memory_type(d.form.type, d.form.item_bytes);
    d.hash.update(d.waiting);
    d.writer.impl_->check(H5Dwrite(d.dataset.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, d.waiting.data()) >= 0);
  }
  const std::string hex = d.hash.hex();
  d.writer.attribute(d.path, "xxh3_64", hex, false);
  if (d.counts) d.writer.impl_->content.add(d.path, d.form.type_name(), d.form.extents, hex);
}

void Writer::dataset(const std::string& path, const Form& form, std::span<const std::byte> rows, bool counts) {
  Dataset set(*this, path, form, counts);
  set.append(rows);
  set.finish();
}

void Writer::text(const std::string& path, const std::string& text, bool counts) {
  dataset(path, hdf5::strings(static_cast<int64_t>(text.size()), {}), std::as_bytes(std::span<const char>(text)),
          counts);
}

void Writer::strings(const std::string& path, int64_t count, const std::function<std::string_view(int64_t)>& text) {
  int64_t longest = 0;
  for (int64_t r = 0; r < count; ++r) {
    const std::string_view s = text(r);
    longest = std::max<int64_t>(longest, static_cast<int64_t>(s.size()));
    if (s.ends_with('\0'))
      throw InputError(fmt::format("{}: '{}' ends in a zero byte, which an HDF5 file cannot hold", path, printable(s)));
  }
  const Form form = hdf5::strings(longest, {count});
  Dataset dataset(*this, path, form, true);
  std::string block;
  for (int64_t r = 0; r < count; ++r) {
    const std::string_view s = text(r);
    block.append(s).append(static_cast<size_t>(form.item_bytes) - s.size(), '\0');
    if (block.size() >= kChunkBytes || r + 1 == count) {
      dataset.append(std::span<const char>(block));
      block.clear();
    }
  }
  dataset.finish();
}

void Writer::ids(const std::string& path, const Ids& ids) {
  if (ids.integer())
    dataset(path, int64s({ids.size()}), std::as_bytes(ids.values()));
  else
    strings(path, ids.size(), [&](int64_t r) { return ids.string(r); });
}

std::string Writer::commit() {
  const std::string hash = impl_->content.hex();
  attribute("/", "content_hash", hash, false);
  {
    const auto lock = lock_library();
    const bool closed = H5Fclose(impl_->file.release()) >= 0;  // writes what HDF5 still holds
    impl_->check(closed);
  }
  impl_->pending.commit();
  return hash;
}

}  // namespace kindred::hdf5
