// SPDX-License-Identifier: Apache-2.0
// kindred-train: a config in, a run folder out.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "apps/common.hpp"
#include "engine/core/log.hpp"
#include "engine/experiment/run.hpp"

int main(int argc, char** argv) {
  using namespace kindred;
  return run_program("kindred-train", [&] {
    CLI::App app("Trains, evaluates and exports what a config describes.", "kindred-train");
    app.set_version_flag("--version", version_text("kindred-train"));
    app.footer(
        "Examples:\n  kindred-train configs/synthetic-als.toml\n"
        "  kindred-train configs/movielens-als.toml --set model.factors=128 --out runs/wide\n"
        "  kindred-train --help-config model");
    std::string config_file, out, device, help_section;
    std::vector<std::string> set;
    int threads = -1;
    bool dry = false, quiet = false;
    RunRequest request;
    app.add_option("CONFIG", config_file, "The config, a TOML file");
    app.add_option("--set", set, "key=value, over the file's; may repeat")->allow_extra_args(false);
    app.add_option("--out", out, "The run folder, over output");
    app.add_flag("--resume", request.resume, "Go on with an interrupted run");
    app.add_flag("--force", request.force, "Replace an earlier run");
    app.add_flag("--dry-run", dry, "Read and split the data, print shapes and the resolved config, train nothing");
    app.add_option("--device", device, "auto | cpu | cuda | cuda:N");
    app.add_option("--threads", threads, "CPU threads, 0: all");
    app.add_flag("--quiet", quiet, "Warnings and errors only");
    auto* help = app.add_option("--help-config", help_section,
                                "The config's keys, of one section or all; 'markdown' for the page")
                     ->expected(0, 1);
    try {
      app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      return app.exit(error) == 0 ? 0 : 2;
    }
    if (help->count() > 0) {
      std::fputs((help_section == "markdown" ? config_markdown() : config_help(help_section)).c_str(), stdout);
      return 0;
    }
    if (config_file.empty()) {
      std::fputs("kindred-train: which CONFIG.toml? --help lists what may be asked\n", stderr);
      return 2;
    }
    if (quiet) start_logging("kindred-train", true);
    Config config = load_config(config_file, set);
    if (!out.empty()) config.output = out;
    if (!device.empty()) config.device = device;
    if (threads >= 0) config.threads = threads;
    if (dry) {
      std::fputs(dry_run(config).c_str(), stdout);
      return 0;
    }
    const RunResult result = run_training(config, request);
    std::fputs(result.table.c_str(), stdout);
    return 0;
  });
}
