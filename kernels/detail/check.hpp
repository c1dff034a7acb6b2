// SPDX-License-Identifier: Apache-2.0
// What front doors check arguments with. Messages: "OP: what was found; what is needed".
#pragma once
#include <string>

#include "kernels/context.hpp"

namespace kindred::detail {

[[noreturn]] inline void bad_argument(const char* op, const std::string& message) {
  throw InvalidArgument(std::string(op) + ": " + message);
}

/// "3 x 64"
template <class T>
std::string shape(MatrixView<T> m) {
  return std::to_string(m.rows) + " x " + std::to_string(m.cols);
}
inline std::string shape(const CsrView& m) { return std::to_string(m.rows) + " x " + std::to_string(m.cols); }

/// Every view must be on the context's device (empty ones may be anywhere).
template <class View>
void check_device(Context& ctx, const char* op, const char* name, const View& view) {
  bool empty;
  if constexpr (requires { view.nnz; })
    empty = view.rows == 0;
  else if constexpr (requires { view.rows; })
    empty = view.rows == 0 || view.cols == 0;
  else
    empty = view.size == 0;
  if (!empty && view.device != ctx.device())
    bad_argument(op, std::string(name) + " is memory of " + (view.device == DeviceType::kCpu ? "the host" : "a GPU") +
                         ", the context is on " + ctx.device_name() + "; upload or download it first");
}

inline void check_size(const char* op, const char* name, int64_t found, const char* of, int64_t needed) {
  if (found != needed)
    bad_argument(op, std::string(name) + " has " + std::to_string(found) + " elements; " + of + " needs " +
                         std::to_string(needed));
}

}  // namespace kindred::detail
