// SPDX-License-Identifier: Apache-2.0
#include "engine/models/content.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>

#include "engine/core/error.hpp"
#include "tests/engine/models/three_users.hpp"
#include "tests/engine/support.hpp"

namespace kindred {
namespace {

using test::input_error;
using test::three_users;

HostCsr tags(const std::vector<std::vector<int32_t>>& rows, int64_t cols) {
  HostCsr out;
  out.cols = cols;
  for (const auto& row : rows) {
    out.indices.insert(out.indices.end(), row.begin(), row.end());
    out.offsets.push_back(out.nnz());
  }
  return out;
}

double product(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (size_t k = 0; k < a.size(); ++k) sum += double{a[k]} * b[k];
  return sum;
}

double cosine(const ContentFeatures& features, int64_t a, int64_t b) {
  return product(features.rows.row(a), features.rows.row(b));
}

constexpr double kUlp = 4e-7;  // of products of rows of length 1, in floats

Catalogue films() {
  Catalogue out;
  out.titles = {"One (1991)", "Two (1999)", "Three (2004)", "Four"};
  out.tag_names = {"a", "b", "c"};
  out.tags = tags({{0, 1}, {1}, {0, 1, 2}, {}}, 3);
  return out;
}

TEST(Decades, AreThoseOfTheLastYear) {
  EXPECT_EQ(decade_of("Jumanji (1995)"), 1990);
  EXPECT_EQ(decade_of("2001 (a.k.a. (1968)) (2000) (x)"), 2000);
  EXPECT_EQ(decade_of("(1803)"), 1800);
  for (const char* title :
       {"", "Up", "1984", "Up (20099)", "Up (1799)", "Up (2100)", "Up (199", "(", "((((", "Up (19a5)"})
    EXPECT_EQ(decade_of(title), std::nullopt) << title;
}

TEST(ContentFeatures, OfTagsAreTheirCosine) {
  const ContentFeatures features = content_features(films(), 4, {}, {});
  EXPECT_EQ(features.rows.cols, 3);
  EXPECT_NEAR(cosine(features, 0, 1), 1 / std::sqrt(2), kUlp);
  EXPECT_NEAR(cosine(features, 0, 2), 2 / std::sqrt(6), kUlp);
  EXPECT_NEAR(cosine(features, 0, 0), 1, kUlp);
  EXPECT_EQ(cosine(features, 0, 3), 0);
  EXPECT_EQ(features.unknown, 1);
}

TEST(ContentFeatures, RareTagsTellMore) {
  const ContentFeatures features = content_features(films(), 4, {}, {.tags = TagFeatures::kTfIdf});
  const double a = std::log(5. / 3) + 1, b = std::log(5. / 4) + 1, c = std::log(5. / 2) + 1;
  EXPECT_NEAR(cosine(features, 0, 1), b / std::hypot(a, b), kUlp);
  EXPECT_NEAR(cosine(features, 1, 2), b / std::hypot(a, b, c), kUlp);
}

TEST(ContentFeatures, OfSeveralSourcesAreTheirWeighedMean) {
  ContentOptions options{.decade = true};
  options.weights.decade = 3;
  const ContentFeatures features = content_features(films(), 4, {}, options);
  ASSERT_EQ(features.blocks.size(), 2u);
  EXPECT_EQ(features.blocks[1].columns, 2);
  EXPECT_NEAR(cosine(features, 0, 1), (1 / std::sqrt(2) + 3) / 4, kUlp);
  EXPECT_NEAR(cosine(features, 0, 2), 2 / std::sqrt(6) / 4, kUlp);
}

TEST(ContentFeatures, OfNumbersFallWithTheDistanceInOrder) {
  Catalogue catalogue;
  const float missing = std::numeric_limits<float>::quiet_NaN();
  catalogue.numeric = {{"year", {1990, 2000, missing, 1e30f, 2000}}};
  const ContentFeatures features = content_features(catalogue, 5, {}, {});
  const auto angle = [](double rank) { return rank / 4 * std::numbers::pi / 2; };
  EXPECT_NEAR(cosine(features, 0, 1), std::cos(angle(2) - angle(0.5)), kUlp);
  EXPECT_NEAR(cosine(features, 0, 3), std::cos(angle(3.5) - angle(0.5)), kUlp);
  EXPECT_NEAR(cosine(features, 1, 4), 1, kUlp);
  EXPECT_EQ(cosine(features, 1, 2), 0);
}

TEST(ContentFeatures, OfWordsAndWordsOfAColumn) {
  Catalogue catalogue;
  catalogue.categorical = {{"country", {"fr", "jp"}, {0, 0, 1, -1}}};
  catalogue.text = {{"plot", {"A ship, a Ship", "ship café", "CAFE!", ""}}};
  ContentOptions options{.words = 2};
  options.weights.categorical = 0;
  // "a" and "ship" occur 2 and 3 times, "cafe" twice: a (by bytes) and ship stay.
  const ContentFeatures features = content_features(catalogue, 4, {}, options);
  ASSERT_EQ(features.blocks.size(), 1u);
  const double a = 2 * (std::log(5. / 2) + 1), ship = std::log(5. / 3) + 1;
  EXPECT_NEAR(cosine(features, 0, 1), 2 * ship / std::hypot(a, 2 * ship), kUlp);
  EXPECT_EQ(features.unknown, 2);
  options.weights.categorical = 1;
  EXPECT_NEAR(cosine(content_features(catalogue, 4, {}, options), 0, 1), (2 * ship / std::hypot(a, 2 * ship) + 1) / 2,
              kUlp);
}

TEST(ContentFeatures, NothingToGoByIsSaid) {
  EXPECT_TRUE(input_error([] { content_features({}, 3, {}, {}); }).starts_with("model: content has nothing to go by"));
  Catalogue catalogue;
  std::string text;
  for (int word = 0; word < 5000; ++word) text += " w" + std::to_string(word);
  catalogue.text = {{"plot", {text}}};
  EXPECT_EQ(
      input_error([&] { content_features(catalogue, 1, {}, {.words = 4097}); }),
      "model: content takes up to 4,096 columns, found 4097, most of 'plot' (4097); lower model.words or leave it "
      "out");
}

TEST(Content, ProfilesAreWeighedMeans) {
  Context ctx({.device = "cpu", .threads = 2});
  const FittedModel model = fit_content(ctx, three_users({5, 3, 1, 4, 0}), films(), {}, {});
  const auto& factors = std::get<Factors>(model.scorer);
  const ContentFeatures features = content_features(films(), 4, {}, {});
  for (size_t k = 0; k < 3; ++k) {
    const auto f = [&](int64_t item) { return double{features.rows.row(item)[k]}; };
    EXPECT_NEAR(factors.users.row(0)[k], (5 * f(0) + 3 * f(1) + f(2)) / 9, kUlp);
    EXPECT_EQ(factors.users.row(1)[k], 0);
    EXPECT_NEAR(factors.users.row(2)[k], f(0), kUlp);
  }
  EXPECT_EQ(model.metric, Metric::kCosine);
  EXPECT_TRUE(std::holds_alternative<ProfileFoldIn>(model.fold_in));
}

}  // namespace
}  // namespace kindred
