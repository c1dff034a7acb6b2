// SPDX-License-Identifier: Apache-2.0
// Fuzzy search over titles of two to five words out of 20,000, and a year.
#include <benchmark/benchmark.h>

#include <random>
#include <string>
#include <vector>

#include "engine/recommend/titles.hpp"

namespace kindred {
namespace {

std::string word(std::mt19937& random) {
  constexpr std::string_view kSounds[] = {"ba",  "de",  "ki", "lo",  "mu", "ra", "sto",
                                          "tri", "ven", "ju", "man", "ji", "th", "on"};
  std::string out;
  for (size_t length = 1 + random() % 4; length > 0; --length) out += kSounds[random() % std::size(kSounds)];
  return out;
}

std::vector<std::string> titles(size_t count) {
  std::mt19937 random(1);
  std::vector<std::string> words(20'000);
  for (auto& w : words) w = word(random);
  std::vector<std::string> out;
  for (size_t t = 0; t < count; ++t) {
    std::string title;
    for (size_t length = 2 + random() % 4; length > 0; --length) {
      std::string next = words[random() % words.size()];
      next[0] = static_cast<char>(next[0] - 'a' + 'A');
      title += next + " ";
    }
    out.push_back(title + "(" + std::to_string(1920 + random() % 105) + ")");
  }
  return out;
}

void find(benchmark::State& state, const char* query) {
  const auto catalogue = titles(static_cast<size_t>(state.range(0)));
  const TitleIndex index(catalogue);
  for (auto _ : state) benchmark::DoNotOptimize(index.find(query, 10));
}

void build(benchmark::State& state) {
  const auto catalogue = titles(static_cast<size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(TitleIndex(catalogue).find("jumanjiba", 1));
}

BENCHMARK_CAPTURE(find, one_word, "jumanijba")->Arg(100'000)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(find, three_words, "thoon venbaki 1995")->Arg(100'000)->Unit(benchmark::kMillisecond);

BENCHMARK(build)->Arg(100'000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace kindred
