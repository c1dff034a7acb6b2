// SPDX-License-Identifier: Apache-2.0
#include "engine/experiment/starter.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>

#include "engine/core/error.hpp"
#include "engine/core/log.hpp"
#include "engine/core/toml.hpp"
#include "engine/data/reader.hpp"

namespace kindred {
namespace {

constexpr int64_t kSmall = 2'000, kMedium = 50'000;  // interactions

std::string quote(const std::string& text) { return to_toml(TomlValue{text, 0}); }

const ColumnProfile& column(const FileGuess& guess, int c) { return guess.profile.columns[static_cast<size_t>(c)]; }

// A column as a config names it.
std::string name_of(const FileGuess& guess, int c) {
  return guess.profile.header ? column(guess, c).name : std::to_string(c + 1);
}

// "columns = { user = "userId", … }" of the roles that a file has.
std::string columns_line(const FileGuess& guess, const std::vector<std::pair<const char*, int>>& roles) {
  std::string out;
  for (const auto& [role, c] : roles) {
    if (c >= 0) out += fmt::format("{}{} = {}", out.empty() ? "" : ", ", role, quote(name_of(guess, c)));
  }
  return "columns = { " + out + " }";
}

std::string interaction_columns(const FileGuess& guess) {
  std::vector<std::string> header;
  for (const ColumnProfile& cells : guess.profile.columns) header.push_back(cells.name);
  const auto wishes = interaction_wishes({});
  const int value = guess.values == ValueKind::kConstant ? -1 : guess.value;
  const int found[] = {guess.user, guess.item, value, guess.time, guess.event};
  std::string out;
  for (size_t role = 0; role < wishes.size(); ++role) {
    std::string name = found[role] >= 0 ? name_of(guess, found[role]) : "";
    const bool kind_is_known = wishes[role].what == "event" && !guess.event_kind.empty();
    if (name.empty() && !kind_is_known && find_name(wishes[role], header) >= 0) name = "0";  // else it would be taken
    if (!name.empty()) out += fmt::format("{}{} = {}", out.empty() ? "" : ", ", wishes[role].what, quote(name));
  }
  return "columns = { " + out + " }" + (out.find("\"0\"") == std::string::npos ? "" : "   # \"0\": none");
}

std::vector<const FileGuess*> of_kind(const DatasetGuess& guess, FileKind kind) {
  std::vector<const FileGuess*> out;
  for (const FileGuess& file : guess.files) {
    if (file.kind == kind) out.push_back(&file);
  }
  return out;
}

std::string rows_text(const FileProfile& profile) {
  const char* const unit = profile.form == FileForm::kAdjacency ? " lines" : " rows";
  if (profile.rows_estimated == 0) return "more than " + format_count(profile.rows) + unit;
  return (profile.whole ? "" : "about ") + format_count(profile.rows_estimated) + unit;
}

std::string format_name(const FileProfile& profile) {
  switch (profile.form) {
    case FileForm::kAdjacency:
      return "a user and its items a line";
    case FileForm::kHdf5:
      return "HDF5";
    case FileForm::kTable:
      break;
  }
  return fmt::format("{} between fields, {}",
                     profile.delimiter == "\t"  ? "tabs"
                     : profile.delimiter == "," ? "commas"
                                                : profile.delimiter,
                     profile.header ? "a header" : "no header");
}

std::string short_number(double value) { return format_float(static_cast<float>(value)); }

std::string value_text(const FileGuess& guess) {
  if (guess.value < 0) return "";
  const ColumnProfile& cells = column(guess, guess.value);
  const std::string range = fmt::format("{} to {}", short_number(cells.low), short_number(cells.high));
  switch (guess.values) {
    case ValueKind::kNone:
      return "";
    case ValueKind::kConstant:
      return "always " + short_number(cells.low) + ", not used";
    case ValueKind::kStars:
      return "stars, " + range;
    case ValueKind::kCounts:
      return "counts, " + range;
    case ValueKind::kAmounts:
      return "amounts, " + range;
    case ValueKind::kSigned:
      return "for and against, " + range;
  }
  return "";
}

void write_interactions(std::string& out, const DatasetGuess& guess, const std::filesystem::path& folder) {
  const auto files = of_kind(guess, FileKind::kInteractions);
  const FileGuess& first = *files[0];
  const auto path = [&](const FileGuess& file) {
    return quote(std::filesystem::proximate(file.profile.file, folder).generic_string());
  };
  if (files.size() == 1) {
    out += fmt::format("interactions = {}   # {}\n", path(first), rows_text(first.profile));
  } else {
    out += "interactions = [\n";
    for (const FileGuess* file : files) {
      const std::string kind = file->event_kind.empty() ? "" : ", event = " + quote(file->event_kind);
      out += fmt::format("  {{ file = {}{} }},   # {}\n", path(*file), kind, rows_text(file->profile));
    }
    out += "]\n";
  }
  if (first.profile.form == FileForm::kAdjacency) out += "format = \"adjacency\"   # a user, then its items\n";
  if (first.profile.form == FileForm::kHdf5) out += "format = \"hdf5\"\n";
  if (first.profile.form == FileForm::kTable) out += interaction_columns(first) + "\n";
  if (std::ranges::any_of(files, [](const FileGuess* file) { return file->profile.latin1; }))
    out += "encoding = \"latin-1\"\n";
  if (guess.events.empty()) return;
  out += "# How much each kind of event says about liking. Weights of a pair's events are added up.\nevents = { ";
  for (size_t e = 0; e < guess.events.size(); ++e) {
    const auto& [kind, weight] = guess.events[e];
    const auto plain = [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '_'; };
    const bool bare = !kind.empty() && std::ranges::all_of(kind, plain);
    out += fmt::format("{}{} = {}", e ? ", " : "", bare ? kind : quote(kind), to_toml({weight, 0}));
  }
  out += " }\n";
  if (std::ranges::any_of(guess.events, [](const auto& event) { return event.second == 0; })) {
    out += "min_value = 0.5   # pairs with events of weight 0 alone are left out\n";
  }
}

void write_side_tables(std::string& out, const DatasetGuess& guess, const std::filesystem::path& folder) {
  for (const FileGuess* items : of_kind(guess, FileKind::kItems)) {
    const std::string path = std::filesystem::proximate(items->profile.file, folder).generic_string();
    out += fmt::format("\n[data.items]   # titles and tags\nfile = {}   # {}\n{}\n", quote(path),
                       rows_text(items->profile),
                       columns_line(*items, {{"id", items->id}, {"title", items->title}, {"tags", items->tags}}));
    if (items->tags >= 0) out += fmt::format("tag_separator = {}\n", quote(items->tag_separator));
  }
}

void write_split(std::string& out) {
  out += "\n[split]\n";
  out += "protocol = \"random\"   # parts of each user's interactions are held out, at random\n";
  out += "test = 0.1            # judged at the end\n";
  out += "validation = 0.1      # judged after each epoch\n";
}

void write_model(std::string& out, const DatasetGuess& guess, int64_t interactions) {
  const FileGuess& first = *of_kind(guess, FileKind::kInteractions)[0];
  out += "\n[model]\ntype = \"als\"          # matrix factorization; \"popularity\" is the baseline to beat\n";
  // Weights of events are amounts, whatever the column of values holds.
  switch (guess.events.empty() ? first.values : ValueKind::kAmounts) {
    case ValueKind::kStars:
      out +=
          "# The values look like stars. What somebody rated at all says more about what to show next than the stars\n"
          "# do, so each rating counts as an interest; \"explicit\" predicts the stars themselves.\n"
          "feedback = \"implicit\"\n";
      break;
    case ValueKind::kCounts:
    case ValueKind::kAmounts:
      out +=
          "# The more, the surer: confidence = 1 + alpha log(1 + value).\n"
          "feedback = \"implicit\"\nalpha = 0.3\nconfidence = \"log\"\n";
      break;
    case ValueKind::kSigned:
      out += "# Some values are negative: they are predicted as they are.\nfeedback = \"explicit\"\n";
      break;
    case ValueKind::kNone:
    case ValueKind::kConstant:
      out += "feedback = \"implicit\"   # who did it counts, there is no value\n";
      break;
  }
  out += fmt::format("factors = {:<12}# length of the vectors: more find finer tastes and take longer\n",
                     interactions < kSmall    ? 8
                     : interactions < kMedium ? 32
                                              : 64);
}

// Text as a word of a command line.
std::string shell_word(const std::string& text) {
  const auto plain = [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '_' || c == '.' || c == '/'; };
  if (std::ranges::all_of(text, plain)) return text;
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

// Mean number of rows a user has among those seen; 0 where that is not known.
double rows_a_user(const FileGuess& guess) {
  if (guess.user < 0) return 0;
  return static_cast<double>(guess.profile.rows) / static_cast<double>(column(guess, guess.user).distinct());
}

int64_t interactions_of(const DatasetGuess& guess) {
  int64_t count = 0;
  for (const FileGuess* file : of_kind(guess, FileKind::kInteractions)) {
    const bool known = file->profile.form == FileForm::kTable && file->profile.rows_estimated > 0;
    count += known ? file->profile.rows_estimated : kMedium;
  }
  return count;
}

}  // namespace

std::string starter_config(const DatasetGuess& guess, const std::filesystem::path& config) {
  const std::filesystem::path folder = config.has_parent_path() ? config.parent_path() : ".";
  const FileGuess& first = *of_kind(guess, FileKind::kInteractions)[0];
  const int64_t interactions = interactions_of(guess);
  std::string out = "# Written by kindred-data init; all keys: kindred-train --help-config\n";
  out += fmt::format("#   kindred-train {}\n", config.generic_string());
  out += fmt::format("name = {}\n\n[data]\n", quote(config.stem().string()));
  write_interactions(out, guess, folder);
  write_side_tables(out, guess, folder);
  write_split(out);
  write_model(out, guess, interactions);
  out += "\n[train]\nepochs = 15\n";
  // A validation part small enough to be empty, or noise, decides nothing.
  if (interactions >= kSmall && (rows_a_user(first) >= 3 || first.profile.form != FileForm::kTable)) {
    out += "early_stopping = { metric = \"ndcg@10\", patience = 3 }   # the best epoch on validation is kept\n";
  }
  out += "# refit = \"all\"       # fit once more on everything before the export, held-out parts too\n";
  out += "\n[evaluate]\nmetrics = [\"recall@20\", \"ndcg@10\"]\n";
  if (first.values == ValueKind::kStars) {
    const double most = column(first, first.value).high;
    out += fmt::format("relevant_min = {:<6} # finding what was rated lower than this is no success\n",
                       to_toml({std::ceil(most * 0.8 * 2) / 2, 0}));
  }
  return out;
}

std::string describe(const DatasetGuess& guess) {
  std::string out;
  for (const FileGuess& file : guess.files) {
    const char* const kinds[] = {"not used", "interactions", "items", "users", "friends"};
    out += fmt::format("{}: {}", file.profile.file.generic_string(), kinds[static_cast<size_t>(file.kind)]);
    if (file.kind == FileKind::kUnused) {
      out += fmt::format(" ({})\n", file.remark);
      continue;
    }
    out += file.profile.form == FileForm::kHdf5
               ? ", HDF5\n"
               : fmt::format(", {}, {}\n", rows_text(file.profile), format_name(file.profile));
    const auto line = [&](const char* role, int c, const std::string& what) {
      if (c < 0) return;
      const std::string name = file.profile.header ? printable(column(file, c).name) : fmt::format("column {}", c + 1);
      out += fmt::format("  {:<7} {}{}\n", role, name, what.empty() ? "" : ": " + what);
    };
    const auto distinct = [&](int c) {
      if (c < 0) return std::string();
      return fmt::format("{}{}", format_count(column(file, c).distinct()),
                         file.profile.whole ? "" : fmt::format(" in the first {}", format_count(file.profile.rows)));
    };
    if (file.kind == FileKind::kInteractions || file.kind == FileKind::kFriends) {
      line("user", file.user, distinct(file.user));
      line(file.kind == FileKind::kFriends ? "friend" : "item", file.item, distinct(file.item));
      line("value", file.value, value_text(file));
      line("time", file.time, file.time < 0 ? "" : "first " + printable(column(file, file.time).first));
      line("event", file.event, distinct(file.event));
      if (!file.event_kind.empty()) out += fmt::format("  event   all of them: {}\n", printable(file.event_kind));
    } else {
      line("id", file.id, distinct(file.id));
      line("title", file.title, "");
      line("tags", file.tags, file.tags < 0 ? "" : fmt::format("'{}' between", file.tag_separator));
    }
    if (!file.remark.empty()) out += fmt::format("  left out: {}\n", file.remark);
    if (file.kind == FileKind::kUsers || file.kind == FileKind::kFriends) {
      out += "  not in the config: ALS does not look at it\n";
    }
  }
  return out;
}

std::string next_steps(const DatasetGuess& guess, const std::filesystem::path& config) {
  const FileGuess& first = *of_kind(guess, FileKind::kInteractions)[0];
  const std::string run = "runs/" + config.stem().string();
  std::string out = fmt::format("  kindred-train {}\n", config.generic_string());
  if (first.user >= 0) {
    out += fmt::format("  kindred-topk {} --users {} --explain\n", run, shell_word(column(first, first.user).first));
  } else {
    out += fmt::format("  kindred-topk {} --all-users --to {}/lists.csv\n", run, run);
  }
  return out;
}

}  // namespace kindred
