// SPDX-License-Identifier: Apache-2.0
// Reading, with distrust: the superblock is checked before HDF5 sees the file, every object before its bytes are read,
// and chunks are unpacked by our own code into memory of known size.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "engine/core/error.hpp"
#include "engine/core/log.hpp"
#include "engine/hdf5/chunk_codec.hpp"
#include "engine/hdf5/library.hpp"

namespace kindred::hdf5 {
namespace {

constexpr int64_t kMostChunkBytes = 64 << 20;
constexpr int64_t kMostColumns = 1 << 24;
constexpr hsize_t kMostAttributes = 64;
constexpr int64_t kMostTextBytes = 64 << 10;  // of an attribute
constexpr int64_t kMostNumbers = 64;          // of an attribute
constexpr int64_t kMostStringBytes = 64 << 20;
constexpr int64_t kDeflateRatio = 1040;  // deflate packs at most 1032 to 1

std::string parent_of(const std::string& path) { return path.substr(0, std::max<size_t>(1, path.rfind('/'))); }

std::string damage() { return "damaged: HDF5: " + last_error(); }

template <class T>
T little_endian(const unsigned char* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

/// Type and size of elements, where they are of the four types.
std::optional<Form> element_form(hid_t type) {
  Form form;
  const size_t size = H5Tget_size(type);
  switch (H5Tget_class(type)) {
    case H5T_FLOAT:
      form.type = Type::kFloat32;
      break;
    case H5T_INTEGER:
      form.type = size == 4 ? Type::kInt32 : Type::kInt64;
      break;
    case H5T_STRING:
      if (H5Tis_variable_str(type) > 0) return std::nullopt;
      form.type = Type::kString;
      break;
    default:
      return std::nullopt;
  }
  form.item_bytes = static_cast<int64_t>(size);
  if (size == 0 || form.item_bytes > kMostStringBytes) return std::nullopt;
  const Handle expected = memory_type(form.type, form.item_bytes);
  if (H5Tequal(type, expected.get()) <= 0) return std::nullopt;
  return form;
}

/// Extents of a scalar or a simple space of at most two dimensions.
bool read_extents(hid_t space, std::vector<int64_t>& extents) {
  const H5S_class_t kind = H5Sget_simple_extent_type(space);
  if (kind == H5S_SCALAR) return true;
  const int rank = kind == H5S_SIMPLE ? H5Sget_simple_extent_ndims(space) : 0;
  if (rank < 1 || rank > 2) return false;
  hsize_t found[2];
  if (H5Sget_simple_extent_dims(space, found, nullptr) < 0) return false;
  for (int i = 0; i < rank; ++i) {
    if (found[i] > static_cast<hsize_t>(1) << 48) return false;
    extents.push_back(static_cast<int64_t>(found[i]));
  }
  return true;
}

}  // namespace

struct Reader::Impl {
  DriverFile driver;
  Handle file;

  ~Impl() {
    const auto lock = lock_library();
    file = Handle();
    if (driver.fd >= 0) close(driver.fd);
  }
};

void Reader::fail(const std::string& object, const std::string& problem) const {
  throw InputError(object.empty() ? fmt::format("{}: {}", path_.string(), problem)
                                  : fmt::format("{}: {}: {}", path_.string(), object, problem));
}

Reader::Reader(const std::filesystem::path& path) : impl_(std::make_unique<Impl>()), path_(path) {
  DriverFile& driver = impl_->driver;
  driver.path = path;
  driver.fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (driver.fd < 0) fail("", fmt::format("cannot read: {}", std::strerror(errno)));
  struct stat status {};
  if (fstat(driver.fd, &status) != 0 || !S_ISREG(status.st_mode)) fail("", "not a file");
  driver.size = static_cast<uint64_t>(status.st_size);
  file_bytes_ = status.st_size;

  // The superblock of versions 2 and 3: signature, version, size of offsets and lengths, flags, four addresses,
  // checksum.
  constexpr unsigned char kSignature[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
  unsigned char head[48] = {};
  const ssize_t got = pread(driver.fd, head, sizeof head, 0);
  if (got < 8 || std::memcmp(head, kSignature, 8) != 0) fail("", "not an HDF5 file; expected a model file");
  if (got < static_cast<ssize_t>(sizeof head)) fail("", "truncated: the file ends within its first 48 bytes");
  if (head[8] != 2 && head[8] != 3)
    fail("", fmt::format("superblock version {}; expected 3, as HDF5 1.10 and later write it", head[8]));
  const auto base = little_endian<uint64_t>(head + 12), extension = little_endian<uint64_t>(head + 20),
             end = little_endian<uint64_t>(head + 28), root = little_endian<uint64_t>(head + 36);
  if (head[9] != 8 || head[10] != 8 || head[11] != 0 || base != 0 || extension != UINT64_MAX || root >= end)
    fail("", "the HDF5 superblock is not one that Kindred writes; the file is damaged or from another program");
  if (end > driver.size)
    fail("", fmt::format("truncated: {} of {} are there; copy or export it again", format_bytes(file_bytes_),
                         format_bytes(static_cast<int64_t>(std::min<uint64_t>(end, INT64_MAX)))));
  if (end < driver.size)
    fail("", fmt::format("{} bytes follow the end of the HDF5 file; copy or export it again", driver.size - end));

  const auto lock = lock_library();
  const Handle access = access_through(driver);
  impl_->file = Handle(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.get()), H5Fclose);
  if (!impl_->file.valid()) fail("", damage());
  const std::string root_path = "/";
  inspect({&root_path, 1});
}

Reader::~Reader() = default;

// A dataset's form, where it lies as Writer would have laid it.
Reader::Object Reader::inspect_dataset(const std::string& path, int64_t id) const {
  const Handle type(H5Dget_type(id), H5Tclose), space(H5Dget_space(id), H5Sclose),
      list(H5Dget_create_plist(id), H5Pclose);
  if (!type.valid() || !space.valid() || !list.valid()) fail(path, damage());
  Object object;
  object.form = element_form(type.get());
  if (!object.form || H5Tcommitted(type.get()) != 0)
    fail(path, "its elements are of another type than float32, int32, int64 or fixed-length UTF-8 text");
  Form& form = *object.form;
  if (!read_extents(space.get(), form.extents)) fail(path, "it has more than two dimensions");
  if ((form.extents.size() == 2 && form.extents[1] > kMostColumns) ||
      form.rows() > INT64_MAX / 2 / std::max<int64_t>(1, form.row_bytes()))
    fail(path, "its extents exceed any file");
  const H5D_layout_t layout = H5Pget_layout(list.get());
  if (H5Pget_external_count(list.get()) != 0 || (layout != H5D_CHUNKED && layout != H5D_CONTIGUOUS))
    fail(path, "its bytes lie elsewhere (external or virtual); a model file holds them itself");
  const int filters = H5Pget_nfilters(list.get());
  for (int i = 0; i < filters; ++i) {
    unsigned flags = 0;
    size_t values = 0;
    const H5Z_filter_t filter =
        H5Pget_filter2(list.get(), static_cast<unsigned>(i), &flags, &values, nullptr, 0, nullptr, nullptr);
    if (filter != (i + 1 < filters ? H5Z_FILTER_DEFLATE : H5Z_FILTER_FLETCHER32))
      fail(path, fmt::format("HDF5 filter {}; a model file uses deflate, then Fletcher-32, and no other", filter));
  }
  if (layout == H5D_CHUNKED) {
    hsize_t chunk[2] = {};
    const int rank = H5Pget_chunk(list.get(), 2, chunk);
    if (rank != static_cast<int>(form.extents.size()) || chunk[0] == 0 || chunk[0] > INT32_MAX ||
        (rank == 2 && chunk[1] != static_cast<hsize_t>(form.extents[1])))
      fail(path, "its chunks are not of whole rows");
    object.chunk_rows = static_cast<int64_t>(chunk[0]);
    if (object.chunk_rows * form.row_bytes() > kMostChunkBytes) fail(path, "its chunks are larger than 64 MiB");
    if (filters < 1 || filters > 2) fail(path, "its filters are not: deflate or none, then Fletcher-32");
    form.deflate = filters == 2;
  } else if (filters != 0 || (!form.extents.empty() && form.bytes() > 0)) {
    fail(path, "it is not chunked");
  }
  const auto stored = static_cast<int64_t>(H5Dget_storage_size(id));
  if (stored > file_bytes_ || form.bytes() / (form.deflate ? kDeflateRatio : 1) > stored)
    fail(path, fmt::format("its extents need {}, the file holds {} for it", format_bytes(form.bytes()),
                           format_bytes(stored)));
  return object;
}

// Text, numbers or lists of int64; others are left alone.
void Reader::inspect_attribute(const std::string& path, int64_t id, Object& object) {
  char name[256] = {};
  const Handle type(H5Aget_type(id), H5Tclose), space(H5Aget_space(id), H5Sclose);
  if (H5Aget_name(id, sizeof name, name) < 0 || !type.valid() || !space.valid()) fail(path, damage());
  const std::optional<Form> element = element_form(type.get());
  std::vector<int64_t> extents;
  if (!element || !read_extents(space.get(), extents) || extents.size() > 1 || element->type == Type::kInt32 ||
      element->item_bytes > kMostTextBytes ||
      (!extents.empty() && (element->type != Type::kInt64 || extents[0] > kMostNumbers))) {
    unknown_ = true;
    return;
  }
  std::vector<int64_t> numbers(extents.empty() ? 1 : static_cast<size_t>(extents[0]));
  std::string text(static_cast<size_t>(element->item_bytes), '\0');
  void* to = element->type == Type::kString ? static_cast<void*>(text.data()) : numbers.data();
  if (H5Aread(id, type.get(), to) < 0) fail(path, damage());
  Attribute& value = object.attributes[name];
  if (element->type == Type::kString) {
    text.resize(text.find_last_not_of('\0') + 1);
    value = std::move(text);
  } else if (element->type == Type::kFloat32) {
    value = little_endian<float>(reinterpret_cast<const unsigned char*>(numbers.data()));
  } else if (extents.empty()) {
    value = numbers[0];
  } else {
    value = std::move(numbers);
  }
}

void Reader::inspect(std::span<const std::string> paths) {
  const auto lock = lock_library();
  const hid_t file = impl_->file.get();
  for (const std::string& path : paths) {
    if (path != "/") {
      const auto above = objects_.find(parent_of(path));
      if (above == objects_.end() || above->second.form) continue;
      const htri_t there = H5Lexists(file, path.c_str(), H5P_DEFAULT);
      if (there < 0) fail(path, damage());
      if (there == 0) continue;
      H5L_info_t link;
      if (H5Lget_info(file, path.c_str(), &link, H5P_DEFAULT) < 0) fail(path, damage());
      if (link.type != H5L_TYPE_HARD) fail(path, "is a link to elsewhere; a model file holds its objects itself");
    }
    const Handle at(H5Oopen(file, path.c_str(), H5P_DEFAULT), H5Oclose);
    H5O_info_t info;
    if (!at.valid() || H5Oget_info2(at.get(), &info, H5O_INFO_BASIC | H5O_INFO_NUM_ATTRS) < 0) fail(path, damage());
    if (info.type != H5O_TYPE_DATASET && info.type != H5O_TYPE_GROUP) fail(path, "neither a group nor a dataset");
    Object object = info.type == H5O_TYPE_DATASET ? inspect_dataset(path, at.get()) : Object();
    if (info.num_attrs > kMostAttributes) fail(path, "it has too many attributes");
    for (hsize_t i = 0; i < info.num_attrs; ++i) {
      const Handle attribute(H5Aopen_by_idx(at.get(), ".", H5_INDEX_NAME, H5_ITER_INC, i, H5P_DEFAULT, H5P_DEFAULT),
                             H5Aclose);
      if (!attribute.valid()) fail(path, damage());
      inspect_attribute(path, attribute.get(), object);
    }
    objects_[path] = std::move(object);
  }
}

// Whether the file holds objects or attributes that were not inspected.
bool Reader::holds_unknown() const {
  if (unknown_) return true;
  std::map<std::string, uint64_t> children;
  for (const auto& [path, object] : objects_)
    if (path != "/") ++children[parent_of(path)];
  const auto lock = lock_library();
  for (const auto& [path, object] : objects_) {
    if (object.form) continue;
    H5G_info_t info;
    if (H5Gget_info_by_name(impl_->file.get(), path.c_str(), &info, H5P_DEFAULT) < 0) fail(path, damage());
    if (info.nlinks > children[path]) return true;
  }
  return false;
}

void Reader::check_content(const std::function<bool(const std::string&)>& counts,
                           const std::function<bool(const std::string&)>& root_attribute_counts) const {
  if (holds_unknown()) return;
  ContentHash content;
  for (const auto& [path, object] : objects_) {
    if (!counts(path)) continue;
    for (const auto& [name, value] : object.attributes) {
      if (name == "xxh3_64" || (path == "/" && !root_attribute_counts(name))) continue;
      const std::string at = path + "@" + name;
      if (const auto* text = std::get_if<std::string>(&value)) {
        content.add(at, strings(static_cast<int64_t>(text->size()), {}).type_name(), {}, xxh3_hex(*text));
      } else if (const auto* number = std::get_if<float>(&value)) {
        content.add(at, "<f4", {}, xxh3_hex({reinterpret_cast<const char*>(number), sizeof *number}));
      } else if (const auto* integer = std::get_if<int64_t>(&value)) {
        content.add(at, "<i8", {}, xxh3_hex({reinterpret_cast<const char*>(integer), sizeof *integer}));
      } else {
        const auto& list = std::get<std::vector<int64_t>>(value);
        content.add(at, "<i8", std::vector<int64_t>{static_cast<int64_t>(list.size())},
                    xxh3_hex({reinterpret_cast<const char*>(list.data()), list.size() * sizeof(int64_t)}));
      }
    }
    if (object.form) content.add(path, object.form->type_name(), object.form->extents, text(path, "xxh3_64"));
  }
  if (content.hex() != text("/", "content_hash"))
    fail("", fmt::format("damaged: content_hash is {}, its content has {}", printable(text("/", "content_hash")),
                         content.hex()));
}

const Form& Reader::form(const std::string& path) const {
  const auto object = objects_.find(path);
  if (object == objects_.end()) fail(path, "missing");
  if (!object->second.form) fail(path, "a group; expected a dataset");
  return *object->second.form;
}

const Attribute& Reader::attribute(const std::string& object, const std::string& name) const {
  const auto found = objects_.find(object);
  if (found == objects_.end()) fail(object, "missing");
  const auto value = found->second.attributes.find(name);
  if (value == found->second.attributes.end()) fail(object, fmt::format("attribute {} is missing", name));
  return value->second;
}

bool Reader::has_attribute(const std::string& object, const std::string& name) const {
  const auto found = objects_.find(object);
  return found != objects_.end() && found->second.attributes.contains(name);
}

std::string Reader::text(const std::string& object, const std::string& name) const {
  const auto* value = std::get_if<std::string>(&attribute(object, name));
  if (value == nullptr) fail(object, fmt::format("attribute {} is not text", name));
  return *value;
}

int64_t Reader::integer(const std::string& object, const std::string& name) const {
  const auto* value = std::get_if<int64_t>(&attribute(object, name));
  if (value == nullptr) fail(object, fmt::format("attribute {} is not an int64", name));
  return *value;
}

float Reader::number(const std::string& object, const std::string& name) const {
  const auto* value = std::get_if<float>(&attribute(object, name));
  if (value == nullptr) fail(object, fmt::format("attribute {} is not a float32", name));
  return *value;
}

std::vector<int64_t> Reader::integers(const std::string& object, const std::string& name) const {
  const auto* value = std::get_if<std::vector<int64_t>>(&attribute(object, name));
  if (value == nullptr) fail(object, fmt::format("attribute {} is not a list of int64", name));
  return *value;
}

// Those rows of [begin, end) that chunks hold, chunk by chunk.
void Reader::chunks(const std::string& path, int64_t begin, int64_t end, const Take& take) const {
  const Form& f = form(path);
  const int64_t chunk_rows = objects_.at(path).chunk_rows, row_bytes = f.row_bytes();
  if (begin >= end || row_bytes == 0) return;
  std::unique_lock lock = lock_library();
  const Handle dataset(H5Dopen2(impl_->file.get(), path.c_str(), H5P_DEFAULT), H5Dclose);
  if (!dataset.valid()) fail(path, damage());
  std::vector<std::byte> stored, scratch;
  if (chunk_rows == 0) {
    stored.resize(static_cast<size_t>(f.bytes()));
    const Handle type = memory_type(f.type, f.item_bytes);
    if (H5Dread(dataset.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, stored.data()) < 0) fail(path, damage());
    lock.unlock();
    take(begin, std::span(stored).subspan(static_cast<size_t>(begin * row_bytes),
                                          static_cast<size_t>((end - begin) * row_bytes)));
    return;
  }
  const int64_t chunk_bytes = chunk_rows * row_bytes;
  for (int64_t first = begin / chunk_rows * chunk_rows; first < end; first += chunk_rows) {
    const hsize_t at[2] = {static_cast<hsize_t>(first), 0};
    hsize_t size = 0;
    uint32_t skipped = 0;
    if (H5Dget_chunk_storage_size(dataset.get(), at, &size) < 0 || size == 0 ||
        size > static_cast<hsize_t>(max_stored_bytes(chunk_bytes, f.deflate)))
      fail(path, fmt::format("damaged: the chunk of row {} is missing or has the wrong size", first));
    stored.resize(size);
    if (H5Dread_chunk(dataset.get(), H5P_DEFAULT, at, &skipped, stored.data()) < 0 || skipped != 0)
      fail(path, fmt::format("damaged: the chunk of row {} cannot be read: HDF5: {}", first, last_error()));
    lock.unlock();
    const std::span<const std::byte> raw = decode_chunk(stored, f.deflate, static_cast<size_t>(chunk_bytes), scratch);
    if (raw.empty()) fail(path, fmt::format("damaged: the checksum of the chunk of row {} is wrong", first));
    const int64_t from = std::max(first, begin), to = std::min(first + chunk_rows, end);
    take(from,
         raw.subspan(static_cast<size_t>((from - first) * row_bytes), static_cast<size_t>((to - from) * row_bytes)));
    lock.lock();
  }
}

void Reader::read(const std::string& path, const Take& take) const {
  Xxh3 hash;
  chunks(path, 0, form(path).rows(), [&](int64_t first, std::span<const std::byte> rows) {
    hash.update(rows);
    take(first, rows);
  });
  if (hash.hex() != text(path, "xxh3_64")) fail(path, "damaged: its bytes do not have the xxh3_64 noted for them");
}

std::string Reader::scalar_text(const std::string& path) const {
  if (form(path).type != Type::kString || !form(path).extents.empty()) fail(path, "not a single text");
  std::string text;
  read(path, [&](int64_t, std::span<const std::byte> bytes) {
    text.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  });
  text.resize(text.find_last_not_of('\0') + 1);
  return text;
}

void Reader::read_rows(const std::string& path, int64_t begin, int64_t count, const Take& take) const {
  chunks(path, begin, begin + count, take);
}

}  // namespace kindred::hdf5
