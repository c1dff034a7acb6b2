// SPDX-License-Identifier: Apache-2.0
// A FittedModel to a model file, dataset by dataset.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>

#include "engine/core/error.hpp"
#include "engine/core/log.hpp"
#include "engine/hdf5/hdf5.hpp"
#include "engine/store/finite.hpp"
#include "engine/store/model_file.hpp"
#include "engine/store/model_layout.hpp"

namespace kindred {
namespace {

using hdf5::Writer;
namespace layout = model_layout;
const std::string kFoldIn = "/fold_in";

/// Floats that a reader would refuse are not written.
void check_finite(const std::string& path, std::span<const float> values, int64_t columns) {
  const int64_t bad = first_not_finite(values);
  if (bad < 0) return;
  const int64_t row = bad / std::max<int64_t>(1, columns);
  throw NumericError(
      fmt::format("{}: row {} holds {}; the model was not written", path, row, values[static_cast<size_t>(bad)]), row);
}

void write_floats(Writer& writer, const std::string& path, std::span<const float> values) {
  if (values.empty()) return;
  check_finite(path, values, 1);
  writer.dataset(path, hdf5::floats({static_cast<int64_t>(values.size())}), std::as_bytes(values));
}

void write_table(Writer& writer, const std::string& path, const HostMatrix& table) {
  check_finite(path, table.data, table.cols);
  writer.dataset(path, hdf5::floats({table.rows, table.cols}), std::as_bytes(std::span(table.data)));
}

/// At most kMostTitleBytes of a text, cut between characters.
std::string_view cut(std::string_view text) {
  if (text.size() <= layout::kMostTitleBytes) return text;
  size_t end = layout::kMostTitleBytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end);
}

/// A CSR group as SciPy and AnnData have it. Values are written even where each is 1, but deflated then.
void write_csr(Writer& writer, const std::string& path, const HostCsr& matrix, bool with_values = true) {
  writer.group(path);
  writer.attribute(path, "encoding-type", std::string("csr_matrix"));
  writer.attribute(path, "encoding-version", std::string("0.1.0"));
  writer.attribute(path, "shape", std::vector<int64_t>{matrix.rows(), matrix.cols});
  writer.dataset(path + "/indptr", hdf5::int64s({matrix.rows() + 1}), std::as_bytes(std::span(matrix.offsets)));
  writer.dataset(path + "/indices", hdf5::int32s({matrix.nnz()}), std::as_bytes(std::span(matrix.indices)));
  const bool ones =
      !with_values || std::all_of(matrix.values.begin(), matrix.values.end(), [](float v) { return v == 1; });
  hdf5::Form form = hdf5::floats({matrix.nnz()});
  form.deflate = ones;
  Writer::Dataset data(writer, path + "/data", form, true);
  if (ones) {
    const std::vector<float> block(static_cast<size_t>(std::min<int64_t>(matrix.nnz(), 1 << 18)), 1.f);
    for (int64_t left = matrix.nnz(); left > 0; left -= static_cast<int64_t>(block.size()))
      data.append(std::span(block).first(static_cast<size_t>(std::min<int64_t>(left, 1 << 18))));
  } else {
    check_finite(path + "/data", matrix.values, 1);
    data.append(std::span(matrix.values));
  }
  data.finish();
}

void write_catalogue(Writer& writer, const Catalogue& catalogue) {
  if (!catalogue.titles.empty()) {
    const auto titles = static_cast<int64_t>(catalogue.titles.size());
    const auto title = [&](int64_t r) { return cut(catalogue.titles[static_cast<size_t>(r)]); };
    const auto shortened = std::count_if(catalogue.titles.begin(), catalogue.titles.end(),
                                         [](const std::string& t) { return cut(t).size() < t.size(); });
    if (shortened > 0)
      log_warning("titles longer than 1,024 bytes were cut", {{"titles", static_cast<int64_t>(shortened)}});
    writer.strings("/items/title", titles, title);
  }
  if (catalogue.tags.rows() > 0) {
    write_csr(writer, "/items/tags", catalogue.tags);
    writer.strings("/items/tags/names", static_cast<int64_t>(catalogue.tag_names.size()),
                   [&](int64_t r) { return cut(catalogue.tag_names[static_cast<size_t>(r)]); });
  }
}

void write_neighbors(Writer& writer, const Neighbors& neighbors) {
  const std::string path = layout::neighbors_path(neighbors.of);
  write_csr(writer, path, neighbors.weights);
  writer.attribute(path, "prediction", std::string(layout::kPredictions[neighbors.weighted_average ? 1 : 0]));
  writer.attribute(path, "neighbors_used", static_cast<int64_t>(neighbors.used));
  write_floats(writer, path + "/similarity", neighbors.similarity);
  write_floats(writer, "/items/center", neighbors.center);
  write_floats(writer, "/items/bias", neighbors.item_bias);
}

void write_scorer(Writer& writer, const Scorer& scorer) {
  if (const auto* constant = std::get_if<Constant>(&scorer)) {
    write_floats(writer, "/items/bias", constant->items);
    return;
  }
  if (const auto* neighbors = std::get_if<Neighbors>(&scorer)) return write_neighbors(writer, *neighbors);
  const auto& factors = std::get<Factors>(scorer);
  write_table(writer, "/users/factors", factors.users);
  write_table(writer, "/items/factors", factors.items);
  write_floats(writer, "/users/bias", factors.user_bias);
  write_floats(writer, "/items/bias", factors.item_bias);
}

void write_recipe(Writer&, const NoFoldIn&) {}
void write_recipe(Writer&, const HistoryFoldIn&) {}
void write_recipe(Writer&, const SvdFoldIn&) {}
void write_recipe(Writer&, const ProfileFoldIn&) {}

void write_recipe(Writer& writer, const AlsFoldIn& als) {
  const AlsParams& params = als.params;
  writer.attribute(kFoldIn, "objective", std::string(layout::kObjectives[static_cast<size_t>(params.objective)]));
  writer.attribute(kFoldIn, "alpha", als.alpha);
  writer.attribute(kFoldIn, "confidence", std::string(als.log_confidence ? "log" : "linear"));
  writer.attribute(kFoldIn, "unobserved_weight", params.unobserved_weight);
  writer.attribute(kFoldIn, "regularization", params.regularization);
  writer.attribute(kFoldIn, "exponent", params.exponent);
  writer.attribute(kFoldIn, "biases", static_cast<int64_t>(params.biases));
  writer.attribute(kFoldIn, "mean", params.mean);
}

void write_recipe(Writer& writer, const NeighborsFoldIn& recipe) {
  const NeighborSearch& search = recipe.search;
  const SimilarityParams& similarity = search.similarity;
  writer.attribute(kFoldIn, "similarity", std::string(layout::kSimilarities[static_cast<size_t>(similarity.metric)]));
  writer.attribute(kFoldIn, "missing", std::string(layout::kMissing[static_cast<size_t>(similarity.missing)]));
  writer.attribute(kFoldIn, "shrinkage", similarity.shrinkage);
  writer.attribute(kFoldIn, "shrink_from", static_cast<int64_t>(similarity.shrink_from));
  writer.attribute(kFoldIn, "min_overlap", similarity.min_overlap);
  writer.attribute(kFoldIn, "weighting", std::string(layout::kWeightings[static_cast<size_t>(search.weighting)]));
  writer.attribute(kFoldIn, "bm25_k1", search.bm25_k1);
  writer.attribute(kFoldIn, "bm25_b", search.bm25_b);
  writer.attribute(kFoldIn, "rp3_alpha", search.rp3_alpha);
  writer.attribute(kFoldIn, "rp3_beta", search.rp3_beta);
  writer.attribute(kFoldIn, "neighbors", static_cast<int64_t>(search.neighbors));
  writer.attribute(kFoldIn, "normalize_weights", static_cast<int64_t>(search.normalize));
  writer.attribute(kFoldIn, "normalized", static_cast<int64_t>(recipe.normalized));
}

void write_fold_in(Writer& writer, const FoldIn& fold_in) {
  writer.group(kFoldIn);
  writer.attribute(kFoldIn, "method", std::string(layout::kFoldIns[fold_in.index()]));
  std::visit([&](const auto& recipe) { write_recipe(writer, recipe); }, fold_in);
}

void write_normalization(Writer& writer, const Normalization& normalization) {
  if (normalization.method == Normalize::kNone) return;
  const std::string path = "/fold_in/normalization";
  writer.group(path);
  writer.attribute(path, "method", std::string(layout::kNormalizations[static_cast<size_t>(normalization.method)]));
  writer.attribute(path, "mean", normalization.mean);
  writer.attribute(path, "deviation", normalization.deviation);
  writer.attribute(path, "damping", normalization.damping);
  write_floats(writer, path + "/items", normalization.items);
}

std::string now() { return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr))); }

}  // namespace

std::string save_model(const FittedModel& model, const std::filesystem::path& path, KeepHistory history) {
  const auto* factors = std::get_if<Factors>(&model.scorer);
  Writer writer(path);
  const auto root = [&](const char* name, const hdf5::Attribute& value) {
    writer.attribute("/", name, value, layout::root_attribute_counts(name));
  };
  root("format", std::string(layout::kFormat));
  root("format_version", layout::kFormatVersion);
  root("kindred_version", std::string(KINDRED_VERSION));
  root("name", model.name);
  root("model", model.model);
  root("scorer", std::string(layout::kScorers[model.scorer.index()]));
  root("metric", std::string(layout::kMetrics[static_cast<size_t>(model.metric)]));
  root("link", std::string(layout::kLinks[static_cast<size_t>(model.link)]));
  root("global_mean", model.global_mean);
  root("predicts_values", static_cast<int64_t>(model.predicts_values));
  root("users", model.num_users());
  root("items", model.num_items());
  root("dimension", factors ? factors->items.cols : 0);
  root("created", model.created.empty() ? now() : model.created);

  const Ids none;
  writer.group("/users");
  writer.ids("/users/ids", model.users ? *model.users : none);
  writer.group("/items");
  writer.ids("/items/ids", model.items ? *model.items : none);
  write_scorer(writer, model.scorer);
  write_floats(writer, "/users/offset", model.user_offset);
  write_floats(writer, "/users/scale", model.user_scale);
  if (!model.item_count.empty())
    writer.dataset("/items/count", hdf5::int64s({static_cast<int64_t>(model.item_count.size())}),
                   std::as_bytes(std::span(model.item_count)));
  write_floats(writer, "/items/mean", model.item_mean);
  write_catalogue(writer, model.catalogue);
  write_fold_in(writer, model.fold_in);
  write_normalization(writer, model.normalization);
  if (history != KeepHistory::kNone) {
    const bool values = history == KeepHistory::kValues;
    if (model.history.rows() > 0) write_csr(writer, "/history", model.history, values);
    const std::pair<const char*, const HostCsr*> held_out[] = {{"/held_out/validation", &model.held_out_validation},
                                                               {"/held_out/test", &model.held_out_test},
                                                               {"/held_out/given", &model.held_out_given}};
    if (std::ranges::any_of(held_out, [](const auto& part) { return part.second->rows() > 0; }))
      writer.group("/held_out");
    for (const auto& [path_of_part, part] : held_out)
      if (part->rows() > 0) write_csr(writer, path_of_part, *part, values);
  }
  writer.group("/meta");
  writer.text("/meta/config", model.config_toml, false);
  writer.text("/meta/metrics", model.metrics_json, false);
  return writer.commit();
}

}  // namespace kindred
