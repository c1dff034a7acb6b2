// SPDX-License-Identifier: Apache-2.0
// kindred-train: a config in, a run folder out.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "apps/common.hpp"
#include "engine/core/error.hpp"
#include "engine/core/log.hpp"
#include "engine/experiment/run.hpp"

int main(int argc, char** argv) {
  using namespace kindred;
  return run_program("kindred-train", [&] {
    CLI::App app("Trains, evaluates and exports what a config describes.", "kindred-train");
    app.footer(
        "Examples:\n  kindred-train configs/synthetic-als.toml\n"
        "  kindred-train configs/movielens-als.toml --set model.factors=128 --out runs/wide\n"
        "  kindred-train --help-config model");
    std::string config_file, out, device, help_section;
    std::vector<std::string> set;
    int threads = 0;
    bool dry = false, quiet = false;
    RunRequest request;
    app.add_option("CONFIG", config_file, "The config, a TOML file");
    app.add_option("--set", set, "key=value, over the file's; may repeat")->allow_extra_args(false);
    app.add_option("--out", out, "The run folder, over output");
    auto* resume = app.add_flag("--resume", request.resume, "Go on with an interrupted run");
    app.add_flag("--force", request.force, "Replace an earlier run")->excludes(resume);
    app.add_flag("--dry-run", dry, "Read and split the data, print shapes and the resolved config, train nothing");
    add_compute_options(app, device, threads);
    app.add_flag("--quiet", quiet, "Warnings and errors only");
    auto* help = app.add_option("--help-config", help_section,
                                "The config's keys, of one section or all; 'markdown' for the page")
                     ->expected(0, 1);
    if (!parse_command_line(app, argc, argv)) return 0;
    if (help->count() > 0) {
      std::fputs((help_section == "markdown" ? config_markdown() : config_help(help_section)).c_str(), stdout);
      return 0;
    }
    if (config_file.empty()) throw InputError("which CONFIG.toml? --help lists what may be asked");
    if (quiet) start_logging("kindred-train", true);
    if (!out.empty()) set.push_back("output=" + to_toml({out, 0}));
    if (app.count("--device") > 0) set.push_back("device=" + to_toml({device, 0}));
    if (app.count("--threads") > 0) set.push_back("threads=" + std::to_string(threads));
    const Config config = load_config(config_file, set);
    if (dry) {
      std::fputs(dry_run(config).c_str(), stdout);
      return 0;
    }
    const RunResult result = run_training(config, request);
    std::fputs(result.table.c_str(), stdout);
    return 0;
  });
}
