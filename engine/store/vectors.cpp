// SPDX-License-Identifier: Apache-2.0
#include "engine/store/vectors.hpp"

#include <fmt/format.h>

#include <bit>
#include <cmath>

#include "engine/core/error.hpp"
#include "engine/core/file.hpp"
#include "engine/core/log.hpp"
#include "engine/core/output.hpp"
#include "engine/store/text.hpp"

namespace kindred {
namespace {

static_assert(std::endian::native == std::endian::little, "vectors.npy is written as it lies in memory");

// One side of a model, a row at a time.
struct Vectors {
  const FittedModel& model;
  const VectorOptions& options;
  const HostMatrix& table;
  const std::vector<float>& item_bias;
  const Ids& ids;
  const char* side;

  int64_t dimension() const { return table.cols + options.fold_bias; }

  void row(int64_t r, std::vector<float>& out) const {
    const auto values = table.row(r);
    out.assign(values.begin(), values.end());
    if (!options.fold_bias) return;
    if (model.metric == Metric::kCosine) {
      double squares = 0;
      for (const float value : out) squares += double{value} * value;
      const double norm = std::sqrt(squares);
      for (float& value : out) value = norm > 0 ? static_cast<float>(value / norm) : 0;
    }
    const bool items = options.side == Side::kItems;
    out.push_back(!items ? 1 : item_bias.empty() ? 0 : item_bias[static_cast<size_t>(r)]);
  }
};

// NumPy's format 1.0: magic, length of the header, a Python literal padded with spaces to a multiple of 64.
std::string npy_header(int64_t rows, int64_t cols) {
  std::string text = fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}", rows, cols);
  constexpr size_t kBefore = 10;
  text.append(63 - (kBefore + text.size()) % 64, ' ').append(1, '\n');
  std::string out = "\x93NUMPY\x01";
  out.append(1, '\0').append(1, static_cast<char>(text.size() & 255)).append(1, static_cast<char>(text.size() >> 8));
  return out + text;
}

void write_npy(const Vectors& vectors, const std::filesystem::path& folder) {
  PendingFile table(folder / "vectors.npy"), ids(folder / "ids.txt"), meta(folder / "meta.json");
  table.write(npy_header(vectors.table.rows, vectors.dimension()));
  std::vector<float> row;
  std::string id;
  for (int64_t r = 0; r < vectors.table.rows; ++r) {
    vectors.row(r, row);
    table.write({reinterpret_cast<const char*>(row.data()), row.size() * sizeof(float)});
    id.clear();
    vectors.ids.append_text(r, id);
    if (id.find_first_of("\r\n") != std::string::npos) {
      throw InputError(fmt::format("ids.txt: the id '{}' has a line break in it; use --format csv", printable(id)));
    }
    ids.write(id += '\n');
  }
  const FittedModel& model = vectors.model;
  const bool cosine = model.metric == Metric::kCosine && !vectors.options.fold_bias;
  std::string text = "{\n  \"model\": ";
  append_json(text, model.name.empty() ? model.model : model.name);
  text += fmt::format(
      ",\n  \"model_type\": \"{}\",\n  \"content_hash\": \"{}\",\n  \"side\": \"{}\",\n  \"rows\": {},\n"
      "  \"dimension\": {},\n  \"dtype\": \"float32\",\n  \"metric\": \"{}\",\n  \"fold_bias\": {}\n}}\n",
      model.model, model.content_hash, vectors.side, vectors.table.rows, vectors.dimension(),
      cosine ? "cosine" : "inner_product", vectors.options.fold_bias);
  meta.write(text);
  table.commit();
  ids.commit();
  meta.commit();
}

void write_csv(const Vectors& vectors, const std::filesystem::path& folder) {
  PendingFile file(folder / "vectors.csv");
  std::string text = "id,vector\n", id;
  std::vector<float> row;
  for (int64_t r = 0; r < vectors.table.rows; ++r) {
    id.clear();
    vectors.ids.append_text(r, id);
    append_csv(text, id);
    text += ",\"[";
    vectors.row(r, row);
    for (size_t d = 0; d < row.size(); ++d) text.append(d ? "," : "").append(format_float(row[d]));
    text += "]\"\n";
    file.write(text);
    text.clear();
  }
  file.write(text);
  file.commit();
}

}  // namespace

int64_t export_vectors(const FittedModel& model, const std::filesystem::path& folder, const VectorOptions& options) {
  const auto* factors = std::get_if<Factors>(&model.scorer);
  if (!factors) {
    throw InputError(fmt::format("model: '{}' has no vectors to export; als and other models with factors have",
                                 printable(model.model)));
  }
  const bool items = options.side == Side::kItems;
  const Vectors vectors{model,
                        options,
                        items ? factors->items : factors->users,
                        factors->item_bias,
                        items ? *model.items : *model.users,
                        items ? "items" : "users"};
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) throw IoError(fmt::format("{}: cannot make the folder: {}", folder.string(), error.message()));
  if (options.format == "csv") {
    write_csv(vectors, folder);
  } else {
    write_npy(vectors, folder);
  }
  return vectors.table.rows;
}

}  // namespace kindred
