// SPDX-License-Identifier: Apache-2.0
// HDF5 files as Kindred uses them: a narrow writer and a strict reader over the C API. Datasets are chunked by whole
// rows near 1 MiB, checksummed by Fletcher-32 a chunk and XXH3 a dataset, and streamed chunk by chunk; attributes carry
// text, numbers or extents. HDF5 itself is not safe to call from several threads: one process-wide lock is held in each
// call here.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "engine/core/ids.hpp"
#include "engine/hdf5/checksum.hpp"

namespace kindred::hdf5 {

enum class Type : uint8_t { kFloat32, kInt32, kInt64, kString };

/// What a dataset holds. Little-endian; strings of a fixed length, null-padded, UTF-8.
struct Form {
  Type type = Type::kFloat32;
  int64_t item_bytes = 4;        ///< of one element; a string's fixed length, at least 1
  std::vector<int64_t> extents;  ///< one or two; none: a single value
  bool deflate = false;
  bool growing = false;  ///< written without knowing the number of rows: extents[0] is 0

  int64_t rows() const { return extents.empty() ? 1 : extents[0]; }
  int64_t row_bytes() const { return extents.size() > 1 ? extents[1] * item_bytes : item_bytes; }
  int64_t bytes() const { return rows() * row_bytes(); }
  std::string type_name() const;  ///< as NumPy writes it: "<f4", "<i8", "|S12"
};
Form floats(std::vector<int64_t> extents);
Form int32s(std::vector<int64_t> extents);
Form int64s(std::vector<int64_t> extents);
Form strings(int64_t longest, std::vector<int64_t> extents);

/// The version of the library found when the program runs.
std::string version();

using Attribute = std::variant<std::string, int64_t, float, std::vector<int64_t>>;

/// A new file: written beside its place, visible at commit(), nothing left without it. Throws IoError.
class Writer {
 public:
  explicit Writer(const std::filesystem::path& path);
  ~Writer();

  /// The parent must be there.
  void group(const std::string& path);
  /// `counts`: belongs to the content hash.
  void attribute(const std::string& object, const std::string& name, const Attribute& value, bool counts = true);

  /// Rows of one dataset, appended in any portions; whole chunks are taken from the caller's memory.
  class Dataset {
   public:
    Dataset(Writer& writer, const std::string& path, Form form, bool counts);
    ~Dataset();
    void append(std::span<const std::byte> rows);
    template <class T>
    void append(std::span<const T> rows) {
      append(std::as_bytes(rows));
    }
    /// Writes what is left and the checksum.
    void finish();

   private:
    void put(std::span<const std::byte> chunk);
    struct Impl;
    std::unique_ptr<Impl> impl_;
  };
  /// A dataset at once.
  void dataset(const std::string& path, const Form& form, std::span<const std::byte> rows, bool counts = true);
  /// A single text.
  void text(const std::string& path, const std::string& text, bool counts = true);
  /// `count` texts of the longest one's length. InputError where one ends in a zero byte, which padding would swallow.
  void strings(const std::string& path, int64_t count, const std::function<std::string_view(int64_t)>& text);
  void ids(const std::string& path, const Ids& ids);

  /// Writes the content hash, closes, syncs and renames. Returns the hash.
  std::string commit();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// An existing file, opened read-only. What can be checked without HDF5 is checked before HDF5 sees the file. Only what
/// inspect() names is opened, and only as Writer writes it: hard links, the four types, chunks of whole rows, deflate
/// and Fletcher-32, nothing external, virtual or committed. Throws InputError "FILE: OBJECT: …".
class Reader {
 public:
  explicit Reader(const std::filesystem::path& path);
  ~Reader();

  /// Looks at those of `paths` that are there, parents before children: forms, sizes, attributes.
  void inspect(std::span<const std::string> paths);
  /// Compares the content hash with what was inspected; for use after everything has been. Files that hold objects
  /// unknown to this version are taken as they are.
  void check_content(const std::function<bool(const std::string& path)>& counts,
                     const std::function<bool(const std::string& attribute)>& root_attribute_counts) const;

  bool has(const std::string& path) const { return objects_.contains(path); }
  /// Throws where it is absent, or a group.
  const Form& form(const std::string& path) const;
  /// Throws where `object` lacks it, or where it has another type.
  std::string text(const std::string& object, const std::string& name) const;
  int64_t integer(const std::string& object, const std::string& name) const;
  float number(const std::string& object, const std::string& name) const;
  std::vector<int64_t> integers(const std::string& object, const std::string& name) const;
  bool has_attribute(const std::string& object, const std::string& name) const;

  /// All rows of a dataset in order, some whole rows at a time, and its XXH3 at the end.
  using Take = std::function<void(int64_t first_row, std::span<const std::byte> rows)>;
  void read(const std::string& path, const Take& take) const;
  /// Rows [begin, begin + count), checked by the chunks' sums alone.
  void read_rows(const std::string& path, int64_t begin, int64_t count, const Take& take) const;
  /// All elements, appended chunk by chunk: no pass over fresh memory to zero it first. T must be what form() says.
  template <class T>
  std::vector<T> values(const std::string& path) const {
    std::vector<T> all;
    all.reserve(static_cast<size_t>(form(path).bytes()) / sizeof(T));
    read(path, [&](int64_t, std::span<const std::byte> rows) {
      const auto* from = reinterpret_cast<const T*>(rows.data());
      all.insert(all.end(), from, from + rows.size() / sizeof(T));
    });
    return all;
  }
  /// A single text.
  std::string scalar_text(const std::string& path) const;

  /// Throws InputError "FILE: OBJECT: PROBLEM".
  [[noreturn]] void fail(const std::string& object, const std::string& problem) const;
  int64_t file_bytes() const { return file_bytes_; }

 private:
  struct Object {
    std::optional<Form> form;  ///< none: a group
    int64_t chunk_rows = 0;    ///< 0: not chunked
    std::map<std::string, Attribute> attributes;
  };
  Object inspect_dataset(const std::string& path, int64_t id) const;
  void inspect_attribute(const std::string& path, int64_t id, Object& object);
  bool holds_unknown() const;
  void chunks(const std::string& path, int64_t begin, int64_t end, const Take& take) const;
  const Attribute& attribute(const std::string& object, const std::string& name) const;

  struct Impl;
  std::unique_ptr<Impl> impl_;
  std::filesystem::path path_;
  int64_t file_bytes_ = 0;
  bool unknown_ = false;  ///< some attribute has a type that Writer does not write
  std::map<std::string, Object> objects_;
};

}  // namespace kindred::hdf5
