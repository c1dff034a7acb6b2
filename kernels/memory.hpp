// SPDX-License-Identifier: Apache-2.0
// Memory of a context's device: arrays that own it, and the only functions that carry data across its border.
//
// Arrays come from the context's pool: a released array is kept and reused, so that an epoch after the first asks the
// system for nothing. Contents of a new array are undefined (poisoned in the tests). An array must not outlive its
// context. Where memory does not suffice: OutOfMemory with label, size, what is free and the largest holders.
#pragma once
#include <cstring>
#include <string_view>
#include <utility>

#include "kernels/context.hpp"

namespace kindred {

namespace detail {
/// 64-byte aligned on the CPU, 256 on CUDA. `label` is a string literal or outlives the context.
void* allocate(Context& ctx, int64_t bytes, const char* label);
void release(Context& ctx, void* data) noexcept;
void copy_bytes(Context& ctx, void* to, DeviceType to_device, const void* from, DeviceType from_device, int64_t bytes);
void fill_bytes(Context& ctx, void* to, int value, int64_t bytes);
}  // namespace detail

/// Owns `size` elements on the context's device. Movable, not copyable. The label ('item gram') is a literal.
template <class T>
class Array {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  Array() = default;
  Array(Context& ctx, int64_t size, const char* label)
      : ctx_(&ctx),
        view_{static_cast<T*>(detail::allocate(ctx, size * int64_t{sizeof(T)}, label)), size, ctx.device()} {}
  Array(Array&& other) noexcept : ctx_(std::exchange(other.ctx_, nullptr)), view_(std::exchange(other.view_, {})) {}
  Array& operator=(Array&& other) noexcept {
    std::swap(ctx_, other.ctx_);
    std::swap(view_, other.view_);
    return *this;
  }
  ~Array() {
    if (ctx_ != nullptr && view_.data != nullptr) detail::release(*ctx_, view_.data);
  }

  VectorView<T> view() { return view_; }
  VectorView<const T> view() const { return view_; }
  T* data() { return view_.data; }
  const T* data() const { return view_.data; }
  int64_t size() const { return view_.size; }
  bool empty() const { return view_.size == 0; }

 private:
  Context* ctx_ = nullptr;
  VectorView<T> view_;
};

/// Owns a rows x cols matrix on the context's device.
template <class T>
class Matrix {
 public:
  Matrix() = default;
  Matrix(Context& ctx, int64_t rows, int64_t cols, const char* label)
      : array_(ctx, rows * cols, label), rows_(rows), cols_(cols) {}

  MatrixView<T> view() { return {array_.data(), rows_, cols_, array_.view().device}; }
  MatrixView<const T> view() const { return {array_.data(), rows_, cols_, array_.view().device}; }
  int64_t rows() const { return rows_; }
  int64_t cols() const { return cols_; }

 private:
  Array<T> array_;
  int64_t rows_ = 0, cols_ = 0;
};

/// Owns a sparse matrix on the context's device; see CsrView. Empty `values`: each entry is 1.
struct Csr {
  Array<int64_t> offsets;
  Array<int32_t> indices;
  Array<float> values;
  int64_t rows = 0, cols = 0;

  CsrView view() const {
    return {offsets.data(), indices.data(),       values.empty() ? nullptr : values.data(), rows, cols,
            indices.size(), offsets.view().device};
  }
};

/// Host memory as a view of the CPU device: for a context on the CPU, without a copy.
template <class T>
VectorView<T> host_view(std::span<T> data) {
  return {data.data(), static_cast<int64_t>(data.size()), DeviceType::kCpu};
}

/// Copies host memory to the device. `from` must live, unchanged, until ctx.wait().
template <class T>
void upload(Context& ctx, std::span<const std::type_identity_t<T>> from, VectorView<T> to) {
  if (static_cast<int64_t>(from.size()) != to.size) throw InvalidArgument("upload: sizes differ");
  detail::copy_bytes(ctx, to.data, to.device, from.data(), DeviceType::kCpu, to.size * int64_t{sizeof(T)});
}

/// Copies device memory to the host; `to` is complete after ctx.wait().
template <class T>
void download(Context& ctx, VectorView<T> from, std::span<std::remove_const_t<T>> to) {
  if (static_cast<int64_t>(to.size()) != from.size) throw InvalidArgument("download: sizes differ");
  detail::copy_bytes(ctx, to.data(), DeviceType::kCpu, from.data, from.device, from.size * int64_t{sizeof(T)});
}

/// Copies within the device.
template <class T>
void copy(Context& ctx, VectorView<T> from, VectorView<std::remove_const_t<T>> to) {
  if (from.size != to.size) throw InvalidArgument("copy: sizes differ");
  detail::copy_bytes(ctx, to.data, to.device, from.data, from.device, from.size * int64_t{sizeof(T)});
}

template <class T>
void fill_zero(Context& ctx, VectorView<T> to) {
  detail::fill_bytes(ctx, to.data, 0, to.size * int64_t{sizeof(T)});
}

/// Read-only data of the host, made readable by the context's device: on the CPU the same memory, which must outlive
/// the Resident; on CUDA a copy.
template <class T>
class Resident {
 public:
  Resident() = default;
  Resident(Context& ctx, std::span<const T> host, const char* label) {
    if (ctx.on_cuda()) {
      copy_ = Array<T>(ctx, static_cast<int64_t>(host.size()), label);
      upload<T>(ctx, host, copy_.view());
      view_ = copy_.view();
    } else {
      view_ = host_view(host);
    }
  }
  VectorView<const T> view() const { return view_; }
  MatrixView<const T> matrix(int64_t cols) const {
    return {view_.data, cols > 0 ? view_.size / cols : 0, cols, view_.device};
  }

 private:
  Array<T> copy_;
  VectorView<const T> view_;
};

/// Checks a CSR matrix of the host once (offsets ascend from 0, indices ascend within [0, cols) in every row, values
/// finite) and makes it readable by the context's device; on the CPU the spans must outlive the result.
/// Throws InvalidArgument naming the row. Cost: one pass, O(nnz).
class ResidentCsr {
 public:
  ResidentCsr() = default;
  ResidentCsr(Context& ctx, std::span<const int64_t> offsets, std::span<const int32_t> indices,
              std::span<const float> values, int64_t cols, const char* label);
  CsrView view() const;

 private:
  Resident<int64_t> offsets_;
  Resident<int32_t> indices_;
  Resident<float> values_;
  int64_t cols_ = 0;
};

}  // namespace kindred
