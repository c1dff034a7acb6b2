// SPDX-License-Identifier: Apache-2.0
// Finding titles by what a person types. Words are compared without case, accents and punctuation, in any order; a word
// may be misspelt (optimal string alignment, at most a third of its letters), a beginning, or two in one; IV is 4. So
// "the matirx" finds "Matrix, The (1999)", and "star wars 4" "Star Wars: Episode IV - A New Hope (1977)".
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kindred {

struct TitleMatch {
  int32_t item = -1;
  double similarity = 0;  ///< near 1: every word typed is there
};

/// The different words of all titles, and where each stands. Building takes O(letters); a search looks at each
/// different word once, then at the titles of those that are alike.
class TitleIndex {
 public:
  explicit TitleIndex(std::span<const std::string> titles);

  /// The best matches, best first, ties by item; none where no title is like the query.
  std::vector<TitleMatch> find(std::string_view query, int most) const;
  /// What comes nearest, however far: for the message where find() gives nothing.
  std::vector<TitleMatch> nearest(std::string_view query, int most) const;

 private:
  struct Word {
    size_t begin = 0, size = 0;  ///< in texts_
    uint64_t letters = 0;        ///< a bit for each byte in it, modulo 64
  };
  std::string_view text(const Word& word) const { return std::string_view(texts_).substr(word.begin, word.size); }
  /// The slot of a word, or a free one.
  size_t slot_of(std::string_view word, uint64_t letters) const;
  bool knows(std::string_view word) const;
  int32_t add(std::string_view word);
  void grow();
  std::vector<std::string_view> words_of(std::string_view query, std::string& folded) const;
  std::vector<TitleMatch> search(std::string_view query, int most, bool strict) const;

  std::vector<Word> words_;
  std::string texts_;             ///< of the words, one after the other
  std::vector<int32_t> slots_;    ///< a hash table with open addressing: numbers of words, -1: free
  std::vector<int64_t> offsets_;  ///< word w stands in titles_[offsets_[w], offsets_[w + 1])
  std::vector<int32_t> titles_;
  std::vector<int32_t> lengths_;  ///< words of each title
};

/// "no title is like 'juminji'; the nearest are …": for where find() gives nothing.
std::string no_title_like(const TitleIndex& index, std::span<const std::string> titles, std::string_view query);

}  // namespace kindred
