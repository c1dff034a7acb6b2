// SPDX-License-Identifier: Apache-2.0
// The names of the model file that its writer and its reader share. docs/model-file.md says what they hold.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/fitted_model.hpp"
#include "engine/hdf5/hdf5.hpp"

namespace kindred::model_layout {

constexpr int64_t kFormatVersion = 1;
constexpr const char* kFormat = "kindred";
constexpr const char* kCheckpointFormat = "kindred-checkpoint";
constexpr int64_t kMostTitleBytes = 1024;  ///< longer titles and tags are cut between characters

/// The group of a Neighbors scorer.
inline std::string neighbors_path(NeighborsOf of) {
  return of == NeighborsOf::kItems ? "/items/neighbors" : "/users/neighbors";
}

/// All paths of a model file, parents before children.
std::vector<std::string> paths();

/// Whether an object belongs to the content hash: all but /meta.
bool counts(const std::string& path);
/// Whether an attribute of the root does: not those that differ between equal runs.
bool root_attribute_counts(const std::string& name);

/// Throws InputError where the file is of another format, or of a version that this program does not know.
void check_version(const hdf5::Reader& reader, std::string_view format);

/// The words of enumerations, in their order.
constexpr std::array<std::string_view, 2> kMetrics = {"inner_product", "cosine"};
constexpr std::array<std::string_view, 3> kLinks = {"identity", "sigmoid", "relu"};
constexpr std::array<std::string_view, 6> kNormalizations = {
    "none", "divide-user-mean", "subtract-user-mean", "subtract-item-mean", "z-score", "baseline"};
constexpr std::array<std::string_view, 3> kScorers = {"constant", "factors", "neighbors"};
constexpr std::array<std::string_view, 6> kFoldIns = {"none", "als", "history", "neighbors", "svd", "profile"};
constexpr std::array<std::string_view, 2> kPredictions = {"sum", "weighted-average"};
constexpr std::array<std::string_view, 7> kSimilarities = {"dot",       "cosine",    "pearson", "msd",
                                                           "euclidean", "manhattan", "jaccard"};
constexpr std::array<std::string_view, 4> kMissing = {"zero", "ignore", "row-mean", "column-mean"};
constexpr std::array<std::string_view, 4> kWeightings = {"none", "tf-idf", "bm25", "rp3beta"};
constexpr std::array<std::string_view, 3> kObjectives = {"ials", "hu-koren", "explicit"};

}  // namespace kindred::model_layout
