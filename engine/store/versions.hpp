// SPDX-License-Identifier: Apache-2.0
// The version of SQLite, as found when the program runs.
#pragma once
#include <string>

namespace kindred {

std::string sqlite_version();

}  // namespace kindred
