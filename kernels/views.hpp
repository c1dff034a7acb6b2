// SPDX-License-Identifier: Apache-2.0
// Views of backend memory: pointer, extents and a one-byte device tag. They own nothing and cost nothing to copy.
//
// For the whole library: matrices are row-major and contiguous, element (i, k) at data[i * cols + k]; float values,
// int32 ids, int64 offsets and extents, so that more than 2^31 interactions work. std::span is host memory; a view is
// memory of the device that its tag names, and only functions of kernels/memory.hpp turn one into the other.
#pragma once
#include <cstdint>
#include <span>
#include <type_traits>

namespace kindred {

enum class DeviceType : uint8_t { kCpu, kCuda };

/// `size` elements on a device.
template <class T>
struct VectorView {
  T* data = nullptr;
  int64_t size = 0;
  DeviceType device = DeviceType::kCpu;

  T& operator[](int64_t i) const { return data[i]; }
  bool empty() const { return size == 0; }
  /// The part [begin, begin + count).
  VectorView part(int64_t begin, int64_t count) const { return {data + begin, count, device}; }
  operator VectorView<const T>() const requires(!std::is_const_v<T>) { return {data, size, device}; }
};

/// rows x cols elements on a device, row-major, contiguous.
template <class T>
struct MatrixView {
  T* data = nullptr;
  int64_t rows = 0, cols = 0;
  DeviceType device = DeviceType::kCpu;

  T* row(int64_t i) const { return data + i * cols; }  // 64-bit on purpose: 4 million rows x 1,024 exceed 32 bits
  int64_t size() const { return rows * cols; }
  /// Rows [begin, begin + count).
  MatrixView part(int64_t begin, int64_t count) const { return {row(begin), count, cols, device}; }
  VectorView<T> flat() const { return {data, rows * cols, device}; }
  operator MatrixView<const T>() const requires(!std::is_const_v<T>) { return {data, rows, cols, device}; }
};

/// A sparse rows x cols matrix in compressed rows on a device. Row r holds entries [offsets[r], offsets[r + 1]) of
/// `indices` (ascending within a row, in [0, cols)) and of `values`; values == nullptr means that each is 1.
/// offsets[0] may be above 0: a part of a matrix is a view too.
struct CsrView {
  const int64_t* offsets = nullptr;  // rows + 1
  const int32_t* indices = nullptr;
  const float* values = nullptr;
  int64_t rows = 0, cols = 0;
  int64_t nnz = 0;  // offsets[rows] - offsets[0]
  DeviceType device = DeviceType::kCpu;
};

}  // namespace kindred
