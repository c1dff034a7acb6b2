// SPDX-License-Identifier: Apache-2.0
// Side tables: catalogues of items and users, friends. dataset.hpp has the door to the first, read_catalogue().
#pragma once
#include "engine/data/dataset.hpp"

namespace kindred {

/// Whether every id of a catalogue is a canonical 64-bit decimal; one that is not makes that side's ids strings.
bool catalogue_ids_are_integers(const CatalogueFile& file, CatalogueSide side, const TextForm& text);

/// The items of a catalogue that nobody has had become columns without entries. Linear.
void add_listed_items(const CatalogueFile& file, const TextForm& text, Interactions& all);

/// Friends among these users, both ways; pairs of unknown users are counted and left out. Nobody is one's own friend.
HostCsr read_friends(const FriendsFile& file, const Ids& users, const TextForm& text = {});

}  // namespace kindred
