// SPDX-License-Identifier: Apache-2.0
#include "engine/store/versions.hpp"

#include <sqlite3.h>

namespace kindred {

std::string sqlite_version() { return sqlite3_libversion(); }

}  // namespace kindred
