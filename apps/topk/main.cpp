// SPDX-License-Identifier: Apache-2.0
// kindred-topk: answers from a model file alone.
#include <CLI/CLI.hpp>

#include "apps/common.hpp"
#include "apps/topk/answer.hpp"
#include "kernels/topk.hpp"

int main(int argc, char** argv) {
  using namespace kindred;
  return run_program("kindred-topk", [&] {
    CLI::App app("Answers from a model file: best items for users, similar items and users, scores.", "kindred-topk");
    app.footer(
        "Examples:\n  kindred-topk runs/movielens-als --users 1,2 -k 5 --explain\n"
        "  kindred-topk runs/movielens-als --items \"toy story\" --metric cosine\n"
        "  kindred-topk runs/movielens-als --history \"1:5,260:4.5\" --without-tags Horror\n"
        "  kindred-topk runs/movielens-als --candidates retrieved.csv -k 20 --format json\n"
        "  kindred-topk runs/movielens-als --all-users --to sqlite:recommendations.db");
    TopkOptions options;
    app.add_option("MODEL", options.model, "A model file, or a run folder")->required();
    auto* question = app.add_option_group("question", "What is asked: one of");
    question->add_option("--users", options.users,
                         "Best items for these users: ids with commas between, @FILE for a line each");
    question->add_flag("--all-users", options.all_users, "Best items for everybody");
    question->add_option("--items", options.items, "Items like these: ids or titles; may repeat")
        ->allow_extra_args(false);
    question->add_option("--similar-users", options.similar_users, "Users like these");
    question->add_option(
        "--history", options.history,
        "Best items for people who are not in the model: item:value,item:value or @FILE.csv ([user,]item[,value])");
    question->add_option("--candidates", options.candidates,
                         "Ranks the pairs of a CSV file (user,item) within each user");
    question->add_option("--score", options.score, "Scores of the pairs in a CSV file (user,item), in its order");
    question->require_option(1);
    app.add_option("-k", options.k, "Length of a list")->capture_default_str()->check(CLI::Range(1, kMaxTopK));
    app.add_option(
           "--metric", options.metric,
           "For similar items and users of a model with factors (default: dot); models of neighbors have their own")
        ->check(CLI::IsMember({"dot", "cosine", "euclidean"}));
    app.add_option("--format", options.format, "Of standard output")
        ->capture_default_str()
        ->check(CLI::IsMember({"table", "csv", "json"}));
    app.add_option("--to", options.to, "FILE.csv | FILE.json | FILE.h5 | sqlite:FILE instead of standard output");
    app.add_option("--unknown", options.unknown,
                   "Users who are not in the model: an error, left out, or given what is popular")
        ->capture_default_str()
        ->check(CLI::IsMember({"error", "skip", "popular"}));
    app.add_option("--exclude", options.exclude, "A file of what lists must not hold: lines item or user,item");
    app.add_option("--only-tags", options.only_tags, "Items with one of these tags alone; may repeat")
        ->allow_extra_args(false);
    app.add_option("--without-tags", options.without_tags, "No items with one of these tags; may repeat")
        ->allow_extra_args(false);
    app.add_option("--min-score", options.min_score, "Lists end above lower scores");
    app.add_flag("--include-seen", options.include_seen, "Also what a user has already had");
    app.add_flag("--include-held-out", options.include_held_out, "Also what was held out for validation and test");
    app.add_flag("--explain", options.explain, "The past interactions that speak most for each item");
    add_compute_options(app, options.device, options.threads);
    if (parse_command_line(app, argc, argv)) answer(options);
    return 0;
  });
}
