// SPDX-License-Identifier: Apache-2.0
#include "apps/topk/answer.hpp"

#include <algorithm>
#include <numeric>

#include "apps/topk/inputs.hpp"
#include "engine/core/error.hpp"
#include "engine/core/interrupt.hpp"
#include "engine/core/log.hpp"
#include "engine/core/output.hpp"
#include "engine/recommend/rank.hpp"
#include "engine/recommend/recommender.hpp"
#include "engine/recommend/streaming.hpp"
#include "engine/store/model_file.hpp"
#include "engine/store/sinks.hpp"
#include "engine/store/text.hpp"

namespace kindred {
namespace {

constexpr size_t kReasons = 3;    // named for each item
constexpr size_t kPairs = 65536;  // pairs scored at a time

/// The reasons that speak most for an item, past interactions or, in models of those, similar users: ids with ';'
/// between, for people their titles.
std::string because(const FittedModel& model, const std::vector<Reason>& reasons, bool titles) {
  std::string out;
  size_t named = 0;
  const auto* neighbors = std::get_if<Neighbors>(&model.scorer);
  const bool of_users = neighbors != nullptr && neighbors->of == NeighborsOf::kUsers;
  const Ids& ids = of_users ? *model.users : *model.items;
  for (const auto& reason : reasons) {
    if (named == kReasons || !(reason.part > 0)) break;
    const bool titled = titles && !of_users && !model.catalogue.titles.empty();
    if (named++ > 0) out += titled ? " · " : ";";
    out += titled ? model.catalogue.titles[static_cast<size_t>(reason.row)] : ids.text(reason.row);
  }
  return out;
}

class Answer {
 public:
  explicit Answer(const TopkOptions& options)
      : options_(options),
        model_(load_model(options.model, parts(options))),
        ctx_({.device = options.device, .threads = options.threads}),
        recommender_(ctx_, model_),
        unwanted_(unwanted_items(model_, options.exclude, options.only_tags, options.without_tags)) {
    if (!ctx_.fallback().empty()) log_info("answering on the CPU", {{"reason", ctx_.fallback()}});
    filters_.allowed = unwanted_.allowed;
    if (options.min_score) filters_.min_score = *options.min_score;
    if (options.k > model_.num_items() && !options.score)
      log_info("k is above the number of items: lists hold all items", {{"items", model_.num_items()}});
  }

  void run() {
    if (options_.score) return score();
    if (options_.history) return history();
    if (options_.candidates) return candidates();
    if (!options_.items.empty()) return similar_items();
    if (options_.similar_users) return similar_users();
    users();
  }

 private:
  static LoadParts parts(const TopkOptions& options) {
    LoadParts out;
    out.users = options.items.empty() && !options.history;
    out.history = options.users || options.all_users || options.explain;
    return out;
  }

  Similarity similarity() const {
    return options_.metric.empty()          ? Similarity::kModel
           : options_.metric == "cosine"    ? Similarity::kCosine
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

  /// Lists for people, batch by batch. ask(begin, names): the lists of the people from `begin` on; explain(q, items):
  /// the reasons of person q's items.
  template <class Ask, class Explain>
  void stream(const People& who, const Ask& ask, const Explain& explain) {
    const auto out = sink("user", *model_.items, &model_.catalogue, who.rows.size());
    in_batches("answering", who.rows.size(), options_.to != "-", [&](size_t begin, size_t count) {
      const auto rows = std::span(who.rows).subspan(begin, count);
      std::vector<std::string> names, reasons;
      for (size_t q = begin; q < begin + rows.size(); ++q)
        names.push_back(who.names.empty() ? model_.users->text(who.rows[q]) : who.names[q]);
      const TopK lists = ask(begin, std::span<const std::string>(names));
      for (size_t q = 0; options_.explain && q < rows.size(); ++q)
        add_reasons(
            lists.row(static_cast<int64_t>(q)), [&](auto items) { return explain(begin + q, items); }, reasons);
      write(*out, names, rows, lists, reasons);
    });
    finish(*out);
  }

  void write(ListSink& out, std::span<const std::string> names, std::span<const int32_t> rows, const TopK& lists,
             std::span<const std::string> reasons) {
    out.write({names, rows, lists.k, lists.items, lists.scores, reasons});
    lowest_ = std::min(lowest_, lists.lowest);
    highest_ = std::max(highest_, lists.highest);
  }

  void finish(ListSink& out) {
    out.finish();
    if (highest_ < filters_.min_score && lowest_ <= highest_)
      log_warning("--min-score is above every score", {{"min_score", format_float(filters_.min_score)},
                                                       {"lowest", format_float(lowest_)},
                                                       {"highest", format_float(highest_)}});
  }

  void users() {
    People who;
    if (options_.all_users) {
      who.rows.resize(static_cast<size_t>(model_.num_users()));
      std::iota(who.rows.begin(), who.rows.end(), 0);
      if (options_.to.starts_with("sqlite:")) sort_as_texts(who.rows);
    } else {
      who = people(model_, split_list(*options_.users, "--users"), "--users", options_.unknown);
    }
    if (!options_.include_seen) {
      if (model_.history.rows() == 0)
        log_warning("the model file keeps no history: what users have had is not left out", {});
      filters_.excluded = seen_parts(model_);
    }
    if (!options_.include_held_out)
      for (const HostCsr* part : held_out_parts(model_)) filters_.excluded.push_back(part);
    for_users(who, nullptr);
  }

  /// SQLite keeps its rows in the order of ids as texts: rows that come in this order are appended, in half the time.
  void sort_as_texts(std::vector<int32_t>& rows) const {
    if (!model_.users->integer()) return;  // they are in this order
    std::vector<std::string> texts;
    for (const int32_t row : rows) texts.push_back(model_.users->text(row));
    std::ranges::sort(rows, {}, [&](int32_t row) { return std::string_view(texts[static_cast<size_t>(row)]); });
  }

  void candidates() {
    const Candidates asked = candidates_of(model_, *options_.candidates, options_.unknown);
    for_users(asked.users, &asked.matrix);
  }

  void for_users(const People& who, const HostCsr* asked) {
    stream(
        who,
        [&](size_t begin, std::span<const std::string> names) {
          const auto rows = std::span(who.rows).subspan(begin, names.size());
          Filters filters = filters_;
          const HostCsr refused = unwanted_.rows_of(names, model_.num_items());
          filters.refused.push_back(&refused);
          HostCsr part;
          if (asked != nullptr) {
            part = slice_rows(*asked, static_cast<int64_t>(begin), static_cast<int64_t>(names.size()));
            filters.candidates = &part;
          }
          return recommender_.for_users(rows, options_.k, filters);
        },
        [&](size_t q, std::span<const int32_t> items) { return recommender_.explain(who.rows[q], items); });
  }

  void history() {
    const Histories asked = histories_of(model_, *options_.history);
    People who{asked.names, std::vector<int32_t>(asked.names.size(), -1)};
    stream(
        who,
        [&](size_t begin, std::span<const std::string> names) {
          const HostCsr own = slice_rows(asked.matrix, static_cast<int64_t>(begin), static_cast<int64_t>(names.size()));
          const HostCsr refused = unwanted_.rows_of(names, model_.num_items());
          Filters filters = filters_;
          filters.refused.push_back(&refused);
          if (!options_.include_seen) filters.refused.push_back(&own);
          return recommender_.for_histories(own, options_.k, filters);
        },
        [&](size_t q, std::span<const int32_t> items) {
          const auto row = static_cast<int64_t>(q);
          return recommender_.explain_history(asked.matrix.row(row), asked.matrix.row_values(row), items);
        });
  }

  void similar_items() {
    if (!unwanted_.pairs.empty())
      throw InputError("--exclude: " + options_.exclude +
                       ": lines user,item do not go with --items; write items alone");
    const auto rows = items_of(model_, options_.items);
    similar(*model_.items, rows, &model_.catalogue,
            recommender_.similar_items(rows, options_.k, similarity(), filters_));
  }

  void similar_users() {
    const People who =
        people(model_, split_list(*options_.similar_users, "--similar-users"), "--similar-users", options_.unknown);
    similar(*model_.users, who.rows, nullptr, recommender_.similar_users(who.rows, options_.k, similarity(), filters_));
  }

  void similar(const Ids& ids, std::span<const int32_t> rows, const Catalogue* catalogue, const TopK& lists) {
    std::vector<std::string> queries;
    for (const int32_t row : rows) queries.push_back(ids.text(row));
    const auto out = sink("query", ids, catalogue, rows.size());
    write(*out, queries, rows, lists, {});
    finish(*out);
  }

  template <class Explain>
  void add_reasons(std::span<const int32_t> list, const Explain& explain, std::vector<std::string>& to) {
    const bool for_people = options_.to == "-" && options_.format == "table";
    const auto length = std::ranges::find(list, -1) - list.begin();
    const auto parts = explain(list.first(static_cast<size_t>(length)));
    for (size_t r = 0; r < list.size(); ++r)
      to.push_back(r < parts.size() ? because(model_, parts[r], for_people) : "");
  }

  void score() {
    if (options_.to != "-" && !options_.to.ends_with(".csv"))
      throw InputError("--to: '" + printable(options_.to) + "': scores of pairs go to a FILE.csv");
    Output out(options_.to);
    out.text = "user,item,score\n";
    std::vector<int32_t> who, what;
    std::vector<std::pair<std::string, std::string>> pairs;
    int64_t unknown_users = 0, unknown_items = 0;
    const auto flush = [&] {
      const auto scores = recommender_.score(who, what);
      for (size_t e = 0; e < pairs.size(); ++e) {
        append_csv(out.text, pairs[e].first);
        append_csv(out.text += ',', pairs[e].second);
        out.text += "," + format_float(scores[e]) + "\n";
      }
      out.flush_if_full();
      who.clear(), what.clear(), pairs.clear();
      check_interrupt();
    };
    for_each_pair(*options_.score, [&](std::string_view user, std::string_view item) {
      pairs.emplace_back(user, item);
      who.push_back(model_.users->find(user));
      what.push_back(model_.items->find(item));
      unknown_users += who.back() < 0, unknown_items += what.back() < 0;
      if (pairs.size() == kPairs) flush();
    });
    flush();
    if (unknown_users + unknown_items > 0)
      log_warning("ids that the model does not know were scored by what remains known",
                  {{"users", unknown_users}, {"items", unknown_items}});
    out.finish();
  }

  const TopkOptions& options_;
  FittedModel model_;
  Context ctx_;
  Recommender recommender_;
  const Unwanted unwanted_;
  Filters filters_;
  float lowest_ = -kNoScore, highest_ = kNoScore;  // of all lists, before --min-score
};

/// Options that a question cannot use are refused rather than passed over.
void check(const TopkOptions& options) {
  const bool similar = !options.items.empty() || options.similar_users;
  if (options.explain && (similar || options.score))
    throw InputError("--explain: goes with --users, --all-users, --history and --candidates");
  const bool item_filters = !options.exclude.empty() || !options.only_tags.empty() || !options.without_tags.empty();
  if (item_filters && (options.similar_users || options.score))
    throw InputError("--exclude, --only-tags, --without-tags: go with questions whose answers are items");
  if (options.min_score && options.score)
    throw InputError("--min-score: goes with questions whose answers are lists; --score answers for every pair");
  if (options.unknown == "popular" && options.similar_users)
    throw InputError(
        "--unknown: --similar-users cannot answer for a user who is not in the model; expected error or skip");
}

}  // namespace

void answer(const TopkOptions& options) {
  check(options);
  Answer(options).run();
}

}  // namespace kindred
