// SPDX-License-Identifier: Apache-2.0
// From the config's data and split sections to train, validation and test.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "engine/core/error.hpp"
#include "engine/core/log.hpp"
#include "engine/data/build.hpp"
#include "engine/data/catalogue.hpp"
#include "engine/data/dataset.hpp"
#include "engine/data/reader.hpp"
#include "engine/data/split.hpp"

namespace kindred {
namespace {

void add_counts(PreparedData& data, int64_t rows, int64_t merged) {
  data.rows_read += rows;
  data.duplicates += merged;
}

// All interactions of a file, with ids of its own.
Interactions read_interactions(Context& ctx, const std::filesystem::path& path, const DataOptions& options,
                               PreparedData& data) {
  RawRows rows = read_rows(ctx, path, options);
  const IdType type = options.id_type == "string" ? IdType::kString : IdType::kAuto;
  const bool integer_items =
      options.id_type != "auto" || options.items.file.empty() || catalogue_ids_are_integers(options.items);
  const MergedIds users = merge_ids(rows.users, type);
  const MergedIds items = merge_ids(rows.items, integer_items ? type : IdType::kString);
  rows.users.clear();
  rows.items.clear();
  const int64_t count = rows.count;
  std::vector<std::string> kind_names = std::move(rows.kind_names);
  BuiltMatrix built = build_matrix(ctx, std::move(rows), users.rows, items.rows, users.ids->size(), items.ids->size());
  Interactions all;
  all.users = users.ids;
  all.items = items.ids;
  all.matrix = std::move(built.matrix);
  all.times = std::move(built.times);
  all.kinds = std::move(built.kinds);
  all.kind_names = std::move(kind_names);
  add_counts(data, count, built.merged);
  log_info("interactions", {{"file", path.string()},
                            {"rows", count},
                            {"merged", built.merged},
                            {"users", all.num_users()},
                            {"items", all.num_items()},
                            {"ids", all.users->integer() && all.items->integer()     ? "integers"
                                    : !all.users->integer() && !all.items->integer() ? "strings"
                                    : all.users->integer()                           ? "users integers, items strings"
                                                           : "users strings, items integers"}});
  return all;
}

// The rows of `known` for the ids of a file; ids that are not known get numbers from known.size() on. Returns how many
// those are.
int64_t map_to_known(MergedIds& merged, const Ids& known) {
  int64_t unknown = 0;
  std::vector<int32_t> row(static_cast<size_t>(merged.ids->size()));
  std::string text;
  for (int64_t r = 0; r < merged.ids->size(); ++r) {
    text.clear();
    merged.ids->append_text(r, text);
    const int32_t found = known.find(text);
    row[static_cast<size_t>(r)] = found >= 0 ? found : static_cast<int32_t>(known.size() + unknown++);
  }
  for (auto& numbers : merged.rows) {
    for (int32_t& number : numbers) number = row[static_cast<size_t>(number)];
  }
  return unknown;
}

// Cuts a matrix that was built over known and unknown ids down to the known ones. Unknown items stand at the end of
// each row.
HeldOut known_part(const HostCsr& all, int64_t users, int64_t items) {
  HeldOut part;
  part.matrix.cols = items;
  part.unknown.resize(static_cast<size_t>(users));
  for (int64_t u = 0; u < users; ++u) {
    const auto row = all.row(u);
    const auto known = std::lower_bound(row.begin(), row.end(), static_cast<int32_t>(items)) - row.begin();
    part.matrix.indices.insert(part.matrix.indices.end(), row.begin(), row.begin() + known);
    if (!all.values.empty()) {
      const auto values = all.row_values(u);
      part.matrix.values.insert(part.matrix.values.end(), values.begin(), values.begin() + known);
    }
    part.matrix.offsets.push_back(part.matrix.nnz());
    part.unknown[static_cast<size_t>(u)] = static_cast<int32_t>(row.size() - static_cast<size_t>(known));
  }
  part.dropped_users = all.rows() - users;
  return part;
}

int64_t common_pairs(const HostCsr& a, const HostCsr& b) {
  int64_t common = 0;
  for (int64_t u = 0; u < a.rows(); ++u) {
    const auto x = a.row(u), y = b.row(u);
    for (size_t i = 0, j = 0; i < x.size() && j < y.size();) {
      common += x[i] == y[j];
      const bool step_x = x[i] <= y[j], step_y = y[j] <= x[i];
      i += step_x;
      j += step_y;
    }
  }
  return common;
}

HeldOut read_held_out(Context& ctx, const std::filesystem::path& path, const char* name, const DataOptions& options,
                      const Interactions& train, PreparedData& data) {
  RawRows rows = read_rows(ctx, path, options);
  MergedIds users = merge_ids(rows.users, IdType::kAuto), items = merge_ids(rows.items, IdType::kAuto);
  const int64_t unknown_users = map_to_known(users, *train.users), unknown_items = map_to_known(items, *train.items);
  const int64_t count = rows.count;
  const BuiltMatrix built = build_matrix(ctx, std::move(rows), users.rows, items.rows,
                                         train.num_users() + unknown_users, train.num_items() + unknown_items);
  add_counts(data, count, built.merged);
  HeldOut part = known_part(built.matrix, train.num_users(), train.num_items());
  log_info(name, {{"file", path.string()},
                  {"rows", count},
                  {"merged", built.merged},
                  {"pairs", part.matrix.nnz()},
                  {"pairs_with_unknown_items", std::accumulate(part.unknown.begin(), part.unknown.end(), int64_t{0})},
                  {"unknown_users", unknown_users}});
  if (const int64_t common = common_pairs(part.matrix, train.matrix); common > 0) {
    log_warning("pairs of a held-out file are in train too; evaluation passes over what a user has seen",
                {{"file", path.string()}, {"pairs", common}});
  }
  return part;
}

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
    split_at_random(ctx, read_interactions(ctx, options.interactions, options, data), split.test, split.validation,
                    split.per_user, seed, data);
  } else if (split.protocol == "none") {
    data.train = read_interactions(ctx, options.interactions, options, data);
  } else if (split.protocol == "files") {
    if (split.files.train.empty())
      throw InputError("split.files.train: protocol \"files\" needs the path of a train file");
    Interactions train = read_interactions(ctx, split.files.train, options, data);
    if (!split.files.test.empty()) data.test = read_held_out(ctx, split.files.test, "test", options, train, data);
    if (!split.files.validation.empty()) {
      data.validation = read_held_out(ctx, split.files.validation, "validation", options, train, data);
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
