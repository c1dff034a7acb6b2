// SPDX-License-Identifier: Apache-2.0
// Stands where CUB's header of this name is included: the same function on the host.
#pragma once
#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

#include "tests/simt/simt.hpp"

namespace cub {

/// A buffer and its spare; after a sort `selector` names the one that holds the result.
template <class T>
struct DoubleBuffer {
  T* d_buffers[2];
  int selector = 0;
  DoubleBuffer(T* current, T* alternate) : d_buffers{current, alternate} {}
  T* Current() { return d_buffers[selector]; }
  T* Alternate() { return d_buffers[selector ^ 1]; }
};

struct DeviceRadixSort {
  /// Stable, ascending, by bits [begin_bit, end_bit) of the keys.
  template <class Key, class Value>
  static cudaError_t SortPairs(void* temporary, size_t& temporary_bytes, DoubleBuffer<Key>& keys,
                               DoubleBuffer<Value>& values, int64_t count, int begin_bit, int end_bit,
                               cudaStream_t stream) {
    if (!measured(temporary, temporary_bytes)) {
      simt::enqueue(stream, [=, from = keys.Current(), to = keys.Alternate(), carried = values.Current(),
                             carried_to = values.Alternate()] {
        const auto order = sorted(from, count, begin_bit, end_bit);
        for (size_t i = 0; i < order.size(); ++i) {
          to[i] = from[order[i]];
          carried_to[i] = carried[order[i]];
        }
      });
      keys.selector ^= 1;
      values.selector ^= 1;
    }
    return cudaSuccess;
  }

  template <class Key>
  static cudaError_t SortKeys(void* temporary, size_t& temporary_bytes, DoubleBuffer<Key>& keys, int64_t count,
                              int begin_bit, int end_bit, cudaStream_t stream) {
    if (!measured(temporary, temporary_bytes)) {
      simt::enqueue(stream, [=, from = keys.Current(), to = keys.Alternate()] {
        const auto order = sorted(from, count, begin_bit, end_bit);
        for (size_t i = 0; i < order.size(); ++i) to[i] = from[order[i]];
      });
      keys.selector ^= 1;
    }
    return cudaSuccess;
  }

 private:
  static bool measured(const void* temporary, size_t& bytes) {
    if (temporary == nullptr) bytes = 1024;
    return temporary == nullptr;
  }

  template <class Key>
  static std::vector<size_t> sorted(const Key* keys, int64_t count, int begin_bit, int end_bit) {
    const Key mask =
        end_bit - begin_bit >= static_cast<int>(8 * sizeof(Key)) ? ~Key{0} : (Key{1} << (end_bit - begin_bit)) - 1;
    const auto digits = [&](size_t i) { return static_cast<Key>(keys[i] >> begin_bit & mask); };
    std::vector<size_t> order(static_cast<size_t>(count));
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](size_t i, size_t j) { return digits(i) < digits(j); });
    return order;
  }
};

}  // namespace cub
