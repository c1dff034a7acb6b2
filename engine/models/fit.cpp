// SPDX-License-Identifier: Apache-2.0
#include "engine/models/fit.hpp"

namespace kindred {

FittedModel describe(const Interactions& train, std::string model) {
  FittedModel out;
  out.model = std::move(model);
  out.users = train.users;
  out.items = train.items;
  const auto items = static_cast<size_t>(train.num_items());
  out.item_count.assign(items, 0);
  std::vector<double> sums(items, 0.0);
  for (int64_t e = 0; e < train.size(); ++e) {
    const auto item = static_cast<size_t>(train.matrix.indices[static_cast<size_t>(e)]);
    ++out.item_count[item];
    sums[item] += train.matrix.value(e);
  }
  out.item_mean.resize(items);
  for (size_t i = 0; i < items; ++i)
    out.item_mean[i] = out.item_count[i] > 0 ? static_cast<float>(sums[i] / static_cast<double>(out.item_count[i])) : 0;
  return out;
}

}  // namespace kindred
