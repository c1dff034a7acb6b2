// SPDX-License-Identifier: Apache-2.0
// kindred-data: all around data sets. `synth` makes one, `doctor` tells what this machine offers.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "apps/common.hpp"
#include "apps/data/doctor.hpp"
#include "engine/data/synth.hpp"

namespace {

int run(int argc, char** argv) {
  CLI::App app("Makes data sets and looks at the machine.", "kindred-data");
  app.set_version_flag("--version", kindred::version_text("kindred-data"));
  app.require_subcommand(1);
  int status = 0;

  CLI::App* doctor = app.add_subcommand("doctor", "What was built in, what was found, and what mends what is missing");
  bool strict = false;
  doctor->add_flag("--strict", strict, "Exit with 1 where something is missing");
  doctor->callback([&] { status = kindred::doctor() || !strict ? 0 : 1; });

  CLI::App* synth = app.add_subcommand("synth", "Writes a synthetic data set whose best possible model is known");
  std::string folder;
  kindred::SynthOptions options;
  synth->add_option("DIR", folder, "Folder for ratings.csv events.csv items.csv users.csv friends.csv truth.json")
      ->required();
  synth->add_option("--users", options.users, "Number of users")->required();
  synth->add_option("--items", options.items, "Number of items")->required();
  synth->add_option("--interactions", options.interactions, "Number of ratings, of distinct pairs")->required();
  synth->add_option("--seed", options.seed, "Equal options give equal bytes")->capture_default_str();
  synth->add_option("--threads", options.threads, "0: all cores; no effect on the bytes")->capture_default_str();
  synth->callback([&] {
    kindred::write_synthetic(folder, options);
    fmt::print("{}: {} interactions of {} users and {} items\n", folder, options.interactions, options.users,
               options.items);
  });

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  return kindred::run_program("kindred-data", [&] { return run(argc, argv); });
}
