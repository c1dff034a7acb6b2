// SPDX-License-Identifier: Apache-2.0
// Stochastic gradient descent in float64: the loss of a sample's list as a function of the rows, and one epoch of steps
// by its gradient. Lists are given: how they are drawn is another question.
#pragma once
#include <cmath>
#include <map>
#include <vector>

#include "kernels/sgd.hpp"

namespace kindred::reference {

using Row = std::vector<double>;

struct SgdList {
  int user = 0;
  double value = 1;
  std::vector<int> items;        // the positive first
  std::vector<double> expected;  // N Q of each, for the softmax
};

/// All that moves. Biases of a side without them stay 0.
struct SgdModel {
  std::vector<Row> users, items, base;
  Row user_bias, item_bias;
};

inline double dot(const Row& a, const Row& b) {
  double sum = 0;
  for (size_t k = 0; k < a.size(); ++k) sum += a[k] * b[k];
  return sum;
}

inline Row user_row(const SgdModel& m, int user) {
  Row x = m.users[static_cast<size_t>(user)];
  if (!m.base.empty())
    for (size_t k = 0; k < x.size(); ++k) x[k] += m.base[static_cast<size_t>(user)][k];
  return x;
}

inline double sgd_score(const SgdModel& m, const SgdParams& p, int user, int item) {
  const Row x = user_row(m, user);
  const Row& q = m.items[static_cast<size_t>(item)];
  if (p.cosine) return dot(x, q) / std::sqrt(dot(x, x) * dot(q, q));
  return double{p.mean} + m.user_bias[static_cast<size_t>(user)] + m.item_bias[static_cast<size_t>(item)] + dot(x, q);
}

/// The loss from the scores of a list.
inline double sgd_loss(const SgdParams& p, const SgdList& list, const std::vector<double>& s) {
  const double n = static_cast<double>(s.size()) - 1;
  double loss = 0;
  for (size_t k = 0; k < s.size(); ++k) {
    const double value = k == 0 ? list.value : 0;
    if (p.loss == SgdLoss::kSquared) loss += 0.5 * (s[k] - value) * (s[k] - value);
    if (p.loss == SgdLoss::kLogistic) loss += std::log1p(std::exp(s[k])) - (value > 0 ? s[k] : 0);
    if (p.loss == SgdLoss::kBpr && k > 0) loss += std::log1p(std::exp(s[k] - s[0])) / n;
    if (p.loss == SgdLoss::kContrastive)
      loss += k == 0 ? 1 - s[0] : p.negative_weight * std::max(0., s[k] - p.margin) / n;
    if (p.loss == SgdLoss::kSoftmax)
      loss += k == 0 ? std::exp(s[0] / p.temperature) : std::exp(s[k] / p.temperature) / list.expected[k];
  }
  return p.loss == SgdLoss::kSoftmax ? std::log(loss) - s[0] / p.temperature : loss;
}

inline std::vector<double> sgd_scores(const SgdModel& m, const SgdParams& p, const SgdList& list) {
  std::vector<double> s;
  for (const int item : list.items) s.push_back(sgd_score(m, p, list.user, item));
  return s;
}

/// dL/ds by the book.
inline std::vector<double> sgd_slopes(const SgdParams& p, const SgdList& list, const std::vector<double>& s) {
  const double n = static_cast<double>(s.size()) - 1;
  std::vector<double> c(s.size());
  double total = 0;
  for (size_t k = 0; k < s.size(); ++k)
    total += std::exp(s[k] / p.temperature) / (k == 0 || p.loss != SgdLoss::kSoftmax ? 1 : list.expected[k]);
  for (size_t k = 0; k < s.size(); ++k) {
    const double value = k == 0 ? list.value : 0;
    if (p.loss == SgdLoss::kSquared) c[k] = s[k] - value;
    if (p.loss == SgdLoss::kLogistic) c[k] = 1 / (1 + std::exp(-s[k])) - (value > 0 ? 1 : 0);
    if (p.loss == SgdLoss::kBpr && k > 0) c[k] = 1 / (1 + std::exp(s[0] - s[k])) / n, c[0] -= c[k];
    if (p.loss == SgdLoss::kContrastive) c[k] = k == 0 ? -1 : s[k] > p.margin ? p.negative_weight / n : 0;
    if (p.loss == SgdLoss::kSoftmax)
      c[k] = (std::exp(s[k] / p.temperature) / (k == 0 ? 1 : list.expected[k]) / total - (k == 0)) / p.temperature;
  }
  for (double& slope : c)
    if (p.clip > 0) slope = std::min(std::max(slope, -double{p.clip}), double{p.clip});
  return c;
}

/// One optimizer's state for rows of one length.
class SgdSteps {
 public:
  SgdSteps(SgdOptimizer optimizer, double rate) : optimizer_(optimizer), rate_(rate) {}

  void step(int row, double* x, const Row& g) {
    State& s = states_[row];
    const size_t n = g.size(), split = optimizer_ == SgdOptimizer::kLibmf ? std::min<size_t>(n, 8) : n;
    double squares[2] = {};
    for (size_t k = 0; k < n; ++k) squares[k >= split] += g[k] * g[k];
    const double mean[2] = {squares[0] / static_cast<double>(split),
                            n > split ? squares[1] / static_cast<double>(n - split) : 0};
    s.moments.resize(n);
    ++s.steps;
    s.second = 0.999 * s.second + 0.001 * mean[0];
    for (size_t k = 0; k < n; ++k) {
      s.moments[k] = 0.9 * s.moments[k] + 0.1 * g[k];
      if (optimizer_ == SgdOptimizer::kSgd) x[k] -= rate_ * g[k];
      if (optimizer_ == SgdOptimizer::kAdaGrad) x[k] -= rate_ * g[k] / std::sqrt(s.sum[0] + mean[0] + 1e-8);
      if (optimizer_ == SgdOptimizer::kLibmf) x[k] -= rate_ * g[k] / std::sqrt(1 + s.sum[k >= split]);
      if (optimizer_ == SgdOptimizer::kAdam)
        x[k] -= rate_ * s.moments[k] / (1 - std::pow(0.9, s.steps)) /
                (std::sqrt(s.second / (1 - std::pow(0.999, s.steps))) + 1e-8);
    }
    s.sum[0] += mean[0], s.sum[1] += mean[1];
  }

 private:
  struct State {
    double sum[2] = {}, second = 0;
    int steps = 0;
    Row moments;
  };
  SgdOptimizer optimizer_;
  double rate_;
  std::map<int, State> states_;
};

/// Lists in their order; each item's row moves in its turn, the user's last. `gradient`: in x_u, added up by user.
inline double sgd_epoch(SgdModel& m, const SgdParams& p, double rate, const std::vector<SgdList>& lists, bool user_bias,
                        bool item_bias, std::vector<Row>* gradient = nullptr) {
  SgdSteps users(p.optimizer, rate), items(p.optimizer, rate), user_biases(p.optimizer, rate),
      item_biases(p.optimizer, rate);
  double loss = 0;
  for (const SgdList& list : lists) {
    const auto u = static_cast<size_t>(list.user);
    const Row x = user_row(m, list.user);
    const std::vector<double> s = sgd_scores(m, p, list), c = sgd_slopes(p, list, s);
    loss += sgd_loss(p, list, s);
    Row step(x.size()), norms;
    const double xn = std::sqrt(dot(x, x));
    for (const int item : list.items)
      norms.push_back(std::sqrt(dot(m.items[static_cast<size_t>(item)], m.items[static_cast<size_t>(item)])));
    double slopes = 0;
    for (size_t k = 0; k < c.size(); ++k) {
      if (c[k] == 0) continue;
      const auto i = static_cast<size_t>(list.items[k]);
      const Row q = m.items[i];
      const double qn = norms[k];  // as scored: an item may be in the list twice
      Row g(x.size());
      for (size_t f = 0; f < g.size(); ++f) {
        g[f] = c[k] * (p.cosine ? x[f] / (xn * qn) - s[k] * q[f] / (qn * qn) : x[f]) + p.item_regularization * q[f];
        step[f] += c[k] * (p.cosine ? q[f] / (xn * qn) - s[k] * x[f] / (xn * xn) : q[f]);
      }
      items.step(list.items[k], m.items[i].data(), g);
      if (item_bias) item_biases.step(list.items[k], &m.item_bias[i], {c[k] + p.bias_regularization * m.item_bias[i]});
      slopes += c[k];
    }
    for (size_t f = 0; f < step.size(); ++f) {
      if (gradient != nullptr) (*gradient)[u][f] += step[f];
      step[f] += p.user_regularization * m.users[u][f];
    }
    users.step(list.user, m.users[u].data(), step);
    if (user_bias) user_biases.step(list.user, &m.user_bias[u], {slopes + p.bias_regularization * m.user_bias[u]});
  }
  return loss;
}

}  // namespace kindred::reference
