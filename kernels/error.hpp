// SPDX-License-Identifier: Apache-2.0
// The errors that every layer throws. Each message is one line: where, what was found, what is needed, what to do.
#pragma once
#include <cstdint>
#include <stdexcept>
#include <string>

namespace kindred {

/// Base of all errors thrown by Kindred. Programs catch it once, in main.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A call with arguments that do not fit together ("als_half_sweep: fixed has 64 columns, solved has 32; …").
class InvalidArgument : public Error {
 public:
  using Error::Error;
};

/// Something that this build or this machine does not have ("cuda: no driver found; …").
class Unavailable : public Error {
 public:
  using Error::Error;
};

/// Memory of the host or of a device did not suffice: what was asked, for what, what was free, what to change.
class OutOfMemory : public Error {
 public:
  using Error::Error;
};

/// Values that left the range of arithmetic: a system that is not positive definite, NaN or infinity in a result.
class NumericError : public Error {
 public:
  NumericError(const std::string& message, int64_t failed_row) : Error(message), row(failed_row) {}
  int64_t row;  ///< the first row concerned, -1 where there is none
};

/// The device failed (lost, illegal access, a failed launch).
class DeviceError : public Error {
 public:
  using Error::Error;
};

/// "1.4 GiB", for messages.
std::string format_bytes(int64_t bytes);

}  // namespace kindred
