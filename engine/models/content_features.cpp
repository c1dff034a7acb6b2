// SPDX-License-Identifier: Apache-2.0
#include "engine/models/content_features.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <unordered_map>

#include "engine/core/error.hpp"
#include "engine/core/words.hpp"

namespace kindred {
namespace {

constexpr int64_t kMostColumns = 4096;

/// A sparse block: what each item has, as (column, value).
struct Block {
  std::string name;
  double weight = 1;
  int64_t columns = 0;
  std::vector<std::vector<std::pair<int32_t, double>>> items;

  Block(std::string block_name, double block_weight, int64_t count)
      : name(std::move(block_name)), weight(block_weight), items(static_cast<size_t>(count)) {}
};

/// Multiplies each column by its idf.
void weigh_by_idf(Block& block) {
  std::vector<double> having(static_cast<size_t>(block.columns));
  for (const auto& row : block.items)
    for (const auto& [column, value] : row) ++having[static_cast<size_t>(column)];
  const auto n = static_cast<double>(block.items.size());
  for (auto& row : block.items)
    for (auto& [column, value] : row) value *= std::log((1 + n) / (1 + having[static_cast<size_t>(column)])) + 1;
}

Block tag_block(const Catalogue& catalogue, int64_t items, const ContentOptions& options) {
  Block out("tags", options.weights.tags, items);
  out.columns = catalogue.tags.cols;
  for (int64_t i = 0; i < catalogue.tags.rows(); ++i)
    for (const int32_t tag : catalogue.tags.row(i)) out.items[static_cast<size_t>(i)].emplace_back(tag, 1);
  if (options.tags == TagFeatures::kTfIdf) weigh_by_idf(out);
  return out;
}

Block decade_block(const Catalogue& catalogue, int64_t items, const ContentOptions& options) {
  Block out("decade", options.weights.decade, items);
  std::vector<int> decades;  // -1: unknown
  int first = 3000;
  for (const std::string& title : catalogue.titles) {
    decades.push_back(decade_of(title).value_or(-1));
    if (decades.back() >= 0) first = std::min(first, decades.back());
  }
  for (size_t i = 0; i < decades.size(); ++i) {
    if (decades[i] < 0) continue;
    const int32_t column = (decades[i] - first) / 10;
    out.items[i].emplace_back(column, 1);
    out.columns = std::max<int64_t>(out.columns, column + 1);
  }
  return out;
}

Block categorical_block(const CategoricalColumn& column, int64_t items, double weight) {
  Block out(column.name, weight, items);
  out.columns = static_cast<int64_t>(column.words.size());
  for (size_t i = 0; i < column.codes.size(); ++i)
    if (column.codes[i] >= 0) out.items[i].emplace_back(column.codes[i], 1);
  return out;
}

Block numeric_block(const NumericColumn& column, int64_t items, double weight) {
  Block out(column.name, weight, items);
  out.columns = 2;
  std::vector<float> sorted;
  std::ranges::copy_if(column.values, std::back_inserter(sorted), [](float value) { return !std::isnan(value); });
  std::ranges::sort(sorted);
  for (size_t i = 0; i < column.values.size(); ++i) {
    if (std::isnan(column.values[i])) continue;
    const auto [low, high] = std::ranges::equal_range(sorted, column.values[i]);
    const double rank = static_cast<double>((low - sorted.begin()) + (high - sorted.begin())) / 2;
    const double angle = rank / static_cast<double>(sorted.size()) * std::numbers::pi / 2;
    out.items[i] = {{0, std::cos(angle)}, {1, std::sin(angle)}};
  }
  return out;
}

Block text_block(const TextColumn& column, int64_t items, const ContentOptions& options) {
  Block out(column.name, options.weights.text, items);
  Words reader;
  std::unordered_map<std::string, int32_t> numbers;
  std::vector<const std::string*> words;
  std::vector<int64_t> total;
  for (size_t i = 0; i < column.texts.size(); ++i) {
    auto& row = out.items[i];
    for (const std::string_view word : reader.read(column.texts[i])) {
      const auto [place, added] = numbers.try_emplace(std::string(word), static_cast<int32_t>(words.size()));
      if (added) {
        words.push_back(&place->first);
        total.push_back(0);
      }
      ++total[static_cast<size_t>(place->second)];
      row.emplace_back(place->second, 1);
    }
    std::ranges::sort(row);
    size_t kept = 0;  // counts of words
    for (size_t e = 0; e < row.size(); ++e) {
      if (kept > 0 && row[kept - 1].first == row[e].first)
        row[kept - 1].second += 1;
      else
        row[kept++] = row[e];
    }
    row.resize(kept);
  }
  std::vector<int32_t> order(words.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::sort(order, [&](int32_t a, int32_t b) {
    const auto x = static_cast<size_t>(a), y = static_cast<size_t>(b);
    return total[x] != total[y] ? total[x] > total[y] : *words[x] < *words[y];
  });
  order.resize(std::min(order.size(), static_cast<size_t>(options.words)));
  std::vector<int32_t> place(words.size(), -1);
  for (const int32_t word : order) place[static_cast<size_t>(word)] = static_cast<int32_t>(out.columns++);
  for (auto& row : out.items) {
    for (auto& [word, count] : row) word = place[static_cast<size_t>(word)];
    std::erase_if(row, [](const auto& entry) { return entry.first < 0; });
  }
  weigh_by_idf(out);
  return out;
}

Block vector_block(const HostMatrix& vectors, double weight) {
  Block out("vectors", weight, vectors.rows);
  out.columns = vectors.cols;
  for (int64_t i = 0; i < vectors.rows; ++i)
    for (int64_t k = 0; k < vectors.cols; ++k)
      if (const double value = vectors.row(i)[static_cast<size_t>(k)]; value != 0)
        out.items[static_cast<size_t>(i)].emplace_back(static_cast<int32_t>(k), value);
  return out;
}

double length_of(const std::vector<std::pair<int32_t, double>>& row) {
  double squares = 0;
  for (const auto& [column, value] : row) squares += value * value;
  return std::sqrt(squares);
}

}  // namespace

std::optional<int> decade_of(std::string_view title) {
  for (size_t open = title.size(); open-- > 0;) {
    if (title[open] != '(' || open + 5 >= title.size() || title[open + 5] != ')') continue;
    const std::string_view digits = title.substr(open + 1, 4);
    if (!std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; })) continue;
    const int year = (digits[0] - '0') * 1000 + (digits[1] - '0') * 100 + (digits[2] - '0') * 10;
    if (year >= 1800 && year < 2100) return year;
  }
  return std::nullopt;
}

ContentFeatures content_features(const Catalogue& catalogue, int64_t items, const HostMatrix& vectors,
                                 const ContentOptions& options) {
  std::vector<Block> blocks;
  const ContentWeights& weights = options.weights;
  if (options.tags != TagFeatures::kNone && catalogue.tags.rows() > 0)
    blocks.push_back(tag_block(catalogue, items, options));
  if (options.decade && !catalogue.titles.empty()) blocks.push_back(decade_block(catalogue, items, options));
  for (const auto& column : catalogue.categorical)
    blocks.push_back(categorical_block(column, items, weights.categorical));
  for (const auto& column : catalogue.numeric) blocks.push_back(numeric_block(column, items, weights.numeric));
  for (const auto& column : catalogue.text) blocks.push_back(text_block(column, items, options));
  if (vectors.rows > 0) blocks.push_back(vector_block(vectors, weights.vectors));
  std::erase_if(blocks, [](const Block& block) { return block.columns == 0 || block.weight == 0; });

  ContentFeatures out;
  int64_t columns = 0;
  for (const Block& block : blocks) {
    out.blocks.push_back({block.name, block.columns});
    columns += block.columns;
  }
  if (columns == 0)
    throw InputError(
        "model: content has nothing to go by; give items tags, titles with years (model.decade), categorical, numeric "
        "or "
        "text columns (data.items), or model.vectors");
  if (columns > kMostColumns) {
    const auto& widest = *std::ranges::max_element(out.blocks, {}, &FeatureBlock::columns);
    throw InputError("model: content takes up to 4,096 columns, found " + std::to_string(columns) + ", most of '" +
                     printable(widest.name) + "' (" + std::to_string(widest.columns) +
                     "); lower model.words or leave it out");
  }
  out.rows = HostMatrix(items, columns);
  for (int64_t i = 0; i < items; ++i) {
    const auto at = static_cast<size_t>(i);
    double total = 0;
    for (const Block& block : blocks) total += length_of(block.items[at]) > 0 ? block.weight : 0;
    out.unknown += total == 0;
    int64_t first = 0;
    for (const Block& block : blocks) {
      const double length = length_of(block.items[at]);
      const double factor = length > 0 ? std::sqrt(block.weight / total) / length : 0;
      for (const auto& [column, value] : block.items[at])
        out.rows.row(i)[static_cast<size_t>(first + column)] = static_cast<float>(factor * value);
      first += block.columns;
    }
  }
  return out;
}

}  // namespace kindred
