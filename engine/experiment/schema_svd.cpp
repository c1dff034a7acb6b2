// SPDX-License-Identifier: Apache-2.0
// [model] of the truncated singular value decomposition.
#include "engine/experiment/schema_detail.hpp"

namespace kindred::detail {
namespace {

const Condition kSvd{"model.type = \"svd\"", [](const Config& c) { return c.model == "svd"; }};

}  // namespace

void add_svd_keys(KeyTable& t) {
  t.when = kSvd;
  t.whole("factors", 1, 1024, true, "Singular values that are kept.", FIELD(svd.factors));
  t.whole("oversampling", 0, 1024, true, "Vectors beyond them that the search carries.",
          FIELD(svd.params.oversampling));
  t.whole("power_iterations", 0, 1000, true, "More make the values and vectors more exact.",
          FIELD(svd.params.power_iterations));
  t.choice<Normalize>("center",
                      {{"none", Normalize::kNone},
                       {"user-mean", Normalize::kSubtractUserMean},
                       {"item-mean", Normalize::kSubtractItemMean},
                       {"baseline", Normalize::kBaseline}},
                      true,
                      "What is taken off the values first, so that what is missing stands for it and not for 0: "
                      "data.normalize by another name. With it values are predicted.",
                      FIELD(svd_center));
}

}  // namespace kindred::detail
