// SPDX-License-Identifier: Apache-2.0
// kindred-data find: items by what a person remembers of their titles.
#pragma once
#include <filesystem>
#include <string>

namespace kindred {

struct FindOptions {
  std::filesystem::path catalogue;  ///< a table of items, a config that names one, a model file or run folder
  std::string query;
  int k = 10;
  bool json = false;
};

/// Prints the best matches. Throws InputError with the three nearest titles where none is like the query.
void find(const FindOptions& options);

}  // namespace kindred
