// SPDX-License-Identifier: Apache-2.0
// The schema: every key reads, writes, and refuses what is out of range; errors name place and nearest key; a resolved
// config loads as itself.
#include "engine/experiment/config.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <set>

#include "engine/experiment/schema.hpp"
#include "tests/engine/experiment/small_run.hpp"

namespace kindred {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

class ConfigTest : public ::testing::Test {
 protected:
  /// A config with data.interactions on lines 1 and 2.
  Config load(const std::string& sections, const std::vector<std::string>& set = {}) const {
    run_.write("c.toml", "[data]\ninteractions = \"r.csv\"\n" + sections);
    return load_config(run_.folder() / "c.toml", set);
  }
  std::string error(const std::string& sections, const std::vector<std::string>& set = {}) const {
    return test::input_error(run_.folder(), [&] { load(sections, set); });
  }

  test::SmallRun run_;
};

TEST_F(ConfigTest, Defaults) {
  const Config c = load("");
  EXPECT_EQ(c.name, "c");
  EXPECT_EQ(c.output, "runs/c");
  EXPECT_EQ(c.seed, 42U);
  EXPECT_EQ(c.device, "auto");
  EXPECT_EQ(c.model, "als");
  EXPECT_EQ(c.als.feedback, "implicit");
  EXPECT_EQ(c.als.factors, 64);
  EXPECT_EQ(c.split.protocol, "random");
  EXPECT_EQ(c.split.test, 0.1);
  EXPECT_EQ(c.refit, "none");
  EXPECT_EQ(c.every, 1);
  EXPECT_EQ(c.validation_users, 10000);
  EXPECT_EQ(c.export_model, "model.h5");
}

TEST_F(ConfigTest, DefaultsThatDependOnTheModel) {
  const auto names = [](const Config& c) {
    std::vector<std::string> out;
    for (const auto& metric : c.evaluate.metrics) out.push_back(metric.name());
    return out;
  };
  EXPECT_THAT(names(load("")), ElementsAre("recall@20", "ndcg@10"));
  EXPECT_THAT(names(load("[model]\ntype = \"popularity\"\n")), ElementsAre("recall@20", "ndcg@10"));
  EXPECT_THAT(names(load("[model]\nfeedback = \"explicit\"\n")), ElementsAre("rmse", "mae", "ndcg@10"));
  EXPECT_THAT(names(load("[model]\ntype = \"bayesian-average\"\n")), ElementsAre("rmse", "mae", "ndcg@10"));
  EXPECT_THAT(names(load("[train]\nearly_stopping = { metric = \"map@5\" }\n")),
              ElementsAre("recall@20", "ndcg@10", "map@5"));
  EXPECT_EQ(load("").als.alpha, 0);
  EXPECT_EQ(load("[model]\nobjective = \"hu-koren\"\n").als.alpha, 1);
  EXPECT_EQ(load("[model]\nobjective = \"hu-koren\"\nalpha = 40\n").als.alpha, 40);
  EXPECT_EQ(load("[model]\nfeedback = \"explicit\"\n").als.params.objective, AlsObjective::kExplicit);
}

TEST_F(ConfigTest, FilesAreFoundFromTheConfigsFolderAndThoseOfSetFromTheWorkingFolder) {
  EXPECT_EQ(load("").data.interactions, run_.folder() / "r.csv");
  EXPECT_EQ(load("items = { file = \"../x/i.csv\" }\n").data.items.file,
            run_.folder().path().parent_path() / "x/i.csv");
  EXPECT_EQ(load("", {"data.interactions=r.csv"}).data.interactions, std::filesystem::current_path() / "r.csv");
  EXPECT_EQ(load("", {"data.interactions=/data/r.csv"}).data.interactions, std::filesystem::path("/data/r.csv"));
  EXPECT_EQ(load("", {"output=runs/x"}).output, "runs/x");
}

TEST_F(ConfigTest, SetWinsOverTheFile) {
  const Config c = load("[model]\nfactors = 8\nalpha = 2\n", {"model.factors=16", "name=other"});
  EXPECT_EQ(c.als.factors, 16);
  EXPECT_EQ(c.als.alpha, 2);
  EXPECT_EQ(c.output, "runs/other");
}

TEST_F(ConfigTest, UnknownKeysNameTheNearest) {
  EXPECT_EQ(error("[model]\nfactor = 8\n"), "c.toml:4: model.factor: unknown key; did you mean 'model.factors'?");
  EXPECT_EQ(error("[train]\nfactors = 8\n"), "c.toml:4: train.factors: unknown key; did you mean 'model.factors'?");
  EXPECT_EQ(error("[model]\nquux_of_zed = 8\n"),
            "c.toml:4: model.quux_of_zed: unknown key; kindred-train --help-config lists them");
  EXPECT_EQ(error("", {"model.factor=8"}), "--set: model.factor: unknown key; did you mean 'model.factors'?");
  EXPECT_THAT(error("[trian]\n"), StartsWith("c.toml:3: trian: unknown key"));
  EXPECT_THAT(error("[model]\nfactors = {}\n"), HasSubstr("expected a whole number, 1 to 1024, found {"));
  EXPECT_THAT(error("[[model]]\nfactors = 8\n"), StartsWith("c.toml:3: model: expected a table, found ["));
  EXPECT_EQ(error("columns = \"user\"\n"), "c.toml:3: data.columns: expected a table, found \"user\"");
  EXPECT_EQ(load("[model]\n").als.factors, 64);  // an empty section is none
}

TEST_F(ConfigTest, GradientDescentHasDefaultsByLoss) {
  const auto sgd = [&](const std::string& keys) { return load("[model]\ntype = \"sgd\"\n" + keys); };
  EXPECT_TRUE(predicts_values(sgd("")));
  EXPECT_EQ(sgd("").sgd.params.uniform, 0);
  EXPECT_EQ(sgd("loss = \"bpr\"\n").sgd.params.uniform, 8);
  EXPECT_EQ(sgd("loss = \"bpr\"\nnegatives = { uniform = 3, popularity = 2 }\n").sgd.params.popularity, 2);
  EXPECT_TRUE(sgd("loss = \"contrastive\"\n").sgd.params.cosine);
  EXPECT_TRUE(predicts_probabilities(sgd("loss = \"logistic\"\n")));
  EXPECT_EQ(sgd("factors = 10\n").sgd.factors, 10);
  EXPECT_EQ(sgd("factors = 10\n").als.factors, 64);
  EXPECT_EQ(sgd("regularization = 0.5\n").sgd.params.bias_regularization, 0.5f);
  const SgdParams apart = sgd("regularization = { user = 0.25, bias = 0.5 }\n").sgd.params;
  EXPECT_EQ(apart.user_regularization, 0.25f);
  EXPECT_EQ(apart.bias_regularization, 0.5f);
  EXPECT_EQ(load("[train]\nepochs = 7\n[model]\ntype = \"sgd\"\n").sgd.epochs, 7);
  // What a resolved config says is what it was resolved to.
  const Config once = sgd("loss = \"softmax\"\nregularization = { item = 0.25 }\n");
  EXPECT_THAT(once.resolved, HasSubstr("[model]\ntype = \"sgd\"\nloss = \"softmax\""));
  EXPECT_THAT(once.resolved, HasSubstr("regularization = { user = "));

  EXPECT_THAT(error("[model]\ntype = \"sgd\"\nloss = \"bpr\"\nnegatives = { uniform = 0 }\n"),
              HasSubstr("model.negatives.uniform: this model.loss holds interactions against other items"));
  EXPECT_THAT(error("[model]\ntype = \"sgd\"\nmargin = 0.5\n"), HasSubstr("needs model.loss = \"contrastive\""));
  EXPECT_THAT(error("[model]\ntype = \"sgd\"\nregularization = -1\n"), HasSubstr("expected a number, 0.0 or more"));
  EXPECT_THAT(error("[model]\ntype = \"sgd\"\nnegatives = { uniform = 3000, popularity = 3000 }\n"),
              HasSubstr("more than 4096 negatives"));
  EXPECT_THAT(error("[model]\nlearning_rate = 0.1\n"), HasSubstr("needs model.type = \"sgd\""));
  EXPECT_THAT(error("[model]\ntype = \"svd\"\n[train]\nepochs = 3\n"), HasSubstr("train.epochs: needs model.type = "));
}

TEST_F(ConfigTest, CenterIsNormalizeByAnotherName) {
  const Config c = load("[model]\ntype = \"svd\"\ncenter = \"baseline\"\n");
  EXPECT_EQ(c.data.normalize, Normalize::kBaseline);
  EXPECT_TRUE(predicts_values(c));
  EXPECT_FALSE(predicts_values(load("[model]\ntype = \"svd\"\n")));
}

TEST_F(ConfigTest, NamesOfOtherLibrariesAreKnown) {
  const std::map<std::string, std::string> ours{{"n_factors", "model.factors"},
                                                {"embedding_dim", "model.factors"},
                                                {"reg", "model.regularization"},
                                                {"iterations", "train.epochs"}};
  for (const auto& [theirs, key] : ours)
    EXPECT_EQ(error("[model]\n" + theirs + " = 1\n"),
              "c.toml:4: model." + theirs + ": unknown key; did you mean '" + key + "'?");
  EXPECT_EQ(error("[model]\nlr = 0.1\n"), "c.toml:4: model.lr: unknown key; did you mean 'model.learning_rate'?");
  std::set<std::string> keys;
  for (const auto& key : schema()) keys.insert(key.name);
  for (const auto& [theirs, advice] : aliases()) {
    if (advice.starts_with("did you mean '")) {
      EXPECT_TRUE(keys.contains(advice.substr(14, advice.size() - 16))) << theirs << ": " << advice;
    }
    for (const auto& key : keys) EXPECT_NE(key.substr(key.rfind('.') + 1), theirs) << "is a key of ours";
  }
}

TEST_F(ConfigTest, WrongValuesSayWhatWasExpectedAndFound) {
  EXPECT_EQ(error("[model]\nfactors = 64.0\n"),
            "c.toml:4: model.factors: expected a whole number, 1 to 1024, found 64.0");
  EXPECT_EQ(error("[model]\nfactors = 0\n"), "c.toml:4: model.factors: expected a whole number, 1 to 1024, found 0");
  EXPECT_EQ(error("[model]\nalpha = -1\n"), "c.toml:4: model.alpha: expected a number, 0.0 or more, found -1");
  EXPECT_EQ(error("[model]\nalpha = nan\n"), "c.toml:4: model.alpha: expected a number, 0.0 or more, found nan");
  EXPECT_EQ(error("[model]\nregularization = inf\n"),
            "c.toml:4: model.regularization: expected a number, 0.0 or more, found inf");
  EXPECT_EQ(error("[model]\nregularization = 1e300\n"),  // no float
            "c.toml:4: model.regularization: expected a number, 0.0 or more, found 1e+300");
  EXPECT_EQ(error("[model]\nsolver = \"choleski\"\n"),
            "c.toml:4: model.solver: expected \"auto\" | \"cholesky\" | \"cg\" | \"block\" | \"woodbury\", found "
            "\"choleski\"; did you mean 'cholesky'?");
  EXPECT_EQ(error("[model]\nblock_size = 24\n"),
            "c.toml:4: model.block_size: expected a whole number, 16 to 128, a multiple of 16, found 24");
  EXPECT_EQ(error("[split]\ntest = \"a tenth\"\n"), "c.toml:4: split.test: expected a number, found \"a tenth\"");
  EXPECT_EQ(error("[split]\nper_user = 1\n"), "c.toml:4: split.per_user: expected true or false, found 1");
  EXPECT_EQ(error("[evaluate]\nmetrics = []\n"),
            "c.toml:4: evaluate.metrics: expected a list like [\"recall@20\", \"ndcg@10\"], found []");
  EXPECT_THAT(error("[evaluate]\nmetrics = [\"ndgc@10\"]\n"), HasSubstr("did you mean 'ndcg"));
  EXPECT_THAT(error("[evaluate]\nmetrics = [\"mrr@5\", \"mrr@5\"]\n"), HasSubstr("expected each metric once"));
  EXPECT_EQ(error("utility = \"rating + * 2\"\n"),
            "c.toml:3: data.utility: at character 10: expected a number, a column or '(', found '*'");
  EXPECT_EQ(error("events = { view = \"one\" }\n"), "c.toml:3: data.events: expected a number, found \"one\"");
  EXPECT_EQ(error("events = 3\n"),
            "c.toml:3: data.events: expected a table of weights like { view = 1.0, buy = 10.0 }, found 3");
  EXPECT_EQ(error("events = { view = inf }\n"), "c.toml:3: data.events: expected finite weights, found { view = inf }");
  EXPECT_EQ(load("", {"data.events.view=2", "data.events.buy=7.5"}).data.events,
            (std::map<std::string, double>{{"view", 2}, {"buy", 7.5}}));
  EXPECT_EQ(load("[evaluate]\nrelevant_min = -inf\n").evaluate.relevant_min, -std::numeric_limits<float>::infinity());
  for (const std::string name : {"config.toml", "checkpoint.h5", "../model.h5", "model", ""})
    EXPECT_THAT(error("[export]\nmodel = \"" + name + "\"\n"), HasSubstr("expected a file name ending in .h5"));
}

TEST_F(ConfigTest, RulesBetweenKeys) {
  EXPECT_EQ(error("[model]\nfeedback = \"explicit\"\nalpha = 1\n"),
            "c.toml:5: model.alpha: needs model.type = \"als\" with model.feedback = \"implicit\"; set that or remove "
            "this key");
  EXPECT_THAT(error("[model]\nbiases = true\n"), HasSubstr("c.toml:4: model.biases: needs model.type = \"als\" with"));
  EXPECT_THAT(error("[model]\nobjective = \"hu-koren\"\nunobserved_weight = 0.1\n"),
              StartsWith("c.toml:5: model.unobserved_weight: needs model.objective = \"ials\""));
  EXPECT_THAT(error("[model]\ntype = \"popularity\"\nfactors = 8\n"),
              StartsWith("c.toml:5: model.factors: needs model.type = \"als\""));
  EXPECT_THAT(error("[train]\nearly_stopping = { patience = 2 }\n"),
              StartsWith("c.toml:4: train.early_stopping.patience: needs train.early_stopping.metric"));
  EXPECT_EQ(error("[evaluate]\nmetrics = [\"rmse\"]\n"),
            "c.toml:4: evaluate.metrics: rmse needs a model that predicts values; use model.feedback = "
            "\"explicit\" (als), model.prediction = \"weighted-average\" (item-knn, user-knn) or a ranking metric like "
            "ndcg@10");
  EXPECT_EQ(
      error("[model]\nfeedback = \"explicit\"\n[evaluate]\nmetrics = [\"logloss\"]\n"),
      "c.toml:6: evaluate.metrics: logloss needs a model whose scores are probabilities; use a ranking metric like "
      "ndcg@10");
  EXPECT_THAT(error("[evaluate]\nnegatives = 50\n"),
              StartsWith("c.toml:4: evaluate.negatives: needs evaluate.candidates = \"negatives\" without"));
  EXPECT_EQ(load("[evaluate]\ncandidates = \"negatives\"\n").evaluate.negatives, 100);
  EXPECT_THAT(error("[train]\nearly_stopping = { metric = \"mae\" }\n"),
              StartsWith("c.toml:4: train.early_stopping.metric: mae needs a model that predicts values"));
  EXPECT_EQ(error("utility = \"2*likes\"\ncolumns = { value = \"rating\" }\n"),
            "c.toml:3: data.utility: gives the values, and so does data.columns.value; remove one of the two");
  EXPECT_EQ(error("utility = \"2*likes\"\nevents = { view = 1 }\n"),
            "c.toml:4: data.events: gives the values, and so does data.utility; remove one of the two");
  EXPECT_THAT(error("[split]\ntest = 0.5\nvalidation = 0.5\n"), HasSubstr("leave nothing to train on"));
  EXPECT_THAT(error("[split]\nfiles = { train = \"t.csv\" }\n"), HasSubstr("needs split.protocol = \"files\""));
  EXPECT_THAT(error("[split]\nprotocol = \"files\"\n"), HasSubstr("split.files.train is missing"));
  EXPECT_THAT(error("[split]\nprotocol = \"files\"\nfiles = { train = \"t.csv\" }\n"),
              HasSubstr("c.toml:2: data.interactions: protocol \"files\" reads split.files"));
  run_.write("d.toml", "name = \"x\"\n");
  EXPECT_THAT(test::input_error(run_.folder(), [&] { load_config(run_.folder() / "d.toml"); }),
              HasSubstr("data.interactions is missing"));
}

TEST_F(ConfigTest, AResolvedConfigLoadsAsItself) {
  const std::string files = "protocol = \"files\"\nfiles = { train = \"a\", test = \"b\" }\n";
  const std::vector<std::string> configs{
      "",
      "[model]\ntype = \"popularity\"\n",
      "[model]\ntype = \"bayesian-average\"\n",
      "[model]\nfeedback = \"explicit\"\nbiases = false\n",
      "[model]\nobjective = \"hu-koren\"\nregularization = 0.1\nconfidence = \"log\"\n",
      "[train]\nearly_stopping = { metric = \"ndcg@5\", patience = 2, min_delta = 1e-4 }\nrefit = \"all\"\n",
      "items = { file = \"i.csv\", columns = { id = \"i\", title = \"the \\\"title\\\"\" } }\n",
      "[split]\nprotocol = \"none\"\n",
      "[evaluate]\ncandidates = \"negatives\"\nnegatives = 20\nmetrics = [\"auc\", \"coverage@10\"]\n",
      "quote = \"double\"\nencoding = \"latin-1\"\nbad_rows = \"quarantine\"\nformat = \"hdf5\"\n",
      "min_value = 3.5\nduplicates = \"max\"\n[data.events]\nview = 1\n\"add to cart\" = 3.5\n",
      "normalize = \"z-score\"\n[model]\nfeedback = \"explicit\"\n",
      "utility = \"rating + log1p(`watch time`)\"\nbinarize = true\nmin_user_interactions = 5\n"};
  for (const auto& text : configs) {
    const std::string resolved = load(text).resolved;
    run_.write("resolved.toml", resolved);
    EXPECT_EQ(load_config(run_.folder() / "resolved.toml").resolved, resolved);
    EXPECT_THAT(differing_keys(resolved, resolved), IsEmpty());
  }
  // Lists of files are written with what they leave out left out.
  run_.write(
      "l.toml",
      "[data]\ninteractions = [\"a*.csv\", { file = \"b.csv\", event = \"view\", columns = { item = \"what\" } }]\n");
  const Config listed = load_config(run_.folder() / "l.toml");
  EXPECT_THAT(listed.data.interactions.list,
              ElementsAre(InputFile{.path = run_.folder() / "a*.csv"},
                          InputFile{.path = run_.folder() / "b.csv", .event = "view", .columns = {.item = "what"}}));
  run_.write("resolved.toml", listed.resolved);
  EXPECT_EQ(load_config(run_.folder() / "resolved.toml").data.interactions, listed.data.interactions);
  for (const std::string validation : {"", "validation = 0.2\n"}) {  // drawn from train only where it is written
    run_.write("f.toml", "[split]\n" + files + validation);
    const Config first = load_config(run_.folder() / "f.toml");
    run_.write("resolved.toml", first.resolved);
    const Config second = load_config(run_.folder() / "resolved.toml");
    EXPECT_EQ(second.resolved, first.resolved);
    EXPECT_EQ(second.split.validation_given, !validation.empty());
  }
}

TEST_F(ConfigTest, DifferingKeysLeaveOutSpeedAndPlace) {
  const std::string a = load("[model]\nfactors = 8\n").resolved;
  EXPECT_THAT(differing_keys(a, load("[model]\nfactors = 16\n[train]\nepochs = 3\n").resolved),
              ElementsAre("model.factors (8, now 16)", "train.epochs (15, now 3)"));
  EXPECT_THAT(differing_keys(a, load("[model]\nfactors = 8\nfeedback = \"explicit\"\n").resolved),
              ::testing::Contains("model.objective (\"ials\", now unset)"));
  EXPECT_THAT(differing_keys(a, load("[model]\nfactors = 8\n",
                                     {"device=cpu", "threads=3", "output=elsewhere", "train.checkpoint_minutes=1"})
                                    .resolved),
              IsEmpty());
}

// --- the schema as a whole ---

TEST(Schema, NamesAreUniqueAndSectionsTogether) {
  std::set<std::string> names, sections;
  std::string last = "-";
  for (const auto& key : schema()) {
    EXPECT_TRUE(names.insert(key.name + " of " + key.when.text).second) << key.name;  // once for each model
    const size_t dot = key.name.find('.');
    const std::string section = dot == std::string::npos ? "" : key.name.substr(0, dot);
    if (section != last) {
      EXPECT_TRUE(sections.insert(section).second) << key.name << " stands apart from its section";
    }
    last = section;
    EXPECT_THAT(key.sentence, EndsWith("."));
    EXPECT_THAT(key.sentence, Not(HasSubstr("|"))) << "would break the table of docs/config.md";
  }
}

/// Some value of a key's type that is not its default.
TomlValue another_value(const SchemaKey& key, const std::string& current) {
  if (key.type == "true or false") return {current != "true", 0};
  if (key.type == "list of text") return {TomlArray{{std::string("mrr@7"), 0}}, 0};
  if (key.type == "table of numbers") return {TomlTable{{"buy", {10.0, 0}}, {"view", {1.5, 0}}}, 0};
  if (key.type == "whole number") return {int64_t{current == "32" ? 64 : 32}, 0};
  if (key.type == "number") return {0.25, 0};
  if (key.name == "train.early_stopping.metric") return {std::string("mrr@7"), 0};
  if (key.type == "file name") return {std::string("other.h5"), 0};
  if (key.range.empty()) return {std::string("other"), 0};
  for (size_t begin = key.range.find('"'); begin != std::string::npos;) {  // "a" | "b": the first that is not current
    const size_t end = key.range.find('"', begin + 1);
    const std::string word = key.range.substr(begin + 1, end - begin - 1);
    if ("\"" + word + "\"" != current) return {word, 0};
    begin = key.range.find('"', end + 1);
  }
  ADD_FAILURE() << key.name << ": no other value in " << key.range;
  return {};
}

TEST(Schema, EveryKeyFillsItsOwnFieldAndNoOther) {
  for (const auto& key : schema()) {
    Config config;
    const std::string before = key.write(config);
    std::map<std::string, std::string> others;
    for (const auto& other : schema()) others[other.name + other.when.text] = other.write(config);
    const TomlValue value = another_value(key, before);
    key.read(config, value);
    EXPECT_EQ(key.write(config), to_toml(value)) << key.name;
    EXPECT_NE(key.write(config), before) << key.name;
    for (const auto& other : schema()) {
      if (&other == &key) continue;
      EXPECT_EQ(other.write(config), others[other.name + other.when.text]) << key.name << " -> " << other.name;
    }
  }
}

TEST(Schema, EveryKeyRefusesAnotherType) {
  for (const auto& key : schema()) {
    Config config;
    const TomlValue wrong = key.type == "list of text" ? TomlValue{true, 0} : TomlValue{TomlArray{}, 0};
    EXPECT_THROW(key.read(config, wrong), InputError) << key.name;
  }
}

TEST(Schema, HelpListsEveryKeyOfASection) {
  const std::string all = config_help(), model = config_help("model");
  for (const auto& key : schema()) {
    EXPECT_THAT(all, HasSubstr(key.name + "\n"));
    EXPECT_EQ(model.find("\n" + key.name + "\n") != std::string::npos || model.starts_with(key.name + "\n"),
              key.name.starts_with("model."))
        << key.name;
  }
  const test::TemporaryFolder none;
  EXPECT_EQ(test::input_error(none, [] { config_help("modle"); }),
            "--help-config: there is no section 'modle'; there are data, split, model, train, evaluate, export");
}

TEST(Schema, TheReferencePageIsTheSchemas) {
  EXPECT_EQ(read_file(std::filesystem::path(KINDRED_SOURCE_DIR) / "docs/config.md"), config_markdown())
      << "kindred-train --help-config=markdown > docs/config.md";
}

TEST(Configs, TheCommittedOnesLoad) {
  int configs = 0;
  for (const auto& entry : std::filesystem::directory_iterator(KINDRED_SOURCE_DIR "/configs")) {
    const Config config = load_config(entry.path());
    EXPECT_EQ(config.name, entry.path().stem());
    ++configs;
  }
  EXPECT_GE(configs, 3);
}

}  // namespace
}  // namespace kindred
