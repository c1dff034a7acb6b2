// SPDX-License-Identifier: Apache-2.0
// Titles and query become tokens: letters without case and accents, digits; "Matrix, The (1999)" -> matrix the 1999.
// A token of the query finds its best token of the title: 1 for the same, less for a misspelt one (optimal string
// alignment, at most a third of its letters) or a beginning. The similarity is the mean over the query's tokens,
// weighed by length, with a small bonus for a title that has nothing else, so that "toy story" finds "Toy Story (1995)"
// before "Toy Story 2 (1999)".
#include "engine/recommend/titles.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <span>

#include "engine/core/edit_distance.hpp"

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

/// What a byte of ASCII becomes: a letter or digit of a token; 0: an end of a token; "'": nothing ("Bug's" is one
/// word).
constexpr std::array<char, 128> kFolded = [] {
  std::array<char, 128> out{};
  for (char c = '0'; c <= '9'; ++c) out[static_cast<size_t>(c)] = c;
  for (char c = 'a'; c <= 'z'; ++c) out[static_cast<size_t>(c)] = out[static_cast<size_t>(c - 'a' + 'A')] = c;
  out['\''] = '\'';
  return out;
}();

struct Token {
  std::string_view text;
  uint64_t letters = 0;  ///< a bit for each letter in it
};

/// The tokens of one text. Made once and read into again and again: no allocation but the first ones.
class Tokens {
 public:
  std::span<const Token> read(std::string_view text) {
    folded_.resize(text.size());  // folding never lengthens
    tokens_.clear();
    begin_ = end_ = 0;
    letters_ = 0;
    for (size_t i = 0; i < text.size(); ++i) {
      const auto byte = static_cast<unsigned char>(text[i]);
      if (byte < 0x80) {
        const char c = kFolded[byte];
        if (c == 0)
          finish();
        else if (c != '\'')
          put(c);
      } else if (byte >= 0xC3 && byte <= 0xC5 && i + 1 < text.size()) {
        const uint32_t code = (byte & 0x1Fu) << 6 | (static_cast<unsigned char>(text[++i]) & 0x3Fu);
        if (const char letter = plain_letter(code))
          put(letter);
        else
          finish();
      } else {
        put(static_cast<char>(byte));  // another script: compared byte by byte
      }
    }
    finish();
    return tokens_;
  }

 private:
  void put(char c) {
    folded_[end_++] = c;
    letters_ |= uint64_t{1} << (static_cast<unsigned char>(c) & 63);
  }
  void finish() {
    if (end_ > begin_) tokens_.push_back({std::string_view(folded_).substr(begin_, end_ - begin_), letters_});
    begin_ = end_;
    letters_ = 0;
  }

  std::string folded_;
  std::vector<Token> tokens_;
  size_t begin_ = 0, end_ = 0;
  uint64_t letters_ = 0;
};

/// A token of the query.
struct Wanted {
  Token token;
  EditDistance distance;
};

/// How well a title's token stands for a query's, 0 to 1.
double likeness(const Wanted& wanted, const Token& found) {
  const auto& [text, letters] = wanted.token;
  if (letters == found.letters && text == found.text) return 1;
  // An edit takes away or brings at most one letter, and a byte of length.
  const size_t most = text.size() / 3;
  if (static_cast<size_t>(std::popcount(letters & ~found.letters)) > most) return 0;
  if (text.size() >= 3 && found.text.starts_with(text)) return 0.9;
  if (found.text.size() > text.size() + most || text.size() > found.text.size() + most ||
      static_cast<size_t>(std::popcount(found.letters & ~letters)) > most)
    return 0;
  const size_t edits = wanted.distance.to(found.text);
  return edits > most ? 0 : 0.95 - 0.9 * static_cast<double>(edits) / static_cast<double>(text.size());
}

}  // namespace

std::vector<TitleMatch> find_titles(const Catalogue& catalogue, std::string_view query, int most) {
  constexpr double kLeast = 0.6, kExact = 1e-3;
  Tokens of_query, of_title;
  std::vector<Wanted> wanted;
  size_t letters = 0;
  for (const Token& token : of_query.read(query)) {
    wanted.push_back({token, EditDistance(token.text)});
    letters += token.text.size();
  }
  std::vector<TitleMatch> matches;
  if (letters == 0) return matches;
  for (size_t item = 0; item < catalogue.titles.size(); ++item) {
    const auto tokens = of_title.read(catalogue.titles[item]);
    double sum = 0;
    size_t left = letters;
    for (const Wanted& word : wanted) {
      const size_t length = word.token.text.size();
      double best = 0;
      for (const Token& found : tokens) best = std::max(best, likeness(word, found));
      sum += best * static_cast<double>(length);
      left -= length;
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
