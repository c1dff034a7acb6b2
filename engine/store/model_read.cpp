// SPDX-License-Identifier: Apache-2.0
// A model file to a FittedModel. Everything is checked before it is used: which version, which shapes against each
// other, indices, finite values, checksums.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <new>

#include "engine/core/error.hpp"
#include "engine/core/file.hpp"
#include "engine/core/log.hpp"
#include "engine/core/toml.hpp"
#include "engine/hdf5/hdf5.hpp"
#include "engine/store/finite.hpp"
#include "engine/store/model_file.hpp"
#include "engine/store/model_layout.hpp"

namespace kindred {
namespace {

using hdf5::Reader;
using hdf5::Type;
namespace layout = model_layout;

std::filesystem::path file_of(const std::filesystem::path& path) {
  if (!std::filesystem::is_directory(path)) return path;
  const auto config = path / "config.toml";
  const std::string name = model_name_in(std::filesystem::exists(config) ? read_file(config) : "");
  if (!std::filesystem::exists(path / name))
    throw InputError(fmt::format("{}: a folder without {}; expected a model file or the folder of a finished run",
                                 path.string(), name));
  return path / name;
}

template <size_t n>
size_t word(const Reader& reader, const std::string& object, const std::string& name,
            const std::array<std::string_view, n>& words) {
  const std::string found = reader.text(object, name);
  const auto at = std::find(words.begin(), words.end(), found);
  if (at == words.end()) {
    std::string expected;
    for (const std::string_view w : words) expected += fmt::format("{}'{}'", expected.empty() ? "" : ", ", w);
    reader.fail(object, fmt::format("{} is '{}'; expected one of {}", name, printable(found), expected));
  }
  return static_cast<size_t>(at - words.begin());
}

void expect(const Reader& reader, const std::string& path, Type type, const std::vector<int64_t>& extents) {
  const hdf5::Form& form = reader.form(path);
  if (form.type == type && form.extents == extents) return;
  hdf5::Form wanted{.type = type, .item_bytes = type == Type::kInt64 ? 8 : 4, .extents = extents};
  reader.fail(path, fmt::format("it is {} of {}; expected {} of {}", form.type_name(), fmt::join(form.extents, " x "),
                                type == Type::kString ? "text" : wanted.type_name(), fmt::join(extents, " x ")));
}

void check_finite(const Reader& reader, const std::string& path, std::span<const std::byte> bytes, int64_t first) {
  const std::span values(reinterpret_cast<const float*>(bytes.data()), bytes.size() / sizeof(float));
  const int64_t bad = first_not_finite(values);
  if (bad < 0) return;
  const int64_t row = first + bad * static_cast<int64_t>(sizeof(float)) / reader.form(path).row_bytes();
  reader.fail(path, fmt::format("row {} holds {}; expected finite values", row, values[static_cast<size_t>(bad)]));
}

/// Appends what a reader hands over, each value checked.
Reader::Take append_finite(const Reader& reader, const std::string& path, std::vector<float>& to) {
  return [&reader, path, &to](int64_t first, std::span<const std::byte> bytes) {
    check_finite(reader, path, bytes, first);
    const auto* from = reinterpret_cast<const float*>(bytes.data());
    to.insert(to.end(), from, from + bytes.size() / sizeof(float));
  };
}

std::vector<float> read_floats(const Reader& reader, const std::string& path, int64_t count) {
  if (!reader.has(path)) return {};
  expect(reader, path, Type::kFloat32, {count});
  std::vector<float> values;
  values.reserve(static_cast<size_t>(count));
  reader.read(path, append_finite(reader, path, values));
  return values;
}

HostMatrix read_table(const Reader& reader, const std::string& path, int64_t rows, int64_t cols) {
  expect(reader, path, Type::kFloat32, {rows, cols});
  HostMatrix table;
  table.rows = rows;
  table.cols = cols;
  table.data.reserve(static_cast<size_t>(rows * cols));
  reader.read(path, append_finite(reader, path, table.data));
  return table;
}

template <class Add>
void read_strings(const Reader& reader, const std::string& path, const Add& add) {
  const auto length = static_cast<size_t>(reader.form(path).item_bytes);
  reader.read(path, [&](int64_t, std::span<const std::byte> rows) {
    for (size_t at = 0; at < rows.size(); at += length) {
      const std::string_view padded(reinterpret_cast<const char*>(rows.data()) + at, length);
      add(padded.substr(0, padded.find_last_not_of('\0') + 1));
    }
  });
}

std::vector<std::string> read_texts(const Reader& reader, const std::string& path, int64_t count) {
  expect(reader, path, Type::kString, {count});
  std::vector<std::string> texts;
  texts.reserve(static_cast<size_t>(count));
  read_strings(reader, path, [&](std::string_view text) { texts.emplace_back(text); });
  return texts;
}

std::shared_ptr<const Ids> read_ids(const Reader& reader, const std::string& path, int64_t count) {
  try {
    if (reader.form(path).type == Type::kInt64) {
      expect(reader, path, Type::kInt64, {count});
      return std::make_shared<const Ids>(Ids::integers(reader.values<int64_t>(path)));
    }
    expect(reader, path, Type::kString, {count});
    std::string blob;
    std::vector<int64_t> offsets{0};
    offsets.reserve(static_cast<size_t>(count) + 1);
    read_strings(reader, path, [&](std::string_view id) {
      blob += id;
      offsets.push_back(static_cast<int64_t>(blob.size()));
    });
    blob.shrink_to_fit();
    return std::make_shared<const Ids>(Ids::strings(std::move(blob), std::move(offsets)));
  } catch (const InputError& error) {
    if (std::string_view(error.what()).find(path) != std::string_view::npos) throw;
    reader.fail(path, error.what());
  }
}

/// Columns of each row ascend.
void check_ascending(const Reader& reader, const std::string& path, const HostCsr& matrix) {
  for (int64_t r = 0; r < matrix.rows(); ++r) {
    int64_t last = -1;
    for (const int32_t index : matrix.row(r)) {
      if (index <= last || index >= matrix.cols)
        reader.fail(path + "/indices", fmt::format("row {} holds {} after {}; expected ascending indices below {}", r,
                                                   index, last, matrix.cols));
      last = index;
    }
  }
}

/// Each row names others, each once.
void check_others(const Reader& reader, const std::string& path, const HostCsr& matrix) {
  std::vector<int64_t> named_by(static_cast<size_t>(matrix.cols), -1);
  for (int64_t r = 0; r < matrix.rows(); ++r)
    for (const int32_t index : matrix.row(r)) {
      if (index < 0 || index >= matrix.cols || index == r)
        reader.fail(path + "/indices",
                    fmt::format("row {} holds {}; expected other rows, from 0 to {}", r, index, matrix.cols - 1));
      if (std::exchange(named_by[static_cast<size_t>(index)], r) == r)
        reader.fail(path + "/indices", fmt::format("row {} holds {} twice; expected each neighbor once", r, index));
    }
}

HostCsr read_csr(const Reader& reader, const std::string& path, int64_t rows, int64_t cols,
                 void (*check)(const Reader&, const std::string&, const HostCsr&) = check_ascending) {
  if (reader.text(path, "encoding-type") != "csr_matrix" || reader.text(path, "encoding-version") != "0.1.0")
    reader.fail(path, "its encoding is not csr_matrix 0.1.0");
  const std::vector<int64_t> shape = reader.integers(path, "shape");
  if (shape != std::vector<int64_t>{rows, cols})
    reader.fail(path, fmt::format("its shape is {}; expected {} x {}", fmt::join(shape, " x "), rows, cols));
  HostCsr matrix;
  matrix.cols = cols;
  expect(reader, path + "/indptr", Type::kInt64, {rows + 1});
  matrix.offsets = reader.values<int64_t>(path + "/indptr");
  const hdf5::Form& indices = reader.form(path + "/indices");
  const int64_t nnz = indices.extents.size() == 1 ? indices.extents[0] : -1;
  expect(reader, path + "/indices", Type::kInt32, {nnz});
  if (matrix.offsets.front() != 0 || matrix.offsets.back() != nnz ||
      !std::is_sorted(matrix.offsets.begin(), matrix.offsets.end()))
    reader.fail(path + "/indptr", fmt::format("it does not ascend from 0 to {}, the number of indices", nnz));
  matrix.indices = reader.values<int32_t>(path + "/indices");
  check(reader, path, matrix);
  expect(reader, path + "/data", Type::kFloat32, {nnz});
  // Where each value is 1 none is kept, which is what a HostCsr without values means.
  reader.read(path + "/data", [&](int64_t first, std::span<const std::byte> bytes) {
    const std::span values(reinterpret_cast<const float*>(bytes.data()), bytes.size() / sizeof(float));
    check_finite(reader, path + "/data", bytes, first);
    if (matrix.values.empty()) {
      if (std::all_of(values.begin(), values.end(), [](float v) { return v == 1; })) return;
      matrix.values.reserve(static_cast<size_t>(nnz));
      matrix.values.assign(static_cast<size_t>(first), 1.f);
    }
    matrix.values.insert(matrix.values.end(), values.begin(), values.end());
  });
  return matrix;
}

Catalogue read_catalogue(const Reader& reader, int64_t items) {
  Catalogue catalogue;
  if (reader.has("/items/title")) catalogue.titles = read_texts(reader, "/items/title", items);
  if (reader.has("/items/tags")) {
    const hdf5::Form& names = reader.form("/items/tags/names");
    catalogue.tag_names = read_texts(reader, "/items/tags/names", names.rows());
    catalogue.tags = read_csr(reader, "/items/tags", items, names.rows());
    catalogue.tags.values.clear();
  }
  return catalogue;
}

Neighbors read_neighbors(const Reader& reader, int64_t users, int64_t items) {
  Neighbors out;
  if (!reader.has(layout::neighbors_path(out.of))) out.of = NeighborsOf::kUsers;
  const std::string path = layout::neighbors_path(out.of);
  const int64_t rows = out.of == NeighborsOf::kItems ? items : users;
  out.weights = read_csr(reader, path, rows, rows, check_others);
  for (int64_t r = 0; r < rows; ++r)
    if (!std::ranges::is_sorted(out.weights.row_values(r), std::greater<>()))
      reader.fail(path + "/data", fmt::format("the weights of row {} do not descend", r));
  out.similarity = read_floats(reader, path + "/similarity", out.weights.nnz());
  out.center = read_floats(reader, "/items/center", items);
  out.item_bias = read_floats(reader, "/items/bias", items);
  out.weighted_average = word(reader, path, "prediction", layout::kPredictions) == 1;
  const int64_t used = reader.integer(path, "neighbors_used");
  if (used < 0 || used > INT32_MAX)
    reader.fail(path, fmt::format("neighbors_used is {}; expected 0 to 2,147,483,647", used));
  out.used = static_cast<int>(used);
  return out;
}

Scorer read_scorer(const Reader& reader, int64_t users, int64_t items, bool user_side) {
  const size_t kind = word(reader, "/", "scorer", layout::kScorers);
  if (kind == 0) {
    reader.form("/items/bias");
    return Constant{read_floats(reader, "/items/bias", items)};
  }
  if (kind == 2) return read_neighbors(reader, users, items);
  const int64_t dimension = reader.integer("/", "dimension");
  Factors factors;
  factors.items = read_table(reader, "/items/factors", items, dimension);
  factors.item_bias = read_floats(reader, "/items/bias", items);
  if (user_side) {
    factors.users = read_table(reader, "/users/factors", users, dimension);
    factors.user_bias = read_floats(reader, "/users/bias", users);
  }
  return factors;
}

float finite(const Reader& reader, const std::string& object, const std::string& name) {
  const float value = reader.number(object, name);
  if (!std::isfinite(value)) reader.fail(object, fmt::format("attribute {} is not finite", name));
  return value;
}

int64_t integer_within(const Reader& reader, const std::string& object, const std::string& name, int64_t low,
                       int64_t high) {
  const int64_t value = reader.integer(object, name);
  if (value < low || value > high)
    reader.fail(object, fmt::format("attribute {} is {}; expected {} to {}", name, value, low, high));
  return value;
}

float not_negative(const Reader& reader, const std::string& object, const std::string& name) {
  const float value = finite(reader, object, name);
  if (value < 0) reader.fail(object, fmt::format("attribute {} is {}; expected 0 or more", name, value));
  return value;
}

AlsFoldIn read_als_recipe(const Reader& reader, const std::string& path) {
  AlsFoldIn fold_in;
  AlsParams& params = fold_in.params;
  params.objective = static_cast<AlsObjective>(word(reader, path, "objective", layout::kObjectives));
  fold_in.alpha = finite(reader, path, "alpha");
  fold_in.log_confidence = word(reader, path, "confidence", std::array<std::string_view, 2>{"linear", "log"}) == 1;
  params.unobserved_weight = finite(reader, path, "unobserved_weight");
  params.regularization = finite(reader, path, "regularization");
  params.exponent = finite(reader, path, "exponent");
  params.biases = reader.integer(path, "biases") != 0;
  params.mean = finite(reader, path, "mean");
  return fold_in;
}

NeighborsFoldIn read_neighbors_recipe(const Reader& reader, const std::string& path) {
  NeighborsFoldIn fold_in;
  NeighborSearch& search = fold_in.search;
  SimilarityParams& similarity = search.similarity;
  similarity.metric = static_cast<SimilarityMetric>(word(reader, path, "similarity", layout::kSimilarities));
  similarity.missing = static_cast<Missing>(word(reader, path, "missing", layout::kMissing));
  similarity.shrinkage = not_negative(reader, path, "shrinkage");
  similarity.shrink_from = static_cast<int>(integer_within(reader, path, "shrink_from", 0, INT32_MAX));
  similarity.min_overlap = integer_within(reader, path, "min_overlap", 0, INT64_MAX);
  search.weighting = static_cast<Weighting>(word(reader, path, "weighting", layout::kWeightings));
  search.bm25_k1 = not_negative(reader, path, "bm25_k1");
  search.bm25_b = not_negative(reader, path, "bm25_b");
  search.rp3_alpha = not_negative(reader, path, "rp3_alpha");
  search.rp3_beta = not_negative(reader, path, "rp3_beta");
  search.neighbors = static_cast<int>(integer_within(reader, path, "neighbors", 0, INT32_MAX));
  search.normalize = reader.integer(path, "normalize_weights") != 0;
  fold_in.normalized = reader.integer(path, "normalized") != 0;
  return fold_in;
}

FoldIn read_fold_in(const Reader& reader) {
  const std::string path = "/fold_in";
  if (!reader.has(path)) return NoFoldIn{};
  switch (word(reader, path, "method", layout::kFoldIns)) {
    case 1:
      return read_als_recipe(reader, path);
    case 2:
      return HistoryFoldIn{};
    case 3:
      return read_neighbors_recipe(reader, path);
    case 4:
      return SvdFoldIn{};
    case 5:
      return ProfileFoldIn{};
    default:
      return NoFoldIn{};
  }
}

Normalization read_normalization(const Reader& reader, int64_t items) {
  const std::string path = "/fold_in/normalization";
  if (!reader.has(path)) return {};
  Normalization normalization;
  normalization.method = static_cast<Normalize>(word(reader, path, "method", layout::kNormalizations));
  normalization.mean = finite(reader, path, "mean");
  normalization.deviation = finite(reader, path, "deviation");
  normalization.damping = finite(reader, path, "damping");
  normalization.items = read_floats(reader, path + "/items", items);
  return normalization;
}

FittedModel read_model(const Reader& reader, const LoadParts& parts) {
  FittedModel model;
  model.name = reader.text("/", "name");
  model.model = reader.text("/", "model");
  model.metric = static_cast<Metric>(word(reader, "/", "metric", layout::kMetrics));
  model.link = static_cast<Link>(word(reader, "/", "link", layout::kLinks));
  model.global_mean = finite(reader, "/", "global_mean");
  model.predicts_values = reader.integer("/", "predicts_values") != 0;
  model.created = reader.text("/", "created");
  model.content_hash = reader.text("/", "content_hash");
  const int64_t users = reader.integer("/", "users"), items = reader.integer("/", "items");
  if (users < 0 || users > INT32_MAX || items < 0 || items > INT32_MAX)
    reader.fail("/", fmt::format("{} users and {} items; expected up to 2,147,483,647 of each", users, items));

  model.users = read_ids(reader, "/users/ids", users);
  model.items = read_ids(reader, "/items/ids", items);
  model.scorer = read_scorer(reader, users, items, parts.users);
  model.fold_in = read_fold_in(reader);
  model.normalization = read_normalization(reader, items);
  if (parts.users) {
    model.user_offset = read_floats(reader, "/users/offset", users);
    model.user_scale = read_floats(reader, "/users/scale", users);
  }
  if (reader.has("/items/count")) {
    expect(reader, "/items/count", Type::kInt64, {items});
    model.item_count = reader.values<int64_t>("/items/count");
  }
  model.item_mean = read_floats(reader, "/items/mean", items);
  if (parts.catalogue) model.catalogue = read_catalogue(reader, items);
  const auto* neighbors = std::get_if<Neighbors>(&model.scorer);  // these answer from histories
  const bool answers = neighbors != nullptr && (parts.users || neighbors->of == NeighborsOf::kUsers);
  if ((parts.history || answers) && reader.has("/history")) model.history = read_csr(reader, "/history", users, items);
  if (parts.history) {
    if (reader.has("/held_out/validation"))
      model.held_out_validation = read_csr(reader, "/held_out/validation", users, items);
    if (reader.has("/held_out/given")) model.held_out_given = read_csr(reader, "/held_out/given", users, items);
    if (reader.has("/held_out/test")) model.held_out_test = read_csr(reader, "/held_out/test", users, items);
  }
  model.config_toml = reader.scalar_text("/meta/config");
  model.metrics_json = reader.scalar_text("/meta/metrics");
  return model;
}

}  // namespace

std::string model_name_in(std::string_view config_toml) {
  const TomlTable config = parse_toml(config_toml, "config.toml");
  const auto section = config.find("export");
  const auto* table = section == config.end() ? nullptr : std::get_if<TomlTable>(&section->second.value);
  const auto key = table == nullptr ? TomlTable::const_iterator{} : table->find("model");
  const auto* name = table == nullptr || key == table->end() ? nullptr : std::get_if<std::string>(&key->second.value);
  return name == nullptr ? "model.h5" : *name;
}

FittedModel load_model(const std::filesystem::path& path, const LoadParts& parts) {
  Reader reader(file_of(path));
  layout::check_version(reader, layout::kFormat);
  reader.inspect(layout::paths());
  reader.check_content(layout::counts, layout::root_attribute_counts);
  try {
    return read_model(reader, parts);
  } catch (const std::bad_alloc&) {
    throw OutOfMemory(
        fmt::format("{}: reading it needs about {} of memory, which this process may not have; free some, "
                    "or use a machine with more",
                    path.string(), format_bytes(reader.file_bytes())));
  }
}

HostMatrix load_rows(const std::filesystem::path& path, const std::string& table, int64_t begin, int64_t count) {
  Reader reader(file_of(path));
  layout::check_version(reader, layout::kFormat);
  reader.inspect(layout::paths());
  const hdf5::Form& form = reader.form(table);
  if (form.type != Type::kFloat32 || form.extents.size() != 2) reader.fail(table, "not a table of float32");
  if (begin < 0 || count < 0 || begin > form.rows() - count)
    reader.fail(table, fmt::format("rows {} to {} asked for; it has {}", begin, begin + count, form.rows()));
  HostMatrix part;
  part.rows = count;
  part.cols = form.extents[1];
  part.data.reserve(static_cast<size_t>(count * part.cols));
  reader.read_rows(table, begin, count, append_finite(reader, table, part.data));
  return part;
}

}  // namespace kindred
