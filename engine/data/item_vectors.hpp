// SPDX-License-Identifier: Apache-2.0
// Vectors of items that other programs made (embeddings of texts or images), by id.
#pragma once
#include <filesystem>

#include "engine/core/fitted_model.hpp"

namespace kindred {

/// A row for each of `items`, zeros where the file has none; ids that are not among them are passed over, both are
/// counted in the log. An HDF5 file has /ids (text or integers) and /vectors (rows of numbers); an .npy file (float32
/// or float64, C order) has ids.txt beside it, an id a line, as `kindred-data export` writes them. Throws InputError:
/// other forms, numbers that are not finite, an id that stands twice, no id in common.
HostMatrix read_item_vectors(const std::filesystem::path& path, const Ids& items);

}  // namespace kindred
