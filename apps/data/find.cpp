// SPDX-License-Identifier: Apache-2.0
#include "apps/data/find.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "engine/core/error.hpp"
#include "engine/core/log.hpp"
#include "engine/core/output.hpp"
#include "engine/data/guess.hpp"
#include "engine/experiment/config.hpp"
#include "engine/recommend/titles.hpp"
#include "engine/store/model_file.hpp"
#include "engine/store/text.hpp"

namespace kindred {
namespace {

struct Titles {
  std::shared_ptr<const Ids> ids;
  std::vector<std::string> titles;
};

Titles read_table(const CatalogueFile& file, const TextForm& text) {
  Titles out{catalogue_ids(file, CatalogueSide::kItems, text), {}};
  out.titles = read_catalogue(file, *out.ids, CatalogueSide::kItems, text).titles;
  return out;
}

/// A table alone: its columns are guessed.
Titles read_table(const std::filesystem::path& path) {
  const FileGuess guess = guess_items(profile_file(path));
  if (guess.title < 0)
    throw InputError(path.string() +
                     ": no column of titles is found; expected a header with the names id and title, "
                     "or a config that names the columns");
  const auto name = [&](int c) {
    return guess.profile.header ? guess.profile.columns[static_cast<size_t>(c)].name : std::to_string(c + 1);
  };
  CatalogueFile file{.file = path};
  file.columns.id = name(guess.id);
  file.columns.title = name(guess.title);
  return read_table(file, {.encoding = guess.profile.latin1 ? Encoding::kLatin1 : Encoding::kUtf8});
}

Titles read_titles(const std::filesystem::path& path) {
  if (path.extension() == ".toml") {
    const Config config = load_config(path);
    if (config.data.items.file.empty())
      throw InputError(path.string() + ": data.items.file is missing; name the table with the titles");
    return read_table(config.data.items, config.data.text);
  }
  if (std::filesystem::is_directory(path) || path.extension() == ".h5") {
    FittedModel model = load_model(path, {.users = false, .history = false});
    return {model.items, std::move(model.catalogue.titles)};
  }
  return read_table(path);
}

}  // namespace

void find(const FindOptions& options) {
  const Titles catalogue = read_titles(options.catalogue);
  if (catalogue.titles.empty()) throw InputError(options.catalogue.string() + ": has no titles");
  const TitleIndex index(catalogue.titles);
  const auto matches = index.find(options.query, options.k);
  if (matches.empty()) throw InputError(no_title_like(index, catalogue.titles, options.query));

  std::string out;
  size_t width = 4;
  for (const TitleMatch& match : matches) width = std::max(width, display_width(catalogue.ids->text(match.item)));
  if (!options.json) out = fmt::format("like  {:<{}}  title\n", "item", width);
  for (const TitleMatch& match : matches) {
    const std::string id = catalogue.ids->text(match.item);
    const std::string& title = catalogue.titles[static_cast<size_t>(match.item)];
    if (options.json) {
      append_json(out += "{\"item\":", id);
      append_json(out += ",\"title\":", title);
      out += ",\"similarity\":" + format_double(match.similarity) + "}\n";
    } else {
      out +=
          fmt::format("{:.2f}  {}{}  {}\n", match.similarity, id, std::string(width - display_width(id), ' '), title);
    }
  }
  write_stdout(out);
}

}  // namespace kindred
