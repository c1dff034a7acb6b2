// SPDX-License-Identifier: Apache-2.0
// The versions of the libraries that the CPU backend computes with, as found when the program runs.
#pragma once
#include <string>

namespace kindred {

std::string onednn_version();
std::string openblas_version();

}  // namespace kindred
