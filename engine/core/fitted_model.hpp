// SPDX-License-Identifier: Apache-2.0
// What fitting gives and answering needs: ids, history, catalogue, one scorer. The value type in which models, store
// and recommend meet; docs/model-file.md describes how it lies on disk.
#pragma once
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "engine/core/catalogue.hpp"
#include "engine/core/interactions.hpp"
#include "engine/core/neighbor_search.hpp"
#include "engine/core/normalization.hpp"
#include "kernels/als.hpp"

namespace kindred {

/// A dense table in host memory, row-major.
struct HostMatrix {
  std::vector<float> data;
  int64_t rows = 0, cols = 0;

  HostMatrix() = default;
  HostMatrix(int64_t row_count, int64_t col_count)
      : data(static_cast<size_t>(row_count * col_count)), rows(row_count), cols(col_count) {}
  std::span<const float> row(int64_t r) const {
    return std::span(data).subspan(static_cast<size_t>(r * cols), static_cast<size_t>(cols));
  }
  std::span<float> row(int64_t r) {
    return std::span(data).subspan(static_cast<size_t>(r * cols), static_cast<size_t>(cols));
  }
};

enum class Metric : uint8_t { kInnerProduct, kCosine };
enum class Link : uint8_t { kIdentity, kSigmoid, kRelu };

/// raw(u, i) = global_mean + user_bias[u] + item_bias[i] + users[u] . items[i] (cosine: rows normalised first).
struct Factors {
  HostMatrix users, items;
  std::vector<float> user_bias, item_bias;  ///< empty: 0
};

/// raw(u, i) = items[i] for every user.
struct Constant {
  std::vector<float> items;
};

enum class NeighborsOf : uint8_t { kItems, kUsers };

/// With x = (value - user's offset) / user's scale, as the model's normalization has them, and c = center:
///   kItems: raw(u, i) = bias_i + c_i + sum over the items j that u has had of  w_ij (x_uj - c_j)
///   kUsers: raw(u, i) = bias_i + c_i + sum over the users v who have had i of  w_uv (x_vi - c_i)
/// Answers come from histories: the model's own, or what somebody else has had.
struct Neighbors {
  NeighborsOf of = NeighborsOf::kItems;
  HostCsr weights;                ///< n x n: row = who is asked for; its neighbors by weight descending, then by row
  std::vector<float> similarity;  ///< an entry each, where weights are not the similarities themselves
  std::vector<float> center;      ///< c, one an item; empty: 0
  std::vector<float> item_bias;   ///< empty: 0
  bool weighted_average = false;  ///< the sum is divided by that of |w|; where there is none, 0 remains
  int used = 0;                   ///< of a row's neighbors only the first so many that have a part; 0: all
};

using Scorer = std::variant<Constant, Factors, Neighbors>;

/// How a user who is not in the model gets a row: one ALS row solve with the item table fixed.
struct AlsFoldIn {
  AlsParams params;
  float alpha = 0;              ///< c = 1 + alpha f(r); implicit objectives
  bool log_confidence = false;  ///< f(r) = log(1 + r) instead of r
};
/// x = (YᵀY)⁻¹ Yᵀ r for the item table Y, whose columns are orthogonal: what is not in the history counts as 0.
struct SvdFoldIn {};
/// No user term (popularity).
struct NoFoldIn {};
/// The history is all that answers need: neighbors of items.
struct HistoryFoldIn {};
/// The history's neighbors among the users of the model's own history.
struct NeighborsFoldIn {
  NeighborSearch search;
  bool normalized = false;  ///< values are compared as the normalization leaves them, else as they are
};
/// The profile of the history over the item table (engine/core/profile.hpp).
struct ProfileFoldIn {};
using FoldIn = std::variant<NoFoldIn, AlsFoldIn, HistoryFoldIn, NeighborsFoldIn, SvdFoldIn, ProfileFoldIn>;

struct FittedModel {
  std::string name;   ///< of the run
  std::string model;  ///< "als", "popularity", …: config key model.type
  std::shared_ptr<const Ids> users, items;
  Scorer scorer;
  Metric metric = Metric::kInnerProduct;
  Link link = Link::kIdentity;
  float global_mean = 0;
  std::vector<float> user_offset, user_scale;  ///< score = link(offset_u + scale_u raw); empty: 0, 1
  bool predicts_values = false;                ///< scores are on the scale of the training values (rmse makes sense)
  FoldIn fold_in;
  Normalization normalization;  ///< of the values that the scorer was fitted on, for new histories

  std::vector<int64_t> item_count;  ///< train interactions of each item
  std::vector<float> item_mean;     ///< mean train value of each item
  HostCsr history;                  ///< what the model was fitted on; rows() == 0: not kept
  HostCsr held_out_validation, held_out_test;
  HostCsr held_out_given;  ///< of users whom train does not hold: what is folded in to judge them; rows() == 0: none
  Catalogue catalogue;

  std::string config_toml, metrics_json;  ///< as in the run folder
  std::string created;                    ///< ISO 8601, UTC
  std::string content_hash;               ///< 16 hex digits; set by the store

  int64_t num_users() const { return users ? users->size() : 0; }
  int64_t num_items() const { return items ? items->size() : 0; }
};

}  // namespace kindred
