// SPDX-License-Identifier: Apache-2.0
#include "kernels/spmm.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <random>

#include "tests/kernels/backends.hpp"

namespace kindred {
namespace {

class Spmm : public OpTest {};

TEST_P(Spmm, IsTheProduct) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  const std::pair<int64_t, int64_t> shapes[] = {{1, 1}, {5, 3}, {70, 40}, {3, 500}};
  for (const auto& [rows, cols] : shapes)
    for (const int64_t width : {1, 7, 16, 80, 129})
      for (const bool values : {true, false}) {
        std::vector<int64_t> offsets{0};
        std::vector<int32_t> indices;
        std::vector<float> entries, b(static_cast<size_t>(cols * width)), out(static_cast<size_t>(rows * width));
        for (int64_t r = 0; r < rows; ++r) {
          for (int32_t c = 0; c < cols; ++c)
            if (r % 3 != 1 && random() % 4 == 0) indices.push_back(c), entries.push_back(normal(random));
          offsets.push_back(static_cast<int64_t>(indices.size()));
        }
        for (float& v : b) v = normal(random);
        for (float& v : out) v = normal(random);
        const ResidentCsr a(ctx, offsets, indices, values ? std::span<const float>(entries) : std::span<const float>(),
                            cols, "a");
        const auto dense = put(b, cols, width);
        for (const float beta : {0.f, 0.5f}) {
          auto result = put(beta == 0 ? std::vector<float>(out.size(), NAN) : out, rows, width);
          spmm(ctx, -2, a.view(), dense.view(), beta, result.view());
          const auto found = get(result.view().flat());
          for (int64_t r = 0; r < rows; ++r)
            for (int64_t k = 0; k < width; ++k) {
              double sum = 0, size = 1;
              for (auto e = static_cast<size_t>(offsets[static_cast<size_t>(r)]);
                   e < static_cast<size_t>(offsets[static_cast<size_t>(r) + 1]); ++e) {
                const double part = (values ? double{entries[e]} : 1.) * b[static_cast<size_t>(indices[e] * width + k)];
                sum += part, size += std::abs(part);
              }
              const auto at = static_cast<size_t>(r * width + k);
              ASSERT_NEAR(found[at], -2 * sum + double{beta} * out[at], 2e-6 * size);
            }
        }
      }
}

TEST_P(Spmm, RefusesWhatDoesNotFit) {
  const std::vector<int64_t> offsets{0, 1};
  const std::vector<int32_t> indices{2};
  const ResidentCsr a(ctx, offsets, indices, {}, 3, "a");
  Matrix<float> b(ctx, 4, 2, "b"), out(ctx, 1, 2, "out");
  EXPECT_THAT([&] { spmm(ctx, 1, a.view(), b.view(), 0, out.view()); },
              testing::ThrowsMessage<InvalidArgument>(testing::HasSubstr("a is 1 x 3, b 4 x 2, out 1 x 2")));
}

KINDRED_FOR_EACH_BACKEND(Spmm);

}  // namespace
}  // namespace kindred
