// SPDX-License-Identifier: Apache-2.0
#include "engine/experiment/schema_detail.hpp"
#include "kernels/topk.hpp"

namespace kindred::detail {
namespace {

const Condition kRecommendations{"export.recommendations.to, for example \"sqlite:recommendations.db\"",
                                 [](const Config& c) { return !c.recommendations_to.empty(); }};

}  // namespace

void add_export_keys(KeyTable& t) {
  t.begin("export");
  t.add(
      "model", "file name", "ending in .h5", false, "The model file, in the run folder.",
      [](Config& c, const TomlValue& v) {
        const std::filesystem::path name = text_of(v);
        if (name.has_parent_path() || name.extension() != ".h5" || name == "checkpoint.h5")
          expected("a file name ending in .h5 (the file lies in the run folder), but not checkpoint.h5", v);
        c.export_model = name;
      },
      [](const Config& c) { return quote(c.export_model.string()); });
  t.word("history", {"values", "items", "none"}, true, "What of the interactions the model file keeps.",
         FIELD(export_history));
  t.text(
      "recommendations.to", "list file", true,
      "Everybody's lists at the end of a run: FILE.csv, FILE.json, FILE.h5 or sqlite:FILE, relative as other files; as "
      "kindred-topk --all-users --to writes them.",
      FIELD(recommendations_to));
  t.when = kRecommendations;
  t.whole("recommendations.k", 1, kMaxTopK, true, "Length of a list.", FIELD(recommendations_k));
}

}  // namespace kindred::detail
