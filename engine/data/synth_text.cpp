// SPDX-License-Identifier: Apache-2.0
#include "engine/data/synth_text.hpp"

#include <fmt/format.h>

#include <array>

namespace kindred {
namespace {

constexpr std::string_view kTags[] = {"Drama",    "Comedy",    "Thriller", "Romance", "Action",      "Adventure",
                                      "Crime",    "Fantasy",   "Mystery",  "Horror",  "Documentary", "Animation",
                                      "Children", "Biography", "History",  "Music",   "War",         "Western"};

// The first are drawn most.
constexpr std::string_view kCountries[] = {"US", "IN", "DE", "BR", "GB", "FR", "JP", "MX", "ES", "IT", "CA", "PL",
                                           "NL", "SE", "KR", "AU", "TR", "ZA", "CH", "PT", "FI", "NO", "NZ", "IE"};

constexpr auto kAdjectives = std::to_array<std::string_view>(
    {"Silent",    "Golden", "Crooked", "Distant",  "Hollow", "Scarlet",   "Patient",  "Burning",
     "Forgotten", "Gentle", "Frozen",  "Restless", "Hidden", "Bright",    "Broken",   "Midnight",
     "Wandering", "Velvet", "Secret",  "Stubborn", "Salted", "Electric",  "Borrowed", "Quiet",
     "Northern",  "Paper",  "Iron",    "Careless", "Honest", "Second",    "Falling",  "Painted",
     "Lonely",    "Clever", "Ancient", "Hungry",   "Narrow", "Invisible", "Faithful", "Sunken"});

constexpr auto kNouns = std::to_array<std::string_view>(
    {"Harbor",   "Orchard",  "Clockmaker", "River",    "Lantern",  "Wolf",       "Letter",  "Garden",     "Bridge",
     "Stranger", "Mountain", "Daughter",   "Island",   "Carnival", "Machine",    "Winter",  "Violin",     "Soldier",
     "Compass",  "Kingdom",  "Mirror",     "Train",    "Gardener", "Lighthouse", "Shadow",  "Fisherman",  "Library",
     "Storm",    "Promise",  "Detective",  "Sparrow",  "Emperor",  "Window",     "Bakery",  "Astronomer", "Map",
     "Whale",    "Neighbor", "Summer",     "Musician", "Tower",    "Fox",        "Bicycle", "Painter"});

constexpr int64_t kYears = 70, kFirstYear = 1950;
constexpr int64_t kPatterns = 5;
constexpr auto kWordPairs = static_cast<int64_t>(kAdjectives.size() * kNouns.size());
constexpr int64_t kTitles = kPatterns * kWordPairs * kYears;
// Coprime to kTitles, so that stepping by it visits every title once before the first comes again.
constexpr int64_t kStep = 379'139;

}  // namespace

std::span<const std::string_view> synth_tags() { return kTags; }
std::span<const std::string_view> synth_countries() { return kCountries; }

std::string synth_title(int64_t number) {
  const int64_t volume = number / kTitles;
  int64_t rest = number % kTitles * kStep % kTitles;
  const int64_t pattern = rest % kPatterns;
  rest /= kPatterns;
  const auto adjective = kAdjectives[static_cast<size_t>(rest) % kAdjectives.size()];
  rest /= static_cast<int64_t>(kAdjectives.size());
  const auto noun = kNouns[static_cast<size_t>(rest) % kNouns.size()];
  const int64_t year = kFirstYear + rest / static_cast<int64_t>(kNouns.size());
  constexpr std::string_view kForms[] = {"The {} {}", "{} {}", "My {} {}", "Goodbye, {} {}", "Return of the {} {}"};
  const std::string name = fmt::format(fmt::runtime(kForms[pattern]), adjective, noun);
  return volume == 0 ? fmt::format("{} ({})", name, year) : fmt::format("{} {} ({})", name, volume + 1, year);
}

}  // namespace kindred
