// SPDX-License-Identifier: Apache-2.0
// The table of docs/similarities.md says what similar_rows does.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "kernels/memory.hpp"
#include "kernels/similarity.hpp"

namespace kindred {
namespace {

/// The cells of a line of a Markdown table, without the spaces around them.
std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells;
  for (size_t at = 0, next; !line.empty() && (next = line.find('|', at + 1)) != std::string::npos; at = next) {
    const std::string cell = line.substr(at + 1, next - at - 1);
    const size_t first = cell.find_first_not_of(' '), last = cell.find_last_not_of(' ');
    cells.push_back(first == std::string::npos ? "" : cell.substr(first, last - first + 1));
  }
  return cells;
}

TEST(SimilarityDocs, TheTableOfMissingValuesIsRight) {
  const std::map<std::string, SimilarityMetric> metrics{{"dot", SimilarityMetric::kDot},
                                                        {"cosine", SimilarityMetric::kCosine},
                                                        {"pearson", SimilarityMetric::kPearson},
                                                        {"msd", SimilarityMetric::kMsd},
                                                        {"euclidean", SimilarityMetric::kEuclidean},
                                                        {"manhattan", SimilarityMetric::kManhattan},
                                                        {"jaccard", SimilarityMetric::kJaccard}};
  constexpr Missing kColumns[] = {Missing::kZero, Missing::kIgnore, Missing::kRowMean, Missing::kColumnMean};
  Context ctx({.device = "cpu", .threads = 1});
  const std::vector<int64_t> offsets{0, 3, 6, 8};  // Ann, Bob, Cem
  const std::vector<int32_t> films{0, 1, 3, 0, 2, 3, 1, 2};
  const std::vector<float> ratings{5, 3, 1, 4, 2, 1, 4, 5};
  const ResidentCsr people(ctx, offsets, films, ratings, 4, "people");
  Matrix<int32_t> ids(ctx, 3, 2, "ids");
  Matrix<float> similarities(ctx, 3, 2, "similarities");

  std::ifstream page(KINDRED_SOURCE_DIR "/docs/similarities.md");
  int figures = 0;
  for (std::string line; std::getline(page, line);) {
    const auto cells = cells_of(line);
    const auto metric = cells.size() == 5 ? metrics.find(cells[0]) : metrics.end();
    if (metric == metrics.end()) continue;
    for (size_t m = 0; m < 4; ++m) {
      const SimilarityParams params{.metric = metric->second, .missing = kColumns[m], .min_overlap = 0};
      if (cells[m + 1].empty()) {
        EXPECT_THROW(similar_rows(ctx, people.view(), params, ids.view(), similarities.view()), InvalidArgument);
        continue;
      }
      similar_rows(ctx, people.view(), params, ids.view(), similarities.view());
      const int64_t bob = ids.view().row(0)[0] == 1 ? 0 : 1;  // his place in Ann's list
      EXPECT_NEAR(similarities.view().row(0)[bob], std::stof(cells[m + 1]), 5.1e-5f) << line;
      ++figures;
    }
  }
  EXPECT_EQ(figures, 26);
}

}  // namespace
}  // namespace kindred
