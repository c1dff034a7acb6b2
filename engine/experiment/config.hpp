// SPDX-License-Identifier: Apache-2.0
// A run's configuration as typed values. The schema (schema.hpp) is the one table that binds keys to these fields.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "engine/core/toml.hpp"
#include "engine/data/dataset.hpp"
#include "engine/evaluate/evaluate.hpp"
#include "engine/models/als.hpp"
#include "engine/models/content_features.hpp"
#include "engine/models/knn.hpp"
#include "engine/models/sgd.hpp"
#include "engine/models/svd.hpp"

namespace kindred {

struct EarlyStopping {
  std::string metric;  ///< "": off
  int patience = 3;
  double min_delta = 0;
};

struct Config {
  std::string name;
  std::filesystem::path output;
  uint64_t seed = 42;
  std::string device = "auto";
  int threads = 0;
  DataOptions data;
  SplitOptions split;
  std::string model = "als";  ///< model.type
  AlsOptions als;
  ContentOptions content;
  std::filesystem::path vectors;  ///< content: of items, made elsewhere; "": none
  KnnOptions knn;
  std::filesystem::path over;  ///< item-knn: a model file whose items' vectors are compared; "": none
  SgdOptions sgd;
  SvdOptions svd;
  Normalize svd_center = Normalize::kNone;  ///< model.center, which is data.normalize said otherwise
  EarlyStopping early_stopping;
  std::string refit = "none";  ///< "none" | "validation" | "all"
  double checkpoint_minutes = 10;
  EvaluateOptions evaluate;
  int every = 1;
  int64_t validation_users = 10000, test_users = 0;
  std::filesystem::path export_model = "model.h5";
  std::string export_history = "values";
  int recommendations_k = 10;
  std::string recommendations_to;  ///< as parse_list_file has it; "": none

  /// Every key that this model reads, with its value, as TOML: the run folder's config.toml.
  std::string resolved;
};

inline bool is_knn(const Config& c) { return c.model == "item-knn" || c.model == "user-knn"; }
/// Passes of the model's fit over the data; 0 where it has none.
inline int epochs_of(const Config& c) { return c.model == "als" ? c.als.epochs : c.model == "sgd" ? c.sgd.epochs : 0; }
/// The field that says how long the model's vectors are; null where it has none.
inline int* factors_of(Config& c) {
  return c.model == "als"   ? &c.als.factors
         : c.model == "sgd" ? &c.sgd.factors
         : c.model == "svd" ? &c.svd.factors
                            : nullptr;
}
inline bool has_item_vectors(const Config& c) {
  return c.model == "als" || c.model == "sgd" || c.model == "svd" || c.model == "content";
}
/// A model whose scores are on the scale of the values: rmse and mae make sense.
inline bool predicts_values(const Config& c) {
  return c.model == "bayesian-average" || (c.model == "als" && c.als.feedback == "explicit") ||
         (is_knn(c) && c.knn.weighted_average) || (c.model == "sgd" && predicts_values(c.sgd)) ||
         (c.model == "svd" && c.data.normalize != Normalize::kNone);
}
/// A model whose scores are probabilities: logloss makes sense.
inline bool predicts_probabilities(const Config& c) {
  return c.model == "sgd" && c.sgd.params.loss == SgdLoss::kLogistic;
}

/// Reads a config and the command line's `--set` pairs. Every error is an InputError that names file, line and key, and
/// the nearest key where one is unknown.
Config load_config(const std::filesystem::path& path, const std::vector<std::string>& set = {});
/// The same for a text; `path` is where it would lie.
Config parse_config(const std::string& text, const std::filesystem::path& path);

/// The keys in which two resolved configs differ, "model.factors (64, now 128)"; keys that change speed alone (device,
/// threads, checkpoint_minutes, output) are left out.
std::vector<std::string> differing_keys(const std::string& resolved_a, const std::string& resolved_b);

/// `--help-config [SECTION]` and docs/config.md.
std::string config_help(const std::string& section = "");
std::string config_markdown();

}  // namespace kindred
