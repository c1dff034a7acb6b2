// SPDX-License-Identifier: Apache-2.0
// What the tests of engine/data share: files to read, the text of an error, the entries of a matrix.
#pragma once
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <utility>

#include "engine/core/error.hpp"
#include "engine/data/dataset.hpp"

namespace kindred::test {

/// A folder that is gone at the end of the test.
class DataFolder {
 public:
  DataFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "kindred-data-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make a temporary folder");
    path_ = name;
  }
  ~DataFolder() { std::filesystem::remove_all(path_); }
  DataFolder(const DataFolder&) = delete;
  DataFolder& operator=(const DataFolder&) = delete;

  std::filesystem::path path() const { return path_; }
  std::filesystem::path write(const std::string& name, const std::string& content) const {
    std::ofstream(path_ / name, std::ios::binary) << content;
    return path_ / name;
  }

 private:
  std::filesystem::path path_;
};

/// The text of the InputError that `call` throws, `folder` taken out.
template <class Call>
std::string input_error(const DataFolder& folder, Call&& call) {
  try {
    call();
  } catch (const InputError& error) {
    std::string text = error.what();
    const std::string prefix = folder.path().string() + "/";
    for (size_t at; (at = text.find(prefix)) != std::string::npos;) text.erase(at, prefix.size());
    return text;
  }
  return "(no error)";
}

using Pairs = std::map<std::pair<std::string, std::string>, float>;

/// The entries of a matrix by the ids of user and item; each pair stands once, rows ascend.
inline Pairs pairs(const HostCsr& matrix, const Ids& users, const Ids& items) {
  Pairs out;
  EXPECT_EQ(matrix.rows(), users.size());
  EXPECT_EQ(matrix.cols, items.size());
  for (int64_t u = 0; u < matrix.rows(); ++u) {
    for (int64_t e = matrix.offsets[static_cast<size_t>(u)]; e < matrix.offsets[static_cast<size_t>(u) + 1]; ++e) {
      const int32_t item = matrix.indices[static_cast<size_t>(e)];
      if (e > matrix.offsets[static_cast<size_t>(u)]) {
        EXPECT_LT(matrix.indices[static_cast<size_t>(e) - 1], item);
      }
      EXPECT_TRUE(out.emplace(std::pair(users.text(u), items.text(item)), matrix.value(e)).second);
    }
  }
  return out;
}
inline Pairs pairs(const Interactions& all) { return pairs(all.matrix, *all.users, *all.items); }

inline bool operator==(const HostCsr& a, const HostCsr& b) {
  return a.offsets == b.offsets && a.indices == b.indices && a.values == b.values && a.cols == b.cols;
}

/// Everything read, nothing held out.
inline PreparedData read_all(const DataOptions& options, int threads = 2) {
  SplitOptions split;
  split.protocol = "none";
  return prepare(options, split, 1, threads);
}

}  // namespace kindred::test
