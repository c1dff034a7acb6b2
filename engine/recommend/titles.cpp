// SPDX-License-Identifier: Apache-2.0
// Titles and query become tokens: letters without case and accents, digits; "Matrix, The (1999)" -> matrix the 1999.
// A token of the query finds its best token of the title: 1 for the same, less for a misspelt one (optimal string
// alignment, at most a third of its letters) or a beginning. The similarity is the mean over the query's tokens,
// weighed by length, with a small bonus for a title that has nothing else, so that "toy story" finds "Toy Story (1995)"
// before "Toy Story 2 (1999)".
#include "engine/recommend/titles.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace kindred {
namespace {

/// The plain letter under an accented one of U+00C0 to U+017F; 0 where there is none.
char plain_letter(uint32_t code) {
  constexpr std::string_view kLatin1 = "aaaaaaaceeeeiiiidnooooo.ouuuuytsaaaaaaaceeeeiiiidnooooo.ouuuuyty";
  constexpr std::string_view kLatinA =
      "aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiiiiijjkkkllllllllllnnnnnnnnnoooooooorrrrrrsssssssstttttt"
      "uuuuuuuuuuuuwwyyyzzzzzzs";
  char letter = 0;
  if (code >= 0xC0 && code <= 0xFF) letter = kLatin1[code - 0xC0];
  if (code >= 0x100 && code <= 0x17F) letter = kLatinA[code - 0x100];
  return letter == '.' ? '\0' : letter;
}

std::vector<std::string> tokens_of(std::string_view text) {
  std::vector<std::string> out;
  std::string token;
  const auto finish = [&] {
    if (!token.empty()) out.push_back(std::move(token));
    token.clear();
  };
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x80) {
      if (byte >= 'A' && byte <= 'Z')
        token += static_cast<char>(byte - 'A' + 'a');
      else if ((byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9'))
        token += static_cast<char>(byte);
      else if (byte != '\'')
        finish();  // "Bug's" is one word
    } else if (byte >= 0xC3 && byte <= 0xC5 && i + 1 < text.size()) {
      const uint32_t code = (byte & 0x1Fu) << 6 | (static_cast<unsigned char>(text[++i]) & 0x3Fu);
      if (const char letter = plain_letter(code))
        token += letter;
      else
        finish();
    } else {
      token += static_cast<char>(byte);  // another script: compared byte by byte
    }
  }
  finish();
  return out;
}

/// Optimal string alignment up to `most`, most + 1 beyond.
int distance(std::string_view a, std::string_view b, int most) {
  constexpr size_t kLongest = 64;
  if (a.size() > kLongest || b.size() > kLongest) return a == b ? 0 : most + 1;
  if (std::abs(static_cast<int>(a.size()) - static_cast<int>(b.size())) > most) return most + 1;
  std::array<int, kLongest + 1> before{}, last{}, row{};
  for (size_t j = 0; j <= b.size(); ++j) last[j] = static_cast<int>(j);
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = static_cast<int>(i);
    int best = row[0];
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before[j - 2] + 1);
      best = std::min(best, row[j]);
    }
    if (best > most) return most + 1;
    before = last;
    last = row;
  }
  return last[b.size()];
}

/// How well a title's token stands for a query's, 0 to 1.
double likeness(const std::string& wanted, const std::string& found) {
  if (wanted == found) return 1;
  if (wanted.size() >= 3 && found.size() > wanted.size() && found.starts_with(wanted)) return 0.9;
  const int most = static_cast<int>(wanted.size()) / 3;
  if (most == 0) return 0;
  const int edits = distance(wanted, found, most);
  return edits > most ? 0 : 0.95 - 0.9 * edits / static_cast<double>(wanted.size());
}

}  // namespace

std::vector<TitleMatch> find_titles(const Catalogue& catalogue, std::string_view query, int most) {
  constexpr double kLeast = 0.6, kExact = 1e-3;
  const auto wanted = tokens_of(query);
  size_t letters = 0;
  for (const auto& token : wanted) letters += token.size();
  std::vector<TitleMatch> matches;
  if (letters == 0) return matches;
  for (size_t item = 0; item < catalogue.titles.size(); ++item) {
    const auto tokens = tokens_of(catalogue.titles[item]);
    double sum = 0;
    size_t left = letters;
    for (const auto& token : wanted) {
      double best = 0;
      for (const auto& found : tokens) best = std::max(best, likeness(token, found));
      sum += best * static_cast<double>(token.size());
      left -= token.size();
      if (sum + static_cast<double>(left) < kLeast * static_cast<double>(letters)) break;  // cannot become a match
    }
    const double similarity = sum / static_cast<double>(letters) -
                              kExact * static_cast<double>(tokens.size()) / static_cast<double>(wanted.size());
    if (similarity >= kLeast) matches.push_back({static_cast<int32_t>(item), similarity});
  }
  const auto kept = std::min(static_cast<size_t>(std::max(0, most)), matches.size());
  std::partial_sort(matches.begin(), matches.begin() + static_cast<std::ptrdiff_t>(kept), matches.end(),
                    [](const TitleMatch& a, const TitleMatch& b) {
                      return a.similarity > b.similarity || (a.similarity == b.similarity && a.item < b.item);
                    });
  matches.resize(kept);
  return matches;
}

}  // namespace kindred
