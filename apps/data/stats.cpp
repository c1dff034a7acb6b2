// SPDX-License-Identifier: Apache-2.0
#include "apps/data/stats.hpp"

#include "engine/core/error.hpp"
#include "engine/core/file.hpp"
#include "engine/core/log.hpp"
#include "engine/core/output.hpp"
#include "engine/experiment/config.hpp"
#include "engine/experiment/data_report.hpp"
#include "engine/experiment/starter.hpp"

namespace kindred {
namespace {

/// The config of a data set: the one given, or the one that `init` would write for the files; what of them it leaves
/// out goes to `remarks`.
Config config_of(const std::vector<std::filesystem::path>& files, std::vector<std::string>& remarks) {
  if (files.size() == 1 && files[0].extension() == ".toml") return load_config(files[0]);
  std::vector<FileProfile> profiles;
  for (const auto& file : files) profiles.push_back(profile_file(file));
  const DatasetGuess guess = guess_dataset(std::move(profiles));
  for (const FileGuess& file : guess.files) {
    if (!file.remark.empty()) remarks.push_back(file.profile.file.string() + ": left out: " + file.remark + ".");
  }
  const std::filesystem::path config = files[0].stem().string() + ".toml";
  return parse_config(starter_config(guess, config), config);
}

/// Everything that the config names, in one part, bad rows set aside.
PreparedData load_all(const Config& config, int threads) {
  DataOptions data = config.data;
  data.bad_rows = BadRows::kQuarantine;
  if (data.duplicates == Duplicates::kError) data.duplicates = Duplicates::kAuto;
  data.items.keep_all = !data.items.file.empty();
  if (config.split.protocol == "files") {
    std::vector<InputFile> parts;
    for (const auto& file : {config.split.files.train, config.split.files.validation, config.split.files.test}) {
      if (!file.empty()) parts.push_back({file.string()});
    }
    data.interactions = InputFiles(std::move(parts));
  }
  SplitOptions whole;
  whole.protocol = "none";
  return prepare(data, whole, config.seed, threads == 0 ? config.threads : threads);
}

}  // namespace

void stats(const StatsOptions& options) {
  std::vector<std::string> remarks;
  const Config config = config_of(options.files, remarks);
  Statistics found = statistics(load_all(config, options.threads));
  found.warnings.insert(found.warnings.begin(), remarks.begin(), remarks.end());
  if (!options.html.empty()) {
    write_file(options.html, statistics_page(found, config.name));
    log_info("wrote", {{"file", options.html.string()}});
  }
  write_stdout(options.json ? statistics_json(found) : statistics_table(found));
}

}  // namespace kindred
