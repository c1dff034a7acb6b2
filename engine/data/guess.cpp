// SPDX-License-Identifier: Apache-2.0
#include "engine/data/guess.hpp"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "engine/core/error.hpp"
#include "engine/data/parse.hpp"

namespace kindred {
namespace {

using Names = std::vector<std::string_view>;

// Lower case, without '_' and spaces; in order of preference.
const Names kUser = {"user",       "userid",   "uid",      "visitorid", "visitor",   "customer",  "customerid",
                     "client",     "clientid", "member",   "memberid",  "account",   "accountid", "reviewer",
                     "reviewerid", "buyer",    "buyerid",  "reader",    "readerid",  "listener",  "viewer",
                     "viewerid",   "person",   "personid", "student",   "studentid", "username",  "sessionid",
                     "session",    "deviceid", "cookieid"};
const Names kItem = {"item",      "itemid",    "movieid", "movie",     "film",     "filmid",     "product",
                     "productid", "sku",       "asin",    "isbn",      "book",     "bookid",     "artist",
                     "artistid",  "track",     "trackid", "song",      "songid",   "album",      "albumid",
                     "article",   "articleid", "news",    "newsid",    "business", "businessid", "venue",
                     "venueid",   "place",     "placeid", "poi",       "location", "locationid", "game",
                     "gameid",    "app",       "appid",   "recipe",    "recipeid", "show",       "showid",
                     "video",     "videoid",   "content", "contentid", "course",   "courseid",   "anime",
                     "animeid",   "stockcode", "goodsid", "offerid",   "pageid",   "url"};
const Names kValue = {"rating",   "value",     "count",   "stars",     "score",  "weight", "plays",    "playcount",
                      "listens",  "clicks",    "visits",  "quantity",  "qty",    "amount", "hours",    "minutes",
                      "duration", "watchtime", "overall", "purchases", "points", "grade",  "strength", "frequency"};
const Names kTime = {"timestamp", "time",     "datetime", "date",           "ts",   "createdat", "created",
                     "eventtime", "unixtime", "ratedat",  "unixreviewtime", "when", "orderdate", "invoicedate"};
const Names kEvent = {"event",    "kind",         "eventtype", "type",          "action",   "actiontype",
                      "behavior", "behaviortype", "behaviour", "behaviourtype", "activity", "interactiontype"};
const Names kTitle = {"title", "name", "itemname", "movietitle", "producttitle", "productname", "booktitle"};
const Names kTags = {"tags", "genres", "genre", "categories", "category", "keywords", "topics"};
const Names kFriend = {"friend", "friendid", "followee", "follower", "followerid", "followed", "trustee", "contact"};
// Beginnings that are telling where no name is known: customer_number, product_code.
const Names kUserStems = {"user", "customer", "visitor", "client", "member", "buyer", "reader"};
const Names kItemStems = {"item", "product", "movie", "film", "book", "artist", "track", "song", "article", "sku"};

constexpr int64_t kMostKinds = 30;  // of events

int named(const FileProfile& file, const Names& names) {
  for (const std::string_view name : names) {
    for (size_t c = 0; c < file.columns.size(); ++c) {
      if (loose_name(file.columns[c].name) == name) return static_cast<int>(c);
    }
  }
  return -1;
}

int beginning_with(const FileProfile& file, const Names& stems) {
  for (size_t c = 0; c < file.columns.size(); ++c) {
    const std::string name = loose_name(file.columns[c].name);
    if (std::ranges::any_of(stems, [&](std::string_view stem) { return name.starts_with(stem); })) {
      return static_cast<int>(c);
    }
  }
  return -1;
}

const ColumnProfile& column(const FileProfile& file, int c) { return file.columns[static_cast<size_t>(c)]; }

int64_t filled(const FileProfile& file, int c) { return file.rows - column(file, c).empty; }

bool is_number(const FileProfile& file, int c) {
  return filled(file, c) > 0 && column(file, c).numbers == filled(file, c);
}

// Whether all cells read as times of one form, and numbers lie where Unix times do (1973 to 2100).
bool is_time(const FileProfile& file, int c) {
  const ColumnProfile& cells = column(file, c);
  if (cells.counts.empty() || cells.empty > 0) return false;
  const TimeForm form = time_form(cells.first);
  const bool readable = std::ranges::all_of(cells.counts, [&](const auto& cell) {
    int64_t raw = 0;
    return parse_time(cell.first, form, raw);
  });
  if (!readable || form == TimeForm::kIso) return readable;
  const double unit = cells.high < 1e11 ? 1 : cells.high < 1e14 ? 1e3 : 1e6;
  return cells.low >= 1e8 * unit && cells.high < 4.1e9 * unit;
}

bool is_kind(const FileProfile& file, int c) {
  const ColumnProfile& cells = column(file, c);
  return cells.empty == 0 && cells.numbers == 0 && cells.distinct() <= kMostKinds &&
         cells.distinct() * 2 <= std::max<int64_t>(file.rows, 4);
}

bool is_unique(const FileProfile& file, int c) {
  return column(file, c).empty == 0 && column(file, c).distinct() == file.rows;
}

// Whether a column may hold ids: text or whole numbers, nothing that is a time or an amount.
bool is_id(const FileProfile& file, int c) {
  const ColumnProfile& cells = column(file, c);
  return cells.empty == 0 && cells.numbers == cells.whole_numbers && cells.decimal_commas == 0 && !is_time(file, c);
}

ValueKind value_kind(const FileProfile& file, int c) {
  const ColumnProfile& cells = column(file, c);
  if (cells.distinct() <= 1) return ValueKind::kConstant;
  if (cells.low < 0) return ValueKind::kSigned;
  const bool steps = cells.halves == cells.numbers && cells.distinct() <= 21;
  if (steps && cells.distinct() >= 3 && (cells.high == 5 || cells.high == 10 || cells.high == 100)) {
    return ValueKind::kStars;
  }
  if (cells.whole_numbers == cells.numbers) {
    // Few whole numbers, none rare: 1 to 4, 1 to 7; counts thin out towards their end.
    const bool flat =
        cells.distinct() >= 3 && cells.distinct() <= 11 && cells.high <= 12 && cells.median * 2 > cells.high;
    return flat ? ValueKind::kStars : ValueKind::kCounts;
  }
  return steps && cells.distinct() >= 3 && cells.high <= 10 ? ValueKind::kStars : ValueKind::kAmounts;
}

void remark(FileGuess& guess, const std::string& text) { guess.remark += (guess.remark.empty() ? "" : "; ") + text; }

// Gives the columns of interactions to a file whose users and items are known.
void find_interaction_columns(FileGuess& guess) {
  const FileProfile& file = guess.profile;
  guess.kind = FileKind::kInteractions;
  const auto taken = [&](int c) { return c == guess.user || c == guess.item || c == guess.time || c == guess.event; };
  guess.time = named(file, kTime);
  if (guess.time >= 0 && !is_time(file, guess.time)) {
    remark(guess, column(file, guess.time).name + ": '" + printable(column(file, guess.time).first) +
                      "' is no time that can be read (Unix or ISO 8601)");
    guess.time = -1;
  }
  for (int c = 0; guess.time < 0 && c < static_cast<int>(file.columns.size()); ++c) {
    if (!taken(c) && is_time(file, c)) guess.time = c;
  }
  guess.event = named(file, kEvent);
  if (guess.event >= 0 && !is_kind(file, guess.event)) {
    const ColumnProfile& cells = column(file, guess.event);
    remark(guess, cells.name + (cells.distinct() == 1 ? ": is always " + cells.first + ", no kind of event"
                                                      : ": holds too many texts or numbers for kinds of events"));
    guess.event = -1;
  }
  guess.value = named(file, kValue);
  if (guess.value >= 0 && !is_number(file, guess.value)) {
    if (column(file, guess.value).decimal_commas == 0) {
      const ColumnProfile& cells = column(file, guess.value);
      remark(guess, cells.name + ": holds other things than numbers ('" + printable(cells.first) + "')");
    }
    guess.value = -1;
  }
  for (const ColumnProfile& cells : file.columns) {
    if (cells.decimal_commas > 0 && cells.decimal_commas + cells.whole_numbers + cells.empty == file.rows) {
      remark(guess, cells.name + ": has decimal commas ('" + cells.first + "'); write points to use it");
    }
  }
  // Without names: numbers in the third column or behind it are values, a few texts are kinds.
  const bool nameless = !file.header || (named(file, kUser) < 0 && named(file, kItem) < 0);
  for (int c = 0; nameless && c < static_cast<int>(file.columns.size()); ++c) {
    if (taken(c) || c == guess.value) continue;
    if (guess.value < 0 && is_number(file, c)) guess.value = c;
    if (guess.event < 0 && is_kind(file, c)) guess.event = c;
  }
  if (guess.value >= 0) guess.values = value_kind(file, guess.value);
}

// Users and items by name. False where the file lacks one of them.
bool find_pair_by_name(FileGuess& guess) {
  const FileProfile& file = guess.profile;
  guess.user = named(file, kUser);
  guess.item = named(file, kItem);
  if (guess.user < 0) guess.user = beginning_with(file, kUserStems);
  if (guess.item < 0) guess.item = beginning_with(file, kItemStems);
  return guess.user >= 0 && guess.item >= 0 && guess.user != guess.item;
}

// Users and items by place: the first two columns that may hold ids.
bool find_pair_by_place(FileGuess& guess) {
  const FileProfile& file = guess.profile;
  const auto known = [&](int c) { return c >= 0 && is_id(file, c) ? c : -1; };
  guess.user = known(named(file, kUser));
  guess.item = known(named(file, kItem));
  for (int c = 0; c < static_cast<int>(file.columns.size()); ++c) {
    if (c == guess.user || c == guess.item || !is_id(file, c)) continue;
    if (guess.user < 0) {
      guess.user = c;
    } else if (guess.item < 0) {
      guess.item = c;
    }
  }
  return guess.user >= 0 && guess.item >= 0;
}

bool is_friends(FileGuess& guess) {
  const FileProfile& file = guess.profile;
  guess.user = named(file, kUser);
  guess.item = named(file, kFriend);
  return guess.user >= 0 && guess.item >= 0 && named(file, kItem) < 0;
}

// The separator that stands in most cells.
std::string find_separator(const ColumnProfile& cells) {
  std::string best = "|";
  int64_t most = 0;
  for (const char* separator : {"|", ";", ","}) {
    int64_t count = 0;
    for (const auto& [text, times] : cells.counts) count += text.find(separator) != std::string::npos ? times : 0;
    if (count > most) {
      most = count;
      best = separator;
    }
  }
  return best;
}

int64_t common_texts(const ColumnProfile& a, const ColumnProfile& b) {
  return std::ranges::count_if(a.counts, [&](const auto& cell) { return b.counts.contains(cell.first); });
}

// Looks at a file as a table beside the interactions: an id that occurs once, and what is known of it.
void find_side_table(FileGuess& guess, const FileGuess& interactions) {
  const FileProfile &file = guess.profile, &main = interactions.profile;
  if (file.form != FileForm::kTable) return remark(guess, "only one form of interactions is used");
  const auto shared_name = [&](int c) {
    return c < 0 || column(main, c).name.empty() ? -1 : named(file, {loose_name(column(main, c).name)});
  };
  const int as_item = shared_name(interactions.item), as_user = shared_name(interactions.user);
  guess.id = as_item >= 0 ? as_item : as_user >= 0 ? as_user : named(file, {"id"});
  if (guess.id < 0) guess.id = named(file, kItem);
  if (guess.id < 0) guess.id = named(file, kUser);
  if (guess.id < 0) guess.id = 0;
  guess.title = named(file, kTitle);
  guess.tags = named(file, kTags);
  for (int c = 0; c < static_cast<int>(file.columns.size()) && !file.header; ++c) {
    const ColumnProfile& cells = column(file, c);
    if (c == guess.id || cells.numbers > 0) continue;
    if (guess.tags < 0 && cells.bars * 10 > file.rows) {
      guess.tags = c;
    } else if (guess.title < 0 && cells.distinct() * 2 > file.rows) {
      guess.title = c;
    }
  }
  if (guess.tags >= 0) guess.tag_separator = find_separator(column(file, guess.tags));
  const bool pair_known = interactions.item >= 0;
  const int64_t items = pair_known ? common_texts(column(file, guess.id), column(main, interactions.item)) : 1;
  const int64_t users = pair_known ? common_texts(column(file, guess.id), column(main, interactions.user)) : 0;
  const std::string label = column(file, guess.id).name.empty() ? "the first column" : column(file, guess.id).name;
  if (!is_unique(file, guess.id)) return remark(guess, label + " occurs more than once: no table of items or users");
  const bool user_named = as_item < 0 && (as_user >= 0 || named(file, kUser) == guess.id);
  if (user_named || (guess.title < 0 && guess.tags < 0 && users > items)) {
    guess.kind = FileKind::kUsers;
  } else if (guess.title < 0 && guess.tags < 0) {
    remark(guess, "has neither titles nor tags");
  } else if (items == 0 && file.whole && main.whole) {
    remark(guess, "shares no id with the interactions");
  } else {
    guess.kind = FileKind::kItems;
  }
}

// Of several tables of items the one with most ids in common, then with most to say; the others are set aside.
void keep_best_items(std::vector<FileGuess>& files, const FileGuess& interactions) {
  FileGuess* best = nullptr;
  std::pair<int64_t, int> best_score;
  for (FileGuess& guess : files) {
    if (guess.kind != FileKind::kItems) continue;
    const int64_t common = interactions.item < 0 ? 0
                                                 : common_texts(column(guess.profile, guess.id),
                                                                column(interactions.profile, interactions.item));
    const std::pair score(common, (guess.title >= 0) + (guess.tags >= 0));
    if (best && score <= best_score) {
      guess.kind = FileKind::kUnused;
      remark(guess, "another table fits the items better");
      continue;
    }
    if (best) {
      best->kind = FileKind::kUnused;
      remark(*best, "another table fits the items better");
    }
    best = &guess;
    best_score = score;
  }
}

bool same_columns(const FileProfile& a, const FileProfile& b) {
  return a.form == b.form && a.columns.size() == b.columns.size() &&
         std::ranges::equal(a.columns, b.columns, {}, &ColumnProfile::name, &ColumnProfile::name);
}

// Names of files without what all begin and end with: "view", "add_to_cart", "purchase".
void name_kinds(std::vector<FileGuess*>& files) {
  std::vector<std::string> stems;
  for (const FileGuess* guess : files) stems.push_back(guess->profile.file.stem().string());
  const auto all = [&](auto&& same) { return std::ranges::all_of(stems, same); };
  const auto border = [](char c) { return c == '_' || c == '-' || c == '.' || c == ' '; };
  size_t front = 0, back = 0;  // characters to cut, up to a border
  const std::string& first = stems[0];
  for (size_t n = 1; n < first.size(); ++n) {
    if (!all([&](const std::string& s) { return s.size() > n && s.compare(0, n, first, 0, n) == 0; })) break;
    if (border(first[n - 1])) front = n;
  }
  for (size_t n = 1; n + front < first.size(); ++n) {
    const std::string tail = first.substr(first.size() - n);
    if (!all([&](const std::string& s) { return s.size() > n + front && s.ends_with(tail); })) break;
    if (border(tail[0])) back = n;
  }
  for (size_t f = 0; f < files.size(); ++f) {
    files[f]->event_kind = stems[f].substr(front, stems[f].size() - front - back);
  }
}

}  // namespace

std::vector<ColumnWish> usual_columns() {
  return {{"user", "", "", kUser},   {"item", "", "", kItem},   {"value", "", "", kValue}, {"time", "", "", kTime},
          {"event", "", "", kEvent}, {"title", "", "", kTitle}, {"tags", "", "", kTags},   {"friend", "", "", kFriend}};
}

double event_weight(std::string_view kind) {
  const std::string name = loose_name(kind);
  const auto has = [&](std::initializer_list<std::string_view> words) {
    return std::ranges::any_of(words, [&](std::string_view word) { return name.find(word) != std::string::npos; });
  };
  if (has({"remove", "dislike", "unlike", "skip", "return", "refund", "cancel"})) return 0;
  if (has({"purchase", "transaction", "buy", "order", "checkout", "sale"})) return 10;
  if (has({"cart", "basket"})) return 3;
  if (has({"like", "fav", "save", "wish", "bookmark", "share", "comment", "follow"})) return 2;
  return 1;
}

FileGuess guess_items(FileProfile profile) {
  FileGuess guess{.profile = std::move(profile)};
  find_side_table(guess, {});
  return guess;
}

DatasetGuess guess_dataset(std::vector<FileProfile> profiles) {
  DatasetGuess out;
  for (FileProfile& profile : profiles) out.files.push_back({.profile = std::move(profile)});

  // Interactions: files with both names; where none has, a file whose first columns may be ids.
  std::vector<FileGuess*> candidates;
  for (FileGuess& guess : out.files) {
    if (guess.profile.form != FileForm::kTable) {
      candidates.push_back(&guess);
    } else if (is_friends(guess)) {
      guess.kind = FileKind::kFriends;
    } else if (find_pair_by_name(guess)) {
      candidates.push_back(&guess);
    }
  }
  for (size_t f = 0; f < out.files.size() && candidates.empty(); ++f) {
    FileGuess& guess = out.files[f];
    if (guess.kind == FileKind::kUnused && find_pair_by_place(guess) &&
        (out.files.size() == 1 || !is_unique(guess.profile, guess.user))) {
      candidates.push_back(&guess);
    }
  }
  if (candidates.empty()) {
    throw InputError(out.files[0].profile.file.string() +
                     ": nothing looks like interactions; expected a table with a column of users and one of items "
                     "(a header with the names user and item settles it)");
  }
  for (FileGuess* guess : candidates) {
    if (guess->profile.form == FileForm::kTable) find_interaction_columns(*guess);
    guess->kind = FileKind::kInteractions;
  }
  // The most telling one counts, with all of its form.
  const FileGuess& main = **std::ranges::max_element(candidates, {}, [](const FileGuess* guess) {
    return std::tuple(guess->value >= 0 || guess->event >= 0, guess->profile.rows_estimated);
  });
  std::vector<FileGuess*> chosen;
  for (FileGuess* guess : candidates) {
    if (guess == &main || same_columns(guess->profile, main.profile)) {
      chosen.push_back(guess);
    } else {
      guess->kind = FileKind::kUnused;
      guess->remark = "other columns than " + main.profile.file.filename().string();
    }
  }
  if (chosen.size() > 1 && main.event < 0) name_kinds(chosen);

  for (FileGuess& guess : out.files) {
    if (guess.kind == FileKind::kUnused && guess.remark.empty()) find_side_table(guess, main);
  }
  keep_best_items(out.files, main);

  for (const FileGuess* guess : chosen) {
    const auto add = [&](const std::string& kind) {
      const bool known = std::ranges::any_of(out.events, [&](const auto& event) { return event.first == kind; });
      if (!known) out.events.emplace_back(kind, event_weight(kind));
    };
    if (!guess->event_kind.empty()) add(guess->event_kind);
    if (guess->event >= 0) {
      for (const auto& [kind, count] : column(guess->profile, guess->event).counts) add(kind);
    }
  }
  return out;
}

}  // namespace kindred
