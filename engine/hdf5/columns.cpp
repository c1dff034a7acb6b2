// SPDX-License-Identifier: Apache-2.0
#include "engine/hdf5/columns.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <map>

#include "engine/core/error.hpp"
#include "engine/core/file.hpp"
#include "engine/hdf5/library.hpp"

namespace kindred::hdf5 {
namespace {

herr_t collect_name(hid_t, const char* name, const H5L_info_t* link, void* names) {
  if (link->type == H5L_TYPE_HARD) static_cast<std::vector<std::string>*>(names)->push_back(name);
  return 0;
}

}  // namespace

struct ColumnFile::Impl {
  struct Opened {
    Handle dataset;
    Column column;
    bool is_unsigned = false;  // with 64 bits
    size_t text_bytes = 0;     // 0: of variable length
    H5T_cset_t characters = H5T_CSET_UTF8;
  };
  DriverFile driver;
  Handle file;
  std::map<std::string, Opened> columns;

  ~Impl() {
    const auto lock = lock_library();
    columns.clear();
    file = Handle();
    if (driver.fd >= 0) close(driver.fd);
  }

  /// Reads `count` values as `type`, from row `begin` on.
  bool read(const Opened& opened, int64_t begin, size_t count, hid_t type, void* to) const {
    const auto cols = static_cast<hsize_t>(opened.column.cols);
    const hsize_t start[] = {static_cast<hsize_t>(begin), 0}, size[] = {count / cols, cols}, all = count;
    const Handle space(H5Dget_space(opened.dataset.get()), H5Sclose),
        memory(H5Screate_simple(1, &all, nullptr), H5Sclose);
    return H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, start, nullptr, size, nullptr) >= 0 &&
           H5Dread(opened.dataset.get(), type, memory.get(), space.get(), H5P_DEFAULT, to) >= 0;
  }
};

void ColumnFile::fail(const std::string& name, const std::string& problem) const {
  throw InputError(name.empty() ? fmt::format("{}: {}", path_.string(), problem)
                                : fmt::format("{}: {}: {}", path_.string(), name, problem));
}

ColumnFile::ColumnFile(const std::filesystem::path& path) : impl_(std::make_unique<Impl>()), path_(path) {
  DriverFile& driver = impl_->driver;
  driver.path = path;
  driver.fd = open_to_read(path);
  struct stat status {};
  if (fstat(driver.fd, &status) != 0 || !S_ISREG(status.st_mode))
    fail("", "not a file that can be read in parts; save it before");
  driver.size = static_cast<uint64_t>(status.st_size);
  const auto lock = lock_library();
  const Handle access = access_through(driver);
  impl_->file = Handle(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.get()), H5Fclose);
  if (!impl_->file.valid()) fail("", fmt::format("not an HDF5 file, or damaged: {}", last_error()));
  std::vector<std::string> links;
  if (H5Literate(impl_->file.get(), H5_INDEX_NAME, H5_ITER_INC, nullptr, collect_name, &links) < 0)
    fail("", fmt::format("damaged: {}", last_error()));
  for (std::string& name : links) {
    H5O_info_t info;
    if (H5Oget_info_by_name2(impl_->file.get(), name.c_str(), &info, H5O_INFO_BASIC, H5P_DEFAULT) >= 0 &&
        info.type == H5O_TYPE_DATASET)
      names_.push_back(std::move(name));
  }
}

ColumnFile::~ColumnFile() = default;

ColumnFile::Column ColumnFile::open(const std::string& name, int dimensions) {
  const auto lock = lock_library();
  Impl::Opened opened;
  opened.dataset = Handle(H5Dopen2(impl_->file.get(), name.c_str(), H5P_DEFAULT), H5Dclose);
  if (!opened.dataset.valid()) fail(name, fmt::format("cannot be opened: {}", last_error()));
  const hid_t id = opened.dataset.get();
  const Handle type(H5Dget_type(id), H5Tclose), space(H5Dget_space(id), H5Sclose),
      list(H5Dget_create_plist(id), H5Pclose);
  if (!type.valid() || !space.valid() || !list.valid()) fail(name, fmt::format("damaged: {}", last_error()));
  if (H5Pget_external_count(list.get()) != 0 || H5Pget_layout(list.get()) == H5D_VIRTUAL)
    fail(name, "its values lie in other files; write them into this one");
  if (H5Sget_simple_extent_type(space.get()) != H5S_SIMPLE || H5Sget_simple_extent_ndims(space.get()) != dimensions)
    fail(name, dimensions == 1 ? "expected a dataset of one dimension" : "expected a dataset of two dimensions");
  hsize_t extents[2] = {0, 1};
  H5Sget_simple_extent_dims(space.get(), extents, nullptr);
  opened.column.rows = static_cast<int64_t>(extents[0]);
  opened.column.cols = static_cast<int64_t>(extents[1]);
  switch (H5Tget_class(type.get())) {
    case H5T_INTEGER:
      opened.column.type = ColumnType::kInteger;
      opened.is_unsigned = H5Tget_sign(type.get()) == H5T_SGN_NONE && H5Tget_size(type.get()) == 8;
      break;
    case H5T_FLOAT:
      opened.column.type = ColumnType::kReal;
      break;
    case H5T_STRING:
      opened.column.type = ColumnType::kText;
      opened.text_bytes = H5Tis_variable_str(type.get()) > 0 ? 0 : H5Tget_size(type.get());
      opened.characters = H5Tget_cset(type.get());
      break;
    default:
      fail(name, "expected whole numbers, numbers or text");
  }
  const Column column = opened.column;
  impl_->columns.insert_or_assign(name, std::move(opened));
  return column;
}

void ColumnFile::read(const std::string& name, int64_t begin, std::span<int64_t> to) const {
  const auto lock = lock_library();
  const Impl::Opened& opened = impl_->columns.at(name);
  if (opened.column.type != ColumnType::kInteger) fail(name, "expected whole numbers");
  const hid_t type = opened.is_unsigned ? H5T_NATIVE_UINT64 : H5T_NATIVE_INT64;
  if (!impl_->read(opened, begin, to.size(), type, to.data())) fail(name, fmt::format("damaged: {}", last_error()));
  if (!opened.is_unsigned) return;
  const auto large = std::find_if(to.begin(), to.end(), [](int64_t value) { return value < 0; });
  if (large != to.end())
    fail(name, fmt::format("row {}: expected numbers below 2^63, found {}", begin + (large - to.begin()) + 1,
                           static_cast<uint64_t>(*large)));
}

void ColumnFile::read(const std::string& name, int64_t begin, std::span<double> to) const {
  const auto lock = lock_library();
  const Impl::Opened& opened = impl_->columns.at(name);
  if (opened.column.type == ColumnType::kText) fail(name, "expected numbers, found text");
  if (!impl_->read(opened, begin, to.size(), H5T_NATIVE_DOUBLE, to.data()))
    fail(name, fmt::format("damaged: {}", last_error()));
}

void ColumnFile::read(const std::string& name, int64_t begin, std::span<std::string> to) const {
  const auto lock = lock_library();
  const Impl::Opened& opened = impl_->columns.at(name);
  if (opened.column.type != ColumnType::kText) fail(name, "expected text");
  const Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_cset(type.get(), opened.characters);
  H5Tset_size(type.get(), opened.text_bytes == 0 ? H5T_VARIABLE : opened.text_bytes);
  if (opened.text_bytes == 0) {
    std::vector<char*> texts(to.size());
    if (!impl_->read(opened, begin, to.size(), type.get(), texts.data()))
      fail(name, fmt::format("damaged: {}", last_error()));
    for (size_t i = 0; i < to.size(); ++i) to[i] = texts[i] ? texts[i] : "";
    const hsize_t size = to.size();
    const Handle space(H5Screate_simple(1, &size, nullptr), H5Sclose);
    H5Dvlen_reclaim(type.get(), space.get(), H5P_DEFAULT, texts.data());
    return;
  }
  H5Tset_strpad(type.get(), H5T_STR_NULLPAD);
  std::string texts(opened.text_bytes * to.size(), '\0');
  if (!impl_->read(opened, begin, to.size(), type.get(), texts.data()))
    fail(name, fmt::format("damaged: {}", last_error()));
  for (size_t i = 0; i < to.size(); ++i) {
    const std::string_view text = std::string_view(texts).substr(i * opened.text_bytes, opened.text_bytes);
    to[i] = text.substr(0, text.find('\0'));
  }
}

}  // namespace kindred::hdf5
