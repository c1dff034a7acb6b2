// SPDX-License-Identifier: Apache-2.0
// kindred-data: all around data sets. `stats` looks at one, `find` into its titles, `init` writes a config for it,
// `synth` makes one, `doctor` tells what this machine offers.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "apps/common.hpp"
#include "apps/data/doctor.hpp"
#include "apps/data/find.hpp"
#include "apps/data/init.hpp"
#include "apps/data/stats.hpp"
#include "engine/data/convert.hpp"
#include "engine/data/synth.hpp"
#include "engine/experiment/parts.hpp"
#include "engine/store/model_file.hpp"
#include "engine/store/vectors.hpp"

namespace {

int run(int argc, char** argv) {
  CLI::App app("Makes data sets and looks at the machine.", "kindred-data");
  app.footer(
      "Examples:\n  kindred-data doctor\n"
      "  kindred-data stats ratings.csv movies.csv\n"
      "  kindred-data init ratings.csv movies.csv -o films.toml\n"
      "  kindred-data export runs/movielens-als vectors --items --format npy");
  app.require_subcommand(1);
  int status = 0;

  CLI::App* doctor = app.add_subcommand("doctor", "What was built in, what was found, and what mends what is missing");
  bool strict = false;
  doctor->add_flag("--strict", strict, "Exit with 1 where something is missing");
  doctor->footer("Example:\n  kindred-data doctor --strict");
  doctor->callback([&] { status = kindred::doctor() || !strict ? 0 : 1; });

  CLI::App* init = app.add_subcommand("init", "Writes a commented config for files of your own");
  kindred::InitOptions start;
  init->add_option("FILE", start.files, "Interactions, and the tables beside them: items, users, friends")->required();
  init->add_option("-o,--output", start.config, "The config to write; default: the first file's name; -: stdout");
  init->add_flag("--force", start.force, "Replace a config that is there");
  init->footer("Example:\n  kindred-data init ratings.csv movies.csv -o films.toml");
  init->callback([&] { kindred::init(start); });

  CLI::App* stats = app.add_subcommand("stats", "What is in a data set: counts, spread, popularity, oddities");
  kindred::StatsOptions look;
  stats->add_option("DATA", look.files, "Files as init takes them, or a CONFIG.toml")->required();
  stats->add_flag("--json", look.json, "One JSON object instead of tables");
  stats->add_option("--html", look.html, "Also write a page with charts, complete in itself");
  stats->add_option("--threads", look.threads, "0: as the config says, else all cores")->capture_default_str();
  stats->footer("Example:\n  kindred-data stats ratings.csv movies.csv --html films.html");
  stats->callback([&] { kindred::stats(look); });

  CLI::App* find = app.add_subcommand("find", "Items by their titles, misspelt or half remembered");
  kindred::FindOptions wanted;
  find->add_option("CATALOGUE", wanted.catalogue, "A table of items, a CONFIG.toml, a model file or a run folder")
      ->required();
  find->add_option("TITLE", wanted.query, "What is remembered of a title")->required();
  find->add_option("-k", wanted.k, "At most so many")->check(CLI::Range(1, 1'000'000))->capture_default_str();
  find->add_flag("--json", wanted.json, "A JSON object a line");
  find->footer("Example:\n  kindred-data find movies.csv juminji");
  find->callback([&] { kindred::find(wanted); });

  CLI::App* convert = app.add_subcommand("convert", "Interactions from one format to another: csv, adjacency, hdf5");
  kindred::ConvertOptions files;
  const CLI::IsMember format({"csv", "adjacency", "hdf5"});
  convert->add_option("IN", files.in, "The file to read, .gz too; -: standard input")->required();
  convert->add_option("OUT", files.out, "The file to write: .csv, .h5, .txt (adjacency); -: standard output")
      ->required();
  convert->add_option("--from", files.from, "csv | adjacency | hdf5; default: what IN looks like")->check(format);
  convert->add_option("--to", files.to, "csv | adjacency | hdf5; default: by OUT's ending")->check(format);
  convert->add_option("--user", files.columns.user, "Column of users, by name or number; default: found by its name");
  convert->add_option("--item", files.columns.item, "Column of items");
  convert->add_option("--value", files.columns.value, "Column of values; 0: none");
  convert->add_option("--time", files.columns.time, "Column of times; 0: none");
  convert->add_option("--event", files.columns.event, "Column of event kinds; 0: none");
  convert->add_flag(
      "--latin-1", [&](int64_t) { files.text.encoding = kindred::Encoding::kLatin1; }, "IN is Latin-1");
  convert->footer("Example:\n  kindred-data convert ratings.csv ratings.h5");
  convert->callback([&] {
    const kindred::Converted done = kindred::convert(files);
    if (files.out != "-")
      fmt::print("{}: {} interactions, {} to {}\n", files.out.string(), done.rows, done.from, done.to);
  });

  CLI::App* split = app.add_subcommand("split", "The parts of a config's split as CSV files, for other tools");
  std::string config, parts;
  std::vector<std::string> changes;
  split->add_option("CONFIG.toml", config, "As kindred-train reads it")->required();
  split->add_option("DIR", parts, "Folder for train.csv, validation.csv, test.csv")->required();
  split->add_option("--set", changes, "key=value, wins over the config; may repeat")->allow_extra_args(false);
  split->footer("Example:\n  kindred-data split configs/movielens-als.toml parts --set split.protocol=by-time");
  split->callback([&] {
    for (const kindred::WrittenPart& part : kindred::write_parts(kindred::load_config(config, changes), parts))
      fmt::print("{}: {} interactions\n", part.file.string(), part.interactions);
  });

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
  synth->footer("Example:\n  kindred-data synth films --users 1000 --items 500 --interactions 50000");
  synth->callback([&] {
    kindred::write_synthetic(folder, options);
    fmt::print("{}: {} interactions of {} users and {} items\n", folder, options.interactions, options.users,
               options.items);
  });

  CLI::App* vectors = app.add_subcommand("export", "Writes a model's vectors for other systems (FAISS, pgvector …)");
  std::string model, target;
  kindred::VectorOptions form;
  bool of_items = false, of_users = false;
  vectors->add_option("MODEL", model, "A model file, or a run folder")->required();
  vectors->add_option("DIR", target, "Folder for vectors.npy, ids.txt, meta.json, or for vectors.csv")->required();
  CLI::Option_group* side = vectors->add_option_group("side", "Whose vectors: one of");
  side->add_flag("--items", of_items, "Those of items");
  side->add_flag("--users", of_users, "Those of users");
  side->require_option(1);
  vectors->add_option("--format", form.format, "npy: NumPy, ids and a description; csv: rows id,\"[0.5,-1.25]\"")
      ->capture_default_str()
      ->check(CLI::IsMember({"npy", "csv"}));
  vectors->add_flag("--fold-bias", form.fold_bias,
                    "Append the item's bias as a dimension (users: 1): inner products then rank as the model does");
  vectors->footer("Example:\n  kindred-data export runs/movielens-als vectors --items --format npy --fold-bias");
  vectors->callback([&] {
    form.side = of_users ? kindred::Side::kUsers : kindred::Side::kItems;
    const auto loaded = kindred::load_model(model, {.users = of_users, .history = false, .catalogue = false});
    const int64_t count = kindred::export_vectors(loaded, target, form);
    fmt::print("{}: {} vectors of {}\n", target, count, of_users ? "users" : "items");
  });

  kindred::parse_command_line(app, argc, argv);
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  return kindred::run_program("kindred-data", [&] { return run(argc, argv); });
}
