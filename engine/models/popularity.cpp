// SPDX-License-Identifier: Apache-2.0
#include "engine/models/popularity.hpp"

namespace kindred {

FittedModel fit_popularity(const Interactions& train) {
  FittedModel model = describe(train, "popularity");
  Constant scores;
  scores.items.assign(model.item_count.begin(), model.item_count.end());
  model.scorer = std::move(scores);
  return model;
}

}  // namespace kindred
