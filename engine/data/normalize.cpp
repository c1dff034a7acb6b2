// SPDX-License-Identifier: Apache-2.0
#include "engine/data/normalize.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "engine/core/error.hpp"
#include "engine/core/log.hpp"
#include "kernels/cpu/threads.hpp"

namespace kindred {
namespace {

constexpr int64_t kUsersAChunk = 256;
// The usual damping of baselines (Koren 2010): few values say little of a user, and of an item.
constexpr float kUserDamping = 15;
constexpr double kItemDamping = 10;
constexpr int kBaselineRounds = 10;

std::string_view name_of(Normalize method) {
  constexpr std::string_view kNames[] = {"none",    "divide-user-mean", "subtract-user-mean", "subtract-item-mean",
                                         "z-score", "baseline"};
  return kNames[static_cast<size_t>(method)];
}

struct Statistics {
  double mean = 0, deviation = 0;
  std::vector<float> item_mean;  ///< 0 for items without values
  std::vector<int64_t> item_count;
};

Statistics statistics_of(const HostCsr& m) {
  Statistics out;
  std::vector<double> sums(static_cast<size_t>(m.cols));
  out.item_count.resize(sums.size());
  double sum = 0;
  for (size_t e = 0; e < m.values.size(); ++e) {
    sum += m.values[e];
    sums[static_cast<size_t>(m.indices[e])] += m.values[e];
    ++out.item_count[static_cast<size_t>(m.indices[e])];
  }
  out.mean = sum / static_cast<double>(m.nnz());
  double squares = 0;
  for (const float value : m.values) squares += (value - out.mean) * (value - out.mean);
  out.deviation = std::sqrt(squares / static_cast<double>(m.nnz()));
  for (size_t i = 0; i < sums.size(); ++i) {
    const auto count = static_cast<double>(out.item_count[i]);
    out.item_mean.push_back(count > 0 ? static_cast<float>(sums[i] / count) : 0);
  }
  return out;
}

// Biases of users and items that fit the values with damped least squares, by turns: items, then users.
std::vector<float> baseline_items(const HostCsr& m, const Statistics& statistics) {
  const double mean = statistics.mean;
  std::vector<double> user(static_cast<size_t>(m.rows())), item(static_cast<size_t>(m.cols)), sums;
  for (int round = 0; round < kBaselineRounds; ++round) {
    sums.assign(item.size(), 0);
    for (int64_t u = 0; u < m.rows(); ++u) {
      const auto items = m.row(u);
      const auto values = m.row_values(u);
      double& bias = user[static_cast<size_t>(u)];
      if (round > 0 && !items.empty()) {  // the first items see no users yet
        double sum = 0;
        for (size_t e = 0; e < items.size(); ++e) sum += values[e] - mean - item[static_cast<size_t>(items[e])];
        bias = sum / (double{kUserDamping} + static_cast<double>(items.size()));
      }
      for (size_t e = 0; e < items.size(); ++e) sums[static_cast<size_t>(items[e])] += values[e] - mean - bias;
    }
    for (size_t i = 0; i < item.size(); ++i)
      item[i] = sums[i] / (kItemDamping + static_cast<double>(statistics.item_count[i]));
  }
  return {item.begin(), item.end()};
}

}  // namespace

void check_normalizable(const Interactions& train, Normalize method) {
  if (method == Normalize::kNone) return;
  const HostCsr& m = train.matrix;
  if (m.values.empty()) {
    throw InputError(
        "data.normalize: the interactions have no values, each counts 1; set data.columns.value, or remove the key");
  }
  if (method != Normalize::kDivideUserMean) return;
  for (int64_t u = 0; u < m.rows(); ++u) {
    const float mean = user_scale({method, 1, 1, 0, {}}, m.row(u), m.row_values(u)).scale;
    if (mean > 0) continue;
    throw InputError("data.normalize = \"divide-user-mean\": user '" + printable(train.users->text(u)) +
                     "' has the mean " + format_float(mean) +
                     "; expected means above 0, which data.min_value or \"subtract-user-mean\" may give");
  }
}

NormalizedTrain::NormalizedTrain(Context& ctx, Interactions& train, Normalize method) : train_(train) {
  normalization_.method = method;
  check_normalizable(train, method);
  if (method == Normalize::kNone) return;
  HostCsr& m = train.matrix;
  Statistics statistics = statistics_of(m);
  Normalization& n = normalization_;
  n.mean = static_cast<float>(statistics.mean);
  if (method == Normalize::kZScore && statistics.deviation > 0) n.deviation = static_cast<float>(statistics.deviation);
  if (method == Normalize::kBaseline) {
    n.damping = kUserDamping;
    n.items = baseline_items(m, statistics);
  }
  if (method == Normalize::kSubtractItemMean) {
    n.items = statistics.item_mean;
    for (size_t i = 0; i < n.items.size(); ++i)
      if (statistics.item_count[i] == 0) n.items[i] = n.mean;
  }
  item_mean_ = std::move(statistics.item_mean);

  std::vector<float> normal(m.values.size());
  user_offset_.resize(static_cast<size_t>(m.rows()));
  user_scale_.resize(user_offset_.size());
  cpu::parallel_for(ctx, m.rows(), kUsersAChunk, [&](int64_t first, int64_t last, int) {
    for (int64_t u = first; u < last; ++u) {
      const UserScale scale = user_scale(n, m.row(u), m.row_values(u));
      user_offset_[static_cast<size_t>(u)] = scale.offset;
      user_scale_[static_cast<size_t>(u)] = scale.scale;
      for (auto e = static_cast<size_t>(m.offsets[static_cast<size_t>(u)]);
           e < static_cast<size_t>(m.offsets[static_cast<size_t>(u) + 1]); ++e)
        normal[e] = normalized(n, scale, m.indices[e], m.values[e]);
    }
  });
  values_ = std::exchange(m.values, std::move(normal));
  log_info("normalized", {{"method", name_of(method)},
                          {"mean", statistics.mean},
                          {"deviation", statistics.deviation},
                          {"interactions", train.size()}});
}

NormalizedTrain::~NormalizedTrain() {
  if (!values_.empty()) train_.matrix.values = std::move(values_);
}

void NormalizedTrain::undo(FittedModel& model) const {
  if (normalization_.method == Normalize::kNone) return;
  model.normalization = normalization_;
  model.item_mean = item_mean_;
  const auto add_items_to = [&](std::vector<float>& parts) {
    if (normalization_.items.empty()) return;
    parts.resize(normalization_.items.size());
    for (size_t i = 0; i < parts.size(); ++i) parts[i] += normalization_.items[i];
  };
  if (auto* neighbors = std::get_if<Neighbors>(&model.scorer)) add_items_to(neighbors->center);
  if (!model.predicts_values) return;
  model.user_offset = user_offset_;
  model.user_scale = user_scale_;
  if (auto* factors = std::get_if<Factors>(&model.scorer)) add_items_to(factors->item_bias);
  if (auto* constant = std::get_if<Constant>(&model.scorer)) add_items_to(constant->items);
}

}  // namespace kindred
