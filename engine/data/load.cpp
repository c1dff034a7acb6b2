// SPDX-License-Identifier: Apache-2.0
#include "engine/data/load.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>
#include <numeric>
#include <utility>

#include "engine/core/error.hpp"
#include "engine/core/log.hpp"
#include "engine/data/build.hpp"
#include "engine/data/catalogue.hpp"
#include "engine/data/filter.hpp"
#include "engine/data/parse.hpp"
#include "engine/data/reader.hpp"
#include "kernels/cpu/threads.hpp"

namespace kindred {
namespace {

void add_counts(PreparedData& data, int64_t rows, int64_t merged) {
  data.rows_read += rows;
  data.duplicates += merged;
}

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += fmt::format("{}'{}'", out.empty() ? "" : ", ", printable(name));
  return out;
}

// ---- steps on the rows of a file

// Numbers as kinds are most likely values that got into the wrong column.
void check_kinds(const RawRows& rows, const std::string& file) {
  const bool numbers = std::all_of(rows.kind_names.begin(), rows.kind_names.end(), [](const std::string& name) {
    float value = 0;
    return parse_number(name, value);
  });
  if (rows.kind_names.empty() || !numbers) return;
  throw InputError(
      fmt::format("{}: the event column holds numbers ({}); set data.events to the weights of these kinds, or "
                  "data.columns.value to "
                  "the column where the numbers are values",
                  file, joined(rows.kind_names)));
}

// Values become the weight of the row's kind, times the value where there is one.
void weigh_events(Context& ctx, RawRows& rows, const DataOptions& options, const std::string& file) {
  if (!rows.has_kinds) {
    throw InputError(file +
                     ": data.events gives weights, but there is no event column; set data.columns.event to a name");
  }
  std::vector<float> weights;
  for (const std::string& kind : rows.kind_names) {
    const auto found = options.events.find(kind);
    if (found == options.events.end()) {
      std::vector<std::string> known;
      for (const auto& [name, weight] : options.events) known.push_back(name);
      throw InputError(fmt::format("{}: data.events has no weight for the kind '{}'; it has {}, the file has {}{}",
                                   file, printable(kind), joined(known), joined(rows.kind_names),
                                   did_you_mean(kind, known)));
    }
    weights.push_back(static_cast<float>(found->second));
  }
  cpu::parallel_for(ctx, static_cast<int64_t>(rows.blocks.size()), 1, [&](int64_t b, int64_t, int) {
    RowBlock& block = rows.blocks[static_cast<size_t>(b)];
    if (!rows.has_values) block.values.assign(block.kinds.size(), 1);
    for (size_t r = 0; r < block.values.size(); ++r) block.values[r] *= weights[block.kinds[r]];
  });
  rows.has_values = true;
}

Duplicates resolved(Duplicates duplicates, const DataOptions& options, bool has_values) {
  if (duplicates != Duplicates::kAuto) return duplicates;
  const bool counts = !options.utility.empty() || !options.events.empty() || !has_values;
  return counts ? Duplicates::kSum : Duplicates::kLast;
}

std::string_view name_of(Duplicates duplicates) {
  constexpr std::string_view kNames[] = {"auto", "last", "sum", "max", "mean", "error"};
  return kNames[static_cast<size_t>(duplicates)];
}

/// The rows of a file, weighed, and the ids that they name.
struct Rows {
  RawRows rows;
  Duplicates duplicates;
  int64_t count;
};

Rows read_weighed(Context& ctx, const InputFiles& files, const DataOptions& options, PreparedData& data) {
  Rows out{read_rows(ctx, files, options), {}, 0};
  out.count = out.rows.count;
  if (data.first_negative.empty()) data.first_negative = out.rows.first_negative;
  std::move(out.rows.rejected.begin(), out.rows.rejected.end(), std::back_inserter(data.rejected));
  out.rows.rejected.clear();
  out.duplicates = resolved(options.duplicates, options, out.rows.has_values);
  if (!options.events.empty()) {
    weigh_events(ctx, out.rows, options, files.string());
  } else {
    check_kinds(out.rows, files.string());
  }
  return out;
}

// ---- steps on the matrix

using IdText = std::function<std::string(int64_t row)>;

// Pairs that occur twice where that is an error; values out of the range of floats, which sums and weights may reach.
void check_pairs(const Built& built, const IdText& user, const IdText& item, const std::string& file) {
  const auto pair = [&](int64_t u, int64_t i) {
    return fmt::format("user '{}', item '{}'", printable(user(u)), printable(item(i)));
  };
  if (built.user >= 0) {
    throw InputError(fmt::format(
        "{}: {} occurs more than once ({} such rows in all); data.duplicates = \"error\" takes each pair once, "
        "\"last\", \"sum\", \"max\" or \"mean\" would merge them",
        file, pair(built.user, built.item), built.merged));
  }
  const HostCsr& m = built.all.matrix;
  const auto bad = std::find_if_not(m.values.begin(), m.values.end(), [](float v) { return std::isfinite(v); });
  if (bad == m.values.end()) return;
  const auto entry = bad - m.values.begin();
  const auto u = std::upper_bound(m.offsets.begin(), m.offsets.end(), entry) - m.offsets.begin() - 1;
  throw InputError(fmt::format("{}: {}: weighed and merged, its value is {}; expected values up to 3.4e38", file,
                               pair(u, m.indices[static_cast<size_t>(entry)]), *bad));
}

void apply_limits(Interactions& all, const DataOptions& options, const char* part) {
  if (options.min_value > -std::numeric_limits<float>::infinity()) {
    const int64_t dropped = drop_below(all, options.min_value);
    log_info("values below min_value are left out", {{"part", part},
                                                     {"min_value", static_cast<double>(options.min_value)},
                                                     {"dropped", dropped},
                                                     {"kept", all.size()}});
  }
  if (options.binarize) {
    all.matrix.values = {};
    log_info("binarized: every value is 1", {{"part", part}, {"interactions", all.size()}});
  }
}

void apply_core(Interactions& all, const DataOptions& options) {
  const bool asked = options.min_user_interactions > 1 || options.min_item_interactions > 1;
  if (!asked && options.min_value == -std::numeric_limits<float>::infinity()) return;
  const Dropped dropped = keep_core(all, options.min_user_interactions, options.min_item_interactions);
  log_info("users and items with too few interactions are left out",
           {{"min_user_interactions", options.min_user_interactions},
            {"min_item_interactions", options.min_item_interactions},
            {"dropped_users", dropped.users},
            {"dropped_items", dropped.items},
            {"dropped_interactions", dropped.interactions},
            {"users", all.num_users()},
            {"items", all.num_items()},
            {"interactions", all.size()}});
  if (all.size() > 0) return;
  throw InputError(
      fmt::format("data: no interaction is left; lower data.min_value ({}), data.min_user_interactions ({}) or "
                  "data.min_item_interactions ({})",
                  options.min_value, options.min_user_interactions, options.min_item_interactions));
}

/// Where the ids of a file stand among those of train; ids that are not there get numbers from their end on.
struct KnownRows {
  std::vector<int32_t> row;
  int64_t unknown = 0;

  KnownRows(const Ids& ids, const Ids& known) : row(static_cast<size_t>(ids.size())) {
    std::string text;
    for (int64_t r = 0; r < ids.size(); ++r) {
      text.clear();
      ids.append_text(r, text);
      const int32_t found = known.find(text);
      row[static_cast<size_t>(r)] = found >= 0 ? found : static_cast<int32_t>(known.size() + unknown++);
    }
  }
  /// The row among the file's ids that went to `known_row`.
  int64_t origin(int64_t known_row) const {
    return std::find(row.begin(), row.end(), static_cast<int32_t>(known_row)) - row.begin();
  }
};

// From numbers of the reading threads' maps to rows of train.
std::vector<std::vector<int32_t>> through(std::vector<std::vector<int32_t>> rows, const KnownRows& known) {
  for (auto& numbers : rows) {
    for (int32_t& number : numbers) number = known.row[static_cast<size_t>(number)];
  }
  return rows;
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

}  // namespace

Interactions load_interactions(Context& ctx, const InputFiles& files, const DataOptions& options, PreparedData& data) {
  const std::string file = files.string();
  Rows read = read_weighed(ctx, files, options, data);
  RawRows& rows = read.rows;
  const IdType type = options.id_type == "string" ? IdType::kString : IdType::kAuto;
  const auto side_type = [&](const CatalogueFile& catalogue, CatalogueSide side) {
    const bool strings = options.id_type == "auto" && !catalogue.file.empty() &&
                         !catalogue_ids_are_integers(catalogue, side, options.text);
    return strings ? IdType::kString : type;
  };
  const MergedIds users = merge_ids(rows.users, side_type(options.users, CatalogueSide::kUsers));
  const MergedIds items = merge_ids(rows.items, side_type(options.items, CatalogueSide::kItems));
  rows.users.clear();
  rows.items.clear();
  Built built =
      build_matrix(ctx, std::move(rows), users.rows, items.rows, users.ids->size(), items.ids->size(), read.duplicates);
  check_pairs(
      built, [&](int64_t row) { return users.ids->text(row); }, [&](int64_t row) { return items.ids->text(row); },
      file);
  Interactions all = std::move(built.all);
  all.users = users.ids;
  all.items = items.ids;
  add_counts(data, read.count, built.merged);
  log_info("interactions", {{"file", file},
                            {"rows", read.count},
                            {"duplicates", name_of(read.duplicates)},
                            {"merged", built.merged},
                            {"users", all.num_users()},
                            {"items", all.num_items()},
                            {"ids", all.users->integer() && all.items->integer()     ? "integers"
                                    : !all.users->integer() && !all.items->integer() ? "strings"
                                    : all.users->integer()                           ? "users integers, items strings"
                                                           : "users strings, items integers"}});
  apply_limits(all, options, "interactions");
  apply_core(all, options);
  if (options.items.keep_all) add_listed_items(options.items, options.text, all);
  return all;
}

HeldOut load_held_out(Context& ctx, const InputFiles& files, const char* name, const DataOptions& options,
                      const Interactions& train, PreparedData& data) {
  const std::string file = files.string();
  Rows read = read_weighed(ctx, files, options, data);
  const MergedIds users = merge_ids(read.rows.users, IdType::kAuto), items = merge_ids(read.rows.items, IdType::kAuto);
  const KnownRows known_users(*users.ids, *train.users), known_items(*items.ids, *train.items);
  Built built =
      build_matrix(ctx, std::move(read.rows), through(users.rows, known_users), through(items.rows, known_items),
                   train.num_users() + known_users.unknown, train.num_items() + known_items.unknown, read.duplicates);
  check_pairs(
      built, [&](int64_t row) { return users.ids->text(known_users.origin(row)); },
      [&](int64_t row) { return items.ids->text(known_items.origin(row)); }, file);
  apply_limits(built.all, options, name);
  add_counts(data, read.count, built.merged);
  HeldOut part = known_part(built.all.matrix, train.num_users(), train.num_items());
  log_info(name, {{"file", file},
                  {"rows", read.count},
                  {"duplicates", name_of(read.duplicates)},
                  {"merged", built.merged},
                  {"pairs", part.matrix.nnz()},
                  {"pairs_with_unknown_items", std::accumulate(part.unknown.begin(), part.unknown.end(), int64_t{0})},
                  {"unknown_users", known_users.unknown}});
  if (const int64_t common = common_pairs(part.matrix, train.matrix); common > 0) {
    log_warning("pairs of a held-out file are in train too; evaluation passes over what a user has seen",
                {{"file", file}, {"pairs", common}});
  }
  return part;
}

}  // namespace kindred
