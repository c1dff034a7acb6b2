// SPDX-License-Identifier: Apache-2.0
// Random models of every shape that a model file can hold, and their comparison.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "engine/core/fitted_model.hpp"

namespace kindred::test {

using Rng = std::mt19937_64;

inline int64_t draw(Rng& rng, int64_t least, int64_t most) {
  return std::uniform_int_distribution<int64_t>(least, most)(rng);
}

inline std::vector<float> random_floats(Rng& rng, int64_t count) {
  std::vector<float> values(static_cast<size_t>(count));
  std::normal_distribution<float> normal;
  for (float& v : values) v = normal(rng);
  return values;
}

inline HostMatrix random_table(Rng& rng, int64_t rows, int64_t cols) {
  HostMatrix table(rows, cols);
  table.data = random_floats(rng, rows * cols);
  return table;
}

inline std::string random_text(Rng& rng, int64_t most) {
  static const std::vector<std::string> letters = {"a", "Z", "0", " ", "'", "\"", ",", "é", "東", "🎬", "\n"};
  std::string text;
  for (int64_t i = draw(rng, 0, most); i > 0; --i)
    text += letters[static_cast<size_t>(draw(rng, 0, static_cast<int64_t>(letters.size()) - 1))];
  return text;
}

inline std::shared_ptr<const Ids> random_ids(Rng& rng, int64_t count, bool integer) {
  if (integer) {
    std::vector<int64_t> values;
    for (int64_t id = draw(rng, INT64_MIN / 2, 0); static_cast<int64_t>(values.size()) < count;
         id += draw(rng, 1, 1 << 20))
      values.push_back(id);
    return std::make_shared<const Ids>(Ids::integers(std::move(values)));
  }
  std::vector<std::string> texts;
  for (int64_t i = 0; i < count; ++i) texts.push_back("id" + std::to_string(i) + ":" + random_text(rng, 6));
  std::sort(texts.begin(), texts.end());
  std::string blob;
  std::vector<int64_t> offsets{0};
  for (const std::string& text : texts) {
    blob += text;
    offsets.push_back(static_cast<int64_t>(blob.size()));
  }
  return std::make_shared<const Ids>(Ids::strings(std::move(blob), std::move(offsets)));
}

inline HostCsr random_csr(Rng& rng, int64_t rows, int64_t cols, bool values) {
  HostCsr matrix;
  matrix.cols = cols;
  std::bernoulli_distribution take(std::uniform_real_distribution<>(0, 0.5)(rng));
  for (int64_t r = 0; r < rows; ++r) {
    for (int32_t c = 0; c < cols; ++c)
      if (take(rng)) matrix.indices.push_back(c);
    matrix.offsets.push_back(static_cast<int64_t>(matrix.indices.size()));
  }
  if (values) matrix.values = random_floats(rng, matrix.nnz());
  return matrix;
}

/// Each row names others in random order, by falling weight.
inline Neighbors random_neighbors(Rng& rng, int64_t users, int64_t items) {
  const auto chance = [&] { return draw(rng, 0, 1) == 1; };
  Neighbors out;
  out.of = chance() ? NeighborsOf::kItems : NeighborsOf::kUsers;
  const int64_t rows = out.of == NeighborsOf::kItems ? items : users;
  const HostCsr pattern = random_csr(rng, rows, rows, false);
  HostCsr& w = out.weights;
  w.cols = rows;
  for (int64_t r = 0; r < rows; ++r) {
    std::vector<int32_t> others(pattern.row(r).begin(), pattern.row(r).end());
    std::erase(others, static_cast<int32_t>(r));
    std::shuffle(others.begin(), others.end(), rng);
    std::vector<float> values = random_floats(rng, static_cast<int64_t>(others.size()));
    std::sort(values.begin(), values.end(), std::greater<>());
    w.indices.insert(w.indices.end(), others.begin(), others.end());
    w.values.insert(w.values.end(), values.begin(), values.end());
    w.offsets.push_back(w.nnz());
  }
  if (chance()) out.similarity = random_floats(rng, w.nnz());
  if (chance()) out.center = random_floats(rng, items);
  if (chance()) out.item_bias = random_floats(rng, items);
  out.weighted_average = chance();
  out.used = static_cast<int>(draw(rng, 0, 5));
  return out;
}

inline NeighborsFoldIn random_search(Rng& rng) {
  NeighborsFoldIn out;
  NeighborSearch& search = out.search;
  search.similarity.metric = static_cast<SimilarityMetric>(draw(rng, 0, 6));
  search.similarity.missing = static_cast<Missing>(draw(rng, 0, 3));
  search.similarity.shrinkage = 12.5f;
  search.similarity.shrink_from = static_cast<int>(draw(rng, 0, 3));
  search.similarity.min_overlap = draw(rng, 1, 9);
  search.weighting = static_cast<Weighting>(draw(rng, 0, 3));
  search.bm25_k1 = 2, search.bm25_b = 0.25f, search.rp3_alpha = 0.75f, search.rp3_beta = 0.5f;
  search.neighbors = static_cast<int>(draw(rng, 0, 100));
  search.normalize = draw(rng, 0, 1) == 1;
  out.normalized = draw(rng, 0, 1) == 1;
  return out;
}

inline FittedModel random_model(uint64_t seed, int64_t most_rows = 40) {
  Rng rng(seed);
  const auto chance = [&] { return draw(rng, 0, 1) == 1; };
  const int64_t users = draw(rng, 1, most_rows), items = draw(rng, 1, most_rows);
  FittedModel model;
  model.name = "run " + random_text(rng, 5) + ".";
  model.users = random_ids(rng, users, chance());
  model.items = random_ids(rng, items, chance());
  model.created = "2026-11-24T09:00:00Z";
  model.metric = chance() ? Metric::kInnerProduct : Metric::kCosine;
  model.link = static_cast<Link>(draw(rng, 0, 2));
  model.global_mean = static_cast<float>(draw(rng, -5, 5)) / 3;
  model.predicts_values = chance();
  const int64_t kind = draw(rng, 0, 5);
  if (kind == 0) {
    model.model = "item-knn";
    Neighbors neighbors = random_neighbors(rng, users, items);
    model.fold_in = neighbors.of == NeighborsOf::kItems ? FoldIn(HistoryFoldIn{}) : FoldIn(random_search(rng));
    model.scorer = std::move(neighbors);
  } else if (kind == 1) {
    model.model = "popularity";
    model.scorer = Constant{random_floats(rng, items)};
  } else {
    model.model = "als";
    const int64_t d = draw(rng, 1, 20);
    Factors factors;
    factors.users = random_table(rng, users, d);
    factors.items = random_table(rng, items, d);
    if (chance()) factors.user_bias = random_floats(rng, users);
    if (chance()) factors.item_bias = random_floats(rng, items);
    model.scorer = std::move(factors);
    AlsFoldIn fold_in;
    fold_in.params.objective = static_cast<AlsObjective>(draw(rng, 0, 2));
    fold_in.params.regularization = 0.125f;
    fold_in.params.exponent = 0.3f;
    fold_in.params.unobserved_weight = 1e-9f;
    fold_in.params.biases = chance();
    fold_in.params.mean = 3.5f;
    fold_in.alpha = 40;
    fold_in.log_confidence = chance();
    model.fold_in = seed % 7 == 5 ? FoldIn{ProfileFoldIn{}} : FoldIn{fold_in};
  }
  if (chance()) {
    model.user_offset = random_floats(rng, users);
    model.user_scale = random_floats(rng, users);
  }
  if (chance()) {
    model.normalization.method = static_cast<Normalize>(draw(rng, 1, 5));
    model.normalization.mean = 3.25f;
    model.normalization.deviation = 0.75f;
    model.normalization.damping = static_cast<float>(draw(rng, 0, 20));
    if (chance()) model.normalization.items = random_floats(rng, items);
  }
  if (chance()) {
    for (int64_t i = 0; i < items; ++i) model.item_count.push_back(draw(rng, 0, INT64_MAX));
    model.item_mean = random_floats(rng, items);
  }
  if (chance()) model.history = random_csr(rng, users, items, chance());
  if (chance()) model.held_out_validation = random_csr(rng, users, items, chance());
  if (chance()) model.held_out_test = random_csr(rng, users, items, chance());
  if (chance()) model.held_out_given = random_csr(rng, users, items, chance());
  if (chance())
    for (int64_t i = 0; i < items; ++i) model.catalogue.titles.push_back(random_text(rng, 30));
  if (chance()) {
    const int64_t tags = draw(rng, 0, 9);
    model.catalogue.tags = random_csr(rng, items, tags, false);
    for (int64_t t = 0; t < tags; ++t) model.catalogue.tag_names.push_back("tag" + std::to_string(t));
  }
  if (chance()) model.config_toml = "[model]\ntype = 'als'\n";
  if (chance()) model.metrics_json = R"({"name":"é"})";
  return model;
}

inline void expect_equal(const HostCsr& a, const HostCsr& b) {
  ASSERT_EQ(a.offsets, b.offsets);
  ASSERT_EQ(a.indices, b.indices);
  ASSERT_EQ(a.cols, b.cols);
  for (int64_t e = 0; e < a.nnz(); ++e) ASSERT_EQ(a.value(e), b.value(e));
}

inline void expect_equal(const HostMatrix& a, const HostMatrix& b) {
  ASSERT_EQ(a.rows, b.rows);
  ASSERT_EQ(a.cols, b.cols);
  ASSERT_EQ(a.data, b.data);
}

/// All that a model file keeps.
inline void expect_equal(const FittedModel& a, const FittedModel& b) {
  EXPECT_EQ(a.name, b.name);
  EXPECT_EQ(a.model, b.model);
  EXPECT_EQ(*a.users, *b.users);
  EXPECT_EQ(*a.items, *b.items);
  ASSERT_EQ(a.scorer.index(), b.scorer.index());
  if (const auto* constant = std::get_if<Constant>(&a.scorer)) {
    EXPECT_EQ(constant->items, std::get<Constant>(b.scorer).items);
  } else if (const auto* neighbors = std::get_if<Neighbors>(&a.scorer)) {
    const auto& other = std::get<Neighbors>(b.scorer);
    EXPECT_EQ(neighbors->of, other.of);
    expect_equal(neighbors->weights, other.weights);
    EXPECT_EQ(neighbors->similarity, other.similarity);
    EXPECT_EQ(neighbors->center, other.center);
    EXPECT_EQ(neighbors->item_bias, other.item_bias);
    EXPECT_EQ(neighbors->weighted_average, other.weighted_average);
    EXPECT_EQ(neighbors->used, other.used);
  } else {
    const auto &x = std::get<Factors>(a.scorer), &y = std::get<Factors>(b.scorer);
    expect_equal(x.users, y.users);
    expect_equal(x.items, y.items);
    EXPECT_EQ(x.user_bias, y.user_bias);
    EXPECT_EQ(x.item_bias, y.item_bias);
  }
  EXPECT_EQ(a.metric, b.metric);
  EXPECT_EQ(a.link, b.link);
  EXPECT_EQ(a.global_mean, b.global_mean);
  EXPECT_EQ(a.user_offset, b.user_offset);
  EXPECT_EQ(a.user_scale, b.user_scale);
  EXPECT_EQ(a.predicts_values, b.predicts_values);
  ASSERT_EQ(a.fold_in.index(), b.fold_in.index());
  if (const auto* fold_in = std::get_if<AlsFoldIn>(&a.fold_in)) {
    const auto& other = std::get<AlsFoldIn>(b.fold_in);
    EXPECT_EQ(fold_in->params.objective, other.params.objective);
    EXPECT_EQ(fold_in->params.regularization, other.params.regularization);
    EXPECT_EQ(fold_in->params.exponent, other.params.exponent);
    EXPECT_EQ(fold_in->params.unobserved_weight, other.params.unobserved_weight);
    EXPECT_EQ(fold_in->params.biases, other.params.biases);
    EXPECT_EQ(fold_in->params.mean, other.params.mean);
    EXPECT_EQ(fold_in->alpha, other.alpha);
    EXPECT_EQ(fold_in->log_confidence, other.log_confidence);
  }
  if (const auto* fold_in = std::get_if<NeighborsFoldIn>(&a.fold_in)) {
    const NeighborSearch &x = fold_in->search, &y = std::get<NeighborsFoldIn>(b.fold_in).search;
    EXPECT_EQ(x.similarity.metric, y.similarity.metric);
    EXPECT_EQ(x.similarity.missing, y.similarity.missing);
    EXPECT_EQ(x.similarity.shrinkage, y.similarity.shrinkage);
    EXPECT_EQ(x.similarity.shrink_from, y.similarity.shrink_from);
    EXPECT_EQ(x.similarity.min_overlap, y.similarity.min_overlap);
    EXPECT_EQ(x.weighting, y.weighting);
    EXPECT_EQ(x.bm25_k1, y.bm25_k1);
    EXPECT_EQ(x.bm25_b, y.bm25_b);
    EXPECT_EQ(x.rp3_alpha, y.rp3_alpha);
    EXPECT_EQ(x.rp3_beta, y.rp3_beta);
    EXPECT_EQ(x.neighbors, y.neighbors);
    EXPECT_EQ(x.normalize, y.normalize);
    EXPECT_EQ(fold_in->normalized, std::get<NeighborsFoldIn>(b.fold_in).normalized);
  }
  EXPECT_EQ(a.normalization.method, b.normalization.method);
  EXPECT_EQ(a.normalization.mean, b.normalization.mean);
  EXPECT_EQ(a.normalization.deviation, b.normalization.deviation);
  EXPECT_EQ(a.normalization.damping, b.normalization.damping);
  EXPECT_EQ(a.normalization.items, b.normalization.items);
  EXPECT_EQ(a.item_count, b.item_count);
  EXPECT_EQ(a.item_mean, b.item_mean);
  expect_equal(a.history, b.history);
  expect_equal(a.held_out_validation, b.held_out_validation);
  expect_equal(a.held_out_test, b.held_out_test);
  expect_equal(a.held_out_given, b.held_out_given);
  EXPECT_EQ(a.catalogue.titles, b.catalogue.titles);
  expect_equal(a.catalogue.tags, b.catalogue.tags);
  EXPECT_EQ(a.catalogue.tag_names, b.catalogue.tag_names);
  EXPECT_EQ(a.config_toml, b.config_toml);
  EXPECT_EQ(a.metrics_json, b.metrics_json);
  EXPECT_EQ(a.created, b.created);
}

}  // namespace kindred::test
