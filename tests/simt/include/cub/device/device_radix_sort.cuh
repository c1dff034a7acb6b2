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
    if (temporary == nullptr) {
      temporary_bytes = 1024;
      return cudaSuccess;
    }
    const Key* key = keys.Current();
    const Value* value = values.Current();
    Key* key_out = keys.Alternate();
    Value* value_out = values.Alternate();
    simt::enqueue(stream, [=] {
      const auto digits = [&](int64_t i) {
        const Key shifted = static_cast<Key>(key[i] >> begin_bit);
        const int bits = end_bit - begin_bit;
        return bits >= static_cast<int>(8 * sizeof(Key)) ? shifted : static_cast<Key>(shifted & ((Key{1} << bits) - 1));
      };
      std::vector<int64_t> order(static_cast<size_t>(count));
      std::iota(order.begin(), order.end(), int64_t{0});
      std::stable_sort(order.begin(), order.end(), [&](int64_t i, int64_t j) { return digits(i) < digits(j); });
      for (int64_t i = 0; i < count; ++i) {
        key_out[i] = key[order[static_cast<size_t>(i)]];
        value_out[i] = value[order[static_cast<size_t>(i)]];
      }
    });
    keys.selector ^= 1;
    values.selector ^= 1;
    return cudaSuccess;
  }
};

}  // namespace cub
