// SPDX-License-Identifier: Apache-2.0
// [model] of stochastic gradient descent.
#include "engine/experiment/schema_detail.hpp"

namespace kindred::detail {
namespace {

bool has_loss(const Config& c, SgdLoss loss) { return c.model == "sgd" && c.sgd.params.loss == loss; }

const Condition kContrastive{"model.loss = \"contrastive\"",
                             [](const Config& c) { return has_loss(c, SgdLoss::kContrastive); }};
const Condition kNotContrastive{
    "a model.loss of model.type = \"sgd\" other than \"contrastive\", which takes cosines",
    [](const Config& c) { return c.model == "sgd" && c.sgd.params.loss != SgdLoss::kContrastive; }};
const Condition kSoftmax{"model.loss = \"softmax\"", [](const Config& c) { return has_loss(c, SgdLoss::kSoftmax); }};
const Condition kDot{"model.type = \"sgd\" with model.metric = \"inner_product\"", [](const Config& c) {
                       return c.model == "sgd" && !c.sgd.params.cosine && c.sgd.params.loss != SgdLoss::kContrastive;
                     }};
const Condition kInBatch{"model.negatives.in_batch",
                         [](const Config& c) { return c.model == "sgd" && c.sgd.params.in_batch; }};

/// A number for all, or { user, item, bias }.
void add_regularization(KeyTable& t) {
  t.add(
      "regularization", "number", "0.0 or more", true,
      "lambda of each step's row, x -= rate (gradient + lambda x): a number, or { user = …, item = …, bias = … }, 0 "
      "what is left out. "
      "Default by loss: docs/factorization.md.",
      [](Config& c, const TomlValue& v) {
        SgdParams& p = c.sgd.params;
        const auto checked = [](const TomlValue& value) {
          const auto found = static_cast<float>(number_of(value));
          if (!(found >= 0) || !std::isfinite(found)) expected("a number, 0.0 or more", value);
          return found;
        };
        const auto* table = std::get_if<TomlTable>(&v.value);
        if (table == nullptr) {
          p.user_regularization = p.item_regularization = p.bias_regularization = checked(v);
          return;
        }
        for (const auto& [name, value] : *table) {
          if (name != "user" && name != "item" && name != "bias")
            expected("a number or { user = 0.02, item = 0.02, bias = 0.02 }", v);
          (name == "user"   ? p.user_regularization
           : name == "item" ? p.item_regularization
                            : p.bias_regularization) = checked(value);
        }
      },
      [](const Config& c) {
        const SgdParams& p = c.sgd.params;
        if (p.user_regularization == p.item_regularization && p.item_regularization == p.bias_regularization)
          return number(p.user_regularization);
        return "{ user = " + number(p.user_regularization) + ", item = " + number(p.item_regularization) +
               ", bias = " + number(p.bias_regularization) + " }";
      });
}

}  // namespace

void add_sgd_keys(KeyTable& t) {
  t.when = kSgd;
  t.choice<SgdLoss>("loss",
                    {{"squared", SgdLoss::kSquared},
                     {"logistic", SgdLoss::kLogistic},
                     {"bpr", SgdLoss::kBpr},
                     {"softmax", SgdLoss::kSoftmax},
                     {"contrastive", SgdLoss::kContrastive}},
                    true,
                    "squared: predicts values. The others rank: logistic one interaction by itself, bpr, softmax and "
                    "contrastive against items that are drawn.",
                    FIELD(sgd.params.loss));
  t.whole("factors", 1, 1024, true, "Length of the vectors.", FIELD(sgd.factors));
  t.when = kNotContrastive;
  t.choice<bool>("metric", {{"inner_product", false}, {"cosine", true}}, true, "What a score is of two vectors.",
                 FIELD(sgd.params.cosine));
  t.when = kDot;
  t.truth("biases", true, "A bias for each item and, with squared and logistic, each user.", FIELD(sgd.biases));
  t.when = kSgd;
  t.real("learning_rate", 0, kInfinity, true,
         "Of the first epoch. Default by loss and optimizer: docs/factorization.md.", FIELD(sgd.learning_rate));
  t.real("decay", 1e-6, 1, true, "The rate of epoch t is learning_rate decay^(t - 1).", FIELD(sgd.decay));
  t.choice<SgdOptimizer>(
      "optimizer",
      {{"sgd", SgdOptimizer::kSgd},
       {"adagrad", SgdOptimizer::kAdaGrad},
       {"libmf", SgdOptimizer::kLibmf},
       {"adam", SgdOptimizer::kAdam}},
      true,
      "sgd: plain. adagrad: one sum of squares a row. libmf: as there, two. adam: one second moment a "
      "row.",
      FIELD(sgd.params.optimizer));
  add_regularization(t);
  t.whole("negatives.uniform", 0, kMaxNegatives, true,
          "Items that an interaction is held against, every item alike; those that the user has are drawn again. "
          "Default: 0 for squared, 4 for logistic, 8 for bpr, 256 for softmax and contrastive.",
          FIELD(sgd.params.uniform));
  t.whole("negatives.popularity", 0, kMaxNegatives, true, "The same, drawn by the number of their interactions.",
          FIELD(sgd.params.popularity));
  t.truth("negatives.in_batch", true, "The items of the other interactions of a batch are negatives too.",
          FIELD(sgd.params.in_batch));
  t.when = kInBatch;
  t.whole("batch_size", 2, kMaxNegatives, true, "Interactions that stand together.", FIELD(sgd.params.batch_size));
  t.when = kContrastive;
  t.real("margin", -1, 1, true, "Negatives whose cosine is below do not count.", FIELD(sgd.params.margin));
  t.real("negative_weight", 0, kInfinity, true, "Weight of a sample's negatives together, against its positive.",
         FIELD(sgd.params.negative_weight));
  t.when = kSoftmax;
  t.real("temperature", 1e-3, kInfinity, true, "Scores are divided by it; 0.1 with cosines where left out.",
         FIELD(sgd.params.temperature));
  t.when = kSgd;
  t.truth("implicit_history", true,
          "A user is his vector plus those of all that he has, over the square root of their number (SVD++).",
          FIELD(sgd.implicit_history));
  t.real("clip", 0, kInfinity, true, "The loss's slope in a score is at most this; 0: as it is.",
         FIELD(sgd.params.clip));
  t.choice<SgdSchedule>("schedule", {{"blocked", SgdSchedule::kBlocked}, {"hogwild", SgdSchedule::kHogwild}}, true,
                        "blocked: threads share no row, the same result for any number of them. hogwild: they may meet "
                        "in rows; two runs differ.",
                        FIELD(sgd.schedule));
  t.real("init_scale", 1e-6, kInfinity, true, "Standard deviation of the first factors, times sqrt(factors).",
         FIELD(sgd.init_scale));
}

}  // namespace kindred::detail
