// SPDX-License-Identifier: Apache-2.0
// The weights of kernels/weighting.hpp by definition.
#pragma once
#include <cmath>

#include "kernels/weighting.hpp"

namespace kindred::reference {

inline double entry_weight(EntryWeight weight, double parameter, double v, double row, double column) {
  if (weight == EntryWeight::kRoot) return std::sqrt(v) * column;
  if (weight == EntryWeight::kPower) return std::pow(v, parameter) * row * column;
  return v == 0 ? 0 : v * (parameter + 1) / (parameter * row + v) * column;
}

}  // namespace kindred::reference
