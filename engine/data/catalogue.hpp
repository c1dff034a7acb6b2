// SPDX-License-Identifier: Apache-2.0
// Catalogue files. dataset.hpp has the door, read_catalogue().
#pragma once
#include "engine/data/dataset.hpp"

namespace kindred {

/// Whether every id of a catalogue is a canonical 64-bit decimal; one that is not makes that side's ids strings.
bool catalogue_ids_are_integers(const CatalogueFile& file);

}  // namespace kindred
