// SPDX-License-Identifier: Apache-2.0
// From the config's data and split sections to train, validation and test.
#include <fmt/format.h>

#include <utility>

#include "engine/core/error.hpp"
#include "engine/core/log.hpp"
#include "engine/data/catalogue.hpp"
#include "engine/data/dataset.hpp"
#include "engine/data/load.hpp"
#include "engine/data/split.hpp"

namespace kindred {
namespace {

void check_shares(double test, double validation) {
  if (test < 0 || validation < 0 || test + validation >= 1) {
    throw InputError(fmt::format(
        "split: expected test and validation of at least 0 and together below 1, found {} and {}", test, validation));
  }
}

// Moves a random part of `all` into validation and test; the rest becomes train.
void split_at_random(Context& ctx, Interactions all, double test, double validation, bool per_user, uint64_t seed,
                     PreparedData& data) {
  check_shares(test, validation);
  const std::vector<Part> parts = draw_parts(ctx, all.matrix, test, validation, per_user, seed);
  if (validation > 0) data.validation.matrix = take_part(all.matrix, parts, Part::kValidation);
  if (test > 0) data.test.matrix = take_part(all.matrix, parts, Part::kTest);
  data.train = take_part(all, parts, Part::kTrain);
}

}  // namespace

PreparedData prepare(const DataOptions& options, const SplitOptions& split, uint64_t seed, int threads) {
  Context ctx({.device = "cpu", .threads = threads, .seed = seed});
  PreparedData data;
  if (split.protocol == "random") {
    split_at_random(ctx, load_interactions(ctx, options.interactions, options, data), split.test, split.validation,
                    split.per_user, seed, data);
  } else if (split.protocol == "none") {
    data.train = load_interactions(ctx, options.interactions, options, data);
  } else if (split.protocol == "files") {
    if (split.files.train.empty())
      throw InputError("split.files.train: protocol \"files\" needs the path of a train file");
    Interactions train = load_interactions(ctx, split.files.train, options, data);
    if (!split.files.test.empty()) data.test = load_held_out(ctx, split.files.test, "test", options, train, data);
    if (!split.files.validation.empty()) {
      data.validation = load_held_out(ctx, split.files.validation, "validation", options, train, data);
      data.train = std::move(train);
    } else if (split.validation_given) {
      split_at_random(ctx, std::move(train), 0, split.validation, split.per_user, seed, data);
    } else {
      data.train = std::move(train);
    }
  } else {
    throw InputError(fmt::format("split.protocol: expected \"random\", \"files\" or \"none\", found '{}'",
                                 printable(split.protocol)));
  }
  log_info(
      "parts",
      {{"train", data.train.size()}, {"validation", data.validation.matrix.nnz()}, {"test", data.test.matrix.nnz()}});
  if (!options.items.file.empty()) data.catalogue = read_catalogue(options.items, *data.train.items);
  return data;
}

Interactions merge(const Interactions& train, const HostCsr& more) {
  if (more.nnz() == 0) return train;
  Interactions all;
  all.users = train.users;
  all.items = train.items;
  all.matrix.cols = train.matrix.cols;
  const bool values = !train.matrix.values.empty() || !more.values.empty();
  const auto add = [&](const HostCsr& from, int64_t entry) {
    all.matrix.indices.push_back(from.indices[static_cast<size_t>(entry)]);
    if (values) all.matrix.values.push_back(from.value(entry));
  };
  all.matrix.indices.reserve(static_cast<size_t>(train.size() + more.nnz()));
  if (values) all.matrix.values.reserve(static_cast<size_t>(train.size() + more.nnz()));
  for (size_t u = 0; u + 1 < train.matrix.offsets.size(); ++u) {
    int64_t i = train.matrix.offsets[u], j = more.offsets[u];
    const int64_t i_end = train.matrix.offsets[u + 1], j_end = more.offsets[u + 1];
    while (i < i_end || j < j_end) {
      const int32_t x = i < i_end ? train.matrix.indices[static_cast<size_t>(i)] : INT32_MAX;
      const int32_t y = j < j_end ? more.indices[static_cast<size_t>(j)] : INT32_MAX;
      if (x <= y)
        add(train.matrix, i);
      else
        add(more, j);
      i += x <= y;
      j += y <= x;
    }
    all.matrix.offsets.push_back(all.matrix.nnz());
  }
  return all;
}

}  // namespace kindred
