// SPDX-License-Identifier: Apache-2.0
// A new row is the half-sweep of training over the histories; reasons solve the same system in fp64.
#include "engine/recommend/fold_in.hpp"

#include <algorithm>
#include <cmath>

#include "engine/core/error.hpp"
#include "engine/core/log.hpp"
#include "engine/core/profile.hpp"
#include "kernels/als.hpp"
#include "kernels/dense.hpp"
#include "kernels/memory.hpp"

namespace kindred {
namespace {

const AlsFoldIn* recipe_of(const FittedModel& model) { return std::get_if<AlsFoldIn>(&model.fold_in); }

/// Of a model from a decomposition: 1 / |column|^2 of the item table, 0 for columns of zeros.
std::vector<double> inverse_squares(const HostMatrix& items) {
  std::vector<double> out(static_cast<size_t>(items.cols));
  for (int64_t i = 0; i < items.rows; ++i)
    for (size_t k = 0; k < out.size(); ++k) out[k] += double{items.row(i)[k]} * double{items.row(i)[k]};
  for (double& square : out) square = square > 0 ? 1 / square : 0;
  return out;
}

/// An item's bias as the scorer was fitted; the model's holds what normalizing took off too.
float fitted_bias(const FittedModel& model, const Factors& factors, int32_t item) {
  return factors.item_bias.empty() ? 0 : factors.item_bias[static_cast<size_t>(item)] - model.normalization.item(item);
}

/// A history's part in normalizing: user_scale, checked.
UserScale scale_of_history(const FittedModel& model, std::span<const int32_t> items, std::span<const float> values) {
  const UserScale scale = user_scale(model.normalization, items, values);
  if (!(scale.scale > 0))
    throw InputError("history: the mean of its values is " + format_float(scale.scale) +
                     "; the model divides by it (data.normalize) and needs one above 0");
  return scale;
}

/// A history's values as the model was fitted on them.
std::vector<float> fitted_values(const FittedModel& model, std::span<const int32_t> items,
                                 std::span<const float> values) {
  const UserScale scale = scale_of_history(model, items, values);
  std::vector<float> out;
  for (size_t e = 0; e < items.size(); ++e)
    out.push_back(normalized(model.normalization, scale, items[e], values.empty() ? 1.f : values[e]));
  return out;
}

/// A score's parts, largest first.
void sort_parts(std::vector<Reason>& reasons) {
  std::ranges::stable_sort(reasons, [](const Reason& p, const Reason& q) { return p.part > q.part; });
}

/// The item table as the row problem sees it: with the biases as last column where there are any.
HostMatrix fixed_table(const FittedModel& model, const AlsFoldIn& recipe) {
  const auto& factors = std::get<Factors>(model.scorer);
  if (!recipe.params.biases) return factors.items;
  const int64_t d = factors.items.cols;
  HostMatrix out(factors.items.rows, d + 1);
  for (int64_t i = 0; i < out.rows; ++i) {
    std::ranges::copy(factors.items.row(i), out.row(i).begin());
    out.row(i).back() = fitted_bias(model, factors, static_cast<int32_t>(i));
  }
  return out;
}

/// What the solver takes as value: the confidence c = 1 + alpha f(r), or the rating itself.
float solver_value(const AlsFoldIn& recipe, float r) {
  if (recipe.params.objective == AlsObjective::kExplicit) return r;
  if (!(r >= 0))
    throw InputError("history: the value " + format_float(r) + " is below 0; implicit feedback needs 0 and more");
  return 1 + recipe.alpha * (recipe.log_confidence ? std::log1p(r) : r);
}

/// Lower Cholesky factor in place, row-major; false where the matrix is not positive definite.
bool factorize(std::vector<double>& a, size_t d) {
  for (size_t j = 0; j < d; ++j) {
    double pivot = a[j * d + j];
    for (size_t k = 0; k < j; ++k) pivot -= a[j * d + k] * a[j * d + k];
    if (!(pivot > 0)) return false;
    a[j * d + j] = std::sqrt(pivot);
    for (size_t i = j + 1; i < d; ++i) {
      double sum = a[i * d + j];
      for (size_t k = 0; k < j; ++k) sum -= a[i * d + k] * a[j * d + k];
      a[i * d + j] = sum / a[j * d + j];
    }
  }
  return true;
}

void solve(const std::vector<double>& l, size_t d, std::vector<double>& x) {
  for (size_t i = 0; i < d; ++i) {
    for (size_t k = 0; k < i; ++k) x[i] -= l[i * d + k] * x[k];
    x[i] /= l[i * d + i];
  }
  for (size_t i = d; i-- > 0;) {
    for (size_t k = i + 1; k < d; ++k) x[i] -= l[k * d + i] * x[k];
    x[i] /= l[i * d + i];
  }
}

/// x = (YᵀY)⁻¹ Yᵀ r with YᵀY diagonal.
FoldedIn project_rows(const FittedModel& model, const HostCsr& histories) {
  const HostMatrix& items = std::get<Factors>(model.scorer).items;
  const std::vector<double> inverse = inverse_squares(items);
  FoldedIn out{HostMatrix(histories.rows(), items.cols), {}};
  for (int64_t q = 0; q < histories.rows(); ++q) {
    const auto history = histories.row(q);
    const std::vector<float> values = fitted_values(model, history, histories.row_values(q));
    std::vector<double> sum(inverse.size());
    for (size_t e = 0; e < history.size(); ++e)
      for (size_t k = 0; k < sum.size(); ++k) sum[k] += double{values[e]} * items.row(history[e])[k];
    for (size_t k = 0; k < sum.size(); ++k) out.factors.row(q)[k] = static_cast<float>(inverse[k] * sum[k]);
  }
  return out;
}

/// A score is sum_e r_e (y_e' (YᵀY)⁻¹ y_i): each summand is what interaction e brought.
std::vector<std::vector<Reason>> explain_projected(const FittedModel& model, std::span<const double> inverse,
                                                   std::span<const int32_t> history, std::span<const float> values,
                                                   std::span<const int32_t> items) {
  const HostMatrix& table = std::get<Factors>(model.scorer).items;
  const UserScale scale = scale_of_history(model, history, values);
  const std::vector<float> fitted = fitted_values(model, history, values);
  std::vector<std::vector<Reason>> out;
  for (const int32_t item : items) {
    auto& reasons = out.emplace_back();
    for (size_t e = 0; e < history.size(); ++e) {
      double product = 0;
      for (size_t k = 0; k < inverse.size(); ++k)
        product += inverse[k] * double{table.row(item)[k]} * double{table.row(history[e])[k]};
      const double part = product * double{fitted[e]};
      reasons.push_back({history[e], static_cast<float>(model.predicts_values ? part * scale.scale : part)});
    }
    sort_parts(reasons);
  }
  return out;
}

FoldedIn profiles_of(const FittedModel& model, const HostCsr& histories) {
  const HostMatrix& items = std::get<Factors>(model.scorer).items;
  FoldedIn out{HostMatrix(histories.rows(), items.cols), {}};
  for (int64_t q = 0; q < histories.rows(); ++q)
    profile_of(items, histories.row(q), fitted_values(model, histories.row(q), histories.row_values(q)),
               out.factors.row(q));
  return out;
}

/// The score of item i is the sum over the history of v_e (y_e . y_i), divided by |y_i| and the length of the sum of
/// v_e y_e: each summand is a part.
std::vector<std::vector<Reason>> explain_profile(const FittedModel& model, std::span<const int32_t> history,
                                                 std::span<const float> values, std::span<const int32_t> items) {
  const HostMatrix& table = std::get<Factors>(model.scorer).items;
  const std::vector<float> fitted = fitted_values(model, history, values);
  const auto product = [](std::span<const float> a, std::span<const float> b) {
    double sum = 0;
    for (size_t k = 0; k < a.size(); ++k) sum += double{a[k]} * b[k];
    return sum;
  };
  std::vector<float> profile(static_cast<size_t>(table.cols));
  profile_of(table, history, fitted, profile);
  double weight = 0;
  for (const float value : fitted) weight += std::abs(value);
  const double length = weight * std::sqrt(product(profile, profile));
  std::vector<std::vector<Reason>> out;
  for (const int32_t item : items) {
    auto& reasons = out.emplace_back();
    const double scale = length * std::sqrt(product(table.row(item), table.row(item)));
    for (size_t e = 0; e < history.size(); ++e) {
      const double part = scale > 0 ? fitted[e] * product(table.row(history[e]), table.row(item)) / scale : 0;
      reasons.push_back({history[e], static_cast<float>(part)});
    }
    sort_parts(reasons);
  }
  return out;
}

}  // namespace

std::vector<UserScale> scales_of(const FittedModel& model, const HostCsr& histories) {
  std::vector<UserScale> scales(static_cast<size_t>(histories.rows()));
  for (int64_t q = 0; q < histories.rows(); ++q) {
    const UserScale scale = scale_of_history(model, histories.row(q), histories.row_values(q));
    if (model.predicts_values) scales[static_cast<size_t>(q)] = scale;
  }
  return scales;
}

FoldedIn fold_in_rows(Context& ctx, const FittedModel& model, const HostCsr& histories) {
  if (std::holds_alternative<SvdFoldIn>(model.fold_in) && std::holds_alternative<Factors>(model.scorer))
    return project_rows(model, histories);
  if (std::holds_alternative<ProfileFoldIn>(model.fold_in) && std::holds_alternative<Factors>(model.scorer))
    return profiles_of(model, histories);
  const auto* recipe = recipe_of(model);
  if (recipe == nullptr || !std::holds_alternative<Factors>(model.scorer))
    throw InputError("model '" + model.model + "' cannot fold in a history: its file has no recipe (/fold_in)");
  std::vector<float> values;
  for (int64_t q = 0; q < histories.rows(); ++q)
    for (const float value : fitted_values(model, histories.row(q), histories.row_values(q)))
      values.push_back(solver_value(*recipe, value));
  const HostMatrix fixed = fixed_table(model, *recipe);
  AlsParams params = recipe->params;
  params.solver = AlsSolver::kCholesky;  // a new row has no warm start: solve it exactly

  const ResidentCsr rows(ctx, histories.offsets, histories.indices, values, histories.cols, "histories");
  const Resident<float> table(ctx, fixed.data, "item factors");
  Matrix<float> solved(ctx, histories.rows(), fixed.cols, "folded-in factors");
  als_half_sweep(ctx, rows.view(), table.matrix(fixed.cols), solved.view(), params);
  HostMatrix all(histories.rows(), fixed.cols);
  download<float>(ctx, solved.view().flat(), all.data);
  ctx.wait();
  if (!recipe->params.biases) return {std::move(all), {}};
  FoldedIn out{HostMatrix(all.rows, all.cols - 1), {}};
  for (int64_t q = 0; q < all.rows; ++q) {
    std::copy_n(all.row(q).begin(), all.cols - 1, out.factors.row(q).begin());
    out.bias.push_back(all.row(q).back());
  }
  return out;
}

std::vector<double> shared_part(Context& ctx, const FittedModel& model) {
  if (std::holds_alternative<SvdFoldIn>(model.fold_in)) return inverse_squares(std::get<Factors>(model.scorer).items);
  const auto* recipe = recipe_of(model);
  if (recipe == nullptr || als_pair_weight(recipe->params) == 0) return {};
  const auto& table = std::get<Factors>(model.scorer).items;
  const Resident<float> items(ctx, table.data, "item factors");
  Matrix<float> g(ctx, table.cols, table.cols, "item gram");
  gram(ctx, items.matrix(table.cols), g.view());
  std::vector<float> out(static_cast<size_t>(table.cols * table.cols));
  download<float>(ctx, g.view().flat(), out);
  ctx.wait();
  return {out.begin(), out.end()};
}

std::vector<std::vector<Reason>> explain_row(const FittedModel& model, std::span<const double> shared,
                                             std::span<const int32_t> history, std::span<const float> values,
                                             std::span<const int32_t> items) {
  if (std::holds_alternative<ProfileFoldIn>(model.fold_in) && std::holds_alternative<Factors>(model.scorer))
    return history.empty() ? std::vector<std::vector<Reason>>{} : explain_profile(model, history, values, items);
  const auto* recipe = recipe_of(model);
  if (std::holds_alternative<SvdFoldIn>(model.fold_in)) return explain_projected(model, shared, history, values, items);
  if (recipe == nullptr || history.empty()) return {};
  const auto& factors = std::get<Factors>(model.scorer);
  const AlsParams& params = recipe->params;
  const bool is_explicit = params.objective == AlsObjective::kExplicit;
  const auto width = static_cast<size_t>(factors.items.cols), d = width + (params.biases ? 1 : 0);
  const auto feature = [&](int32_t item, size_t k) {
    return k < width ? double{factors.items.row(item)[k]} : 1.0;  // the constant that a user's bias multiplies
  };

  // A = w G + sum a_e y y' + lambda I
  std::vector<double> a(d * d, 0.0);
  const double weight = als_pair_weight(params);
  for (size_t e = 0; e < shared.size(); ++e)
    a[e] = weight * shared[e];  // a model with a Gram has no biases: d == width
  const UserScale scale = scale_of_history(model, history, values);
  const std::vector<float> fitted = fitted_values(model, history, values);
  std::vector<double> b(history.size());
  for (size_t e = 0; e < history.size(); ++e) {
    const double v = solver_value(*recipe, fitted[e]);
    const double share = is_explicit ? 1 : params.objective == AlsObjective::kHuKoren ? v - 1 : v;
    b[e] = is_explicit ? v - params.mean - fitted_bias(model, factors, history[e]) : v;
    for (size_t i = 0; i < d; ++i)
      for (size_t j = 0; j <= i; ++j) a[i * d + j] += share * feature(history[e], i) * feature(history[e], j);
  }
  const double ridge = als_lambda(params, static_cast<int64_t>(history.size()), factors.items.rows);
  for (size_t i = 0; i < d; ++i) a[i * d + i] += ridge;
  if (!factorize(a, d)) return {};

  const double unit = model.predicts_values ? scale.scale : 1;  // of the parts
  std::vector<std::vector<Reason>> out;
  for (const int32_t item : items) {
    std::vector<double> x(d);
    for (size_t k = 0; k < d; ++k) x[k] = feature(item, k);
    solve(a, d, x);
    auto& reasons = out.emplace_back();
    for (size_t e = 0; e < history.size(); ++e) {
      double product = 0;
      for (size_t k = 0; k < d; ++k) product += x[k] * feature(history[e], k);
      reasons.push_back({history[e], static_cast<float>(unit * b[e] * product)});
    }
    sort_parts(reasons);
  }
  return out;
}

}  // namespace kindred
