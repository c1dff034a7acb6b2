// SPDX-License-Identifier: Apache-2.0
#include "engine/experiment/schema_detail.hpp"

namespace kindred::detail {
namespace {

bool is_implicit(const Config& c) { return c.model == "als" && c.als.feedback == "implicit"; }
const Condition kImplicit{"model.type = \"als\" with model.feedback = \"implicit\"", is_implicit};
const Condition kExplicit{"model.type = \"als\" with model.feedback = \"explicit\"",
                          [](const Config& c) { return c.model == "als" && !is_implicit(c); }};
const Condition kIals{"model.objective = \"ials\" (hu-koren weighs by 1)",
                      [](const Config& c) { return is_implicit(c) && c.als.params.objective == AlsObjective::kIals; }};

}  // namespace

void add_model_keys(KeyTable& t) {
  t.begin("model");
  t.word("type", {"als", "sgd", "svd", "item-knn", "user-knn", "content", "popularity", "bayesian-average"}, true,
         "als: matrix factorisation by alternating least squares. sgd: by stochastic gradient descent. svd: its "
         "truncated singular value decomposition. item-knn, user-knn: neighbors of items, of users. content: what is "
         "known of items, for items that nobody has had, too. Baselines: popularity; bayesian-average, an item's mean "
         "rating, drawn towards the mean of all items the fewer ratings it has.",
         FIELD(model));
  t.when = kAls;
  t.word("feedback", {"implicit", "explicit"}, true,
         "implicit: who did it, how surely (ranking). explicit: ratings, predicted as values.", FIELD(als.feedback));
  t.whole("factors", 1, 1024, true, "Length of the vectors.", FIELD(als.factors));
  t.when = kImplicit;
  t.choice<AlsObjective>("objective", {{"ials", AlsObjective::kIals}, {"hu-koren", AlsObjective::kHuKoren}}, true,
                         "The loss of Rendle et al. 2022, or of Hu, Koren, Volinsky 2008.",
                         FIELD(als.params.objective));
  t.real("alpha", 0, kInfinity, true,
         "Confidence c = 1 + alpha f(value); 0 for ials and 1 for hu-koren where left out.", FIELD(als.alpha));
  t.choice<bool>("confidence", {{"linear", false}, {"log", true}}, true, "f(r) = r, or log(1 + r).",
                 FIELD(als.log_confidence));
  t.when = kIals;
  t.real("unobserved_weight", 0, kInfinity, true, "Weight of the pairs that were not observed.",
         FIELD(als.params.unobserved_weight));
  t.when = kAls;
  t.real("regularization", 0, kInfinity, true,
         "lambda of a row with n interactions = regularization (n + w N)^regularization_exponent; N: rows of the other "
         "side, w: unobserved_weight, 1 for hu-koren, 0 for explicit feedback. Default 0.0003 for hu-koren, 0.1 for "
         "explicit "
         "feedback (docs/measurements/defaults-als.md says how the defaults were chosen).",
         FIELD(als.params.regularization));
  t.real("regularization_exponent", 0, 1, true,
         "nu: 1 scales with the number of a row's interactions, 0 is the plain form.", FIELD(als.params.exponent));
  t.choice<AlsSolver>(
      "solver",
      {{"auto", AlsSolver::kAuto},
       {"cholesky", AlsSolver::kCholesky},
       {"cg", AlsSolver::kCg},
       {"block", AlsSolver::kBlock},
       {"woodbury", AlsSolver::kWoodbury}},
      true,
      "How a row is solved: cholesky and woodbury exactly, cg and block approximately; auto by factors and degree.",
      FIELD(als.params.solver));
  t.whole("cg_steps", 1, 100, true, "Steps of cg.", FIELD(als.params.cg_steps));
  t.add(
      "block_size", "whole number", "16 to 128, a multiple of 16", true, "Factors solved together by block.",
      [](Config& c, const TomlValue& v) {
        const auto* size = std::get_if<int64_t>(&v.value);
        if (size == nullptr || *size < 16 || *size > 128 || *size % 16 != 0)
          expected("a whole number, 16 to 128, a multiple of 16", v);
        c.als.params.block_size = static_cast<int>(*size);
      },
      [](const Config& c) { return std::to_string(c.als.params.block_size); });
  t.when = kExplicit;
  t.truth("biases", true, "A bias for each user and item.", FIELD(als.biases));
  t.when = kAls;
  t.real("init_scale", 1e-6, kInfinity, true, "Standard deviation of the first factors, times sqrt(factors).",
         FIELD(als.init_scale));
  t.choice<AlsPrecision>("precision",
                         {{"fp32", AlsPrecision::kFp32}, {"tf32", AlsPrecision::kTf32}, {"bf16", AlsPrecision::kBf16}},
                         true, "Of the products on CUDA; the CPU computes in fp32.", FIELD(als.params.precision));
  add_neighbor_keys(t);
  add_sgd_keys(t);
  add_svd_keys(t);
  add_content_keys(t);
}

}  // namespace kindred::detail
