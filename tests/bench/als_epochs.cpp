// SPDX-License-Identifier: Apache-2.0
// Trains ALS on a matrix of raw files and tells each epoch's seconds: the Kindred half of the comparison with other
// libraries (tests/bench/peers/als_implicit.py). FOLDER holds offsets.i64, indices.i32, values.f32 (CSR by user),
// users.f32 and items.f32 (the first factors); OUT receives users.f32 and items.f32.
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "kernels/als.hpp"
#include "kernels/memory.hpp"
#include "kernels/sparse.hpp"
#include "tests/bench/raw_files.hpp"

namespace {

using namespace kindred;
using bench::read;
namespace fs = std::filesystem;

void save(Context& ctx, const fs::path& path, MatrixView<const float> table) {
  std::vector<float> host(static_cast<size_t>(table.size()));
  download(ctx, table.flat(), std::span(host));
  ctx.wait();
  bench::write<float>(path, host);
}

AlsSolver solver_of(const std::string& name) {
  if (name == "cholesky") return AlsSolver::kCholesky;
  if (name == "cg") return AlsSolver::kCg;
  if (name == "block") return AlsSolver::kBlock;
  if (name == "woodbury") return AlsSolver::kWoodbury;
  if (name == "auto") return AlsSolver::kAuto;
  throw Error("solver: expected auto, cholesky, cg, block or woodbury, found '" + name + "'");
}

std::string peak_memory() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) return line.substr(line.find_first_not_of(" \t", 6));
  return "unknown";
}

int run(int argc, char** argv) {
  if (argc < 7) {
    std::fprintf(stderr,
                 "usage: kindred_als_epochs FOLDER FACTORS SOLVER REGULARIZATION EPOCHS THREADS [OUT] [DEVICE]\n");
    return 2;
  }
  const fs::path folder = argv[1];
  const int64_t factors = std::stoll(argv[2]);
  AlsParams params;
  params.objective = AlsObjective::kHuKoren;
  params.exponent = 0;
  params.solver = solver_of(argv[3]);
  params.regularization = std::stof(argv[4]);
  const int epochs = std::stoi(argv[5]);
  Context ctx({.device = argc > 8 ? argv[8] : "cpu", .threads = std::stoi(argv[6])});

  const auto offsets = read<int64_t>(folder / "offsets.i64");
  const auto indices = read<int32_t>(folder / "indices.i32");
  const auto values = read<float>(folder / "values.f32");
  const auto first_users = read<float>(folder / "users.f32"), first_items = read<float>(folder / "items.f32");
  const int64_t items = static_cast<int64_t>(first_items.size()) / factors;
  const ResidentCsr users_csr(ctx, offsets, indices, values, items, "bench users");
  const Csr items_csr = transpose(ctx, users_csr.view());
  Matrix<float> x(ctx, users_csr.view().rows, factors, "bench x"), y(ctx, items, factors, "bench y");
  upload<float>(ctx, first_users, x.view().flat());
  upload<float>(ctx, first_items, y.view().flat());
  ctx.wait();

  std::printf("{\"solver\": \"%s\", \"factors\": %ld, \"seconds\": [", argv[3], static_cast<long>(factors));
  for (int epoch = 0; epoch < epochs; ++epoch) {
    using Clock = std::chrono::steady_clock;
    const auto seconds = [](auto a, auto b) { return std::chrono::duration<double>(b - a).count(); };
    const auto start = Clock::now();
    als_half_sweep(ctx, users_csr.view(), y.view(), x.view(), params);
    ctx.wait();
    const auto middle = Clock::now();
    als_half_sweep(ctx, items_csr.view(), x.view(), y.view(), params);
    ctx.wait();
    const auto end = Clock::now();
    std::printf("%s[%.4f, %.4f]", epoch > 0 ? ", " : "", seconds(start, middle), seconds(middle, end));
  }
  std::printf("], \"peak_memory\": \"%s\"}\n", peak_memory().c_str());
  if (argc > 7 && *argv[7] != '\0') {
    fs::create_directories(argv[7]);
    save(ctx, fs::path(argv[7]) / "users.f32", x.view());
    save(ctx, fs::path(argv[7]) / "items.f32", y.view());
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "kindred_als_epochs: %s\n", error.what());
    return 1;
  }
}
