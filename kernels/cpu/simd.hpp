// SPDX-License-Identifier: Apache-2.0
// Which vector instructions the CPU backend uses. KINDRED_CPU = avx3 | avx2 | sse4 | ssse3 | scalar forces a set, for
// oneDNN too; otherwise the widest that the processor has.
#pragma once
#include <string>

namespace kindred::cpu {

/// Reads KINDRED_CPU once per process; throws InvalidArgument for a set that is unknown or not supported here.
void apply_simd_choice();
/// The widest set that the processor supports, and the one in use.
std::string simd_supported();
std::string simd_in_use();

}  // namespace kindred::cpu
