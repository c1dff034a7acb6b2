// SPDX-License-Identifier: Apache-2.0
#include "engine/data/protocols.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "engine/core/error.hpp"
#include "engine/core/log.hpp"
#include "engine/data/split.hpp"

namespace kindred {
namespace {

void check_shares(double test, double validation) {
  if (test < 0 || validation < 0 || test + validation >= 1) {
    throw InputError(fmt::format(
        "split: expected test and validation of at least 0 and together below 1, found {} and {}", test, validation));
  }
}

void check_folds(const Interactions& all, const SplitOptions& split) {
  if (split.folds < 2 || split.folds > UINT8_MAX)
    throw InputError(fmt::format("split.folds: expected 2 to {}, found {}", UINT8_MAX, split.folds));
  if (!split.per_user && all.size() < split.folds)
    throw InputError(
        fmt::format("split.folds: there are {} interactions for {} folds; lower split.folds", all.size(), split.folds));
  for (int64_t u = 0; split.per_user && u < all.num_users(); ++u) {
    if (const auto count = static_cast<int64_t>(all.matrix.row(u).size()); count < split.folds)
      throw InputError(fmt::format(
          "split.folds: user {} has {} interaction{} for {} folds; set split.per_user = false to draw folds from all "
          "interactions together, or raise data.min_user_interactions, or lower split.folds",
          printable(all.users->text(u)), count, count == 1 ? "" : "s", split.folds));
  }
}

/// Parts of the protocols that draw interactions.
std::vector<Part> draw_interactions(Context& ctx, const Interactions& all, const SplitOptions& split, uint64_t seed) {
  Draw draw{.test = split.test, .validation = split.validation, .one = false, .per_user = split.per_user, .times = {}};
  if (split.protocol == "by-time") {
    if (all.times.empty())
      throw InputError(
          "split.protocol: \"by-time\" needs times, and the data has none; name their column with data.columns.time, "
          "or "
          "use \"random\"");
    draw.times = all.times;
  } else if (split.protocol == "leave-one-out") {
    draw.test = 1, draw.one = true, draw.per_user = true;
    draw.times = all.times;
    if (all.times.empty()) log_info("leave-one-out: the data has no times, one interaction of each user is drawn", {});
  }
  return draw_parts(ctx, all.matrix, draw, seed);
}

/// Of an empty part nothing, not even its shape.
HostCsr part_of(const HostCsr& matrix, const std::vector<Part>& parts, Part part) {
  return std::ranges::find(parts, part) == parts.end() ? HostCsr{} : take_part(matrix, parts, part);
}

}  // namespace

void split_up(Context& ctx, Interactions all, const SplitOptions& split, uint64_t seed, PreparedData& data) {
  const std::string& protocol = split.protocol;
  const bool users = protocol == "users", one = protocol == "leave-one-out";
  if (protocol == "none") {
    data.train = std::move(all);
    return;
  }
  if (protocol == "k-fold") {
    check_folds(all, split);
    data.fold_of = draw_folds(ctx, all.matrix, split.folds, split.per_user, seed);
    data.train = std::move(all);
    return;
  }
  if (!users && !one && protocol != "random" && protocol != "by-time")
    throw InputError(
        fmt::format("split.protocol: expected \"random\", \"by-time\", \"leave-one-out\", \"files\", \"k-fold\", "
                    "\"users\" or \"none\", found '{}'",
                    printable(protocol)));
  if (!one) check_shares(split.test, split.validation);
  const std::vector<Part> parts = users ? draw_users(ctx, all.matrix, split.test, split.validation, split.fold_in, seed)
                                        : draw_interactions(ctx, all, split, seed);
  data.validation.matrix = part_of(all.matrix, parts, Part::kValidation);
  data.validation.given = part_of(all.matrix, parts, Part::kGivenValidation);
  data.test.matrix = part_of(all.matrix, parts, Part::kTest);
  data.test.given = part_of(all.matrix, parts, Part::kGivenTest);
  data.train = take_part(all, parts, Part::kTrain);
  if (data.test.empty() && (one || split.test > 0))
    log_warning("nothing is held out for the test: no user has two interactions", {{"protocol", protocol}});
}

void draw_validation(Context& ctx, const SplitOptions& split, uint64_t seed, PreparedData& data) {
  check_shares(0, split.validation);
  const Draw draw{.test = 0, .validation = split.validation, .one = false, .per_user = split.per_user, .times = {}};
  const std::vector<Part> parts = draw_parts(ctx, data.train.matrix, draw, seed);
  data.validation.matrix = part_of(data.train.matrix, parts, Part::kValidation);
  data.train = take_part(data.train, parts, Part::kTrain);
}

PreparedData take_round(PreparedData& data, int round, const SplitOptions& split, uint64_t seed, int threads) {
  if (data.fold_of.empty()) return std::move(data);
  Context ctx({.device = "cpu", .threads = threads, .seed = seed});
  std::vector<Part> parts(data.fold_of.size());
  std::ranges::transform(data.fold_of, parts.begin(),
                         [&](uint8_t fold) { return fold == round ? Part::kTest : Part::kTrain; });
  PreparedData taken;
  taken.catalogue = data.catalogue;
  taken.test.matrix = take_part(data.train.matrix, parts, Part::kTest);
  taken.train = take_part(data.train, parts, Part::kTrain);
  if (split.validation_given) draw_validation(ctx, split, seed, taken);
  return taken;
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
