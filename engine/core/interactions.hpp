// SPDX-License-Identifier: Apache-2.0
// The utility matrix: who had to do with what, how much, when. Built once by engine/data, never changed afterwards.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/core/ids.hpp"

namespace kindred {

/// A sparse matrix in host memory, as CsrView describes it; offsets[0] == 0. Empty `values`: each entry is 1.
struct HostCsr {
  std::vector<int64_t> offsets{0};
  std::vector<int32_t> indices;
  std::vector<float> values;
  int64_t cols = 0;

  int64_t rows() const { return static_cast<int64_t>(offsets.size()) - 1; }
  int64_t nnz() const { return static_cast<int64_t>(indices.size()); }
  std::span<const int32_t> row(int64_t r) const {
    return std::span(indices).subspan(static_cast<size_t>(offsets[r]),
                                      static_cast<size_t>(offsets[r + 1] - offsets[r]));
  }
  std::span<const float> row_values(int64_t r) const {
    return values.empty() ? std::span<const float>()
                          : std::span(values).subspan(static_cast<size_t>(offsets[r]),
                                                      static_cast<size_t>(offsets[r + 1] - offsets[r]));
  }
  /// Value of entry e.
  float value(int64_t e) const { return values.empty() ? 1.f : values[static_cast<size_t>(e)]; }
};

/// The time of an interaction whose time is not known: older than any other.
constexpr int64_t kNoTime = INT64_MIN;

/// Users x items. At most one entry a pair. Parts of a split share the ids of both sides and so have equal shapes.
struct Interactions {
  std::shared_ptr<const Ids> users, items;
  HostCsr matrix;              ///< rows: users, columns: items, values: ratings, counts or utility
  std::vector<int64_t> times;  ///< microseconds since 1970 or kNoTime an entry; empty where the data has none
  std::vector<uint8_t> kinds;  ///< index into kind_names an entry; empty where the data has none
  std::vector<std::string> kind_names;

  int64_t num_users() const { return matrix.rows(); }
  int64_t num_items() const { return matrix.cols; }
  int64_t size() const { return matrix.nnz(); }
};

}  // namespace kindred
