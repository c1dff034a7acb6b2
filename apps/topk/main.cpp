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
    app.set_version_flag("--version", version_text("kindred-topk"));
    app.footer(
        "Examples:\n  kindred-topk runs/movielens-als --users 1,2 -k 5 --explain\n"
        "  kindred-topk runs/movielens-als --items \"toy story\" --metric cosine\n"
        "  kindred-topk runs/movielens-als --history \"1:5,260:4.5\"\n"
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
    question->add_option("--history", options.history, "Best items for somebody who did this: item:value,item:value");
    question->add_option("--score", options.score, "Scores of the pairs in a CSV file (user,item), in its order");
    question->require_option(1);
    app.add_option("-k", options.k, "Length of a list")->capture_default_str()->check(CLI::Range(1, kMaxTopK));
    app.add_option("--metric", options.metric, "For similar items and users")
        ->capture_default_str()
        ->check(CLI::IsMember({"dot", "cosine", "euclidean"}));
    app.add_option("--format", options.format, "Of standard output")
        ->capture_default_str()
        ->check(CLI::IsMember({"table", "csv", "json"}));
    app.add_option("--to", options.to, "FILE.csv | FILE.json | FILE.h5 | sqlite:FILE instead of standard output");
    app.add_flag("--include-seen", options.include_seen, "Also what a user has already had");
    app.add_flag("--include-held-out", options.include_held_out, "Also what was held out for validation and test");
    app.add_flag("--explain", options.explain, "The past interactions that speak most for each item");
    app.add_option("--device", options.device, "auto | cpu | cuda | cuda:N")->capture_default_str();
    app.add_option("--threads", options.threads, "CPU threads, 0: all")->capture_default_str();
    try {
      app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      return app.exit(error) == 0 ? 0 : 2;
    }
    answer(options);
    return 0;
  });
}
