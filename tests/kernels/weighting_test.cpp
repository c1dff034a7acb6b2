// SPDX-License-Identifier: Apache-2.0
#include "kernels/weighting.hpp"

#include <gmock/gmock.h>

#include <random>

#include "tests/kernels/backends.hpp"
#include "tests/reference/weighting.hpp"

namespace kindred {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

class Weighting : public OpTest {};
KINDRED_FOR_EACH_BACKEND(Weighting);

/// Rows of 0, 1 and many entries; values from 0 on, some equal to 1.
TEST_P(Weighting, IsTheDefinition) {
  std::mt19937 random(3);
  for (const auto& [rows, cols] : {std::pair<int64_t, int64_t>{1, 1}, {7, 3}, {40, 600}, {900, 2}})
    for (const bool with_values : {true, false}) {
      std::vector<int64_t> offsets{0};
      std::vector<int32_t> indices;
      std::vector<float> values;
      for (int64_t r = 0; r < rows; ++r) {
        const unsigned one_in = r % 3 == 0 ? 1 : r % 3 == 1 ? 5 : 1000;
        for (int32_t c = 0; c < cols; ++c)
          if (random() % one_in == 0) {
            indices.push_back(c);
            values.push_back(static_cast<float>(random() % 13) / 4);
          }
        offsets.push_back(static_cast<int64_t>(indices.size()));
      }
      std::vector<float> row(static_cast<size_t>(rows)), column(static_cast<size_t>(cols));
      for (auto* factors : {&row, &column})
        for (float& f : *factors) f = static_cast<float>(random() % 100) / 16;
      if (!with_values) values.clear();
      const ResidentCsr a(ctx, offsets, indices, values, cols, "a");
      const auto device_row = put(row), device_column = put(column);
      for (const EntryWeight weight : {EntryWeight::kRoot, EntryWeight::kSaturated, EntryWeight::kPower})
        for (const float parameter : {0.f, 0.7f, 2.f}) {
          Array<float> out(ctx, static_cast<int64_t>(indices.size()), "weights");
          weigh_entries(ctx, a.view(), weight, parameter, device_row.view(), device_column.view(), out.view());
          const auto found = get(out.view());
          for (int64_t r = 0; r < rows; ++r)
            for (auto e = static_cast<size_t>(offsets[r]); e < static_cast<size_t>(offsets[r + 1]); ++e) {
              const double expected =
                  reference::entry_weight(weight, double{parameter}, with_values ? values[e] : 1,
                                          row[static_cast<size_t>(r)], column[static_cast<size_t>(indices[e])]);
              ASSERT_NEAR(found[e], expected, 1e-6 * std::abs(expected)) << r << " " << e;
            }
        }
    }
}

TEST_P(Weighting, WrongArgumentsAreNamed) {
  const std::vector<int64_t> offsets{0, 1};
  const std::vector<int32_t> indices{0};
  const ResidentCsr a(ctx, offsets, indices, {}, 2, "a");
  const auto one = put(std::vector<float>{1}), two = put(std::vector<float>{1, 1});
  Array<float> out(ctx, 1, "weights");
  const auto call = [&](const Array<float>& row, const Array<float>& column, float parameter) {
    weigh_entries(ctx, a.view(), EntryWeight::kPower, parameter, row.view(), column.view(), out.view());
  };
  EXPECT_THAT([&] { call(two, two, 1); }, ThrowsMessage<InvalidArgument>(HasSubstr("row has 2 elements; a row each")));
  EXPECT_THAT([&] { call(one, one, 1); }, ThrowsMessage<InvalidArgument>(HasSubstr("column has 1 elements")));
  EXPECT_THAT([&] { call(one, two, -1); }, ThrowsMessage<InvalidArgument>(HasSubstr("at least 0")));
}

}  // namespace
}  // namespace kindred
