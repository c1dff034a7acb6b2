// SPDX-License-Identifier: Apache-2.0
// A word of the query finds its best word of a title: 1 for the same, less for a misspelt one or a beginning. The
// similarity is the mean over the query's words, weighed by length, with a small bonus for a title that has nothing
// else, so that "toy story" finds "Toy Story (1995)" before "Toy Story 2 (1999)".
#include "engine/recommend/titles.hpp"

#include <algorithm>
#include <bit>

#include "engine/core/edit_distance.hpp"
#include "engine/core/error.hpp"
#include "engine/core/words.hpp"

namespace kindred {
namespace {

constexpr double kLeast = 0.6;  // below, a title is not like the query

/// Roman numbers up to 39 as decimal ones, in queries and titles alike; other words as they are.
std::string_view decimal(std::string_view word, std::string& scratch) {
  constexpr std::string_view kOnes[] = {"", "i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix"};
  if (word.empty() || word.size() > 7 || std::string_view("ivx").find(word[0]) == std::string_view::npos) return word;
  std::string_view rest = word;
  int tens = 0;
  while (tens < 3 && rest.starts_with('x')) rest.remove_prefix(1), ++tens;
  const auto ones = std::ranges::find(kOnes, rest);
  if (ones == std::end(kOnes)) return word;
  scratch = std::to_string(10 * tens + (ones - std::begin(kOnes)));
  return scratch;
}

uint64_t letters_of(std::string_view word) {
  uint64_t letters = 0;
  for (const char c : word) letters |= uint64_t{1} << (static_cast<unsigned char>(c) & 63);
  return letters;
}

}  // namespace

size_t TitleIndex::slot_of(std::string_view word, uint64_t letters) const {
  uint64_t hash = 0;
  for (const char c : word) hash = (hash + static_cast<unsigned char>(c)) * 0x9e3779b97f4a7c15;
  const size_t last = slots_.size() - 1;
  for (size_t slot = hash >> 32 & last;; slot = (slot + 1) & last) {
    if (slots_[slot] < 0) return slot;
    const Word& other = words_[static_cast<size_t>(slots_[slot])];
    if (other.letters == letters && text(other) == word) return slot;
  }
}

bool TitleIndex::knows(std::string_view word) const { return slots_[slot_of(word, letters_of(word))] >= 0; }

int32_t TitleIndex::add(std::string_view word) {
  const uint64_t letters = letters_of(word);
  int32_t& number = slots_[slot_of(word, letters)];
  if (number >= 0) return number;
  number = static_cast<int32_t>(words_.size());
  words_.push_back({texts_.size(), word.size(), letters});
  texts_ += word;
  if (words_.size() * 2 > slots_.size()) grow();
  return static_cast<int32_t>(words_.size()) - 1;
}

void TitleIndex::grow() {
  slots_.assign(slots_.size() * 2, -1);
  for (size_t w = 0; w < words_.size(); ++w)
    slots_[slot_of(text(words_[w]), words_[w].letters)] = static_cast<int32_t>(w);
}

TitleIndex::TitleIndex(std::span<const std::string> titles) : slots_(1024, -1) {
  Words words;
  std::string scratch;
  std::vector<int32_t> numbers;  // of the words of all titles, one after the other, each once in a title
  std::vector<int64_t> ends;
  for (const std::string& title : titles) {
    const size_t begin = numbers.size();
    const auto found = words.read(title);
    for (const std::string_view word : found) {
      const int32_t number = add(decimal(word, scratch));
      if (std::find(numbers.begin() + static_cast<std::ptrdiff_t>(begin), numbers.end(), number) == numbers.end())
        numbers.push_back(number);
    }
    ends.push_back(static_cast<int64_t>(numbers.size()));
    lengths_.push_back(static_cast<int32_t>(found.size()));
  }
  offsets_.assign(words_.size() + 1, 0);
  for (const int32_t number : numbers) ++offsets_[static_cast<size_t>(number) + 1];
  for (size_t w = 0; w < words_.size(); ++w) offsets_[w + 1] += offsets_[w];
  titles_.resize(numbers.size());
  std::vector<int64_t> next(offsets_.begin(), offsets_.end() - 1);
  int64_t n = 0;
  for (size_t title = 0; title < ends.size(); ++title)
    for (; n < ends[title]; ++n)
      titles_[static_cast<size_t>(next[static_cast<size_t>(numbers[static_cast<size_t>(n)])]++)] =
          static_cast<int32_t>(title);
}

std::vector<TitleMatch> TitleIndex::find(std::string_view query, int most) const { return search(query, most, true); }

std::vector<TitleMatch> TitleIndex::nearest(std::string_view query, int most) const {
  return search(query, most, false);
}

/// The query's words; one that no title has is cut in two where both parts are words: "toystory".
std::vector<std::string_view> TitleIndex::words_of(std::string_view query, std::string& folded) const {
  Words words;
  std::string scratch;
  std::vector<size_t> ends;
  const auto put = [&](std::string_view word) {
    folded += decimal(word, scratch);
    ends.push_back(folded.size());
  };
  for (const std::string_view word : words.read(query)) {
    size_t cut = word.size();
    for (size_t at = 2; at + 2 <= word.size() && cut == word.size() && !knows(word); ++at)
      if (knows(word.substr(0, at)) && knows(word.substr(at))) cut = at;
    put(word.substr(0, cut));
    if (cut < word.size()) put(word.substr(cut));
  }
  std::vector<std::string_view> out;
  size_t begin = 0;
  for (const size_t end : ends) {
    out.push_back(std::string_view(folded).substr(begin, end - begin));
    begin = end;
  }
  return out;
}

std::vector<TitleMatch> TitleIndex::search(std::string_view query, int most, bool strict) const {
  constexpr double kExact = 1e-3;
  std::string folded;
  const auto wanted = words_of(query, folded);
  std::vector<double> sums(lengths_.size()), best(lengths_.size());
  std::vector<int32_t> touched;
  for (const std::string_view word : wanted) {
    const EditDistance distance(word);
    const uint64_t letters = letters_of(word);
    const size_t edits_allowed = strict ? word.size() / 3 : word.size();
    // How well a title's word stands for this one, 0 to 1.
    const auto likeness = [&](const Word& found) -> double {
      if (letters == found.letters && word == text(found)) return 1;
      // An edit takes away or brings at most one letter, and a byte of length.
      if (static_cast<size_t>(std::popcount(letters & ~found.letters)) > edits_allowed) return 0;
      if (word.size() >= 3 && text(found).starts_with(word)) return 0.9;
      if (found.size > word.size() + edits_allowed || word.size() > found.size + edits_allowed ||
          static_cast<size_t>(std::popcount(found.letters & ~letters)) > edits_allowed)
        return 0;
      const size_t edits = distance.to(text(found));
      if (edits > edits_allowed) return 0;
      return std::max(0., 0.95 - 0.9 * static_cast<double>(edits) / static_cast<double>(word.size()));
    };
    touched.clear();
    for (size_t w = 0; w < words_.size(); ++w) {
      const double like = likeness(words_[w]);
      if (like == 0) continue;
      for (int64_t t = offsets_[w]; t < offsets_[w + 1]; ++t) {
        double& of_title = best[static_cast<size_t>(titles_[static_cast<size_t>(t)])];
        if (of_title == 0) touched.push_back(titles_[static_cast<size_t>(t)]);
        of_title = std::max(of_title, like);
      }
    }
    for (const int32_t title : touched) {
      sums[static_cast<size_t>(title)] += best[static_cast<size_t>(title)] * static_cast<double>(word.size());
      best[static_cast<size_t>(title)] = 0;
    }
  }
  std::vector<TitleMatch> matches;
  for (size_t title = 0; title < sums.size(); ++title) {
    if (sums[title] == 0) continue;
    const double similarity = sums[title] / static_cast<double>(folded.size()) -
                              kExact * static_cast<double>(lengths_[title]) / static_cast<double>(wanted.size());
    if (!strict || similarity >= kLeast) matches.push_back({static_cast<int32_t>(title), similarity});
  }
  const auto kept = std::min(static_cast<size_t>(std::max(0, most)), matches.size());
  std::partial_sort(matches.begin(), matches.begin() + static_cast<std::ptrdiff_t>(kept), matches.end(),
                    [](const TitleMatch& a, const TitleMatch& b) {
                      return a.similarity > b.similarity || (a.similarity == b.similarity && a.item < b.item);
                    });
  matches.resize(kept);
  return matches;
}

std::string no_title_like(const TitleIndex& index, std::span<const std::string> titles, std::string_view query) {
  std::string out = "no title is like '" + printable(query) + "'";
  const char* before = "; the nearest are '";
  for (const TitleMatch& match : index.nearest(query, 3)) {
    out += before + printable(titles[static_cast<size_t>(match.item)]) + "'";
    before = ", '";
  }
  return out;
}

}  // namespace kindred
