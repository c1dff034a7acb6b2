// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/als_row.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "kernels/cpu/threads.hpp"
#include "kernels/detail/context.hpp"

namespace kindred::cpu {
namespace {

using detail::kAlsSegment;

/// Half of a second-level cache, in floats: a block of the table that stays there while many rows use it.
constexpr int64_t kCachedFloats = 1 << 17;
constexpr int64_t kBlockEntries = 16;  // a row must have as many in a block on average to be worth the visit
constexpr int64_t kStepChunk = 8;      // rows a thread takes at a time

int64_t round_up(int64_t value) { return (value + 15) / 16 * 16; }

/// The first place in [begin, end) of ascending columns that is not below the limit, by steps that double: what is
/// looked at is read soon anyway.
int64_t first_at_least(const int32_t* columns, int64_t begin, int64_t end, int64_t limit) {
  int64_t step = 16;
  while (begin + step < end && columns[begin + step] < limit) begin += step, step *= 2;
  return std::lower_bound(columns + begin, columns + std::min(begin + step, end), limit) - columns;
}

bool all_finite(const float* x, int64_t count) {
  return std::all_of(x, x + count, [](float value) { return std::isfinite(value); });
}

}  // namespace

AlsRowSolver::AlsRowSolver(Context& ctx, const detail::AlsProblem& problem, int64_t longest, int64_t longest_alone)
    : ctx_(ctx), problem_(problem), factors_(problem.factors()), width_(problem.width()) {
  const CsrView& rows = problem.rows;
  entries_ = {rows.indices,        rows.values,          problem.fixed.data,   width_,
              problem.offset.data, problem.weight_slope, problem.weight_shift, problem.mean};
  const int64_t threads = ctx.threads();
  system_size_ = width_ * width_ + width_;
  gathered_size_ = width_ * std::max(als_gather_rows(16), round_up(detail::als_short_row(factors_)));
  systems_ = Array<float>(ctx, threads * system_size_, "als systems");
  gathered_ = Array<float>(ctx, threads * gathered_size_, "als gathered rows");
  vectors_ = Array<float>(ctx, threads * kVectors * width_, "als vectors");

  base_ = Array<float>(ctx, system_size_, "als base");
  std::fill_n(base_.data(), system_size_, 0.0f);
  const auto at = [&](int64_t i, int64_t k) -> float& { return base_.data()[i * width_ + k]; };
  if (!problem.gram.data) {
    diagonal_ = Array<float>(ctx, width_, "als diagonal");
    // Eigenvalues of a Gram matrix are not negative, but their computed values may be.
    for (int64_t k = 0; k < width_; ++k)
      at(k, k) = diagonal_.data()[k] = k < factors_ ? problem.base_weight * std::max(0.0f, problem.spectrum[k]) : 1.0f;
  } else {
    for (int64_t i = 0; i < width_; ++i)
      for (int64_t k = 0; k < width_; ++k)
        at(i, k) = i < factors_ && k < factors_ ? problem.base_weight * problem.gram.row(i)[k] : float(i == k);
  }

  const auto partials = [&](Partials& p, int64_t copies, int64_t slots, int64_t entries) {
    p.slots = slots;
    p.entries = problem.params.solver == AlsSolver::kBlock ? entries : 0;
    p.residuals = Array<float>(ctx, copies * p.entries, "als residuals");
    if (entries <= kAlsSegment) return;
    p.sums = Array<float>(ctx, copies * slots * system_size_, "als partial sums");
    p.totals = Array<double>(ctx, copies * system_size_, "als totals");
  };
  partials(alone_, threads, 1, longest_alone);
  if (longest > longest_alone) partials(spread_, 1, threads, longest);
}

int64_t AlsRowSolver::scratch_bytes(int threads, const detail::AlsShape& shape, const AlsParams& params,
                                    int64_t most_together) {
  const int64_t width = round_up(shape.factors), system = width * width + width;
  const int64_t gathered = width * std::max(als_gather_rows(16), round_up(detail::als_short_row(shape.factors)));
  // A system, the sums of a long row's segments in fp32 and fp64; and a spread row's, a slot a thread.
  const int64_t of_threads = threads * ((4 + 4 + 8 + 4) * system + 4 * gathered + 4 * kVectors * width);
  const int64_t block = kCachedFloats / width;
  const int64_t least_degree = std::max(block + 1, kBlockEntries * shape.fixed_rows / block);
  const bool steps = detail::als_plan(params, shape.factors, least_degree) == AlsSolver::kCg;
  const int64_t together = steps ? std::min({most_together, shape.rows, shape.nnz / least_degree}) : 0;
  return of_threads + (4 + 8) * system + together * (4 * kVectors + 8 * 2) * width;
}

template <class Segment>
void AlsRowSolver::for_segments(const Row& row, Segment&& segment) {
  parallel_for(ctx_, row.degree(), kAlsSegment,
               [&](int64_t begin, int64_t end, int) { segment(row.begin + begin, row.begin + end); });
}

template <class Segment>
void AlsRowSolver::sum_segments(const Row& row, int64_t count, const float* initial, float* out, Segment&& segment) {
  if (initial != nullptr) {
    std::copy_n(initial, count, out);
  } else {
    std::fill_n(out, count, 0.0f);
  }
  if (row.degree() <= kAlsSegment) {
    segment(row.begin, row.end, out, row.thread);
    return;
  }
  const int64_t copy = &row.partials == &alone_ ? row.thread : 0, slots = row.partials.slots;
  float* sums = row.partials.sums.data() + copy * slots * system_size_;
  double* total = row.partials.totals.data() + copy * system_size_;
  std::copy_n(out, count, total);
  const int64_t segments = (row.degree() + kAlsSegment - 1) / kAlsSegment;
  for (int64_t first = 0; first < segments; first += slots) {
    const int64_t round = std::min(slots, segments - first);
    parallel_for(ctx_, round, 1, [&](int64_t slot, int64_t, int thread) {
      const int64_t begin = row.begin + (first + slot) * kAlsSegment;
      float* sum = sums + slot * system_size_;
      std::fill_n(sum, count, 0.0f);
      segment(begin, std::min(begin + kAlsSegment, row.end), sum, thread);
    });
    for (int64_t slot = 0; slot < round; ++slot) {
      const float* sum = sums + slot * system_size_;
      for (int64_t k = 0; k < count; ++k) total[k] += sum[k];
    }
  }
  std::copy_n(total, count, out);
}

void AlsRowSolver::prefetch_entries(int64_t e) const {
  for (int64_t line = 0; line < 4; ++line) {
    __builtin_prefetch(entries_.indices + e + 16 * line);
    if (entries_.values != nullptr) __builtin_prefetch(entries_.values + e + 16 * line);
  }
}

AlsRowSolver::Row AlsRowSolver::row_of(int32_t row, int thread, Partials& partials) const {
  const int64_t begin = problem_.rows.offsets[row], end = problem_.rows.offsets[row + 1];
  return {row, thread, begin, end, static_cast<float>(problem_.ridge(end - begin)), partials};
}

void AlsRowSolver::load(const Row& row, float* x) const {
  std::copy_n(problem_.solved.row(row.row), factors_, x);
  std::fill(x + factors_, x + width_, 0.0f);
}

void AlsRowSolver::solve(std::span<const int32_t> rows, int thread) {
  Row row = row_of(rows[0], thread, alone_);
  if (rows.size() > 2) prefetch_entries(problem_.rows.offsets[rows[2]]);
  if (rows.size() > 1) {
    const Row next = row_of(rows[1], thread, alone_);
    row.ahead = {next.begin, next.end};
    prefetch_row(problem_.solved.row(rows[1]), factors_);
    for (int64_t e = next.begin; e < std::min(next.end, next.begin + kAlsPrefetch); ++e)
      prefetch_row<2>(entries_.row(e), width_);
  }
  solve(row);
}

void AlsRowSolver::solve(const Row& row) {
  float* x = vectors(row.thread);
  load(row, x);
  bool done = false;
  switch (detail::als_plan(problem_.params, factors_, row.degree())) {
    case AlsSolver::kCg:
      done = solve_cg(row, x);
      break;
    case AlsSolver::kBlock:
      done = solve_block(row, x);
      break;
    case AlsSolver::kWoodbury:
      done = solve_woodbury(row, x);
      break;
    default:
      done = solve_cholesky(row, x);
  }
  finish(row, done, x);
}

void AlsRowSolver::finish(const Row& row, bool done, float* x) {
  if (!done || !all_finite(x, factors_)) done = solve_double(row, x);
  float* solved = problem_.solved.row(row.row);
  if (done && all_finite(x, factors_)) {
    std::copy_n(x, factors_, solved);
    return;
  }
  std::fill_n(solved, factors_, 0.0f);
  const char* why = done ? "the solution is not finite; look for huge values, or raise regularization"
                         : "its system is not positive definite even in fp64; raise regularization";
  for (int64_t e = row.begin; e < row.end; ++e)  // whose square root made the system NaN
    if (entries_.weight(e) < 0)
      why = "an entry has a negative weight; values must be at least 1 for the hu-koren objective, at least 0 for ials";
  detail::report_failure(ctx_, "als_half_sweep", row.row, why);
}

bool AlsRowSolver::solve_cholesky(const Row& row, float* x) {
  float* a = system(row.thread);
  sum_segments(row, system_size_, base_.data(), a, [&](int64_t begin, int64_t end, float* out, int thread) {
    als_add_entries(entries_, begin, end, {0, width_}, nullptr, out, gathered(thread),
                    end < row.end ? AlsRange{end, row.end} : row.ahead);
  });
  for (int64_t k = 0; k < width_; ++k) a[k * width_ + k] += row.lambda;
  std::copy_n(a + width_ * width_, width_, x);
  return als_solve(a, width_, x);
}

bool AlsRowSolver::solve_double(const Row& row, float* x) {
  Array<double> a(ctx_, system_size_, "als fp64 system");
  Array<double> scratch(ctx_, als_gather_rows(width_) * width_, "als fp64 gathered rows");
  std::copy_n(base_.data(), system_size_, a.data());
  als_add_entries(entries_, row.begin, row.end, {0, width_}, nullptr, a.data(), scratch.data());
  const double lambda = problem_.ridge(row.degree());
  for (int64_t k = 0; k < width_; ++k) a.data()[k * width_ + k] += lambda;
  double* solution = a.data() + width_ * width_;
  if (!als_solve(a.data(), width_, solution)) return false;
  std::copy_n(solution, width_, x);
  return true;
}

bool AlsRowSolver::solve_cg(const Row& row, float* x) {
  float* v = vectors(row.thread);
  AlsCg cg{x, system(row.thread), system(row.thread) + width_, v + width_, v + 2 * width_};
  bool valid = true;
  sum_segments(row, 2 * width_, nullptr, cg.residual, [&](int64_t begin, int64_t end, float* out, int) {
    if (!als_add_residual(entries_, begin, end, x, out, out + width_)) valid = false;
  });
  als_cg_start(diagonal_.data(), row.lambda, width_, cg);
  for (int step = 0; step < problem_.params.cg_steps && cg.along > 0; ++step) {
    sum_segments(row, width_, nullptr, cg.product, [&](int64_t begin, int64_t end, float* out, int) {
      als_add_product(entries_, begin, end, cg.p, out);
    });
    als_cg_step(diagonal_.data(), row.lambda, width_, cg);
  }
  return valid && std::isfinite(cg.along);
}

bool AlsRowSolver::steps_together(int64_t degree) const {
  const int64_t block = kCachedFloats / width_;
  return degree > block && degree * block >= kBlockEntries * problem_.fixed.rows &&
         detail::als_plan(problem_.params, factors_, degree) == AlsSolver::kCg;
}

template <class Segment>
void AlsRowSolver::sum_together(std::span<const Row> rows, int64_t count, float* const* outs, double* totals,
                                Segment&& segment) {
  const auto size = static_cast<int64_t>(rows.size());
  const int64_t block = kCachedFloats / width_, table_rows = problem_.fixed.rows;
  std::vector<int64_t> next(rows.size());
  std::vector<int64_t> fetched(static_cast<size_t>(ctx_.threads()), -1);  // the block that a thread has in its cache
  for (int64_t first = 0; first < table_rows; first += block)
    parallel_for(ctx_, size, kStepChunk, [&](int64_t begin, int64_t end, int thread) {
      const int64_t limit = std::min(first + block, table_rows);
      if (std::exchange(fetched[static_cast<size_t>(thread)], first) != first)
        prefetch_row(problem_.fixed.row(first), (limit - first) * width_);
      for (int64_t r = begin; r < end; ++r) {
        const Row& row = rows[static_cast<size_t>(r)];
        float* out = outs[r];
        double* total = totals + r * count;
        if (first == 0) {
          next[static_cast<size_t>(r)] = row.begin;
          std::fill_n(out, count, 0.0f);
          std::fill_n(total, count, 0.0);
        }
        if (r + 1 < end) prefetch_entries(next[static_cast<size_t>(r) + 1]);
        int64_t& e = next[static_cast<size_t>(r)];
        const int64_t stop = first_at_least(problem_.rows.indices, e, row.end, limit);
        while (e < stop) {  // up to the end of the block or of the segment
          const int64_t end_of_segment = row.begin + ((e - row.begin) / kAlsSegment + 1) * kAlsSegment;
          const int64_t end_of_part = std::min(stop, end_of_segment);
          segment(r, e, end_of_part, out);
          e = end_of_part;
          if (row.degree() <= kAlsSegment || (e != end_of_segment && e != row.end)) continue;
          for (int64_t k = 0; k < count; ++k) total[k] += out[k];
          std::fill_n(out, count, 0.0f);
        }
        if (limit == table_rows && row.degree() > kAlsSegment) std::copy_n(total, count, out);
      }
    });
}

void AlsRowSolver::solve_together(std::span<const int32_t> indices) {
  const auto size = static_cast<int64_t>(indices.size());
  Array<float> vectors(ctx_, size * kVectors * width_, "als vectors of long rows");
  Array<double> totals(ctx_, size * 2 * width_, "als totals of long rows");
  std::vector<Row> rows;
  std::vector<AlsCg> states;
  std::vector<float*> residuals, products;
  std::vector<char> valid(indices.size(), true);
  for (int64_t r = 0; r < size; ++r) {
    rows.push_back(row_of(indices[static_cast<size_t>(r)], 0, alone_));
    float* v = vectors.data() + r * kVectors * width_;
    states.push_back({v, v + width_, v + 2 * width_, v + 3 * width_, v + 4 * width_});
    residuals.push_back(states.back().residual);
    products.push_back(states.back().product);
    load(rows.back(), v);
  }
  const auto each = [&](auto&& body) {
    parallel_for(ctx_, size, kStepChunk, [&](int64_t begin, int64_t end, int thread) {
      for (int64_t r = begin; r < end; ++r)
        body(rows[static_cast<size_t>(r)], states[static_cast<size_t>(r)], static_cast<size_t>(r), thread);
    });
  };
  sum_together(rows, 2 * width_, residuals.data(), totals.data(),
               [&](int64_t r, int64_t begin, int64_t end, float* out) {
                 const float* x = states[static_cast<size_t>(r)].x;
                 if (!als_add_residual(entries_, begin, end, x, out, out + width_))
                   valid[static_cast<size_t>(r)] = false;
               });
  each([&](const Row& row, AlsCg& state, size_t, int) { als_cg_start(diagonal_.data(), row.lambda, width_, state); });
  for (int step = 0; step < problem_.params.cg_steps; ++step) {
    sum_together(rows, width_, products.data(), totals.data(), [&](int64_t r, int64_t begin, int64_t end, float* out) {
      als_add_product(entries_, begin, end, states[static_cast<size_t>(r)].p, out);
    });
    each([&](const Row& row, AlsCg& state, size_t, int) {
      if (state.along > 0) als_cg_step(diagonal_.data(), row.lambda, width_, state);
    });
  }
  each([&](Row row, AlsCg& state, size_t r, int thread) {
    row.thread = thread;
    finish(row, valid[r] && std::isfinite(state.along), state.x);
  });
}

bool AlsRowSolver::solve_block(const Row& row, float* x) {
  const float* base = diagonal_.data();
  float* residuals = row.partials.residuals.data() + (&row.partials == &alone_ ? row.thread * row.partials.entries : 0);
  for_segments(row, [&](int64_t begin, int64_t end) {
    for (int64_t e = begin; e < end; ++e) residuals[e - row.begin] = entries_.target(e);
    als_subtract_scores(entries_, begin, end, {0, width_}, x, residuals + (begin - row.begin));
  });
  float* a = system(row.thread);
  for (int64_t first = 0; first < width_; first += problem_.params.block_size) {
    const int64_t size = std::min<int64_t>(problem_.params.block_size, width_ - first);
    sum_segments(row, size * size + size, nullptr, a, [&](int64_t begin, int64_t end, float* out, int thread) {
      als_add_entries(entries_, begin, end, {first, size}, residuals + (begin - row.begin), out, gathered(thread));
    });
    float* change = a + size * size;
    for (int64_t k = 0; k < size; ++k) {
      a[k * size + k] += base[first + k] + row.lambda;
      change[k] -= (base[first + k] + row.lambda) * x[first + k];
    }
    if (!als_solve(a, size, change)) return false;
    for (int64_t k = 0; k < size; ++k) x[first + k] += change[k];
    if (first + size < width_)
      for_segments(row, [&](int64_t begin, int64_t end) {
        als_subtract_scores(entries_, begin, end, {first, size}, change, residuals + (begin - row.begin));
      });
  }
  return true;
}

// With D = base + lambda I, W = D^-1/2 sqrt(a) y a column for each entry, K = I + Wᵀ W, t = b / sqrt(a) where a > 0 and
// c = D^-1/2 sum of b y where a = 0:  x = D^-1/2 (W K^-1 (t - Wᵀ c) + c). Entries with a = 0 are zero columns of W.
bool AlsRowSolver::solve_woodbury(const Row& row, float* x) {
  const float* base = diagonal_.data();
  float* scale = vectors(row.thread) + width_;
  float* rest = scale + width_;
  float smallest = std::numeric_limits<float>::infinity(), largest = 0;
  for (int64_t k = 0; k < width_; ++k) {
    const float d = base[k] + row.lambda;
    scale[k] = 1 / std::sqrt(d);
    if (k >= factors_) continue;
    smallest = std::min(smallest, d);
    largest = std::max(largest, d);
  }
  // Where D is singular to working precision, the system may still be definite: Cholesky tells.
  if (!(smallest > std::numeric_limits<float>::epsilon() * largest)) return solve_cholesky(row, x);
  const int64_t padded = round_up(row.degree());
  float* w = gathered(row.thread);
  als_gather_columns(entries_, row.begin, row.end, scale, padded, w);
  float* k_matrix = system(row.thread);
  float* t = k_matrix + padded * padded;
  std::fill_n(k_matrix, padded * padded + padded, 0.0f);
  for (int64_t e = 0; e < padded; ++e) k_matrix[e * padded + e] = 1;
  als_add_products(w, width_, padded, k_matrix);
  bool unweighted = false;
  std::fill_n(rest, width_, 0.0f);
  for (int64_t e = 0; e < row.degree(); ++e) {
    const float weight = entries_.weight(row.begin + e), target = entries_.target(row.begin + e);
    if (weight > 0) {
      t[e] = target / std::sqrt(weight);
    } else if (target != 0) {
      unweighted = true;
      const float* y = entries_.row(row.begin + e);
      for (int64_t k = 0; k < width_; ++k) rest[k] += target * y[k];
    }
  }
  if (unweighted)
    for (int64_t k = 0; k < width_; ++k) {
      rest[k] *= scale[k];
      for (int64_t e = 0; e < padded; ++e) t[e] -= w[k * padded + e] * rest[k];
    }
  if (!als_solve(k_matrix, padded, t)) return false;
  for (int64_t k = 0; k < width_; ++k) x[k] = scale[k] * (als_dot(w + k * padded, t, padded) + rest[k]);
  return true;
}

}  // namespace kindred::cpu
