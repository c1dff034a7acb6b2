// SPDX-License-Identifier: Apache-2.0
#include "engine/experiment/contender.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <numeric>
#include <optional>

#include "engine/core/error.hpp"
#include "engine/core/log.hpp"
#include "engine/data/table.hpp"
#include "engine/evaluate/parts.hpp"
#include "engine/experiment/selection.hpp"
#include "engine/store/model_file.hpp"

namespace kindred {
namespace {

bool is_model(const std::filesystem::path& path) {
  if (std::filesystem::is_directory(path) || path.extension() == ".h5") return true;
  char first[4] = {};
  std::ifstream(path, std::ios::binary).read(first, 4);
  return std::string_view(first, 4) == "\x89HDF";
}

std::optional<Interactions> read_part(const std::filesystem::path& path, const TrialFiles& files, int threads) {
  if (path.empty()) return std::nullopt;
  DataOptions options;
  options.interactions = path;
  options.format = files.format;
  return prepare(options, {.protocol = "none"}, 0, threads).train;
}

std::vector<MetricSpec> default_metrics(bool predicts_values) {
  std::vector<MetricSpec> out;
  if (predicts_values) out = {parse_metric("rmse"), parse_metric("mae")};
  if (!predicts_values) out = {parse_metric("recall@20")};
  out.push_back(parse_metric("ndcg@10"));
  return out;
}

/// Pairs of `a` that are not in `b`.
HostCsr without(const HostCsr& a, const HostCsr& b) {
  HostCsr out;
  out.cols = a.cols;
  for (int64_t u = 0; u < a.rows(); ++u) {
    std::ranges::set_difference(a.row(u), b.row(u), std::back_inserter(out.indices));
    out.offsets.push_back(out.nnz());
  }
  return out;
}

/// "user 17, item 3" of the first negative that is held out too.
void check_negatives(const HostCsr& negatives, const HostCsr& held_out, const Ids& users, const Ids& items,
                     const std::filesystem::path& path) {
  for (int64_t u = 0; u < negatives.rows(); ++u)
    for (const int32_t item : negatives.row(u))
      if (std::ranges::binary_search(held_out.row(u), item))
        throw InputError(
            fmt::format("{}: user {}, item {}: is held out too; a negative is none of the user's test "
                        "items, remove it",
                        path.string(), printable(users.text(u)), printable(items.text(item))));
}

/// The columns of a list file. A score wins over a rank.
struct ListColumns {
  InteractionColumns names;
  bool ranks = false;
};

ListColumns find_columns(const std::filesystem::path& path, const InteractionColumns& asked) {
  const ColumnWish wishes[] = {{"user", "--columns user=…", asked.user, {"user", "userid", "queryid", "qid"}, true},
                               {"item", "--columns item=…", asked.item, {"item", "itemid", "movieid", "docid"}, true},
                               {"score", "--columns score=…", asked.value, {"score", "prediction", "rating", "value"}},
                               {"rank", "--columns rank=…", asked.time, {"rank"}}};
  const Table table(path, wishes);
  const auto name = [&](size_t wish) {
    const Column& column = table.column(wish);
    const std::string number = std::to_string(column.index + 1);
    return column.label == "column " + number ? number : column.label;
  };
  const bool scores = table.column(2).index >= 0;
  if (!scores && table.column(3).index < 0)
    throw InputError(path.string() +
                     ": no column for the score or the rank; a list has columns user, item and score, or rank; say "
                     "--columns score=… where the score is named otherwise");
  return {{.user = name(0), .item = name(1), .value = name(scores ? 2 : 3)}, !scores};
}

/// Names are numbered from 0 on in the order of the ids.
IdMap map_of(const Ids& ids) {
  IdMap out;
  for (int64_t r = 0; r < ids.size(); ++r) out.number(ids.text(r));
  return out;
}

Contender judge_model(Context& ctx, const std::filesystem::path& path, const TrialFiles& files,
                      EvaluateOptions options) {
  FittedModel model = load_model(path);
  if (options.metrics.empty()) options.metrics = default_metrics(model.predicts_values);
  const auto over = [&](const std::filesystem::path& file) {
    const auto part = read_part(file, files, ctx.threads());
    return part ? over_ids(*part, *model.users, *model.items) : HeldOut{};
  };
  HeldOut test = over(files.test);
  if (files.test.empty()) test.matrix = model.held_out_test, test.given = model.held_out_given;
  if (test.matrix.rows() == 0) throw InputError(path.string() + ": keeps no test part; name one with --test FILE");
  if (files.test.empty() && !files.train.empty())
    throw InputError("--train: the model's own test part goes with its own history; name a part with --test too");
  const HeldOut train = over(files.train), negatives = over(files.negatives);
  // What its own run held out for validation has been seen as well, but for what is tested now.
  HostCsr validation = without(model.held_out_validation, test.matrix);
  std::vector<const HostCsr*> seen{&train.matrix};
  if (files.train.empty()) seen = {&model.history, &validation};
  std::erase_if(seen, [](const HostCsr* matrix) { return matrix->rows() == 0; });
  if (seen.empty() && options.filter_seen)
    throw InputError(path.string() +
                     ": keeps no history; name with --train what users have seen, or say --include-seen");
  if (!files.negatives.empty())
    check_negatives(negatives.matrix, test.matrix, *model.users, *model.items, files.negatives);
  if (test.dropped_users > 0)
    log_warning("users of the test part that the model does not know are left out", {{"users", test.dropped_users}});
  if (const auto unknown = std::accumulate(test.unknown.begin(), test.unknown.end(), int64_t{0}); unknown > 0)
    log_warning("pairs of the test part have items that the model does not know: they cannot be found",
                {{"pairs", unknown}});
  if (!files.items.empty()) model.catalogue = read_catalogue({.file = files.items}, *model.items);
  Evaluation evaluation = evaluate(ctx, model,
                                   {.held_out = test,
                                    .seen = seen,
                                    .negatives = files.negatives.empty() ? nullptr : &negatives.matrix,
                                    .catalogue = &model.catalogue},
                                   options);
  return {path, model.users, std::move(evaluation)};
}

Contender judge_lists(Context& ctx, const std::filesystem::path& path, const TrialFiles& files,
                      EvaluateOptions options) {
  if (files.test.empty()) throw InputError("lists need a part to be held against: name it with --test FILE");
  if (options.metrics.empty()) options.metrics = default_metrics(false);
  const ListColumns columns = find_columns(path, files.list_columns);
  const auto test = read_part(files.test, files, ctx.threads()), train = read_part(files.train, files, ctx.threads()),
             negatives = read_part(files.negatives, files, ctx.threads());
  Stopwatch watch;
  RawRows rows = read_rows(ctx, path, {.interactions = path, .columns = columns.names});

  // Users are those of test and train, items all that any file names.
  std::vector<IdMap> items = std::move(rows.items);
  for (const auto* part : {&test, &train, &negatives})
    if (*part) items.push_back(map_of(*(*part)->items));
  const MergedIds all_items = merge_ids(items, IdType::kAuto);
  std::vector<IdMap> user_maps{map_of(*test->users)};
  if (train) user_maps.push_back(map_of(*train->users));
  const auto all_users = merge_ids(user_maps, IdType::kAuto).ids;
  const Ids& users = *all_users;
  std::vector<std::vector<int32_t>> user_rows;
  std::string text;
  int64_t strangers = 0;
  for (const IdMap& map : rows.users) {
    auto& own = user_rows.emplace_back();
    for (int32_t n = 0; n < map.size(); ++n) {
      text.clear();
      map.append_text(n, text);
      own.push_back(users.find(text));
      strangers += own.back() < 0;
    }
  }
  const RankedLists lists =
      build_lists(ctx, rows, user_rows, all_items.rows, users.size(), all_items.ids->size(), columns.ranks);
  log_info("lists read", {{"file", path.string()}, {"rows", rows.count}, {"seconds", watch.lap()}});
  if (lists.repeated > 0) log_warning("lists name an item again: the better place counts", {{"rows", lists.repeated}});
  if (strangers > 0) log_info("lists of users who are in no other file are passed over", {{"users", strangers}});
  const auto over = [&](const std::optional<Interactions>& part) {
    return part ? over_ids(*part, users, *all_items.ids) : HeldOut{};
  };
  const HeldOut held_out = over(test), seen = over(train), others = over(negatives);
  int64_t without_list = 0;
  for (int64_t u = 0; u < users.size(); ++u)
    without_list += lists.matrix.row(u).empty() && !held_out.matrix.row(u).empty();
  if (without_list > 0)
    log_warning("users of the test part have no list: nothing is found for them", {{"users", without_list}});
  if (negatives) check_negatives(others.matrix, held_out.matrix, users, *all_items.ids, files.negatives);
  Catalogue catalogue;
  if (!files.items.empty()) catalogue = read_catalogue({.file = files.items}, *all_items.ids);
  EvaluationData data{
      .held_out = held_out, .seen = {}, .negatives = negatives ? &others.matrix : nullptr, .catalogue = &catalogue};
  if (train) data.seen = {&seen.matrix};
  watch.lap();
  Evaluation evaluation = evaluate(ctx, lists, data, options);
  log_info("lists judged", {{"users", evaluation.users_with_relevant}, {"seconds", watch.lap()}});
  return {path, all_users, std::move(evaluation)};
}

}  // namespace

Contender judge(Context& ctx, const std::filesystem::path& path, const TrialFiles& files, EvaluateOptions options) {
  options.only_negatives = options.only_negatives || !files.negatives.empty();
  return is_model(path) ? judge_model(ctx, path, files, std::move(options))
                        : judge_lists(ctx, path, files, std::move(options));
}

}  // namespace kindred
