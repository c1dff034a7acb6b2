// SPDX-License-Identifier: Apache-2.0
// Tags of items from a file of their own, a row an item and tag: what people gave them, many to an item.
#pragma once
#include "engine/data/dataset.hpp"

namespace kindred {

/// Adds the tags to those that the catalogue has. Rows of items that are not among `items` are counted in the log.
/// Throws InputError as read_catalogue, and for a tag that the table of names does not list.
void add_item_tags(const TagsFile& file, const Ids& items, const TextForm& text, Catalogue& catalogue);

}  // namespace kindred
