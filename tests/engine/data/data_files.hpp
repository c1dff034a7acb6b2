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
#include "tests/engine/support.hpp"

namespace kindred::test {

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
