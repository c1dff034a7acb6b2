// SPDX-License-Identifier: Apache-2.0
// What alternating least squares means, in float64: a row's dense system, its three ways of solution, and the objective
// as a sum over all pairs.
#pragma once
#include <cmath>
#include <span>
#include <utility>
#include <vector>

#include "kernels/als.hpp"

namespace kindred::reference {

using Vector = std::vector<double>;

/// a x = b, a: d x d row-major.
struct System {
  size_t d = 0;
  Vector a, b;
};

inline double als_weight(const AlsParams& p) {
  return p.objective == AlsObjective::kIals ? double{p.unobserved_weight} : p.objective == AlsObjective::kHuKoren;
}

inline double als_lambda(const AlsParams& p, size_t degree, size_t others) {
  return p.regularization * std::pow(double(degree) + als_weight(p) * double(others), double{p.exponent});
}

/// The system of a row with these entries against y (n x d).
inline System als_system(std::span<const int32_t> columns, std::span<const float> values, std::span<const float> y,
                         size_t d, const AlsParams& p) {
  const size_t n = y.size() / d;
  System s{d, Vector(d * d), Vector(d)};
  const auto feature = [&](size_t i, size_t k) { return p.biases && k == d - 1 ? 1.0 : double{y[i * d + k]}; };
  const auto add = [&](size_t i, double a, double b) {
    for (size_t r = 0; r < d; ++r) {
      for (size_t c = 0; c < d; ++c) s.a[r * d + c] += a * feature(i, r) * feature(i, c);
      s.b[r] += b * feature(i, r);
    }
  };
  if (als_weight(p) > 0)
    for (size_t i = 0; i < n; ++i) add(i, als_weight(p), 0);
  for (size_t e = 0; e < columns.size(); ++e) {
    const auto i = static_cast<size_t>(columns[e]);
    const double v = values[e], bias = p.biases ? y[i * d + d - 1] : 0;
    if (p.objective == AlsObjective::kIals) add(i, v, v);
    if (p.objective == AlsObjective::kHuKoren) add(i, v - 1, v);
    if (p.objective == AlsObjective::kExplicit) add(i, 1, v - p.mean - bias);
  }
  for (size_t k = 0; k < d; ++k) s.a[k * d + k] += als_lambda(p, columns.size(), n);
  return s;
}

/// Gaussian elimination with the largest pivot of each column.
inline Vector solve(System s) {
  const size_t d = s.d;
  for (size_t k = 0; k < d; ++k) {
    size_t pivot = k;
    for (size_t r = k; r < d; ++r)
      if (std::abs(s.a[r * d + k]) > std::abs(s.a[pivot * d + k])) pivot = r;
    for (size_t c = 0; c < d; ++c) std::swap(s.a[k * d + c], s.a[pivot * d + c]);
    std::swap(s.b[k], s.b[pivot]);
    for (size_t r = k + 1; r < d; ++r) {
      const double factor = s.a[r * d + k] / s.a[k * d + k];
      for (size_t c = k; c < d; ++c) s.a[r * d + c] -= factor * s.a[k * d + c];
      s.b[r] -= factor * s.b[k];
    }
  }
  for (size_t k = d; k-- > 0;) {
    for (size_t c = k + 1; c < d; ++c) s.b[k] -= s.a[k * d + c] * s.b[c];
    s.b[k] /= s.a[k * d + k];
  }
  return s.b;
}

inline Vector multiply(const Vector& a, const Vector& x) {
  const size_t d = x.size();
  Vector out(a.size() / d);
  for (size_t r = 0; r < out.size(); ++r)
    for (size_t c = 0; c < d; ++c) out[r] += a[r * d + c] * x[c];
  return out;
}

/// The system in the basis whose vectors are q's rows (orthonormal): q a qᵀ, q b.
inline System rotate(const System& s, const Vector& q) {
  const size_t d = s.d;
  System out{d, Vector(d * d), multiply(q, s.b)};
  Vector half(d * d);
  for (size_t r = 0; r < d; ++r)
    for (size_t k = 0; k < d; ++k)
      for (size_t c = 0; c < d; ++c) half[r * d + c] += q[r * d + k] * s.a[k * d + c];
  for (size_t r = 0; r < d; ++r)
    for (size_t c = 0; c < d; ++c)
      for (size_t k = 0; k < d; ++k) out.a[r * d + c] += half[r * d + k] * q[c * d + k];
  return out;
}

inline Vector rotate_back(const Vector& x, const Vector& q) {
  Vector out(x.size());
  for (size_t k = 0; k < x.size(); ++k)
    for (size_t c = 0; c < x.size(); ++c) out[c] += q[k * x.size() + c] * x[k];
  return out;
}

inline double dot(const Vector& x, const Vector& y) {
  double sum = 0;
  for (size_t k = 0; k < x.size(); ++k) sum += x[k] * y[k];
  return sum;
}

/// `steps` of conjugate gradients from x, preconditioned by the diagonal.
inline Vector conjugate_gradients(const System& s, Vector x, int steps) {
  const size_t d = s.d;
  Vector r = multiply(s.a, x), z(d);
  for (size_t k = 0; k < d; ++k) r[k] = s.b[k] - r[k], z[k] = r[k] / s.a[k * d + k];
  Vector p = z;
  for (double rz = dot(r, z); steps > 0 && rz > 0; --steps) {
    const Vector ap = multiply(s.a, p);
    const double length = rz / dot(p, ap);
    for (size_t k = 0; k < d; ++k) x[k] += length * p[k], r[k] -= length * ap[k], z[k] = r[k] / s.a[k * d + k];
    const double next = dot(r, z);
    for (size_t k = 0; k < d; ++k) p[k] = z[k] + next / rz * p[k];
    rz = next;
  }
  return x;
}

/// One pass over blocks of `block` unknowns, each solved for with the others as they are.
inline Vector block_pass(const System& s, Vector x, size_t block) {
  for (size_t first = 0; first < s.d; first += block) {
    const size_t size = std::min(block, s.d - first);
    System part{size, Vector(size * size), Vector(size)};
    for (size_t r = 0; r < size; ++r) {
      part.b[r] = s.b[first + r];
      for (size_t c = 0; c < s.d; ++c) part.b[r] -= s.a[(first + r) * s.d + c] * x[c];
      for (size_t c = 0; c < size; ++c) part.a[r * size + c] = s.a[(first + r) * s.d + first + c];
    }
    const Vector change = solve(part);
    for (size_t r = 0; r < size; ++r) x[first + r] += change[r];
  }
  return x;
}

/// The objective over every pair of the m x n matrix; rows given as CSR.
inline double als_loss(std::span<const int64_t> offsets, std::span<const int32_t> columns,
                       std::span<const float> values, std::span<const float> x, std::span<const float> y, size_t d,
                       const AlsParams& p) {
  const size_t m = x.size() / d, n = y.size() / d;
  Vector item_degree(n);
  double loss = 0;
  const auto norm = [&](std::span<const float> table, size_t row) {
    double sum = 0;
    for (size_t k = 0; k < d; ++k) sum += double{table[row * d + k]} * table[row * d + k];
    return sum;
  };
  for (size_t u = 0; u < m; ++u) {
    std::vector<std::vector<double>> observed(n);
    for (auto e = static_cast<size_t>(offsets[u]); e < static_cast<size_t>(offsets[u + 1]); ++e)
      observed[static_cast<size_t>(columns[e])].push_back(values[e]), ++item_degree[static_cast<size_t>(columns[e])];
    for (size_t i = 0; i < n; ++i) {
      double score = p.objective == AlsObjective::kExplicit ? double{p.mean} : 0;
      for (size_t k = 0; k < d - p.biases; ++k) score += double{x[u * d + k]} * y[i * d + k];
      if (p.biases) score += double{x[u * d + d - 1]} + y[i * d + d - 1];
      for (const double v : observed[i])
        loss += p.objective == AlsObjective::kExplicit ? (v - score) * (v - score) : v * (1 - score) * (1 - score);
      if (p.objective == AlsObjective::kIals) loss += p.unobserved_weight * score * score;
      if (p.objective == AlsObjective::kHuKoren && observed[i].empty()) loss += score * score;
    }
    loss += als_lambda(p, static_cast<size_t>(offsets[u + 1] - offsets[u]), n) * norm(x, u);
  }
  for (size_t i = 0; i < n; ++i) loss += als_lambda(p, static_cast<size_t>(item_degree[i]), m) * norm(y, i);
  return loss;
}

}  // namespace kindred::reference
