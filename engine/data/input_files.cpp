// SPDX-License-Identifier: Apache-2.0
#include "engine/data/input_files.hpp"

#include <glob.h>

#include "engine/core/error.hpp"

namespace kindred {

std::string InputFiles::string() const {
  if (list.empty()) return "";
  return list.front().path + (list.size() > 1 ? " and " + std::to_string(list.size() - 1) + " more" : "");
}

std::vector<InputFile> expand(const InputFiles& files) {
  std::vector<InputFile> out;
  for (const InputFile& file : files.list) {
    // A file that is there is meant, whatever its name looks like.
    if (file.path.find_first_of("*?[") == std::string::npos || std::filesystem::exists(file.path)) {
      out.push_back(file);
      continue;
    }
    glob_t found{};
    const int result = glob(file.path.c_str(), 0, nullptr, &found);
    for (size_t i = 0; result == 0 && i < found.gl_pathc; ++i) {
      out.push_back(file);
      out.back().path = found.gl_pathv[i];
    }
    globfree(&found);
    if (result != 0) throw InputError(file.path + ": no file matches; expected at least one");
  }
  return out;
}

}  // namespace kindred
