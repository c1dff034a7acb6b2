// SPDX-License-Identifier: Apache-2.0
#include "engine/store/versions.hpp"

#include <sqlite3.h>

#include "engine/store/hdf5_library.hpp"

namespace kindred {

std::string hdf5_version() {
  const auto lock = hdf5::lock_library();
  unsigned major = 0, minor = 0, release = 0;
  H5get_libversion(&major, &minor, &release);
  return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(release);
}

std::string sqlite_version() { return sqlite3_libversion(); }

}  // namespace kindred
