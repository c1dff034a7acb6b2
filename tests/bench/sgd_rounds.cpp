// SPDX-License-Identifier: Apache-2.0
// Trains by stochastic gradient descent on a matrix of raw files and tells each epoch's seconds and the error on
// held-out ratings: the Kindred half of tests/bench/peers/sgd_libmf.py. FOLDER holds offsets.i64, indices.i32,
// ratings.f32 (CSR by user) and test_users.i32, test_items.i32, test_ratings.f32.
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "kernels/random.hpp"
#include "kernels/sgd.hpp"
#include "kernels/topk.hpp"
#include "tests/bench/raw_files.hpp"

namespace {

using namespace kindred;
using bench::read;
namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// A side's rows and what the optimizer keeps of them.
struct Side {
  Matrix<float> factors, state;
  Side(Context& ctx, int64_t rows, int64_t width, SgdOptimizer optimizer, uint32_t stage)
      : factors(ctx, rows, width, "bench rows"), state(ctx, rows, sgd_state_width(optimizer, width), "bench state") {
    fill_normal(ctx, factors.view().flat(), 0, 0.1f / std::sqrt(static_cast<float>(width)), 1, stage);
    fill_zero(ctx, state.view().flat());
  }
  SgdTable table() { return {factors.view(), state.view(), {}, {}}; }
};

int run(int argc, char** argv) {
  if (argc < 8) {
    std::fprintf(stderr,
                 "usage: kindred_sgd_rounds FOLDER FACTORS sgd|libmf RATE REGULARIZATION EPOCHS THREADS [DEVICE]\n");
    return 2;
  }
  const fs::path folder = argv[1];
  const int64_t factors = std::stoll(argv[2]);
  SgdParams params;
  params.optimizer = std::string(argv[3]) == "libmf" ? SgdOptimizer::kLibmf : SgdOptimizer::kSgd;
  params.user_regularization = params.item_regularization = std::stof(argv[5]);
  SgdStep step{.rate = std::stof(argv[4])};
  const int epochs = std::stoi(argv[6]);
  Context ctx({.device = argc > 8 ? argv[8] : "cpu", .threads = std::stoi(argv[7])});

  const auto offsets = read<int64_t>(folder / "offsets.i64");
  const auto indices = read<int32_t>(folder / "indices.i32");
  const auto ratings = read<float>(folder / "ratings.f32"), truth = read<float>(folder / "test_ratings.f32");
  const auto test_users = read<int32_t>(folder / "test_users.i32"),
             test_items = read<int32_t>(folder / "test_items.i32");
  int64_t items = 0;
  for (const int32_t item : indices) items = std::max<int64_t>(items, item + 1);
  for (const int32_t item : test_items) items = std::max<int64_t>(items, item + 1);
  double sum = 0;
  for (const float r : ratings) sum += r;
  params.mean = static_cast<float>(sum / static_cast<double>(ratings.size()));

  const auto start = Clock::now();
  const SgdPlan plan(ctx, offsets, indices, ratings, items, SgdSchedule::kBlocked, 1);
  const double plan_seconds = seconds_since(start);
  Side x(ctx, plan.users(), factors, params.optimizer, 1), y(ctx, plan.items(), factors, params.optimizer, 2);
  const Resident<int32_t> users_at(ctx, test_users, "bench test"), items_at(ctx, test_items, "bench test");
  Array<float> scores(ctx, static_cast<int64_t>(truth.size()), "bench scores");
  std::vector<float> found(truth.size());
  std::string seconds, errors;
  for (step.epoch = 1; step.epoch <= epochs; ++step.epoch) {
    const auto begin = Clock::now();
    sgd_rounds(ctx, plan, x.table(), y.table(), params, step);
    seconds += (seconds.empty() ? "" : ", ") + std::to_string(seconds_since(begin));
    pair_scores(ctx, x.factors.view(), y.factors.view(), users_at.view(), items_at.view(), scores.view());
    download<float>(ctx, scores.view(), found);
    ctx.wait();
    double squares = 0;
    for (size_t e = 0; e < found.size(); ++e) squares += std::pow(found[e] + params.mean - truth[e], 2);
    errors += (errors.empty() ? "" : ", ") + std::to_string(std::sqrt(squares / static_cast<double>(found.size())));
  }
  std::printf("{\"plan\": %.4f, \"samples\": %ld, \"seconds\": [%s], \"rmse\": [%s]}\n", plan_seconds,
              static_cast<long>(plan.samples()), seconds.c_str(), errors.c_str());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "kindred_sgd_rounds: %s\n", error.what());
    return 1;
  }
}
