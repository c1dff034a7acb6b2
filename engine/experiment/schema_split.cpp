// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <initializer_list>
#include <string_view>

#include "engine/experiment/schema_detail.hpp"

namespace kindred::detail {
namespace {

bool splits_by(const Config& c, std::initializer_list<std::string_view> protocols) {
  return std::ranges::find(protocols, c.split.protocol) != protocols.end();
}
const Condition kShares{"split.protocol = \"random\", \"by-time\" or \"users\"", [](const Config& c) {
                          return splits_by(c, {"random", "by-time", "users"});
                        }};
/// Protocols files and k-fold have no default.
const Condition kValidation{
    "a split.protocol other than \"none\"", [](const Config& c) {
      return c.split.protocol != "none" && (c.split.validation_given || !splits_by(c, {"files", "k-fold"}));
    }};
const Condition kPerUser{
    "split.protocol = \"random\", \"by-time\", \"k-fold\", or \"files\" with split.validation", [](const Config& c) {
      return splits_by(c, {"random", "by-time", "k-fold"}) || (splits_by(c, {"files"}) && c.split.validation_given);
    }};
const Condition kFolds{"split.protocol = \"k-fold\"", [](const Config& c) { return splits_by(c, {"k-fold"}); }};
const Condition kUsers{"split.protocol = \"users\"", [](const Config& c) { return splits_by(c, {"users"}); }};
const Condition kFiles{"split.protocol = \"files\"", [](const Config& c) { return splits_by(c, {"files"}); }};

}  // namespace

void add_split_keys(KeyTable& t) {
  t.begin("split");
  t.word("protocol", {"random", "by-time", "leave-one-out", "files", "k-fold", "users", "none"}, true,
         "How train, validation and test are parted; docs/splitting.md describes each. none: nothing is held out.",
         FIELD(split.protocol));
  t.when = kShares;
  t.real("test", 0, 1, true, "Share held out for the test, of interactions or (users) of users.", FIELD(split.test));
  t.when = kValidation;
  t.add(
      "validation", "number", "0.0 to 1.0", true,
      "Share held out for validation; with files and k-fold drawn from train only where this key is written; with "
      "leave-one-out any share is one interaction, 0 none.",
      [](Config& c, const TomlValue& v) {
        const double share = number_of(v);
        if (!(share >= 0 && share <= 1)) expected("a number, 0.0 to 1.0", v);
        c.split.validation = share, c.split.validation_given = true;
      },
      [](const Config& c) { return number(c.split.validation); });
  t.when = kPerUser;
  t.truth("per_user", true, "Take the shares or folds from each user's interactions, else from all together.",
          FIELD(split.per_user));
  t.when = kFolds;
  t.whole("folds", 2, 100, true, "Parts, each of which is the test once.", FIELD(split.folds));
  t.when = kUsers;
  t.real("fold_in", 0.01, 0.99, true,
         "Share of a held-out user's interactions that the model is given; the rest, at least 1, is to be found.",
         FIELD(split.fold_in));
  t.when = kFiles;
  t.file("files.train", "The train part.", FIELD(split.files.train));
  t.file("files.validation", "The validation part.", FIELD(split.files.validation));
  t.file("files.test", "The test part.", FIELD(split.files.test));
  t.file("files.negatives",
         "The candidates of each user beside the held-out items, for evaluate.candidates = \"negatives\".",
         FIELD(split.files.negatives));
}

}  // namespace kindred::detail
