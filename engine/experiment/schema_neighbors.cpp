// SPDX-License-Identifier: Apache-2.0
#include "engine/experiment/schema_detail.hpp"
#include "kernels/topk.hpp"

namespace kindred::detail {
namespace {

const Condition kKnn{"model.type = \"item-knn\" or \"user-knn\"", is_knn};
const Condition kItemKnn{"model.type = \"item-knn\"", [](const Config& c) { return c.model == "item-knn"; }};
const Condition kRows{"model.type = \"item-knn\" or \"user-knn\" without model.over",
                      [](const Config& c) { return is_knn(c) && c.over.empty(); }};
const Condition kBm25{"model.weighting = \"bm25\"",
                      [](const Config& c) { return is_knn(c) && c.knn.search.weighting == Weighting::kBm25; }};
const Condition kRp3{"model.weighting = \"rp3beta\"",
                     [](const Config& c) { return is_knn(c) && c.knn.search.weighting == Weighting::kRp3Beta; }};

}  // namespace

void add_neighbor_keys(KeyTable& t) {
  t.when = kKnn;
  t.choice<SimilarityMetric>("similarity",
                             {{"cosine", SimilarityMetric::kCosine},
                              {"dot", SimilarityMetric::kDot},
                              {"pearson", SimilarityMetric::kPearson},
                              {"msd", SimilarityMetric::kMsd},
                              {"euclidean", SimilarityMetric::kEuclidean},
                              {"manhattan", SimilarityMetric::kManhattan},
                              {"jaccard", SimilarityMetric::kJaccard}},
                             true,
                             "Of two items by their users' values, or of two users by their items' (docs/neighbors.md "
                             "has the formulas). A distance d weighs 1 / (1 + d). dot with bm25 and rp3beta.",
                             FIELD(knn.search.similarity.metric));
  t.add(
      "neighbors", "whole number or \"all\"", "1 to " + std::to_string(kMaxTopK) + " | \"all\"", true,
      "Kept of each item or user, the most similar ones; those of a similarity of 0 or less never are.",
      [](Config& c, const TomlValue& v) {
        const auto* count = std::get_if<int64_t>(&v.value);
        const auto* word = std::get_if<std::string>(&v.value);
        if ((word == nullptr || *word != "all") && (count == nullptr || *count < 1 || *count > kMaxTopK))
          expected("a whole number, 1 to " + std::to_string(kMaxTopK) + ", or \"all\"", v);
        c.knn.search.neighbors = word != nullptr ? 0 : static_cast<int>(*count);
      },
      [](const Config& c) {
        return c.knn.search.neighbors == 0 ? quote("all") : std::to_string(c.knn.search.neighbors);
      });
  t.whole("neighbors_used", 0, 1000000, true,
          "At most so many of the kept neighbors, the most similar that have a value, make a score; 0: all.",
          FIELD(knn.used));
  t.choice<bool>(
      "prediction", {{"sum", false}, {"weighted-average", true}}, true,
      "sum: of the neighbors' weights times their values, for lists. weighted-average: divided by the sum of "
      "weights, a value as in the data (ratings).",
      FIELD(knn.weighted_average));
  t.choice<bool>("normalize_weights", {{"none", false}, {"l1", true}}, true,
                 "l1: the weights of each item's or user's neighbors add up to 1.", FIELD(knn.search.normalize));
  t.choice<Normalize>("center",
                      {{"none", Normalize::kNone},
                       {"item-mean", Normalize::kSubtractItemMean},
                       {"user-mean", Normalize::kSubtractUserMean},
                       {"baseline", Normalize::kBaseline}},
                      true,
                      "What scores take off the neighbors' values and give back; similarities see the values as they "
                      "are (data.normalize changes both). With sums item-mean alone, over all users, 0 for those "
                      "without the item.",
                      FIELD(knn.center));
  t.when = kRows;
  t.choice<Missing>("missing",
                    {{"zero", Missing::kZero},
                     {"ignore", Missing::kIgnore},
                     {"row-mean", Missing::kRowMean},
                     {"column-mean", Missing::kColumnMean}},
                    true,
                    "What stands where two items do not share a user: 0; nothing, common users alone count; the item's "
                    "own mean; the user's mean. For users likewise.",
                    FIELD(knn.search.similarity.missing));
  t.real("shrinkage", 0, kInfinity, true,
         "A similarity over n common users is multiplied by n / (n + shrinkage), n counted from shrink_from.",
         FIELD(knn.search.similarity.shrinkage));
  t.whole("shrink_from", 0, 1000000, true, "So many common users do not count for shrinkage.",
          FIELD(knn.search.similarity.shrink_from));
  t.whole("min_overlap", 0, kMost, true, "Fewer common users make no neighbors; 0: by distance all are compared.",
          FIELD(knn.search.similarity.min_overlap));
  t.choice<Weighting>(
      "weighting",
      {{"none", Weighting::kNone},
       {"tf-idf", Weighting::kTfIdf},
       {"bm25", Weighting::kBm25},
       {"rp3beta", Weighting::kRp3Beta}},
      true,
      "Of the values before they are compared: rare users (for user-knn items) count more (tf-idf, bm25 "
      "with long rows discounted), or as steps of random walks (rp3beta).",
      FIELD(knn.search.weighting));
  t.when = kBm25;
  t.real("bm25_k1", 0, kInfinity, true, "How late repeated values saturate.", FIELD(knn.search.bm25_k1));
  t.real("bm25_b", 0, 1, true, "How much a long row is discounted.", FIELD(knn.search.bm25_b));
  t.when = kRp3;
  t.real("rp3_alpha", 0, 10, true, "Exponent of the probabilities of steps.", FIELD(knn.search.rp3_alpha));
  t.real("rp3_beta", 0, 10, true, "Exponent of the popularity by which a score is divided.",
         FIELD(knn.search.rp3_beta));
  t.when = kItemKnn;
  t.file("over",
         "A model file with factors: neighbors by the vectors of its items (cosine, dot or euclidean) instead of by "
         "common users.",
         FIELD(over));
  t.when = kAlways;
}

}  // namespace kindred::detail
