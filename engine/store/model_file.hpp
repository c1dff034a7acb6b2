// SPDX-License-Identifier: Apache-2.0
// A FittedModel as an HDF5 file and back. Layout: docs/model-file.md.
#pragma once
#include <filesystem>
#include <string>
#include <string_view>

#include "engine/core/fitted_model.hpp"

namespace kindred {

enum class KeepHistory : uint8_t { kValues, kItems, kNone };

/// The name of the model file of a run folder whose config.toml this is (export.model).
std::string model_name_in(std::string_view config_toml);

/// Writes beside, syncs, renames. Memory: some chunks beyond the model itself. Returns the content hash.
std::string save_model(const FittedModel& model, const std::filesystem::path& path,
                       KeepHistory history = KeepHistory::kValues);

/// What to read; answering item-item questions needs no users' table, and so on.
struct LoadParts {
  bool users = true;    ///< user factors and biases
  bool history = true;  ///< /history and /held_out
  bool catalogue = true;
};

/// Reads and checks everything before use: format, shapes against each other, indices, finite values, checksums.
/// InputError: "model.h5: /items/factors: …". A run folder stands for the model in it.
FittedModel load_model(const std::filesystem::path& path, const LoadParts& parts = {});

/// Rows [begin, begin + count) of a table ("/users/factors"), for models larger than memory.
HostMatrix load_rows(const std::filesystem::path& path, const std::string& table, int64_t begin, int64_t count);

/// Named matrices with an epoch and a text, for checkpoints: the same guarantees as a model file.
struct Checkpoint {
  int epoch = 0;
  std::string text;  ///< the caller's JSON
  std::vector<std::pair<std::string, HostMatrix>> tables;
};
void save_checkpoint(const Checkpoint& checkpoint, const std::filesystem::path& path);
Checkpoint load_checkpoint(const std::filesystem::path& path);

}  // namespace kindred
