// SPDX-License-Identifier: Apache-2.0
// The backends of kernels/weighting.hpp; arguments are checked. Both compute the same function of an entry.
#pragma once
#include <math.h>

#include "kernels/host_device.hpp"
#include "kernels/weighting.hpp"

namespace kindred::detail {

KINDRED_HOST_DEVICE inline float entry_weight(EntryWeight weight, double parameter, double v, double row,
                                              double column) {
  switch (weight) {
    case EntryWeight::kRoot:
      v = sqrt(v);
      break;
    case EntryWeight::kSaturated:
      v = v > 0 ? v * (parameter + 1) / (parameter * row + v) : 0;
      break;
    case EntryWeight::kPower:
      v = (v == 1 ? 1 : pow(v, parameter)) * row;
      break;
  }
  return static_cast<float>(v * column);
}

}  // namespace kindred::detail

#define KINDRED_WEIGHTING_OPS                                                                                   \
  void weigh_entries(Context& ctx, CsrView a, EntryWeight weight, float parameter, VectorView<const float> row, \
                     VectorView<const float> column, VectorView<float> out);

namespace kindred::cpu {
KINDRED_WEIGHTING_OPS
}
namespace kindred::cuda {
KINDRED_WEIGHTING_OPS
}
#undef KINDRED_WEIGHTING_OPS
