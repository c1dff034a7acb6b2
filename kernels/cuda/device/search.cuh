// SPDX-License-Identifier: Apache-2.0
// Search in sorted values.
#pragma once
#include "kernels/cuda/device/target.cuh"

namespace kindred::cuda {

/// First position in [begin, end) whose value is not below `bound`; `values` ascend.
template <class T>
__device__ __forceinline__ int64_t lower_bound(const T* __restrict__ values, int64_t begin, int64_t end, T bound) {
  while (begin < end) {
    const int64_t middle = begin + (end - begin) / 2;
    if (values[middle] < bound)
      begin = middle + 1;
    else
      end = middle;
  }
  return begin;
}

}  // namespace kindred::cuda
