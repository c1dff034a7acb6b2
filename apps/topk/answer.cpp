// SPDX-License-Identifier: Apache-2.0
#include "apps/topk/answer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <numeric>
#include <optional>

#include "engine/core/error.hpp"
#include "engine/core/file.hpp"
#include "engine/core/interrupt.hpp"
#include "engine/core/log.hpp"
#include "engine/data/table.hpp"
#include "engine/recommend/recommender.hpp"
#include "engine/recommend/titles.hpp"
#include "engine/store/model_file.hpp"
#include "engine/store/sinks.hpp"
#include "engine/store/text.hpp"

namespace kindred {
namespace {

constexpr size_t kBatch = 4096;   // users answered at a time
constexpr size_t kReasons = 3;    // named for each item
constexpr size_t kPairs = 65536;  // pairs scored at a time

/// "1,2,@more.txt": ids with commas between; @FILE stands for a file with an id a line.
std::vector<std::string> split_list(const std::string& text, const char* option) {
  std::vector<std::string> out;
  size_t begin = 0;
  while (begin <= text.size()) {
    const size_t comma = std::min(text.find(',', begin), text.size());
    std::string entry = text.substr(begin, comma - begin);
    begin = comma + 1;
    if (entry.starts_with('@')) {
      std::string lines = read_file(entry.substr(1));
      for (size_t at = 0; at < lines.size();) {
        const size_t end = std::min(lines.find('\n', at), lines.size());
        std::string line = lines.substr(at, end - at);
        if (line.ends_with('\r')) line.pop_back();
        if (!line.empty()) out.push_back(std::move(line));
        at = end + 1;
      }
    } else if (!entry.empty()) {
      out.push_back(std::move(entry));
    }
  }
  if (out.empty())
    throw InputError(std::string(option) + ": names nobody and nothing; expected ids with commas between");
  return out;
}

std::vector<int32_t> rows_of(const std::vector<std::string>& names, const Ids& ids, const char* option) {
  std::vector<int32_t> rows;
  for (const auto& name : names) {
    rows.push_back(ids.find(name));
    if (rows.back() < 0)
      throw InputError(
          fmt::format("{}: user '{}' is not in the model ({} users, from '{}' to '{}'); --history answers "
                      "for people who are not in it",
                      option, printable(name), ids.size(), ids.size() > 0 ? printable(ids.text(0)) : "",
                      ids.size() > 0 ? printable(ids.text(ids.size() - 1)) : ""));
  }
  return rows;
}

/// An exact id wins over a title, an exact title over a similar one.
int32_t item_of(const FittedModel& model, const std::string& name) {
  if (const int32_t row = model.items->find(name); row >= 0) return row;
  const auto matches = find_titles(model.catalogue, name, 1);
  if (matches.empty())
    throw InputError(
        fmt::format("--items: '{}' is no item's id{}", printable(name),
                    model.catalogue.titles.empty() ? ", and the model has no titles" : " and like no title"));
  const auto row = matches[0].item;
  std::fprintf(stderr, "'%s' is taken as %s: %s\n", printable(name).c_str(), model.items->text(row).c_str(),
               model.catalogue.titles[static_cast<size_t>(row)].c_str());
  return row;
}

std::vector<int32_t> items_of(const FittedModel& model, const std::vector<std::string>& arguments) {
  std::vector<int32_t> rows;
  for (const auto& argument : arguments) {
    const auto& titles = model.catalogue.titles;
    const auto exact = std::ranges::find(titles, argument);  // a title may hold commas
    if (exact != titles.end())
      rows.push_back(static_cast<int32_t>(exact - titles.begin()));
    else
      for (const auto& name : split_list(argument, "--items")) rows.push_back(item_of(model, name));
  }
  return rows;
}

/// "1:5,260:4.5" as one row; an item without a value counts 1, the last of a repeated item counts.
HostCsr history_of(const FittedModel& model, const std::string& text) {
  std::vector<std::pair<int32_t, float>> entries;
  int64_t unknown = 0;
  for (const auto& entry : split_list(text, "--history")) {
    float value = 1;
    std::string id = entry;
    int32_t row = model.items->find(id);
    if (const size_t colon = entry.rfind(':'); row < 0 && colon != std::string::npos) {
      const char *first = entry.data() + colon + 1, *last = entry.data() + entry.size();
      const auto [end, error] = std::from_chars(first, last, value);
      if (error != std::errc() || end != last || !std::isfinite(value))
        throw InputError("--history: '" + printable(entry) + "': expected item:value, for example 260:4.5");
      id = entry.substr(0, colon);
      row = model.items->find(id);
    }
    if (row < 0)
      ++unknown;
    else
      entries.emplace_back(row, value);
  }
  if (unknown > 0) log_warning("items of the history that the model does not know were left out", {{"items", unknown}});
  std::ranges::stable_sort(entries, {}, &std::pair<int32_t, float>::first);
  HostCsr out;
  out.cols = model.num_items();
  for (const auto& [item, value] : entries) {
    if (!out.indices.empty() && out.indices.back() == item) {
      out.values.back() = value;
    } else {
      out.indices.push_back(item);
      out.values.push_back(value);
    }
  }
  out.offsets.push_back(out.nnz());
  return out;
}

/// The reasons that speak most for an item: ids with ';' between, for people their titles.
std::string because(const FittedModel& model, const std::vector<Reason>& reasons, bool titles) {
  std::string out;
  size_t named = 0;
  for (const auto& reason : reasons) {
    if (named == kReasons || !(reason.part > 0)) break;
    const bool titled = titles && !model.catalogue.titles.empty();
    if (named++ > 0) out += titled ? " · " : ";";
    out += titled ? model.catalogue.titles[static_cast<size_t>(reason.item)] : model.items->text(reason.item);
  }
  return out;
}

class Answer {
 public:
  explicit Answer(const TopkOptions& options)
      : options_(options),
        model_(load_model(options.model, parts(options))),
        ctx_({.device = options.device, .threads = options.threads}),
        recommender_(ctx_, model_) {
    if (!ctx_.fallback().empty()) log_info("answering on the CPU", {{"reason", ctx_.fallback()}});
  }

  void run() {
    if (options_.score) return score();
    if (options_.history) return history();
    if (!options_.items.empty()) {
      const auto rows = items_of(model_, options_.items);
      return similar(*model_.items, rows, &model_.catalogue,
                     recommender_.similar_items(rows, options_.k, similarity()));
    }
    if (options_.similar_users) {
      const auto rows =
          rows_of(split_list(*options_.similar_users, "--similar-users"), *model_.users, "--similar-users");
      return similar(*model_.users, rows, nullptr, recommender_.similar_users(rows, options_.k, similarity()));
    }
    std::vector<int32_t> rows;
    if (options_.all_users) {
      rows.resize(static_cast<size_t>(model_.num_users()));
      std::iota(rows.begin(), rows.end(), 0);
    } else {
      rows = rows_of(split_list(*options_.users, "--users"), *model_.users, "--users");
    }
    users(rows);
  }

 private:
  static LoadParts parts(const TopkOptions& options) {
    LoadParts out;
    out.users = options.items.empty() && !options.history;
    out.history = options.users || options.all_users;
    return out;
  }

  Similarity similarity() const {
    return options_.metric == "cosine"      ? Similarity::kCosine
           : options_.metric == "euclidean" ? Similarity::kEuclidean
                                            : Similarity::kDot;
  }

  std::unique_ptr<ListSink> sink(const std::string& query, const Ids& items, const Catalogue* catalogue,
                                 size_t queries) {
    SinkInfo info;
    info.query_column = query;
    info.items = &items;
    info.catalogue = catalogue;
    info.because = options_.explain;
    info.model = model_.name.empty() ? model_.model : model_.name;
    info.content_hash = model_.content_hash;
    info.expected_queries = static_cast<int64_t>(queries);
    return open_sink(options_.to, options_.format, info);
  }

  bool for_people() const { return options_.to == "-" && options_.format == "table"; }

  void users(std::span<const int32_t> rows) {
    Exclusions exclude;
    if (!options_.include_seen) {
      if (model_.history.rows() == 0)
        log_warning("the model file keeps no history: what users have had is not left out", {});
      else
        exclude.matrices.push_back(&model_.history);
    }
    if (!options_.include_held_out)
      for (const HostCsr* part : {&model_.held_out_validation, &model_.held_out_test})
        if (part->rows() > 0) exclude.matrices.push_back(part);
    const auto out = sink("user", *model_.items, &model_.catalogue, rows.size());
    Progress progress("answering", static_cast<int64_t>(rows.size()), "users");
    for (size_t begin = 0; begin < rows.size(); begin += kBatch) {
      check_interrupt();
      const auto part = rows.subspan(begin, std::min(kBatch, rows.size() - begin));
      const TopK lists = recommender_.for_users(part, options_.k, exclude);
      std::vector<std::string> queries, reasons;
      for (size_t q = 0; q < part.size(); ++q) {
        queries.push_back(model_.users->text(part[q]));
        if (options_.explain)
          add_reasons(
              lists.row(static_cast<int64_t>(q)), [&](auto items) { return recommender_.explain(part[q], items); },
              reasons);
      }
      out->write({queries, part, lists.k, lists.items, lists.scores, reasons});
      if (options_.to != "-") progress.update(static_cast<int64_t>(begin + part.size()));
    }
    out->finish();
  }

  void history() {
    const HostCsr row = history_of(model_, *options_.history);
    const TopK list = recommender_.for_histories(row, options_.k, options_.include_seen);
    std::vector<std::string> queries{"history"}, reasons;
    if (options_.explain)
      add_reasons(
          list.row(0), [&](auto items) { return recommender_.explain_history(row.indices, row.values, items); },
          reasons);
    const std::vector<int32_t> unknown{-1};
    const auto out = sink("user", *model_.items, &model_.catalogue, 1);
    out->write({queries, unknown, list.k, list.items, list.scores, reasons});
    out->finish();
  }

  void similar(const Ids& ids, std::span<const int32_t> rows, const Catalogue* catalogue, const TopK& lists) {
    std::vector<std::string> queries, reasons;
    for (const int32_t row : rows) queries.push_back(ids.text(row));
    if (options_.explain) throw InputError("--explain: goes with --users, --all-users and --history");
    const auto out = sink("query", ids, catalogue, rows.size());
    out->write({queries, rows, lists.k, lists.items, lists.scores, reasons});
    out->finish();
  }

  template <class Explain>
  void add_reasons(std::span<const int32_t> list, Explain&& explain, std::vector<std::string>& to) {
    const auto length = std::ranges::find(list, -1) - list.begin();
    const auto parts = explain(list.first(static_cast<size_t>(length)));
    for (size_t r = 0; r < list.size(); ++r)
      to.push_back(r < parts.size() ? because(model_, parts[r], for_people()) : "");
  }

  void score() {
    const std::vector<ColumnWish> wishes{{"user", "user", "", {"user", "userid"}, true},
                                         {"item", "item", "", {"item", "itemid", "movieid"}, true}};
    const Table table(*options_.score, wishes);
    std::optional<PendingFile> file;
    if (options_.to != "-") {
      if (!options_.to.ends_with(".csv"))
        throw InputError("--to: '" + printable(options_.to) + "': scores of pairs go to a FILE.csv");
      file.emplace(options_.to);
    }
    const auto put = [&](const std::string& text) {
      if (file)
        file->write(text);
      else if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size())
        throw ClosedPipe("standard output was closed");
    };
    put("user,item,score\n");
    std::vector<int32_t> who, what;
    std::string text;
    std::vector<std::pair<std::string, std::string>> pairs;
    int64_t unknown_users = 0, unknown_items = 0;
    const auto flush = [&] {
      const auto scores = recommender_.score(who, what);
      text.clear();
      for (size_t e = 0; e < pairs.size(); ++e) {
        append_csv(text, pairs[e].first);
        append_csv(text += ',', pairs[e].second);
        text += "," + format_float(scores[e]) + "\n";
      }
      put(text);
      who.clear(), what.clear(), pairs.clear();
      check_interrupt();
    };
    RecordReader reader(table.records(), table.dialect());
    const auto user_column = static_cast<size_t>(table.column(0).index),
               item_column = static_cast<size_t>(table.column(1).index);
    try {
      while (reader.next()) {
        const auto fields = reader.fields();
        if (fields.size() <= std::max(user_column, item_column))
          table.fail(reader.offset(), fmt::format("expected {} fields, found {}", table.width(), fields.size()));
        pairs.emplace_back(fields[user_column], fields[item_column]);
        who.push_back(model_.users->find(pairs.back().first));
        what.push_back(model_.items->find(pairs.back().second));
        unknown_users += who.back() < 0, unknown_items += what.back() < 0;
        if (pairs.size() == kPairs) flush();
      }
    } catch (const RecordError& error) {
      table.fail(error.offset, error.message);
    }
    flush();
    if (unknown_users + unknown_items > 0)
      log_warning("ids that the model does not know were scored by what remains known",
                  {{"users", unknown_users}, {"items", unknown_items}});
    if (file) file->commit();
  }

  const TopkOptions& options_;
  FittedModel model_;
  Context ctx_;
  Recommender recommender_;
};

}  // namespace

void answer(const TopkOptions& options) { Answer(options).run(); }

}  // namespace kindred
