// SPDX-License-Identifier: Apache-2.0
// Errors of input, and suggestions for misspelt names.
#pragma once
#include <span>
#include <string>
#include <string_view>

#include "kernels/error.hpp"

namespace kindred {

/// The input or the call is wrong: programs exit with 2 and have written nothing.
/// Text: "ratings.csv:17: rating: expected a number, found 'five'": where, what, what was expected, what was found.
class InputError : public Error {
 public:
  using Error::Error;
};

/// Reading or writing failed for a reason outside the input (disk full, permission): programs exit with 1.
class IoError : public Error {
 public:
  using Error::Error;
};

/// The run was stopped from outside; `signal` is SIGINT or SIGTERM. Programs exit with 128 + signal.
class Interrupted : public Error {
 public:
  explicit Interrupted(int signal);
  int signal;
};

/// The candidate closest to `name` (edit distance with transpositions, at most a third of its length, case and '_-'
/// ignored), or "" where none is near. Ties go to the earlier candidate. Cost: O(candidates x |name| x |candidate|).
std::string nearest(std::string_view name, std::span<const std::string> candidates);

/// "; did you mean 'x'?" or "" where nothing is near.
std::string did_you_mean(std::string_view name, std::span<const std::string> candidates);

/// Text for a one-line message: control characters and bytes that are no UTF-8 escaped, at most `most` bytes, cut
/// between characters with "…".
std::string printable(std::string_view text, size_t most = 60);

}  // namespace kindred
