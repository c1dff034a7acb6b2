// SPDX-License-Identifier: Apache-2.0
// From the config's data and split sections to train, validation and test.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "engine/core/error.hpp"
#include "engine/core/log.hpp"
#include "engine/data/catalogue.hpp"
#include "engine/data/dataset.hpp"
#include "engine/data/item_tags.hpp"
#include "engine/data/load.hpp"
#include "engine/data/protocols.hpp"

namespace kindred {
namespace {

/// Of a file of negatives the pairs count, whatever values they have.
DataOptions pairs_alone(DataOptions options) {
  options.columns.value = options.columns.event = options.utility = "";
  options.events = {};
  options.duplicates = Duplicates::kAuto;
  options.min_value = -std::numeric_limits<float>::infinity();
  return options;
}

void no_negative_is_held_out(const std::filesystem::path& path, const HostCsr& negatives, const HeldOut& part,
                             const char* name, const Interactions& train) {
  for (int64_t u = 0; u < part.matrix.rows(); ++u) {
    const auto held_out = part.matrix.row(u);
    for (const int32_t item : negatives.row(u)) {
      if (std::ranges::binary_search(held_out, item))
        throw InputError(fmt::format(
            "{}: user {}, item {}: is in the {} part too; a negative is none of the user's held-out items, remove it",
            path.string(), printable(train.users->text(u)), printable(train.items->text(item)), name));
    }
  }
}

/// Each part from its file; validation from train where the config asks for it and names no file.
void read_parts(Context& ctx, const DataOptions& options, const SplitOptions& split, uint64_t seed,
                PreparedData& data) {
  const SplitFiles& files = split.files;
  if (files.train.empty()) throw InputError("split.files.train: protocol \"files\" needs the path of a train file");
  data.train = load_interactions(ctx, files.train, options, data);
  const auto held_out = [&](const std::filesystem::path& path, const char* name, const DataOptions& how) {
    return path.empty() ? HeldOut{} : load_held_out(ctx, path, name, how, data.train, data);
  };
  data.test = held_out(files.test, "test", options);
  data.validation = held_out(files.validation, "validation", options);
  data.negatives = held_out(files.negatives, "negatives", pairs_alone(options)).matrix;
  if (!files.negatives.empty()) {
    no_negative_is_held_out(files.negatives, data.negatives, data.validation, "validation", data.train);
    no_negative_is_held_out(files.negatives, data.negatives, data.test, "test", data.train);
  }
  if (split.validation_given && files.validation.empty()) draw_validation(ctx, split, seed, data);
}

}  // namespace

PreparedData prepare(const DataOptions& options, const SplitOptions& split, uint64_t seed, int threads) {
  Context ctx({.device = "cpu", .threads = threads, .seed = seed});
  PreparedData data;
  if (split.protocol == "files")
    read_parts(ctx, options, split, seed, data);
  else
    split_up(ctx, load_interactions(ctx, options.interactions, options, data), split, seed, data);
  log_info(
      "parts",
      {{"train", data.train.size()}, {"validation", data.validation.matrix.nnz()}, {"test", data.test.matrix.nnz()}});
  if (!options.items.file.empty())
    data.catalogue = read_catalogue(options.items, *data.train.items, CatalogueSide::kItems, options.text);
  if (!options.tags.file.empty())
    add_item_tags(options.tags, *data.train.items, {options.text.quote, options.tags.encoding}, data.catalogue);
  if (!options.users.file.empty())
    data.user_catalogue = read_catalogue(options.users, *data.train.users, CatalogueSide::kUsers, options.text);
  if (!options.friends.file.empty()) data.friends = read_friends(options.friends, *data.train.users, options.text);
  return data;
}

}  // namespace kindred
