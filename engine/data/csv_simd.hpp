// SPDX-License-Identifier: Apache-2.0
// Where the bytes stand that matter to a reader of delimited text, 64 of them a word.
#pragma once
#include <cstddef>
#include <cstdint>

namespace kindred::detail {

constexpr size_t kMarkedBytes = 64;

/// Bit i of marks[w] says whether byte 64 w + i of the text is `a`, `b` or `c`. Reads 64 `words` bytes, with the widest
/// vectors that the processor has.
void find_marks(const char* text, size_t words, char a, char b, char c, uint64_t* marks);

}  // namespace kindred::detail
