// SPDX-License-Identifier: Apache-2.0
#include "engine/data/item_vectors.hpp"

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <functional>
#include <optional>
#include <span>

#include "engine/core/error.hpp"
#include "engine/core/file.hpp"
#include "engine/core/log.hpp"
#include "engine/data/parse.hpp"
#include "engine/hdf5/columns.hpp"

namespace kindred {
namespace {

static_assert(std::endian::native == std::endian::little, "numbers of an .npy file are used as they lie there");

/// What a file holds: ids, and rows of numbers one after the other.
struct Source {
  std::vector<std::string> ids;
  int64_t cols = 0;
  std::function<void(int64_t row, std::span<double> to)> read;
};

std::vector<std::string> lines_of(const std::filesystem::path& path) {
  const std::string text = read_file(path);
  std::vector<std::string> out;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    out.push_back(text.substr(at, end - at));
    if (out.back().ends_with('\r')) out.back().pop_back();
    at = end + 1;
  }
  return out;
}

/// The text between `before` and `after` in an .npy header.
std::optional<std::string_view> between(std::string_view header, std::string_view before, std::string_view after) {
  const size_t begin = header.find(before);
  if (begin == std::string_view::npos) return std::nullopt;
  header.remove_prefix(begin + before.size());
  const size_t end = header.find(after);
  if (end == std::string_view::npos) return std::nullopt;
  return header.substr(0, end);
}

Source open_npy(const std::filesystem::path& path, const MappedFile& file) {
  const std::string_view bytes = file.view();
  const auto fail = [&](const char* problem) -> InputError { return InputError(path.string() + ": " + problem); };
  if (bytes.size() < 12 || !bytes.starts_with("\x93NUMPY")) throw fail("expected an .npy file");
  const auto byte = [&](size_t at) { return static_cast<size_t>(static_cast<unsigned char>(bytes[at])); };
  const bool first_version = bytes[6] == 1;
  const size_t start = first_version ? 10 : 12;
  const size_t length = byte(8) + (byte(9) << 8) + (first_version ? 0 : (byte(10) << 16) + (byte(11) << 24));
  if (bytes.size() - start < length) throw fail("is cut off");
  const std::string_view header = bytes.substr(start, length);
  const auto type = between(header, "'descr': '", "'"), order = between(header, "'fortran_order': ", ","),
             shape = between(header, "'shape': (", ")");
  if (type != "<f4" && type != "<f8") throw fail("expected numbers of type float32 or float64");
  if (order != "False") throw fail("expected rows one after the other (C order)");
  const size_t comma = shape ? shape->find(',') : std::string_view::npos;
  double rows = 0, cols = 0;
  if (comma == std::string_view::npos || !parse_number(shape->substr(0, comma), rows) ||
      !parse_number(shape->substr(comma + 1), cols) || !(rows >= 1 && cols >= 1 && rows < 1e10 && cols < 1e6))
    throw fail("expected a table of two dimensions");
  const size_t width = type == "<f4" ? 4 : 8, row_bytes = static_cast<size_t>(cols) * width;
  const std::string_view values = bytes.substr(start + length);
  if (values.size() / row_bytes < static_cast<size_t>(rows)) throw fail("is cut off");

  Source out{lines_of(path.parent_path() / "ids.txt"), static_cast<int64_t>(cols), {}};
  if (std::ssize(out.ids) != static_cast<int64_t>(rows))
    throw InputError(fmt::format("{}: {} rows, but ids.txt beside it has {} lines; expected an id a row", path.string(),
                                 static_cast<int64_t>(rows), out.ids.size()));
  out.read = [values, row_bytes, width](int64_t row, std::span<double> to) {
    const char* from = values.data() + static_cast<size_t>(row) * row_bytes;
    for (double& value : to) {
      float narrow = 0;
      if (width == 4) std::memcpy(&narrow, from, 4), value = narrow;
      if (width == 8) std::memcpy(&value, from, 8);
      from += width;
    }
  };
  return out;
}

Source open_hdf5(hdf5::ColumnFile& file) {
  const auto ids = file.open("ids"), table = file.open_table("vectors");
  Source out{std::vector<std::string>(static_cast<size_t>(ids.rows)), table.cols, {}};
  if (ids.type == hdf5::ColumnType::kText) {
    file.read("ids", 0, std::span(out.ids));
  } else {
    std::vector<int64_t> numbers(out.ids.size());
    file.read("ids", 0, std::span(numbers));
    for (size_t i = 0; i < numbers.size(); ++i) out.ids[i] = std::to_string(numbers[i]);
  }
  if (ids.rows != table.rows)
    throw InputError(fmt::format("{}: vectors: {} rows, but /ids has {}; expected an id a row", file.path().string(),
                                 table.rows, ids.rows));
  out.read = [&file](int64_t row, std::span<double> to) { file.read("vectors", row, to); };
  return out;
}

}  // namespace

HostMatrix read_item_vectors(const std::filesystem::path& path, const Ids& items) {
  std::optional<MappedFile> mapped;
  std::optional<hdf5::ColumnFile> columns;
  const bool npy = path.extension() == ".npy";
  const Source source = npy ? open_npy(path, mapped.emplace(path)) : open_hdf5(columns.emplace(path));
  HostMatrix out(items.size(), source.cols);
  std::vector<uint8_t> seen(static_cast<size_t>(items.size()));
  std::vector<double> row(static_cast<size_t>(source.cols));
  int64_t found = 0;
  for (size_t r = 0; r < source.ids.size(); ++r) {
    const int32_t item = items.find(source.ids[r]);
    if (item < 0) continue;
    if (seen[static_cast<size_t>(item)] != 0)
      throw InputError(fmt::format("{}: the id '{}' stands twice", path.string(), printable(source.ids[r])));
    seen[static_cast<size_t>(item)] = 1;
    ++found;
    source.read(static_cast<int64_t>(r), row);
    for (size_t k = 0; k < row.size(); ++k) {
      const auto value = static_cast<float>(row[k]);
      if (!std::isfinite(value))
        throw InputError(fmt::format("{}: row {} (id '{}'): expected finite numbers, found {}", path.string(), r + 1,
                                     printable(source.ids[r]), row[k]));
      out.row(item)[k] = value;
    }
  }
  if (found == 0)
    throw InputError(fmt::format("{}: none of its {} ids is an item's; expected ids as in the interactions",
                                 path.string(), source.ids.size()));
  log_info("vectors of items", {{"file", path.string()},
                                {"columns", source.cols},
                                {"items", found},
                                {"without", items.size() - found},
                                {"of_others", std::ssize(source.ids) - found}});
  return out;
}

}  // namespace kindred
