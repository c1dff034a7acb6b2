// SPDX-License-Identifier: Apache-2.0
#include "kernels/sparse.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <random>
#include <tuple>

#include "tests/kernels/backends.hpp"

namespace kindred {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

struct Pairs {
  std::vector<int32_t> row, col;
  std::vector<float> value;
  int64_t rows, cols;
};

/// Entries in random order, some pairs repeated; columns by a skewed law, some rows and columns empty.
Pairs random_pairs(int64_t rows, int64_t cols, int64_t count, uint32_t seed) {
  std::mt19937 random(seed);
  Pairs out{{}, {}, {}, rows, cols};
  std::uniform_real_distribution<double> uniform;
  for (int64_t e = 0; e < count; ++e) {
    out.row.push_back(static_cast<int32_t>(uniform(random) * uniform(random) * static_cast<double>(rows)));
    out.col.push_back(static_cast<int32_t>(uniform(random) * uniform(random) * static_cast<double>(cols)));
    out.value.push_back(static_cast<float>(e % 97) - 40.f);
  }
  return out;
}

class Sparse : public OpTest {
 protected:
  Csr build(const Pairs& p, bool values = true) {
    auto row = put(p.row), col = put(p.col);
    auto value = put(values ? p.value : std::vector<float>{});
    Csr out = csr_from_pairs(ctx, row.view(), col.view(), value.view(), p.rows, p.cols);
    ctx.wait();
    return out;
  }
  struct Host {
    std::vector<int64_t> offsets;
    std::vector<int32_t> indices;
    std::vector<float> values;
    bool operator==(const Host&) const = default;
  };
  Host host(const Csr& a) { return {get(a.offsets.view()), get(a.indices.view()), get(a.values.view())}; }

  /// The definition: a stable sort by (row, col).
  static Host expected(const std::vector<int32_t>& row, const std::vector<int32_t>& col,
                       const std::vector<float>& value, int64_t rows) {
    std::vector<size_t> order(row.size());
    for (size_t e = 0; e < order.size(); ++e) order[e] = e;
    std::ranges::stable_sort(order, {}, [&](size_t e) { return std::pair(row[e], col[e]); });
    Host out;
    out.offsets.assign(static_cast<size_t>(rows) + 1, 0);
    for (const size_t e : order) {
      ++out.offsets[static_cast<size_t>(row[e]) + 1];
      out.indices.push_back(col[e]);
      if (!value.empty()) out.values.push_back(value[e]);
    }
    for (size_t r = 1; r < out.offsets.size(); ++r) out.offsets[r] += out.offsets[r - 1];
    return out;
  }
};

TEST_P(Sparse, BuildsAndTransposesLikeAStableSort) {
  for (const auto& [rows, cols, count] :
       {std::tuple<int64_t, int64_t, int64_t>{1, 1, 1}, {5, 3, 0}, {1, 40, 100}, {300, 7, 2000}, {50, 900, 20000}})
    for (const bool values : {true, false}) {
      const Pairs p = random_pairs(rows, cols, count, 1);
      const Csr a = build(p, values);
      ASSERT_EQ(host(a), expected(p.row, p.col, values ? p.value : std::vector<float>{}, rows));
      ASSERT_EQ(a.view().nnz, count);
      const Csr t = transpose(ctx, a.view());
      // The transpose keeps the order of equal pairs: sort the sorted entries again.
      const Host h = host(a);
      std::vector<int32_t> row;
      for (int64_t r = 0; r < rows; ++r)
        row.insert(row.end(),
                   static_cast<size_t>(h.offsets[static_cast<size_t>(r) + 1] - h.offsets[static_cast<size_t>(r)]),
                   static_cast<int32_t>(r));
      ASSERT_EQ(host(t), expected(h.indices, row, h.values, cols));
    }
}

TEST_P(Sparse, SumsOfRowsAndColumns) {
  const Pairs p = random_pairs(200, 60, 5000, 2);
  const Csr a = build(p);
  std::vector<double> rows(200), cols(60);
  for (size_t e = 0; e < p.row.size(); ++e)
    rows[static_cast<size_t>(p.row[e])] += p.value[e], cols[static_cast<size_t>(p.col[e])] += p.value[e];
  Array<float> by_row(ctx, 200, "rows"), by_col(ctx, 60, "cols");
  row_sums(ctx, a.view(), by_row.view());
  column_sums(ctx, a.view(), by_col.view());
  const auto found_rows = get(by_row.view()), found_cols = get(by_col.view());
  for (size_t r = 0; r < rows.size(); ++r) EXPECT_FLOAT_EQ(found_rows[r], static_cast<float>(rows[r]));
  for (size_t c = 0; c < cols.size(); ++c) EXPECT_FLOAT_EQ(found_cols[c], static_cast<float>(cols[c]));
}

TEST_P(Sparse, IndicesOutOfRangeAreRefused) {
  for (const int32_t bad : {-1, 3}) {
    auto row = put(std::vector<int32_t>{0, bad}), col = put(std::vector<int32_t>{0, 0});
    EXPECT_THROW(
        {
          const Csr out = csr_from_pairs(ctx, row.view(), col.view(), {}, 3, 3);
          ctx.wait();
        },
        InvalidArgument);
  }
}

TEST_P(Sparse, ResidentCsrChecksContents) {
  const std::vector<int64_t> offsets{0, 2, 3};
  const auto check = [&](std::vector<int64_t> o, std::vector<int32_t> i, std::vector<float> v) {
    const ResidentCsr csr(ctx, o, i, v, 4, "m");
    ctx.wait();
  };
  EXPECT_NO_THROW(check({0, 2, 3}, {0, 3, 1}, {1, 2, 3}));
  EXPECT_THAT(
      [&] {
        check({0, 2, 3}, {3, 0, 1}, {});
      },
      ThrowsMessage<InvalidArgument>(HasSubstr("m: row 0: column 0 does not ascend")));
  EXPECT_THAT(
      [&] {
        check({0, 2, 3}, {0, 4, 1}, {});
      },
      ThrowsMessage<InvalidArgument>(HasSubstr("column 4 is not within 0 and 3")));
  EXPECT_THAT(
      [&] {
        check({0, 2, 3}, {0, 3, 1}, {1, NAN, 1});
      },
      ThrowsMessage<InvalidArgument>(HasSubstr("not finite")));
  EXPECT_THAT([&] { check({0, 3, 2}, {0, 1}, {}); }, ThrowsMessage<InvalidArgument>(HasSubstr("offsets must")));
}

KINDRED_FOR_EACH_BACKEND(Sparse);

}  // namespace
}  // namespace kindred
