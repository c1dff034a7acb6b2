// SPDX-License-Identifier: Apache-2.0
// Alternating least squares on every backend against its definition in float64.
#include "kernels/als.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "kernels/dense.hpp"
#include "kernels/detail/als.hpp"
#include "kernels/memory.hpp"
#include "kernels/random.hpp"
#include "kernels/sparse.hpp"
#include "tests/kernels/backends.hpp"
#include "tests/kernels/cases/als.hpp"
#include "tests/reference/als.hpp"

namespace kindred {
namespace {

using cases::HostCsr;
using reference::System;
using reference::Vector;
using testing::HasSubstr;

std::string name_of(AlsObjective objective) {
  return objective == AlsObjective::kIals ? "ials" : objective == AlsObjective::kHuKoren ? "hukoren" : "explicit";
}

std::string name_of(AlsSolver solver) {
  constexpr const char* kNames[] = {"auto", "cholesky", "cg", "block", "woodbury"};
  return kNames[static_cast<size_t>(solver)];
}

constexpr AlsSolver kSolvers[] = {AlsSolver::kAuto, AlsSolver::kCholesky, AlsSolver::kCg, AlsSolver::kBlock,
                                  AlsSolver::kWoodbury};
constexpr AlsObjective kObjectives[] = {AlsObjective::kIals, AlsObjective::kHuKoren, AlsObjective::kExplicit};

AlsParams params_of(AlsObjective objective, AlsSolver solver) {
  AlsParams params;
  params.objective = objective;
  params.solver = solver;
  params.regularization = 0.1f;
  params.exponent = objective == AlsObjective::kHuKoren ? 0.5f : 1.0f;
  params.unobserved_weight = 0.05f;
  params.block_size = 16;
  params.mean = objective == AlsObjective::kExplicit ? 2.5f : 0.0f;
  return params;
}

/// A half-sweep on `ctx`; the result on the host.
std::vector<float> half_sweep(Context& ctx, const HostCsr& rows, const std::vector<float>& fixed,
                              const std::vector<float>& start, int64_t factors, const AlsParams& params) {
  const ResidentCsr csr(ctx, rows.offsets, rows.indices, rows.values, rows.cols, "test rows");
  Matrix<float> y(ctx, rows.cols, factors, "test fixed"), x(ctx, rows.rows(), factors, "test solved");
  upload<float>(ctx, fixed, y.view().flat());
  upload<float>(ctx, start, x.view().flat());
  als_half_sweep(ctx, csr.view(), y.view(), x.view(), params);
  std::vector<float> out(start.size());
  download(ctx, x.view().flat(), std::span(out));
  ctx.wait();
  return out;
}

double loss(Context& ctx, const HostCsr& rows, const std::vector<float>& x, const std::vector<float>& y,
            int64_t factors, const AlsParams& params) {
  const ResidentCsr csr(ctx, rows.offsets, rows.indices, rows.values, rows.cols, "test rows");
  const auto columns = cases::transposed(rows);
  const Resident<float> left(ctx, x, "test x"), right(ctx, y, "test y");
  const Resident<int64_t> item_offsets(ctx, columns.offsets, "test item offsets");
  return als_loss(ctx, csr.view(), left.matrix(factors), right.matrix(factors), item_offsets.view(), params);
}

/// The eigenvectors that the half-sweep works with, as rows. The basis is a parameter of kCg and kBlock: eigenvectors
/// of close eigenvalues are free to turn, and the iterates turn with them.
Vector eigenbasis(Context& ctx, const std::vector<float>& fixed, int64_t factors) {
  const Resident<float> y(ctx, fixed, "test fixed");
  Matrix<float> g(ctx, factors, factors, "test gram"), q(ctx, factors, factors, "test vectors");
  Array<float> values(ctx, factors, "test values");
  gram(ctx, y.matrix(factors), g.view());
  symmetric_eigen(ctx, g.view(), values.view(), q.view());
  std::vector<float> out(static_cast<size_t>(factors * factors));
  download(ctx, q.view().flat(), std::span(out));
  ctx.wait();
  return Vector(out.begin(), out.end());
}

/// What the planned solver makes of a row, in float64.
Vector expected_row(const System& system, Vector start, const Vector* basis, AlsSolver solver,
                    const AlsParams& params) {
  if (solver != AlsSolver::kCg && solver != AlsSolver::kBlock) return reference::solve(system);
  const System turned = basis != nullptr ? reference::rotate(system, *basis) : system;
  if (basis != nullptr) start = reference::multiply(*basis, start);
  const Vector x = solver == AlsSolver::kCg
                       ? reference::conjugate_gradients(turned, start, params.cg_steps)
                       : reference::block_pass(turned, start, static_cast<size_t>(params.block_size));
  return basis != nullptr ? reference::rotate_back(x, *basis) : x;
}

double norm(const Vector& x) { return std::sqrt(reference::dot(x, x)); }

/// |A (x - expected)| / (|A| (|expected| + |start|)): the backward error, whose bound does not grow with A's condition.
/// In fp32 each sum of k terms errs by some sqrt(k) eps: d terms in a product, at most a segment of entries in a sum.
void expect_rows_near(const HostCsr& rows, const std::vector<float>& fixed, const std::vector<float>& start,
                      const std::vector<float>& found, int64_t factors, const Vector* basis, const AlsParams& params) {
  const auto d = static_cast<size_t>(factors);
  for (int64_t row = 0; row < rows.rows(); ++row) {
    const auto begin = static_cast<size_t>(rows.offsets[static_cast<size_t>(row)]);
    const auto degree = static_cast<size_t>(rows.degree(row));
    const auto at = static_cast<size_t>(row) * d;
    if (degree == 0) {
      for (size_t k = 0; k < d; ++k) ASSERT_EQ(found[at + k], 0) << "row " << row;
      continue;
    }
    const System system = reference::als_system(std::span(rows.indices).subspan(begin, degree),
                                                std::span(rows.values).subspan(begin, degree), fixed, d, params);
    const Vector from(start.begin() + static_cast<int64_t>(at), start.begin() + static_cast<int64_t>(at + d));
    const AlsSolver solver = detail::als_plan(params, factors, rows.degree(row));
    const Vector expected = expected_row(system, from, basis, solver, params);
    Vector difference(d);
    for (size_t k = 0; k < d; ++k) difference[k] = found[at + k] - expected[k];
    const double terms = static_cast<double>(factors + std::min<int64_t>(rows.degree(row), detail::kAlsSegment));
    const double bound =
        4 * std::numeric_limits<float>::epsilon() * std::sqrt(terms) * norm(system.a) * (norm(expected) + norm(from));
    ASSERT_LE(norm(reference::multiply(system.a, difference)), bound)
        << "row " << row << " of degree " << degree << " by " << name_of(solver);
  }
}

using Case = std::tuple<std::string, AlsObjective, AlsSolver, int>;

class AlsSolvers : public testing::TestWithParam<Case> {};

TEST_P(AlsSolvers, AgreeWithFloat64) {
  const auto& [device, objective, solver, factors] = GetParam();
  Context ctx({.device = device});
  std::vector<int64_t> degrees{1, 0, 2, 5, 40, 300, 0, 24};
  if (factors <= 64) degrees.insert(degrees.end(), {3, 7, 15, 16, 17, 33, 64, 65, 129});
  if (factors >= 100) degrees.insert(degrees.end(), {int64_t{factors} * 7 / 10, int64_t{factors} * 7 / 10 + 1});
  const int64_t n = 350;
  const HostCsr rows = cases::random_csr(degrees, n, 1);
  const auto fixed = cases::random_factors(n, factors, 2), start = cases::random_factors(rows.rows(), factors, 3);
  AlsParams params = params_of(objective, solver);
  for (const bool biases : {false, true}) {
    params.biases = biases;
    if (biases && objective != AlsObjective::kExplicit) break;
    const auto found = half_sweep(ctx, rows, fixed, start, factors, params);
    Vector basis;
    if (detail::als_rotates(params, factors)) basis = eigenbasis(ctx, fixed, factors);
    expect_rows_near(rows, fixed, start, found, factors, basis.empty() ? nullptr : &basis, params);
  }
}

INSTANTIATE_TEST_SUITE_P(Als, AlsSolvers,
                         testing::Combine(testing::ValuesIn(contexts()), testing::ValuesIn(kObjectives),
                                          testing::ValuesIn(kSolvers),
                                          testing::Values(1, 2, 3, 15, 16, 17, 32, 64, 100, 128, 256)),
                         [](const auto& tested) {
                           return std::get<0>(tested.param) + "_" + name_of(std::get<1>(tested.param)) + "_" +
                                  name_of(std::get<2>(tested.param)) + "_" + std::to_string(std::get<3>(tested.param));
                         });

class Als : public testing::TestWithParam<std::string> {
 protected:
  Context ctx{ContextOptions{.device = GetParam()}};
};

INSTANTIATE_TEST_SUITE_P(Als, Als, testing::ValuesIn(contexts()), [](const auto& tested) { return tested.param; });

/// One row with most of all entries, which is spread over the threads, one that is only long, and short ones.
HostCsr skewed() {
  if (emulated()) return cases::random_csr({3, 9000, 0, 4500, 100, 12, 1}, 9500, 4);
  return cases::random_csr({3, 30000, 0, 5000, 100, 12, 1}, 32000, 4);
}

/// Many rows that are long, none of them alone.
HostCsr dense() {
  std::vector<int64_t> degrees{3, 2000, 0};
  for (int64_t row = 0; row < (emulated() ? 2 : 17); ++row) degrees.push_back(3000 + 250 * row);
  return cases::random_csr(degrees, 8000, 29);
}

TEST_P(Als, LongRowsAgreeWithFloat64) {
  const auto sets = {std::pair{skewed(), 8}, std::pair{skewed(), 33}, std::pair{dense(), 64}};
  for (const auto& [rows, factors] : sets)
    for (const auto solver : kSolvers) {
      const AlsParams params = params_of(AlsObjective::kIals, solver);
      const auto fixed = cases::random_factors(rows.cols, factors, 5);
      const auto start = cases::random_factors(rows.rows(), factors, 6);
      Vector basis;
      if (detail::als_rotates(params, factors)) basis = eigenbasis(ctx, fixed, factors);
      expect_rows_near(rows, fixed, start, half_sweep(ctx, rows, fixed, start, factors, params), factors,
                       basis.empty() ? nullptr : &basis, params);
    }
}

TEST_P(Als, BitsDoNotDependOnThreads) {
  // The emulator takes the threads of a device in another order at every launch.
  const auto counts = emulated() ? std::vector{1, 1} : std::vector{1, 2, 7, 7};
  auto sets = std::vector{std::pair{skewed(), 40}};
  if (!emulated()) sets.emplace_back(dense(), 64);
  for (const auto& [rows, factors] : sets)
    for (const auto objective : kObjectives)
      for (const auto solver : kSolvers) {
        const auto fixed = cases::random_factors(rows.cols, factors, 5);
        const auto start = cases::random_factors(rows.rows(), factors, 6);
        const AlsParams params = params_of(objective, solver);
        std::vector<float> first;
        double first_loss = 0;
        for (const int threads : counts) {
          Context other({.device = GetParam(), .threads = threads});
          const auto found = half_sweep(other, rows, fixed, start, factors, params);
          const double found_loss = loss(other, rows, found, fixed, factors, params);
          if (first.empty()) {
            first = found;
            first_loss = found_loss;
          }
          EXPECT_EQ(std::memcmp(found.data(), first.data(), found.size() * sizeof(float)), 0)
              << name_of(objective) << " " << name_of(solver) << ", " << threads << " threads";
          EXPECT_EQ(found_loss, first_loss);
        }
      }
}

TEST_P(Als, LossIsTheSumOverAllPairs) {
  const HostCsr rows = cases::random_csr({0, 1, 5, 60, 13, 90, 2}, 90, 7);
  for (const auto objective : kObjectives)
    for (const int64_t factors : {1, 5, 16, 50}) {
      AlsParams params = params_of(objective, AlsSolver::kAuto);
      const auto x = cases::random_factors(rows.rows(), factors, 8), y = cases::random_factors(rows.cols, factors, 9);
      for (const bool biases : {false, true}) {
        params.biases = biases;
        if (biases && objective != AlsObjective::kExplicit) break;
        const double expected =
            reference::als_loss(rows.offsets, rows.indices, rows.values, x, y, static_cast<size_t>(factors), params);
        // Scores are fp32 dot products of some size 1: their errors are independent, their sum's is far smaller.
        EXPECT_NEAR(loss(ctx, rows, x, y, factors, params), expected, 1e-6 * expected)
            << name_of(objective) << ", " << factors << " factors, biases " << biases;
      }
    }
}

TEST_P(Als, ExactSweepsLowerTheLoss) {
  std::vector<int64_t> degrees;
  for (int64_t row = 0; row < 120; ++row) degrees.push_back(row * row % 37);
  const HostCsr rows = cases::random_csr(degrees, 70, 10), columns = cases::transposed(rows);
  for (const auto objective : kObjectives)
    for (const auto solver : {AlsSolver::kCholesky, AlsSolver::kWoodbury, AlsSolver::kAuto}) {
      const int64_t factors = 35;
      AlsParams params = params_of(objective, solver);
      params.biases = objective == AlsObjective::kExplicit;
      auto x = cases::random_factors(rows.rows(), factors, 11), y = cases::random_factors(rows.cols, factors, 12);
      double last = loss(ctx, rows, x, y, factors, params);
      for (int sweep = 0; sweep < (emulated() ? 4 : 30); ++sweep) {
        if (sweep % 2 == 0)
          x = half_sweep(ctx, rows, y, x, factors, params);
        else
          y = half_sweep(ctx, columns, x, y, factors, params);
        const double now = loss(ctx, rows, x, y, factors, params);
        // An exact minimum in fp32 is off by eps in x, by eps^2 in the loss: far below this.
        ASSERT_LE(now, last * (1 + 1e-9)) << name_of(objective) << " " << name_of(solver) << ", half-sweep " << sweep;
        last = now;
      }
    }
}

TEST_P(Als, ApproximateSolversComeCloseToTheExactLoss) {
  if (emulated()) GTEST_SKIP() << "too large for the emulator";
  std::vector<int64_t> degrees;
  for (int64_t row = 0; row < 150; ++row) degrees.push_back(1 + row * row % 37);
  const HostCsr rows = cases::random_csr(degrees, 90, 13), columns = cases::transposed(rows);
  const int64_t factors = 48;
  for (const auto objective : kObjectives) {
    double exact = 0;
    for (const auto solver : {AlsSolver::kCholesky, AlsSolver::kCg, AlsSolver::kBlock}) {
      AlsParams params = params_of(objective, solver);
      auto x = cases::random_factors(rows.rows(), factors, 14), y = cases::random_factors(rows.cols, factors, 15);
      for (int epoch = 0; epoch < 15; ++epoch) {
        x = half_sweep(ctx, rows, y, x, factors, params);
        y = half_sweep(ctx, columns, x, y, factors, params);
      }
      const double now = loss(ctx, rows, x, y, factors, params);
      if (solver == AlsSolver::kCholesky) exact = now;
      EXPECT_LE(now, exact * 1.02) << name_of(objective) << " " << name_of(solver);
    }
  }
}

TEST_P(Als, LowPrecisionStaysWithinItsBound) {
  // Both factors of each product may be rounded to 11 bits: A and b move by 2^-10 of themselves, x by as much times A's
  // condition, which the backward error leaves out.
  const int64_t factors = 40;
  const HostCsr rows = cases::random_csr({60, 7, 200, 33}, 250, 30);
  const auto fixed = cases::random_factors(rows.cols, factors, 31), start = cases::random_factors(4, factors, 32);
  for (const auto precision : {AlsPrecision::kTf32, AlsPrecision::kBf16}) {
    AlsParams params = params_of(AlsObjective::kExplicit, AlsSolver::kCholesky);
    params.precision = precision;
    const auto found = half_sweep(ctx, rows, fixed, start, factors, params);
    for (int64_t row = 0; row < rows.rows(); ++row) {
      const auto begin = static_cast<size_t>(rows.offsets[static_cast<size_t>(row)]);
      const auto degree = static_cast<size_t>(rows.degree(row));
      const System system =
          reference::als_system(std::span(rows.indices).subspan(begin, degree),
                                std::span(rows.values).subspan(begin, degree), fixed, factors, params);
      const Vector expected = reference::solve(system);
      Vector difference(expected.size());
      for (size_t k = 0; k < expected.size(); ++k)
        difference[k] = found[static_cast<size_t>(row * factors) + k] - expected[k];
      EXPECT_LE(norm(reference::multiply(system.a, difference)), std::ldexp(norm(system.a) * norm(expected), -10));
    }
  }
}

TEST_P(Als, PartOfAMatrixAndValuesOfOne) {
  const int64_t factors = 12;
  HostCsr rows = cases::random_csr({4, 9, 2, 30, 7}, 40, 16);
  std::fill(rows.values.begin(), rows.values.end(), 1.0f);
  const auto fixed = cases::random_factors(rows.cols, factors, 17), start = cases::random_factors(5, factors, 18);
  const AlsParams params = params_of(AlsObjective::kIals, AlsSolver::kCg);
  const auto whole = half_sweep(ctx, rows, fixed, start, factors, params);

  const Resident<int64_t> offsets(ctx, rows.offsets, "test offsets");
  const Resident<int32_t> indices(ctx, rows.indices, "test indices");
  const CsrView last_three{offsets.view().data + 2,      indices.view().data, nullptr, 3, rows.cols,
                           rows.nnz() - rows.offsets[2], ctx.device()};
  const Resident<float> y(ctx, fixed, "test fixed");
  Matrix<float> x(ctx, 3, factors, "test solved");
  upload<float>(ctx, std::span(start).subspan(2 * factors), x.view().flat());
  als_half_sweep(ctx, last_three, y.matrix(factors), x.view(), params);
  std::vector<float> part(3 * factors);
  download(ctx, x.view().flat(), std::span(part));
  ctx.wait();
  EXPECT_EQ(part, std::vector<float>(whole.begin() + 2 * factors, whole.end()));
}

TEST_P(Als, ExtremeFactorCounts) {
  const int64_t factors = 1025;
  const HostCsr rows = cases::random_csr({3, 200}, 210, 19);
  const auto fixed = cases::random_factors(rows.cols, factors, 20), start = cases::random_factors(2, factors, 21);
  AlsParams params = params_of(AlsObjective::kExplicit, AlsSolver::kAuto);
  params.biases = true;
  expect_rows_near(rows, fixed, start, half_sweep(ctx, rows, fixed, start, factors, params), factors, nullptr, params);
}

TEST_P(Als, NothingToSolve) {
  const AlsParams params;
  EXPECT_EQ(half_sweep(ctx, cases::random_csr({0, 0}, 3, 1), std::vector<float>(12, 1.0f), std::vector<float>(8, 1.0f),
                       4, params),
            std::vector<float>(8, 0.0f));
  EXPECT_TRUE(half_sweep(ctx, cases::random_csr({}, 3, 1), std::vector<float>(12, 1.0f), {}, 4, params).empty());
  EXPECT_EQ(half_sweep(ctx, cases::random_csr({0}, 0, 1), {}, {2.0f}, 1, params), std::vector<float>{0.0f});
}

TEST_P(Als, NearlySingularRowsAreSolvedInDouble) {
  // Two entries of almost the same features and a tiny ridge: in fp32 the second pivot is rounding alone.
  const HostCsr rows = cases::random_csr({2}, 2, 22);
  const std::vector<float> fixed{1, 1, 1, std::nextafter(1.0f, 2.0f)};
  AlsParams params;
  params.objective = AlsObjective::kExplicit;
  params.solver = AlsSolver::kCholesky;
  params.regularization = 1e-9f;
  params.exponent = 0;
  const auto found = half_sweep(ctx, rows, fixed, {0, 0}, 2, params);
  const System system = reference::als_system(rows.indices, rows.values, fixed, 2, params);
  const Vector expected = reference::solve(system);
  for (size_t k = 0; k < 2; ++k) EXPECT_NEAR(found[k], expected[k], 1e-5 * std::abs(expected[k]));
}

TEST_P(Als, FailuresNameTheRow) {
  const HostCsr rows = cases::random_csr({5, 2, 1, 5}, 6, 23);
  const int64_t factors = 4;
  const auto fixed = cases::random_factors(6, factors, 24);
  const std::vector<float> start(16, 0.5f);
  AlsParams params;
  params.objective = AlsObjective::kExplicit;
  params.solver = AlsSolver::kCholesky;
  params.regularization = 0;
  try {
    half_sweep(ctx, rows, fixed, start, factors, params);
    FAIL() << "two entries cannot determine four factors";
  } catch (const NumericError& error) {
    EXPECT_EQ(error.row, 1);
    EXPECT_THAT(error.what(), HasSubstr("als_half_sweep: row 1: "));
    EXPECT_THAT(error.what(), HasSubstr("not positive definite"));
    EXPECT_THAT(error.what(), HasSubstr("raise regularization"));
  }
  for (const auto solver : kSolvers) {
    HostCsr low = rows;
    low.values[static_cast<size_t>(low.offsets[3])] = 0.5f;
    try {
      half_sweep(ctx, low, fixed, start, factors, params_of(AlsObjective::kHuKoren, solver));
      FAIL() << "a confidence below 1";
    } catch (const NumericError& error) {
      EXPECT_EQ(error.row, 3);
      EXPECT_THAT(error.what(), HasSubstr("at least 1"));
    }
    HostCsr huge = rows;
    for (auto& value : huge.values) value = 3e38f;
    params = params_of(AlsObjective::kExplicit, solver);
    params.mean = -3e38f;
    try {
      half_sweep(ctx, huge, fixed, start, factors, params);
      FAIL() << "values beyond the range of floats";
    } catch (const NumericError& error) {
      EXPECT_EQ(error.row, 0);
      EXPECT_THAT(error.what(), HasSubstr("not finite"));
    }
  }
  // A table that is not finite leaves no row solvable, whatever the solver and the basis.
  for (const auto objective : {AlsObjective::kIals, AlsObjective::kExplicit})
    for (const auto solver : kSolvers)
      for (const float bad : {std::numeric_limits<float>::quiet_NaN(), 1e30f}) {
        HostCsr late = rows;
        late.offsets.insert(late.offsets.begin(), 2, 0);  // two rows without entries before
        const std::vector<float> broken(static_cast<size_t>(rows.cols * factors), bad);
        const std::vector<float> six(static_cast<size_t>(late.rows() * factors), 0.5f);
        try {
          half_sweep(ctx, late, broken, six, factors, params_of(objective, solver));
          ADD_FAILURE() << "a table of " << bad << ", solver " << static_cast<int>(solver);
        } catch (const NumericError& error) {
          EXPECT_EQ(error.row, 2) << bad << ", solver " << static_cast<int>(solver);
        }
      }
  // The failure is over once thrown.
  EXPECT_NO_THROW(ctx.wait());
}

TEST_P(Als, ScratchIsWhatWasTold) {
  std::vector<int64_t> degrees(1500);
  for (size_t u = 0; u < degrees.size(); ++u) degrees[u] = static_cast<int64_t>(u % 23);
  const HostCsr host = cases::random_csr(degrees, 800, 29);
  for (const auto objective : {AlsObjective::kIals, AlsObjective::kExplicit})
    for (const auto solver : kSolvers) {
      AlsParams params = params_of(objective, solver);
      params.biases = objective == AlsObjective::kExplicit;
      const int64_t factors = 40;
      Context fresh({.device = ctx.device_name(), .threads = 2});
      const ResidentCsr rows(fresh, host.offsets, host.indices, host.values, host.cols, "test rows");
      const Csr columns = transpose(fresh, rows.view());
      Matrix<float> x(fresh, 1500, factors, "x"), y(fresh, 800, factors, "y");
      fill_normal(fresh, x.view().flat(), 0, 0.1f, 1, 1);
      fill_normal(fresh, y.view().flat(), 0, 0.1f, 1, 2);
      const int64_t before = fresh.memory().live, peak_before = fresh.memory().peak;
      als_half_sweep(fresh, rows.view(), y.view(), x.view(), params);
      als_half_sweep(fresh, columns.view(), x.view(), y.view(), params);
      als_loss(fresh, rows.view(), x.view(), y.view(), columns.offsets.view(), params);
      fresh.wait();
      const int64_t told = als_scratch_bytes(fresh, 1500, 800, host.nnz(), factors, params);
      EXPECT_LE(std::max(peak_before, fresh.memory().peak) - before, told) << static_cast<int>(solver);
    }
}

TEST_P(Als, WrongArgumentsAreNamed) {
  const HostCsr host = cases::random_csr({1, 2}, 5, 25);
  const ResidentCsr csr(ctx, host.offsets, host.indices, host.values, host.cols, "test rows");
  Matrix<float> y(ctx, 5, 8, "y"), x(ctx, 2, 8, "x"), narrow(ctx, 2, 7, "x"), small(ctx, 3, 8, "x");
  Matrix<float> wide_y(ctx, 5, 1026, "y"), wide_x(ctx, 2, 1026, "x");
  const auto message = [&](MatrixView<const float> fixed, MatrixView<float> solved, AlsParams params = {}) {
    try {
      als_half_sweep(ctx, csr.view(), fixed, solved, params);
    } catch (const InvalidArgument& error) {
      return std::string(error.what());
    }
    return std::string("nothing thrown");
  };
  EXPECT_THAT(message(y.view(), narrow.view()), HasSubstr("fixed has 8 columns, solved has 7; both need the model's"));
  EXPECT_THAT(message(y.view(), small.view()), HasSubstr("rows are 2 x 5, solved has 3 rows, fixed has 5"));
  EXPECT_THAT(message(wide_y.view(), wide_x.view()), HasSubstr("1026 factors; there must be 1 to 1025"));
  const auto with = [&](auto set) {
    AlsParams params;
    set(params);
    return message(y.view(), x.view(), params);
  };
  EXPECT_THAT(with([](AlsParams& p) { p.regularization = -1; }), HasSubstr("regularization is -1"));
  EXPECT_THAT(with([](AlsParams& p) { p.exponent = 1.5f; }), HasSubstr("exponent is 1.5"));
  EXPECT_THAT(with([](AlsParams& p) { p.unobserved_weight = -2; }), HasSubstr("unobserved_weight is -2"));
  EXPECT_THAT(with([](AlsParams& p) { p.cg_steps = 0; }), HasSubstr("cg_steps is 0; it must be in [1, 100]"));
  EXPECT_THAT(with([](AlsParams& p) { p.block_size = 24; }),
              HasSubstr("block_size is 24; it must be a multiple of 16"));
  EXPECT_THAT(with([](AlsParams& p) { p.biases = true; }), HasSubstr("biases are for the explicit objective"));
  EXPECT_THAT(with([](AlsParams& p) { p.mean = std::numeric_limits<float>::infinity(); }), HasSubstr("mean is inf"));
  Array<int64_t> few(ctx, 5, "offsets");
  EXPECT_THROW(als_loss(ctx, csr.view(), x.view(), y.view(), few.view()), InvalidArgument);
}

// Every set of vector instructions that was compiled and that this processor has.
TEST(AlsTargets, AgreeWithFloat64) {
  if (emulated()) GTEST_SKIP() << "instruction sets are the CPU's";
  Context ctx({.device = "cpu"});
  const int64_t factors = 70;
  const HostCsr rows = cases::random_csr({1, 0, 20, 40, 700, 90, 17}, 1000, 26);
  const auto fixed = cases::random_factors(rows.cols, factors, 27);
  const auto start = cases::random_factors(rows.rows(), factors, 28);
  const Vector basis = eigenbasis(ctx, fixed, factors);
  const int tested = for_each_instruction_set([&] {
    for (const auto solver : kSolvers) {
      const AlsParams params = params_of(AlsObjective::kHuKoren, solver);
      expect_rows_near(rows, fixed, start, half_sweep(ctx, rows, fixed, start, factors, params), factors,
                       solver == AlsSolver::kCholesky ? nullptr : &basis, params);
    }
  });
  EXPECT_GE(tested, 2);
}

}  // namespace
}  // namespace kindred
