// SPDX-License-Identifier: Apache-2.0
#include "engine/experiment/schema_detail.hpp"

namespace kindred::detail {
namespace {

const Condition kStopping{"train.early_stopping.metric, for example \"ndcg@10\"",
                          [](const Config& c) { return !c.early_stopping.metric.empty(); }};
const Condition kEpochs{"model.type = \"als\" or \"sgd\"", [](const Config& c) { return epochs_of(c) > 0; }};

}  // namespace

void add_train_keys(KeyTable& t) {
  t.begin("train");
  t.when = kAls;
  t.whole("epochs", 1, 100000, true, "Passes over all users and items.", FIELD(als.epochs));
  t.when = kSgd;
  t.whole("epochs", 1, 100000, true, "Passes over all interactions.", FIELD(sgd.epochs));
  t.when = kAls;
  t.choice<bool>("loss", {{"every", true}, {"last", false}}, false,
                 "When the exact loss is computed; its time is kept apart.", FIELD(als.loss_every_epoch));
  t.when = kEpochs;
  t.add(
      "early_stopping.metric", "text", "", true, "Stop when this validation metric no longer improves; absent: off.",
      [](Config& c, const TomlValue& v) { c.early_stopping.metric = parse_metric(text_of(v)).name(); },
      [](const Config& c) { return c.early_stopping.metric.empty() ? "" : quote(c.early_stopping.metric); });
  t.when = kStopping;
  t.whole("early_stopping.patience", 1, 100000, true, "Validations without improvement before stopping.",
          FIELD(early_stopping.patience));
  t.real("early_stopping.min_delta", 0, kInfinity, true, "Smaller gains are no improvement.",
         FIELD(early_stopping.min_delta));
  t.when = kAlways;
  t.word("refit", {"none", "validation", "all"}, true,
         "After selection fit once more, on train and validation or on all; metrics come from before it.",
         FIELD(refit));
  t.real("checkpoint_minutes", 0, kInfinity, false, "Time between checkpoints.", FIELD(checkpoint_minutes));
}

}  // namespace kindred::detail
