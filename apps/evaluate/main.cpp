// SPDX-License-Identifier: Apache-2.0
// kindred-evaluate: metrics of a model, or of any tool's lists.
#include <CLI/CLI.hpp>
#include <limits>

#include "apps/common.hpp"
#include "apps/evaluate/answer.hpp"

int main(int argc, char** argv) {
  using namespace kindred;
  return run_program("kindred-evaluate", [&] {
    CLI::App app("Metrics of a model, or of any tool's lists, against a held-out part.", "kindred-evaluate");
    app.footer(
        "Examples:\n  kindred-evaluate runs/movielens-als\n"
        "  kindred-evaluate runs/movielens-als --test parts/test.csv --train parts/train.csv --metrics ndcg@10,auc\n"
        "  kindred-evaluate theirs.csv --test parts/test.csv --against runs/movielens-als\n"
        "  kindred-evaluate theirs.csv --test parts/test.csv --negatives parts/negatives.csv --format json");
    EvaluateRequest request;
    auto& options = request.options;
    app.add_option("WHAT", request.path, "A model file, a run folder, or lists: a file with user,item,score (or rank)")
        ->required();
    app.add_option("--test", request.files.test, "The held-out part; left out: the one that the model keeps");
    app.add_option("--train", request.files.train, "What users have seen; left out: the model's history");
    app.add_option("--negatives", request.negatives,
                   "Candidates beside the held-out items: a file, or a number to draw for each user");
    app.add_option("--items", request.files.items, "A catalogue with tags, for diversity; left out: the model's");
    app.add_option("--metrics", request.metrics, "Like recall@20,ndcg@10,auc; left out: by the model")->delimiter(',');
    app.add_option("--per-user", request.per_user, "Writes each user's own metrics to this CSV file");
    app.add_option("--against", request.against, "A second model or list: differences with paired intervals");
    app.add_option("--format", request.format, "Of standard output")
        ->capture_default_str()
        ->check(CLI::IsMember({"table", "csv", "json"}));
    app.add_option("--relevant-min", options.relevant_min, "Held-out values below it are not relevant");
    app.add_option("--gain", request.gain, "Of a hit, in ndcg: 1, or its value")
        ->capture_default_str()
        ->check(CLI::IsMember({"binary", "value"}));
    app.add_flag("--include-seen", request.include_seen, "What users have seen are candidates too");
    app.add_option("--users", options.users, "At most so many users, drawn by the seed; 0: all")->capture_default_str();
    app.add_option("--seed", options.seed, "Of every draw")->capture_default_str();
    app.add_flag("--no-intervals", request.no_intervals, "Means alone");
    app.add_option("--data-format", request.files.format, "Of test, train and negatives")
        ->capture_default_str()
        ->check(CLI::IsMember({"csv", "adjacency"}));
    app.add_option("--columns", request.columns, "Of lists, where they are named otherwise: user=uid,item=iid,score=s")
        ->delimiter(',');
    add_compute_options(app, request.device, request.threads);
    if (parse_command_line(app, argc, argv)) answer(std::move(request));
    return 0;
  });
}
