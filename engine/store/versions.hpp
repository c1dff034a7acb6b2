// SPDX-License-Identifier: Apache-2.0
// The versions of the libraries that storing needs, as found when the program runs.
#pragma once
#include <string>

namespace kindred {

std::string hdf5_version();
std::string sqlite_version();

}  // namespace kindred
