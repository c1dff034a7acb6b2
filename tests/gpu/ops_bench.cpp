// SPDX-License-Identifier: Apache-2.0
// Every op on one device, at sizes that matter: time, GB/s, TFLOP/s, and per cent of the limit that bounds it, which is
// what this device copies or multiplies in the same run.  kindred_ops_bench [DEVICE [SHRINK [SECONDS_AN_OP]]]
// SHRINK divides the row counts, for a dry run on a small machine.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "kernels/als.hpp"
#include "kernels/dense.hpp"
#include "kernels/memory.hpp"
#include "kernels/random.hpp"
#include "kernels/similarity.hpp"
#include "kernels/sparse.hpp"
#include "kernels/topk.hpp"

namespace {

using namespace kindred;

struct Cost {
  double flops = 0, bytes = 0;  // of one call; bytes as an ideal implementation moves them
};

/// Times ops and prints a line each.
class Bench {
 public:
  Bench(Context& ctx, double seconds) : ctx_(ctx), seconds_(seconds) {
    std::printf("%-44s %12s %10s %10s %10s\n", "op", "ms", "GB/s", "TFLOP/s", "% of limit");
  }

  void run(const std::string& name, const Cost& cost, const std::function<void()>& op) try {
    const double best = seconds_of(op);
    const double bound =
        std::max(limit_bytes_ > 0 ? cost.bytes / limit_bytes_ : 0, limit_flops_ > 0 ? cost.flops / limit_flops_ : 0);
    std::printf("%-44s %12.3f %10.1f %10.2f", name.c_str(), best * 1e3, cost.bytes / best / 1e9,
                cost.flops / best / 1e12);
    if (bound > 0)
      std::printf(" %9.0f%%\n", 100 * bound / best);
    else
      std::printf(" %10s\n", "");
    std::fflush(stdout);
    last_ = best;
  } catch (const Error& error) {
    std::printf("%-44s %s\n", name.c_str(), error.what());
    failed = true;
  }

  /// The op just run is what this device can do at best.
  void bytes_are_the_limit(const Cost& cost) { limit_bytes_ = cost.bytes / last_; }
  void flops_are_the_limit(const Cost& cost) { limit_flops_ = cost.flops / last_; }

  bool failed = false;

 private:
  /// The fastest of several batches, each long enough that launches and waits do not count.
  double seconds_of(const std::function<void()>& op) {
    using Clock = std::chrono::steady_clock;
    const auto timed = [&](int calls) {
      ctx_.wait();
      const auto begin = Clock::now();
      for (int i = 0; i < calls; ++i) op();
      ctx_.wait();
      return std::chrono::duration<double>(Clock::now() - begin).count() / calls;
    };
    timed(1);  // allocations, first touch, loading of libraries
    const int calls = std::clamp(static_cast<int>(0.01 / timed(1)), 1, 100);
    const auto end = Clock::now() + std::chrono::duration<double>(seconds_);
    double best = timed(calls);
    for (int batch = 1; batch < 3 || (Clock::now() < end && batch < 50); ++batch) best = std::min(best, timed(calls));
    return best;
  }

  Context& ctx_;
  double seconds_, last_ = 0, limit_bytes_ = 0, limit_flops_ = 0;
};

std::string shape(int64_t rows, int64_t cols) { return std::to_string(rows) + " x " + std::to_string(cols); }

Matrix<float> random_matrix(Context& ctx, int64_t rows, int64_t cols, uint32_t stage) {
  Matrix<float> out(ctx, rows, cols, "bench table");
  fill_normal(ctx, out.view().flat(), 0, 1 / std::sqrt(static_cast<float>(cols)), 42, stage);
  return out;
}

void limits(Bench& bench, Context& ctx, int64_t shrink) {
  const int64_t elements = (int64_t{1} << 28) / shrink, side = shrink > 1 ? 1024 : 8192;
  Array<float> from(ctx, elements, "bench"), to(ctx, elements, "bench");
  fill_zero(ctx, from.view());
  const Cost copied{0, 8.0 * static_cast<double>(elements)};
  bench.run("copy on the device", copied, [&] { copy(ctx, from.view(), to.view()); });
  bench.bytes_are_the_limit(copied);
  const Matrix<float> a = random_matrix(ctx, side, side, 1), b = random_matrix(ctx, side, side, 2);
  Matrix<float> c(ctx, side, side, "bench");
  const Cost product{2 * std::pow(static_cast<double>(side), 3)};
  bench.run("gemm " + shape(side, side), product,
            [&] { gemm(ctx, 1, a.view(), Transpose::kNo, b.view(), Transpose::kNo, 0, c.view()); });
  bench.flops_are_the_limit(product);
}

void transfers(Bench& bench, Context& ctx, int64_t shrink) {
  const int64_t elements = (int64_t{1} << 27) / shrink;
  std::vector<float> host(static_cast<size_t>(elements));
  Array<float> device(ctx, elements, "bench");
  const Cost cost{0, 4.0 * static_cast<double>(elements)};
  bench.run("upload", cost, [&] { upload<float>(ctx, host, device.view()); });
  bench.run("download", cost, [&] { download(ctx, device.view(), std::span<float>(host)); });
}

void dense(Bench& bench, Context& ctx, int64_t shrink) {
  for (const int64_t d : {64, 128, 256}) {
    const int64_t n = 1'000'000 / shrink;
    Matrix<float> x = random_matrix(ctx, n, d, 3);
    Matrix<float> square(ctx, d, d, "bench");
    Array<float> row(ctx, n, "bench");
    const auto nd = static_cast<double>(n * d), width = static_cast<double>(d);
    bench.run("gram " + shape(n, d), {nd * width, 4 * nd}, [&] { gram(ctx, x.view(), square.view()); });
    bench.run("row_norms " + shape(n, d), {2 * nd, 4 * nd}, [&] { row_norms(ctx, x.view(), row.view()); });
    bench.run("normalize_rows " + shape(n, d), {3 * nd, 8 * nd}, [&] { normalize_rows(ctx, x.view()); });
    bench.run("fill_normal " + shape(n, d), {0, 4 * nd}, [&] { fill_normal(ctx, x.view().flat(), 0, 1, 42, 3); });
  }
}

/// Entries of the shape of MovieLens 20M: both sides skewed, every user and item has some.
struct Pairs {
  std::vector<int32_t> row, col;
  std::vector<float> value;
};
Pairs skewed_pairs(int64_t rows, int64_t cols, int64_t nnz) {
  Pairs pairs;
  std::mt19937_64 random(42);
  std::uniform_real_distribution<double> uniform;
  const auto pick = [&](int64_t size, double skew) {
    return static_cast<int32_t>(static_cast<double>(size) * std::pow(uniform(random), skew));
  };
  for (int64_t e = 0; e < nnz; ++e) {
    pairs.row.push_back(e < rows ? static_cast<int32_t>(e) : pick(rows, 2));
    pairs.col.push_back(e < cols ? static_cast<int32_t>(e) : pick(cols, 3));
    pairs.value.push_back(static_cast<float>(1 + e % 5));
  }
  return pairs;
}

void sparse_and_als(Bench& bench, Context& ctx, int64_t shrink) {
  const int64_t rows = 138'493 / shrink, cols = 26'744 / shrink, nnz = 20'000'000 / shrink;
  const Pairs pairs = skewed_pairs(rows, cols, nnz);
  const Resident<int32_t> row(ctx, pairs.row, "bench"), col(ctx, pairs.col, "bench");
  const Resident<float> value(ctx, pairs.value, "bench");
  ctx.wait();
  const auto entries = static_cast<double>(nnz);
  Csr users, items;
  bench.run("csr_from_pairs " + std::to_string(nnz), {0, 20 * entries},
            [&] { users = csr_from_pairs(ctx, row.view(), col.view(), value.view(), rows, cols); });
  bench.run("transpose " + std::to_string(nnz), {0, 24 * entries}, [&] { items = transpose(ctx, users.view()); });
  if (bench.failed) return;
  Array<float> sums(ctx, rows, "bench");
  bench.run("row_sums " + std::to_string(nnz), {0, 4 * entries}, [&] { row_sums(ctx, users.view(), sums.view()); });

  for (const int64_t d : {64, 128, 256})
    for (const AlsSolver solver : {AlsSolver::kCholesky, AlsSolver::kCg, AlsSolver::kAuto}) {
      Matrix<float> x = random_matrix(ctx, rows, d, 4), y = random_matrix(ctx, cols, d, 5);
      AlsParams params;
      params.objective = AlsObjective::kHuKoren;
      params.regularization = 10;
      params.exponent = 0;
      params.solver = solver;
      const auto width = static_cast<double>(d), systems = static_cast<double>(rows + cols);
      // Bytes: each side's rows gathered once. FLOP of the exact solver, of the conjugate gradients; auto mixes them.
      const double flops = solver == AlsSolver::kCholesky
                               ? 2 * entries * width * (width + 16) + systems * std::pow(width, 3) / 3
                           : solver == AlsSolver::kCg ? 2 * (params.cg_steps + 1) * 4 * entries * width
                                                      : 0;
      const char* name = solver == AlsSolver::kCholesky ? "cholesky" : solver == AlsSolver::kCg ? "cg" : "auto";
      bench.run("als epoch " + std::string(name) + ", d = " + std::to_string(d), {flops, 8 * entries * width}, [&] {
        als_half_sweep(ctx, users.view(), y.view(), x.view(), params);
        als_half_sweep(ctx, items.view(), x.view(), y.view(), params);
      });
    }
}

void top(Bench& bench, Context& ctx, int64_t shrink) {
  const int64_t n = 1'000'000 / shrink;
  for (const int64_t d : {64, 128}) {
    const Matrix<float> items = random_matrix(ctx, n, d, 6);
    for (const int64_t queries : {int64_t{1}, int64_t{32}, 10'000 / shrink})
      for (const int64_t k : {10, 100}) {
        const Matrix<float> x = random_matrix(ctx, queries, d, 7);
        Matrix<int32_t> ids(ctx, queries, k, "bench");
        Matrix<float> scores(ctx, queries, k, "bench");
        const double flops = 2 * static_cast<double>(queries) * static_cast<double>(n * d);
        bench.run("top_k " + std::to_string(queries) + " of " + shape(n, d) + ", k = " + std::to_string(k),
                  {flops, 4 * static_cast<double>(n * d)},
                  [&] { top_k(ctx, x.view(), items.view(), {}, {}, ids.view(), scores.view()); });
      }
  }
}

/// Bytes: the index (and value) that each addition reads; popular columns come from the L2, faster than the copy.
void similar(Bench& bench, Context& ctx, int64_t shrink) {
  const int64_t users = 138'493 / shrink, items = 26'744 / shrink, k = 100;
  std::vector<int64_t> drawn;
  const Pairs pairs = skewed_pairs(users, items, 20'000'000 / shrink);
  for (size_t e = 0; e < pairs.row.size(); ++e) drawn.push_back(pairs.row[e] * items + pairs.col[e]);
  std::sort(drawn.begin(), drawn.end());
  drawn.erase(std::unique(drawn.begin(), drawn.end()), drawn.end());
  std::vector<int32_t> user, item;
  std::vector<float> rating;
  std::vector<double> sizes(static_cast<size_t>(users), 0);
  for (const int64_t pair : drawn) {
    user.push_back(static_cast<int32_t>(pair / items)), item.push_back(static_cast<int32_t>(pair % items));
    rating.push_back(static_cast<float>(1 + pair % 5));
    sizes[static_cast<size_t>(pair / items)] += 1;
  }
  double additions = 0;
  for (const double size : sizes) additions += size * size;
  const Resident<int32_t> row(ctx, item, "bench"), col(ctx, user, "bench");
  const Resident<float> value(ctx, rating, "bench");
  const Csr counts = csr_from_pairs(ctx, row.view(), col.view(), {}, items, users);
  const Csr ratings = csr_from_pairs(ctx, row.view(), col.view(), value.view(), items, users);
  Matrix<int32_t> ids(ctx, items, k, "bench");
  Matrix<float> similarities(ctx, items, k, "bench");
  const std::string size = shape(items, users) + ", k = " + std::to_string(k);
  bench.run("similar_rows cosine of " + size, {0, 4 * additions},
            [&] { similar_rows(ctx, counts.view(), {}, ids.view(), similarities.view()); });
  bench.run("  of values", {0, 8 * additions},
            [&] { similar_rows(ctx, ratings.view(), {}, ids.view(), similarities.view()); });
  const SimilarityParams pearson{.metric = SimilarityMetric::kPearson, .missing = Missing::kIgnore};
  bench.run("  Pearson over common columns", {0, 8 * additions},
            [&] { similar_rows(ctx, ratings.view(), pearson, ids.view(), similarities.view()); });

  const int64_t n = 200'000 / shrink, d = 128, queries = 8'192 / shrink;
  const Matrix<float> rows = random_matrix(ctx, n, d, 8);
  Matrix<int32_t> near(ctx, queries, k, "bench");
  Matrix<float> cosines(ctx, queries, k, "bench");
  bench.run("similar_rows cosine of " + std::to_string(queries) + " of " + shape(n, d),
            {2 * static_cast<double>(queries) * static_cast<double>(n * d), 4 * static_cast<double>(n * d)},
            [&] { similar_rows(ctx, rows.view(), 0, SimilarityMetric::kCosine, near.view(), cosines.view()); });
}

}  // namespace

int main(int argc, char** argv) try {
  Context ctx({.device = argc > 1 ? argv[1] : "cuda"});
  const int64_t shrink = argc > 2 ? std::max(1, std::atoi(argv[2])) : 1;
  const CudaReport report = cuda_report();
  std::printf("%s", ctx.device_name().c_str());
  for (const CudaDevice& device : report.devices)
    if (ctx.device_name() == "cuda:" + std::to_string(device.index))
      std::printf(" = %s, sm_%d%d, %d multiprocessors", device.name.c_str(), device.major, device.minor,
                  device.multiprocessors);
  std::printf("\n");
  Bench bench(ctx, argc > 3 ? std::atof(argv[3]) : 0.5);
  for (const auto group : {limits, transfers, dense, sparse_and_als, top, similar}) group(bench, ctx, shrink);
  return bench.failed;
} catch (const std::exception& error) {
  std::fprintf(stderr, "kindred_ops_bench: %s\n", error.what());
  return 1;
}
