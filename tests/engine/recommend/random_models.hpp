// SPDX-License-Identifier: Apache-2.0
// Small random models with factors, and their scores by definition, in float64.
#pragma once
#include <algorithm>
#include <cmath>
#include <memory>
#include <random>
#include <vector>

#include "engine/core/fitted_model.hpp"

namespace kindred::test {

inline std::shared_ptr<const Ids> numbered(int64_t count) {
  std::vector<int64_t> values(static_cast<size_t>(count));
  for (size_t r = 0; r < values.size(); ++r) values[r] = static_cast<int64_t>(r) * 10;
  return std::make_shared<Ids>(Ids::integers(std::move(values)));
}

/// Each pair with this probability; values 1 to 5.
inline HostCsr random_csr(std::mt19937& random, int64_t rows, int64_t cols, double density) {
  std::uniform_real_distribution<double> uniform(0, 1);
  HostCsr out;
  out.cols = cols;
  for (int64_t r = 0; r < rows; ++r) {
    for (int32_t c = 0; c < cols; ++c)
      if (uniform(random) < density) {
        out.indices.push_back(c);
        out.values.push_back(static_cast<float>(1 + std::floor(5 * uniform(random))));
      }
    out.offsets.push_back(out.nnz());
  }
  return out;
}

inline FittedModel random_factors(uint32_t seed, int64_t users, int64_t items, int64_t d, bool biases) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, 1);
  Factors factors;
  factors.users = HostMatrix(users, d);
  factors.items = HostMatrix(items, d);
  for (auto* table : {&factors.users, &factors.items})
    for (float& v : table->data) v = normal(random);
  if (biases) {
    factors.user_bias.resize(static_cast<size_t>(users));
    factors.item_bias.resize(static_cast<size_t>(items));
    for (auto* bias : {&factors.user_bias, &factors.item_bias})
      for (float& v : *bias) v = normal(random);
  }
  FittedModel out;
  out.model = "als";
  out.users = numbered(users);
  out.items = numbered(items);
  out.scorer = std::move(factors);
  out.history = random_csr(random, users, items, 0.2);
  out.item_count.resize(static_cast<size_t>(items));
  for (const int32_t item : out.history.indices) ++out.item_count[static_cast<size_t>(item)];
  return out;
}

/// The score of the contract: link(offset_u + scale_u (mean + biases + x.y)).
inline double score_of(const FittedModel& model, int64_t user, int64_t item) {
  const auto& f = std::get<Factors>(model.scorer);
  const auto x = f.users.row(user), y = f.items.row(item);
  double product = 0, xx = 0, yy = 0;
  for (size_t k = 0; k < x.size(); ++k)
    product += double{x[k]} * y[k], xx += double{x[k]} * x[k], yy += double{y[k]} * y[k];
  if (model.metric == Metric::kCosine) product = xx > 0 && yy > 0 ? product / std::sqrt(xx * yy) : 0;
  const auto u = static_cast<size_t>(user), i = static_cast<size_t>(item);
  double raw = model.global_mean + product;
  if (!f.user_bias.empty()) raw += f.user_bias[u];
  if (!f.item_bias.empty()) raw += f.item_bias[i];
  if (!model.user_scale.empty()) raw *= model.user_scale[u];
  if (!model.user_offset.empty()) raw += model.user_offset[u];
  switch (model.link) {
    case Link::kIdentity:
      return raw;
    case Link::kSigmoid:
      return 1 / (1 + std::exp(-raw));
    case Link::kRelu:
      return std::max(0.0, raw);
  }
  return raw;
}

inline bool contains(std::span<const int32_t> sorted, int32_t item) { return std::ranges::binary_search(sorted, item); }

}  // namespace kindred::test
