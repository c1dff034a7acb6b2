// SPDX-License-Identifier: Apache-2.0
// The Kindred half of tests/bench/peers/similarity_implicit.py: FOLDER holds offsets.i64, indices.i32 and, where there
// are any, values.f32 (CSR by user); for each line on stdin the K most similar items of every item are found anew, the
// transpose included, and the seconds and the method printed; ids.i32 and similarities.f32 of the last round go to
// FOLDER.
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "kernels/memory.hpp"
#include "kernels/similarity.hpp"
#include "kernels/sparse.hpp"

namespace {

using namespace kindred;
namespace fs = std::filesystem;

template <class T>
std::vector<T> read(const fs::path& path) {
  std::vector<T> out(fs::exists(path) ? fs::file_size(path) / sizeof(T) : 0);
  std::ifstream(path, std::ios::binary)
      .read(reinterpret_cast<char*>(out.data()), static_cast<std::streamsize>(out.size() * sizeof(T)));
  return out;
}

template <class T>
void write(const fs::path& path, MatrixView<T> table) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(table.data),
             static_cast<std::streamsize>(table.size() * int64_t{sizeof(T)}));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    std::cerr << "usage: kindred_similarity_rounds FOLDER ITEMS K THREADS cosine|pearson\n";
    return 2;
  }
  const fs::path folder = argv[1];
  const int64_t items = std::stoll(argv[2]), k = std::stoll(argv[3]);
  Context ctx({.device = "cpu", .threads = std::stoi(argv[4])});
  SimilarityParams params;
  if (std::string(argv[5]) == "pearson") params = {.metric = SimilarityMetric::kPearson, .missing = Missing::kIgnore};
  const auto offsets = read<int64_t>(folder / "offsets.i64");
  const auto indices = read<int32_t>(folder / "indices.i32");
  const auto values = read<float>(folder / "values.f32");
  const ResidentCsr users(ctx, offsets, indices, values, items, "bench users");
  Matrix<int32_t> ids(ctx, items, k, "ids");
  Matrix<float> similarities(ctx, items, k, "similarities");
  for (std::string line; std::getline(std::cin, line);) {
    const auto start = std::chrono::steady_clock::now();
    const Csr by_item = transpose(ctx, users.view());
    const SimilarityPlan plan = similar_rows(ctx, by_item.view(), params, ids.view(), similarities.view());
    ctx.wait();
    std::cout << std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() << " "
              << name(plan.method) << std::endl;
  }
  write<int32_t>(folder / "ids.i32", ids.view());
  write<float>(folder / "similarities.f32", similarities.view());
}
