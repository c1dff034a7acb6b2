// SPDX-License-Identifier: Apache-2.0
#include "engine/experiment/schema_detail.hpp"

namespace kindred::detail {
namespace {

const Condition kNegatives{"evaluate.candidates = \"negatives\" without split.files.negatives", [](const Config& c) {
                             return c.evaluate.only_negatives && c.split.files.negatives.empty();
                           }};

}  // namespace

void add_evaluate_keys(KeyTable& t) {
  t.begin("evaluate");
  t.add(
      "metrics", "list of text", "", true,
      "precision, recall, hit, ndcg, map, mrr, coverage, novelty, diversity @K; auc, auc_global; rmse, mae where "
      "values "
      "are predicted, logloss where probabilities are. Default by model.",
      [](Config& c, const TomlValue& v) {
        const auto* list = std::get_if<TomlArray>(&v.value);
        if (list == nullptr || list->empty()) expected("a list like [\"recall@20\", \"ndcg@10\"]", v);
        c.evaluate.metrics.clear();
        for (const auto& entry : *list) {
          const MetricSpec metric = parse_metric(text_of(entry));
          for (const auto& earlier : c.evaluate.metrics)
            if (earlier.name() == metric.name()) expected("each metric once", v);
          c.evaluate.metrics.push_back(metric);
        }
      },
      [](const Config& c) {
        std::string out;
        for (const auto& metric : c.evaluate.metrics) out += (out.empty() ? "" : ", ") + quote(metric.name());
        return out.empty() ? out : "[" + out + "]";
      });
  t.choice<bool>(
      "candidates", {{"all", false}, {"negatives", true}}, true,
      "all: every item is ranked. negatives: the held-out items and some negatives of each user; the default where "
      "split.files.negatives gives them.",
      FIELD(evaluate.only_negatives));
  t.when = kNegatives;
  t.whole("negatives", 1, 1000000, true,
          "Negatives drawn for a user, by the seed, among what he has had nothing to do with.",
          FIELD(evaluate.negatives));
  t.when = kAlways;
  t.truth("filter_seen", true, "What a user had in train (and, in the test, in validation) is no candidate.",
          FIELD(evaluate.filter_seen));
  t.real("relevant_min", -kInfinity, kInfinity, true, "Held-out values below it are not relevant.",
         FIELD(evaluate.relevant_min));
  t.choice<bool>("gain", {{"binary", false}, {"value", true}}, true, "ndcg's gain of a hit: 1, or its value.",
                 FIELD(evaluate.gain_by_value));
  t.whole("every", 1, 100000, true, "Epochs between validations.", FIELD(every));
  t.whole("validation_users", 0, kMost, true, "At most so many users, the same sample each time; 0: all.",
          FIELD(validation_users));
  t.whole("test_users", 0, kMost, true, "The same for the test.", FIELD(test_users));
}

}  // namespace kindred::detail
