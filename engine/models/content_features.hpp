// SPDX-License-Identifier: Apache-2.0
// What is known of items as vectors. Each source (tags, decade, a column, words, vectors from elsewhere) is a block of
// columns in which an item has length sqrt(weight), or 0 where nothing is known; whole rows have length 1. So the
// cosine of two items is the weighted mean of the blocks' cosines, over the sources that both sides' rows are made of.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/fitted_model.hpp"

namespace kindred {

enum class TagFeatures : uint8_t { kNone, kOneHot, kTfIdf };

struct ContentWeights {
  double tags = 1, decade = 1, categorical = 1, numeric = 1, text = 1, vectors = 1;
};

struct ContentOptions {
  TagFeatures tags = TagFeatures::kOneHot;
  bool decade = false;  ///< of the year in titles: "Jumanji (1995)"
  int words = 500;      ///< of each text column at most so many, those that occur most often
  ContentWeights weights{};
};

/// What a block holds, for the log: "tags", "decade", "year", "plot", and its number of columns.
struct FeatureBlock {
  std::string name;
  int64_t columns = 0;
};

struct ContentFeatures {
  HostMatrix rows;  ///< items x columns, each row of length 1, or 0 where nothing is known of an item
  std::vector<FeatureBlock> blocks;
  int64_t unknown = 0;  ///< items of which nothing is known
};

/// The decade of the last number from 1800 to 2099 in parentheses: "Jumanji (1995)" is 1990.
std::optional<int> decade_of(std::string_view title);

/// Blocks of a catalogue for `items` items:
/// - tags: 1 for each, or its idf; decade: one-hot; categorical columns: one-hot.
/// - numeric columns: with q the share of known values that are smaller (equal ones count half), (cos, sin)(q pi / 2):
///   items of equal value have cosine 1, least and greatest nearly 0.
/// - text columns: count x idf of its words (engine/core/words.hpp), the `words` most frequent ones, ties by bytes.
/// - `vectors` (items x d, or none): as they are, scaled.
/// idf = ln((1 + n) / (1 + items that have it)) + 1, as scikit-learn has it. Throws InputError where there is no column
/// at all, or more than 4,096.
ContentFeatures content_features(const Catalogue& catalogue, int64_t items, const HostMatrix& vectors,
                                 const ContentOptions& options);

}  // namespace kindred
