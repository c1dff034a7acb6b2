// SPDX-License-Identifier: Apache-2.0
#include "engine/experiment/schema_detail.hpp"

namespace kindred::detail {
namespace {

const Condition kContent{"model.type = \"content\"", [](const Config& c) { return c.model == "content"; }};

}  // namespace

void add_content_keys(KeyTable& t) {
  t.when = kContent;
  t.choice<TagFeatures>(
      "tags", {{"one-hot", TagFeatures::kOneHot}, {"tf-idf", TagFeatures::kTfIdf}, {"none", TagFeatures::kNone}}, true,
      "How the tags of data.items count: all alike, rare ones more, not at all.", FIELD(content.tags));
  t.truth("decade", true, "Whether the decade counts: of the year in a title like \"Jumanji (1995)\".",
          FIELD(content.decade));
  t.whole("words", 1, 4096, true, "Of each text column the words that occur most often, weighed by TF-IDF.",
          FIELD(content.words));
  t.file("vectors",
         "Vectors of items made elsewhere, by id: an HDF5 file with /ids and /vectors, or an .npy file with ids.txt "
         "beside it.",
         FIELD(vectors));
  const std::string share = "of the cosine that comes from ";
  t.real("weights.tags", 0, kInfinity, true, "Weight " + share + "tags.", FIELD(content.weights.tags));
  t.real("weights.decade", 0, kInfinity, true, "Weight " + share + "decades.", FIELD(content.weights.decade));
  t.real("weights.categorical", 0, kInfinity, true, "Weight " + share + "each categorical column of data.items.",
         FIELD(content.weights.categorical));
  t.real("weights.numeric", 0, kInfinity, true, "Weight " + share + "each numeric column.",
         FIELD(content.weights.numeric));
  t.real("weights.text", 0, kInfinity, true, "Weight " + share + "each text column.", FIELD(content.weights.text));
  t.real("weights.vectors", 0, kInfinity, true, "Weight " + share + "model.vectors.", FIELD(content.weights.vectors));
}

}  // namespace kindred::detail
