// SPDX-License-Identifier: Apache-2.0
// The Kindred half of tests/bench/peers/topk_faiss.py: FOLDER holds queries.f32 and items.f32; for each line on stdin
// one round is run and its seconds are printed; then the product rate; ids.i32 of the last round goes to FOLDER.
#include <chrono>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "kernels/dense.hpp"
#include "kernels/memory.hpp"
#include "kernels/topk.hpp"
#include "tests/bench/raw_files.hpp"

namespace {

using namespace kindred;
using bench::read;
namespace fs = std::filesystem;

template <class Work>
double seconds(Work&& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::cerr << "usage: kindred_topk_rounds FOLDER FACTORS K THREADS\n";
    return 2;
  }
  const fs::path folder = argv[1];
  const int64_t d = std::stoll(argv[2]), k = std::stoll(argv[3]);
  Context ctx({.device = "cpu", .threads = std::stoi(argv[4])});
  const auto queries = read<float>(folder / "queries.f32"), items = read<float>(folder / "items.f32");
  const Resident<float> x(ctx, queries, "queries"), y(ctx, items, "items");
  Matrix<int32_t> ids(ctx, x.matrix(d).rows, k, "ids");
  Matrix<float> scores(ctx, x.matrix(d).rows, k, "scores");
  Matrix<float> a(ctx, 2048, 2048, "a"), c(ctx, 2048, 2048, "c");
  fill_zero(ctx, a.view().flat());
  for (std::string line; std::getline(std::cin, line);) {
    const double ours = seconds([&] {
      top_k(ctx, x.matrix(d), y.matrix(d), {}, {}, ids.view(), scores.view());
      ctx.wait();
    });
    double product = 1e30;
    for (int turn = 0; turn < 3; ++turn)
      product = std::min(
          product, seconds([&] { gemm(ctx, 1, a.view(), Transpose::kNo, a.view(), Transpose::kNo, 0, c.view()); }));
    std::cout << ours << " " << 2e-9 * 2048 * 2048 * 2048 / product << std::endl;
  }
  bench::write<int32_t>(folder / "ids.i32", {ids.view().data, static_cast<size_t>(ids.view().size())});
}
