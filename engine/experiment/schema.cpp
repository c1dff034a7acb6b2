// SPDX-License-Identifier: Apache-2.0
#include "engine/experiment/schema.hpp"

#include "engine/core/error.hpp"
#include "engine/core/log.hpp"
#include "engine/experiment/schema_detail.hpp"

namespace kindred {
namespace detail {

[[noreturn]] void expected(const std::string& what, const TomlValue& found) {
  throw InputError("expected " + what + ", found " + printable(to_toml(found)));
}

std::string text_of(const TomlValue& value) {
  const auto* text = std::get_if<std::string>(&value.value);
  if (text == nullptr) expected("text in quotes", value);
  return *text;
}

double number_of(const TomlValue& value) {
  if (const auto* whole = std::get_if<int64_t>(&value.value)) return static_cast<double>(*whole);
  const auto* number = std::get_if<double>(&value.value);
  if (number == nullptr) expected("a number", value);
  return *number;
}

std::string quote(const std::string& text) { return to_toml(TomlValue{text, 0}); }
std::string number(double value) { return to_toml(TomlValue{value, 0}); }
std::string number(float value) { return number(std::stod(format_float(value))); }

}  // namespace detail

const std::vector<SchemaKey>& schema() {
  static const std::vector<SchemaKey> keys = [] {
    detail::KeyTable table;
    for (const auto add : {detail::add_run_keys, detail::add_data_keys, detail::add_split_keys, detail::add_model_keys,
                           detail::add_train_keys, detail::add_evaluate_keys, detail::add_export_keys})
      add(table);
    return table.keys;
  }();
  return keys;
}

const std::vector<std::pair<std::string, std::string>>& aliases() {
  static const auto names = [] {
    const std::pair<const char*, std::vector<const char*>> known[] = {
        {"model.factors",
         {"n_factors", "num_factors", "embedding_dim", "embedding_size", "latent_dim", "dim", "rank", "no_components"}},
        {"model.regularization", {"reg", "lambda", "reg_param", "reg_all", "l2", "weight_decay"}},
        {"train.epochs", {"iterations", "n_iter", "n_epochs", "num_epochs", "max_iter"}},
        {"model.learning_rate", {"lr", "lr_all", "eta"}},
        {"model.negatives.uniform", {"num_neg", "n_neg", "num_negatives", "num_negs"}},
        {"model.solver", {"use_cg"}},
        {"model.type", {"algorithm"}},
        {"seed", {"random_state"}},
        {"threads", {"num_threads", "n_jobs"}},
        {"device", {"use_gpu"}},
        {"split.test", {"test_size"}},
        {"evaluate.metrics", {"topk"}}};
    std::vector<std::pair<std::string, std::string>> out;
    for (const auto& [ours, theirs] : known)
      for (const char* name : theirs) out.emplace_back(name, std::string("did you mean '") + ours + "'?");
    return out;
  }();
  return names;
}

}  // namespace kindred
