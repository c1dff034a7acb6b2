// SPDX-License-Identifier: Apache-2.0
// From files to what a run needs: train, validation and test over common ids, and the catalogue. One door: prepare().
#pragma once
#include <array>
#include <filesystem>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/core/catalogue.hpp"
#include "engine/core/interactions.hpp"
#include "engine/core/normalization.hpp"
#include "engine/data/input_files.hpp"
#include "engine/data/table.hpp"

namespace kindred {

struct CatalogueColumns {
  std::string id{}, title{}, tags{};
  std::vector<std::string> categorical{}, numeric{}, text{};
};

/// A table about items or users.
struct CatalogueFile {
  std::filesystem::path file{};  ///< "" : none
  CatalogueColumns columns{};
  std::string tag_separator = "|";
  bool keep_all = false;  ///< also items of the file that nobody has had
};

/// Tags of items, a row an item and tag.
struct TagsFile {
  std::filesystem::path file{};   ///< "" : none
  std::string item{}, tag{};      ///< columns
  std::filesystem::path names{};  ///< a table of tags' names, where rows have ids of tags; "": they have the names
  std::string names_id{}, names_name{};
  Encoding encoding = Encoding::kUtf8;  ///< of both files
  int64_t most = 0;                     ///< tags an item: those that most rows give, equal ones by name; 0: all
};

/// Pairs of users, each for both.
struct FriendsFile {
  std::filesystem::path file{};  ///< "" : none
  std::string user{}, other{};   ///< columns
};

/// What the rows of one user and item become: kAuto sums where values are counts or weights (utility, events, no value
/// column), else takes the last: the newest by time, and of equally new ones the last in the file.
enum class Duplicates : uint8_t { kAuto, kLast, kSum, kMax, kMean, kError };

/// kQuarantine: bad rows are left out and listed.
enum class BadRows : uint8_t { kError, kQuarantine };

struct DataOptions {
  InputFiles interactions{};
  std::string format = "csv";  ///< "csv" | "adjacency" | "hdf5"
  InteractionColumns columns{};
  TextForm text{};  ///< of csv and adjacency, and of the side tables
  BadRows bad_rows = BadRows::kError;
  std::string id_type = "auto";            ///< "auto" | "string" | "integer"
  std::string utility{};                   ///< an Expression that gives the values; "": columns.value does
  std::map<std::string, double> events{};  ///< a weight for each kind of event; empty: kinds have none
  Duplicates duplicates = Duplicates::kAuto;
  float min_value = -std::numeric_limits<float>::infinity();  ///< smaller values are no interactions
  bool binarize = false;                                      ///< every kept value becomes 1
  int64_t min_user_interactions = 1, min_item_interactions = 1;
  Normalize normalize = Normalize::kNone;  ///< of the values that a model is fitted on; see normalize.hpp
  CatalogueFile items{}, users{};
  TagsFile tags{};
  FriendsFile friends{};
};

struct SplitFiles {
  std::filesystem::path train{}, validation{}, test{}, negatives{};
};

struct SplitOptions {
  std::string protocol = "random";  ///< "random" | "by-time" | "leave-one-out" | "files" | "k-fold" | "users" | "none"
  double test = 0.1, validation = 0.1;
  bool validation_given = false;  ///< "files" and "k-fold" draw a validation part only where the config asks
  bool per_user = true;
  int folds = 5;         ///< 2 to 255; "k-fold"
  double fold_in = 0.8;  ///< share of a held-out user's history that is given; "users"
  SplitFiles files{};

  /// How often a run fits and evaluates.
  int rounds() const { return protocol == "k-fold" ? folds : 1; }
};

/// A held-out part. `matrix` has the shape of train. `unknown[u]` counts user u's held-out items that train does not
/// know: they cannot be found, but stay in the denominators. Empty: none.
struct HeldOut {
  HostCsr matrix;
  HostCsr given;  ///< protocol "users": what of its users' histories is folded in; rows() == 0: they are in train
  std::vector<int32_t> unknown;
  int64_t dropped_users = 0;  ///< users unknown to train, not evaluated

  bool empty() const { return matrix.nnz() == 0; }
};

/// A row that was left out.
struct RejectedRow {
  std::string file;
  int64_t line = 0;  ///< in HDF5 files the row, from 1
  std::string reason, text;
};

struct PreparedData {
  Interactions train;
  HeldOut validation, test;
  HostCsr negatives;  ///< candidates beside a user's held-out items, users x items; rows() == 0: all items are
  Catalogue catalogue, user_catalogue;
  HostCsr friends;               ///< users x users, symmetric, without values; rows() == 0: none given
  std::vector<uint8_t> fold_of;  ///< protocol "k-fold": of each entry of train, which holds everything; see take_fold
  int64_t rows_read = 0, duplicates = 0;  ///< interactions in the files; those merged into an earlier one
  std::vector<RejectedRow> rejected;      ///< with bad_rows = quarantine
  std::string first_negative;             ///< where the files' first value below 0 stands: "ratings.csv:17: rating: -1"
};

/// Reads, weighs, merges, filters, splits: docs/data-steps.md has the steps in their order. Independent of the order of
/// rows in the file (the split draws by ids' rows and the seed), but for duplicates of equal time, where the last row
/// counts. Logs each step's counts.
/// Throws InputError: "ratings.csv:17: rating: expected a number, found 'five'".
PreparedData prepare(const DataOptions& data, const SplitOptions& split, uint64_t seed, int threads);

/// Round `round` (from 0) of split.rounds(): with protocol "k-fold" that fold as test, the others as train; else all of
/// `data`, moved.
PreparedData take_round(PreparedData& data, int round, const SplitOptions& split, uint64_t seed, int threads);

/// Train and held-out parts together, for a last fit on more data. Both must share ids.
Interactions merge(const Interactions& train, const HostCsr& more);

/// Which rows a catalogue describes: names keys and usual columns.
enum class CatalogueSide : uint8_t { kItems, kUsers };

/// All ids of a catalogue. Throws InputError for one that cannot be an id.
std::shared_ptr<const Ids> catalogue_ids(const CatalogueFile& file, CatalogueSide side = CatalogueSide::kItems,
                                         const TextForm& text = {});

/// Reads a catalogue for these ids; rows of other ids are counted and left out. An id that stands twice is an error.
Catalogue read_catalogue(const CatalogueFile& file, const Ids& ids, CatalogueSide side = CatalogueSide::kItems,
                         const TextForm& text = {});

}  // namespace kindred
