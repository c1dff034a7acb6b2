// SPDX-License-Identifier: Apache-2.0
// The Kindred half of tests/bench/peers/similarity.py. FOLDER holds offsets.i64, indices.i32 and, where there are any,
// values.f32 (CSR by user), or for dense rows rows.f32. For each line on stdin the K most similar rows are found anew,
// and the seconds and the way that was taken printed; ids.i32 and similarities.f32 of the last round go to FOLDER.
// WORK: items-cosine, items-pearson (over co-rated): of every item, the transpose included; users-cosine: of COUNT
// users among all; dense-cosine: of the first COUNT rows among all.
#include <chrono>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "kernels/memory.hpp"
#include "kernels/similarity.hpp"
#include "kernels/sparse.hpp"
#include "tests/bench/raw_files.hpp"

namespace {

using namespace kindred;
using bench::read, bench::write;
namespace fs = std::filesystem;

/// Rows spread evenly over a matrix, as queries against it.
struct Queries {
  std::vector<int64_t> offsets{0};
  std::vector<int32_t> indices, self;

  Queries(CsrView rows, int64_t count) {
    for (int64_t q = 0; q < count; ++q) {
      const int64_t r = q * rows.rows / count;
      indices.insert(indices.end(), rows.indices + rows.offsets[r], rows.indices + rows.offsets[r + 1]);
      offsets.push_back(static_cast<int64_t>(indices.size()));
      self.push_back(static_cast<int32_t>(r));
    }
  }
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 7) {
    std::cerr << "usage: kindred_similarity_rounds FOLDER COLUMNS K THREADS WORK COUNT\n";
    return 2;
  }
  const fs::path folder = argv[1];
  const std::string work = argv[5];
  const int64_t columns = std::stoll(argv[2]), k = std::stoll(argv[3]), count = std::stoll(argv[6]);
  Context ctx({.device = "cpu", .threads = std::stoi(argv[4])});
  const auto offsets = read<int64_t>(folder / "offsets.i64");
  const auto indices = read<int32_t>(folder / "indices.i32");
  const auto values = read<float>(folder / "values.f32"), dense = read<float>(folder / "rows.f32");
  const ResidentCsr users =
      offsets.empty() ? ResidentCsr() : ResidentCsr(ctx, offsets, indices, values, columns, "bench users");
  const Resident<float> rows(ctx, dense, "bench rows");
  const Queries queries(offsets.empty() ? CsrView{} : users.view(), work == "users-cosine" ? count : 0);
  const ResidentCsr asked(ctx, queries.offsets, queries.indices, {}, columns, "bench queries");
  Matrix<int32_t> ids(ctx, count, k, "ids");
  Matrix<float> similarities(ctx, count, k, "similarities");

  const auto round = [&]() -> const char* {
    if (work == "dense-cosine") {
      similar_rows(ctx, rows.matrix(columns), 0, SimilarityMetric::kCosine, ids.view(), similarities.view());
      return "top-k";
    }
    if (work == "users-cosine")
      return name(similar_rows(ctx, asked.view(), host_view(std::span(queries.self)), users.view(), {}, ids.view(),
                               similarities.view())
                      .method);
    SimilarityParams params;
    if (work == "items-pearson") params = {.metric = SimilarityMetric::kPearson, .missing = Missing::kIgnore};
    const Csr by_item = transpose(ctx, users.view());
    return name(similar_rows(ctx, by_item.view(), params, ids.view(), similarities.view()).method);
  };
  for (std::string line; std::getline(std::cin, line);) {
    const auto start = std::chrono::steady_clock::now();
    const char* const way = round();
    ctx.wait();
    std::cout << std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() << " " << way
              << std::endl;
  }
  write<int32_t>(folder / "ids.i32", {ids.view().data, static_cast<size_t>(ids.view().size())});
  write<float>(folder / "similarities.f32",
               {similarities.view().data, static_cast<size_t>(similarities.view().size())});
}
