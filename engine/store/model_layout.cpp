// SPDX-License-Identifier: Apache-2.0
#include "engine/store/model_layout.hpp"

#include <fmt/format.h>

#include "engine/core/error.hpp"

namespace kindred::model_layout {

std::vector<std::string> paths() {
  std::vector<std::string> all = {"/users",
                                  "/users/ids",
                                  "/users/factors",
                                  "/users/bias",
                                  "/users/offset",
                                  "/users/scale",
                                  "/items",
                                  "/items/ids",
                                  "/items/title",
                                  "/items/count",
                                  "/items/mean",
                                  "/items/factors",
                                  "/items/bias",
                                  "/items/center",
                                  "/held_out",
                                  "/fold_in",
                                  "/fold_in/normalization",
                                  "/fold_in/normalization/items",
                                  "/meta",
                                  "/meta/config",
                                  "/meta/metrics"};
  for (const char* matrix : {"/items/tags", "/items/neighbors", "/users/neighbors", "/history", "/held_out/validation",
                             "/held_out/test", "/held_out/given"})
    for (const char* part : {"", "/indptr", "/indices", "/data"}) all.push_back(std::string(matrix) + part);
  for (const char* more : {"/items/tags/names", "/items/neighbors/similarity", "/users/neighbors/similarity"})
    all.push_back(more);
  return all;
}

bool counts(const std::string& path) { return path != "/meta" && !path.starts_with("/meta/"); }

bool root_attribute_counts(const std::string& name) {
  return name != "content_hash" && name != "created" && name != "kindred_version" && name != "name";
}

void check_version(const hdf5::Reader& reader, std::string_view format) {
  if (!reader.has_attribute("/", "format"))
    reader.fail("", "an HDF5 file, but not of Kindred: it has no attribute format");
  if (reader.text("/", "format") != format)
    reader.fail("", fmt::format("its format is '{}'; expected '{}'", printable(reader.text("/", "format")), format));
  const int64_t version = reader.integer("/", "format_version");
  if (version < 1 || version > kFormatVersion)
    reader.fail("", fmt::format("format version {}, written by Kindred {}; this program reads up to version {}: use a "
                                "newer Kindred",
                                version, printable(reader.text("/", "kindred_version")), kFormatVersion));
}

}  // namespace kindred::model_layout
