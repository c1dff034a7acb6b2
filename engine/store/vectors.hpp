// SPDX-License-Identifier: Apache-2.0
// The vectors of a model for other systems: NumPy's format for indexes like FAISS, CSV for pgvector's COPY.
#pragma once
#include <filesystem>
#include <string>

#include "engine/core/fitted_model.hpp"

namespace kindred {

enum class Side : uint8_t { kUsers, kItems };

struct VectorOptions {
  Side side = Side::kItems;
  std::string format = "npy";  ///< "npy": vectors.npy, ids.txt, meta.json; "csv": vectors.csv, rows id,"[0.5,-1.25]"
  /// Appends a dimension: the item's bias, on the users' side 1. The inner product of the exported vectors then ranks
  /// items as the model does, whatever its biases and metric (rows of a cosine model are normalized first).
  bool fold_bias = false;
};

/// Writes into `folder`, which is made where it is absent; each file is whole or untouched. Returns the number of
/// vectors. InputError for models without vectors and for ids that the format cannot hold.
int64_t export_vectors(const FittedModel& model, const std::filesystem::path& folder, const VectorOptions& options);

}  // namespace kindred
