// SPDX-License-Identifier: Apache-2.0
// Exported vectors, read back byte by byte: what they hold, and that their inner products order items as the model
// does.
#include "engine/store/vectors.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "engine/core/file.hpp"
#include "random_model.hpp"
#include "tests/engine/support.hpp"

namespace kindred {
namespace {

struct Npy {
  std::string header;
  HostMatrix table;
};

// A file of NumPy's format 1.0, as numpy.lib.format documents it.
Npy read_npy(const std::filesystem::path& path) {
  const std::string bytes = read_file(path);
  EXPECT_EQ(bytes.substr(0, 8), std::string("\x93NUMPY\x01\x00", 8));
  const size_t length = static_cast<unsigned char>(bytes[8]) | size_t{static_cast<unsigned char>(bytes[9])} << 8;
  EXPECT_EQ((10 + length) % 64, 0u);
  Npy out{.header = bytes.substr(10, length), .table = {}};
  long long rows = 0, cols = 0;
  EXPECT_EQ(std::sscanf(out.header.c_str(), "{'descr': '<f4', 'fortran_order': False, 'shape': (%lld, %lld), }", &rows,
                        &cols),
            2);
  EXPECT_EQ(out.header.back(), '\n');
  out.table = HostMatrix(rows, cols);
  EXPECT_EQ(bytes.size(), 10 + length + out.table.data.size() * sizeof(float));
  std::memcpy(out.table.data.data(), bytes.data() + 10 + length, out.table.data.size() * sizeof(float));
  return out;
}

double dot(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (size_t d = 0; d < a.size(); ++d) sum += double{a[d]} * b[d];
  return sum;
}

// raw(u, i) without the mean and the user's bias, which move all items of a user alike; fitted_model.hpp has the
// formula.
double raw(const FittedModel& model, int64_t u, int64_t i) {
  const auto& factors = std::get<Factors>(model.scorer);
  const auto x = factors.users.row(u), y = factors.items.row(i);
  double out = dot(x, y);
  if (model.metric == Metric::kCosine) out /= std::sqrt(dot(x, x)) * std::sqrt(dot(y, y));
  return out + (factors.item_bias.empty() ? 0. : factors.item_bias[static_cast<size_t>(i)]);
}

FittedModel model_with_factors(uint64_t seed) {
  for (;; seed += 1000) {
    FittedModel model = test::random_model(seed);
    if (std::holds_alternative<Factors>(model.scorer)) return model;
  }
}

bool has_line_break(const Ids& ids) {
  for (int64_t r = 0; r < ids.size(); ++r)
    if (ids.text(r).find('\n') != std::string::npos) return true;
  return false;
}

TEST(Vectors, NpyHoldsTheTableBitByBit) {
  for (uint64_t seed = 0; seed < 12; ++seed) {
    const test::TemporaryFolder folder;
    const FittedModel model = model_with_factors(seed);
    const auto& factors = std::get<Factors>(model.scorer);
    for (const Side side : {Side::kUsers, Side::kItems}) {
      const Ids& ids = side == Side::kUsers ? *model.users : *model.items;
      const auto export_now = [&] { return export_vectors(model, folder / "out", {.side = side}); };
      if (has_line_break(ids)) {
        EXPECT_THAT(test::input_error(export_now), testing::HasSubstr("has a line break in it; use --format csv"));
        continue;
      }
      EXPECT_EQ(export_now(), ids.size());
      test::expect_equal(read_npy(folder / "out/vectors.npy").table,
                         side == Side::kUsers ? factors.users : factors.items);
      std::string lines;
      for (int64_t r = 0; r < ids.size(); ++r) lines += ids.text(r) + "\n";
      EXPECT_EQ(read_file(folder / "out/ids.txt"), lines);
    }
  }
}

TEST(Vectors, FoldedBiasGivesTheModelsOrderByInnerProducts) {
  for (uint64_t seed = 0; seed < 12; ++seed) {
    const test::TemporaryFolder folder;
    FittedModel model = model_with_factors(seed);
    model.users = std::make_shared<const Ids>(Ids::integers([&] {
      std::vector<int64_t> ids(static_cast<size_t>(model.num_users()));
      for (size_t r = 0; r < ids.size(); ++r) ids[r] = static_cast<int64_t>(r);
      return ids;
    }()));
    model.items = std::make_shared<const Ids>(Ids::integers([&] {
      std::vector<int64_t> ids(static_cast<size_t>(model.num_items()));
      for (size_t r = 0; r < ids.size(); ++r) ids[r] = static_cast<int64_t>(r);
      return ids;
    }()));
    export_vectors(model, folder / "users", {.side = Side::kUsers, .fold_bias = true});
    export_vectors(model, folder / "items", {.side = Side::kItems, .fold_bias = true});
    const HostMatrix users = read_npy(folder / "users/vectors.npy").table,
                     items = read_npy(folder / "items/vectors.npy").table;
    ASSERT_EQ(users.cols, std::get<Factors>(model.scorer).users.cols + 1);
    for (int64_t u = 0; u < users.rows; ++u) {
      for (int64_t i = 0; i < items.rows; ++i) {
        // A normalized row is off by half an ulp a component; the products' sum by that times its length.
        const double scale = std::sqrt(dot(users.row(u), users.row(u)) * dot(items.row(i), items.row(i)));
        ASSERT_NEAR(dot(users.row(u), items.row(i)), raw(model, u, i), 2 * 6e-8 * (1 + scale));
      }
    }
  }
}

TEST(Vectors, CsvIsWhatPgvectorCopies) {
  const test::TemporaryFolder folder;
  FittedModel model;
  model.model = "als";
  model.users = std::make_shared<const Ids>(Ids::integers({7}));
  model.items = std::make_shared<const Ids>(Ids::strings("a\"b,cplain", {0, 5, 10}));
  Factors factors;
  factors.users = HostMatrix(1, 2);
  factors.items = HostMatrix(2, 2);
  factors.items.data = {0.5f, -1.25f, 1e-20f, 3};
  factors.item_bias = {-2, 0.1f};
  model.scorer = factors;
  EXPECT_EQ(export_vectors(model, folder.path(), {.format = "csv"}), 2);
  EXPECT_EQ(read_file(folder / "vectors.csv"), "id,vector\n\"a\"\"b,c\",\"[0.5,-1.25]\"\nplain,\"[1e-20,3]\"\n");
  export_vectors(model, folder.path(), {.format = "csv", .fold_bias = true});
  EXPECT_EQ(read_file(folder / "vectors.csv"), "id,vector\n\"a\"\"b,c\",\"[0.5,-1.25,-2]\"\nplain,\"[1e-20,3,0.1]\"\n");
  export_vectors(model, folder.path(), {.side = Side::kUsers, .format = "csv", .fold_bias = true});
  EXPECT_EQ(read_file(folder / "vectors.csv"), "id,vector\n7,\"[0,0,1]\"\n");
}

TEST(Vectors, DescribesWhatItWrote) {
  const test::TemporaryFolder folder;
  FittedModel model;
  model.name = "a \"name\"";
  model.model = "als";
  model.content_hash = "0123456789abcdef";
  model.metric = Metric::kCosine;
  model.users = std::make_shared<const Ids>(Ids::integers({7}));
  model.items = std::make_shared<const Ids>(Ids::integers({1, 2}));
  Factors factors;
  factors.users = HostMatrix(1, 3);
  factors.items = HostMatrix(2, 3);
  model.scorer = factors;
  export_vectors(model, folder.path(), {});
  EXPECT_EQ(read_file(folder / "meta.json"), R"({
  "model": "a \"name\"",
  "model_type": "als",
  "content_hash": "0123456789abcdef",
  "side": "items",
  "rows": 2,
  "dimension": 3,
  "dtype": "float32",
  "metric": "cosine",
  "fold_bias": false
}
)");
  export_vectors(model, folder.path(), {.fold_bias = true});
  EXPECT_THAT(read_file(folder / "meta.json"),
              testing::HasSubstr("\"dimension\": 4,\n  \"dtype\": \"float32\",\n  \"metric\": \"inner_product\""));
}

TEST(Vectors, AModelWithoutVectorsIsAnError) {
  const test::TemporaryFolder folder;
  FittedModel model;
  model.model = "popularity";
  model.scorer = Constant{};
  EXPECT_EQ(test::input_error([&] { export_vectors(model, folder / "out", {}); }),
            "model: 'popularity' has no vectors to export; als and other models with factors have");
  EXPECT_FALSE(std::filesystem::exists(folder / "out"));
}

}  // namespace
}  // namespace kindred
