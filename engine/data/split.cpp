// SPDX-License-Identifier: Apache-2.0
#include "engine/data/split.hpp"

#include <algorithm>
#include <compare>
#include <numeric>
#include <utility>

#include "kernels/cpu/threads.hpp"
#include "kernels/philox.hpp"

namespace kindred {
namespace {

// Apart from every other use of the run's seed, and from each other: a part that is drawn from the rest of another draw
// must not follow its order.
constexpr uint32_t kEntryStage = 0x73706c74, kUserStage = 0x73706c75, kFoldStage = 0x73706c76;
constexpr int64_t kUsersAChunk = 256;

/// Shares of a count as people mean them: 0.29 of 100 is 29, though 0.29 * 100 < 29 in binary.
int64_t rounded_down(double share, int64_t count) {
  return static_cast<int64_t>(share * static_cast<double>(count) + 1e-9);
}

struct Sizes {
  int64_t test, validation;
  int64_t held_out() const { return test + validation; }
};

Sizes held_out_sizes(int64_t count, const Draw& draw) {
  const auto size = [&](double share, int64_t most) -> int64_t {
    if (share <= 0 || most <= 0) return 0;
    return draw.one ? 1 : std::clamp<int64_t>(rounded_down(share, count), 1, most);
  };
  const int64_t test = size(draw.test, count - 1);
  return {test, size(draw.validation, count - 1 - test)};
}

uint64_t joined(const std::array<uint32_t, 4>& bits) { return uint64_t{bits[0]} << 32 | bits[1]; }

uint64_t draw_of(const Philox& philox, int64_t user, int32_t item) {
  return joined(philox(static_cast<uint64_t>(user) << 32 | static_cast<uint32_t>(item)));
}

/// Ascends as the time descends.
uint64_t latest_first(int64_t time) { return ~(static_cast<uint64_t>(time) ^ uint64_t{1} << 63); }

/// A place in the order in which entries leave train.
struct Ranked {
  uint64_t key, draw;  // key: latest_first, or 0 for all
  int64_t entry;
  auto operator<=>(const Ranked&) const = default;
};

/// Calls f(user, its entries, ranked) for each user; `ranked` may be put into order.
template <class F>
void for_each_user(Context& ctx, const HostCsr& matrix, std::span<const int64_t> times, const Philox& philox, F&& f) {
  cpu::parallel_for(ctx, matrix.rows(), kUsersAChunk, [&](int64_t first, int64_t last, int) {
    std::vector<Ranked> ranked;
    for (int64_t u = first; u < last; ++u) {
      ranked.clear();
      for (auto e = matrix.offsets[static_cast<size_t>(u)]; e < matrix.offsets[static_cast<size_t>(u) + 1]; ++e) {
        ranked.push_back({times.empty() ? 0 : latest_first(times[static_cast<size_t>(e)]),
                          draw_of(philox, u, matrix.indices[static_cast<size_t>(e)]), e});
      }
      f(u, ranked);
    }
  });
}

/// The first entries go to test, the next to validation.
void draw_within_users(Context& ctx, const HostCsr& matrix, const Draw& draw, const Philox& philox,
                       std::vector<Part>& parts) {
  for_each_user(ctx, matrix, draw.times, philox, [&](int64_t, std::vector<Ranked>& ranked) {
    const Sizes sizes = held_out_sizes(static_cast<int64_t>(ranked.size()), draw);
    const auto tested = ranked.begin() + sizes.test, held_out = tested + sizes.validation;
    std::partial_sort(ranked.begin(), held_out, ranked.end());
    for (auto r = ranked.begin(); r != held_out; ++r) {
      parts[static_cast<size_t>(r->entry)] = r < tested ? Part::kTest : Part::kValidation;
    }
  });
}

/// Gives `part` to the `count` entries that come first by key, equal keys by draw. Memory: the keys once more.
void mark_first(const HostCsr& matrix, const std::vector<uint64_t>& keys, int64_t count, const Philox& philox,
                Part part, std::vector<Part>& parts) {
  if (count == 0) return;
  std::vector<uint64_t> order = keys;
  const auto border = order.begin() + count - 1;
  std::nth_element(order.begin(), border, order.end());
  std::vector<std::pair<uint64_t, int64_t>> at_border;  // draw, entry
  for (int64_t u = 0; u < matrix.rows(); ++u) {
    for (auto e = matrix.offsets[static_cast<size_t>(u)]; e < matrix.offsets[static_cast<size_t>(u) + 1]; ++e) {
      const uint64_t key = keys[static_cast<size_t>(e)];
      if (key < *border) {
        parts[static_cast<size_t>(e)] = part;
        --count;
      } else if (key == *border) {
        at_border.emplace_back(draw_of(philox, u, matrix.indices[static_cast<size_t>(e)]), e);
      }
    }
  }
  std::partial_sort(at_border.begin(), at_border.begin() + count, at_border.end());
  for (int64_t r = 0; r < count; ++r) parts[static_cast<size_t>(at_border[static_cast<size_t>(r)].second)] = part;
}

void draw_over_all(Context& ctx, const HostCsr& matrix, const Draw& draw, const Philox& philox,
                   std::vector<Part>& parts) {
  std::vector<uint64_t> keys(static_cast<size_t>(matrix.nnz()));
  for_each_user(ctx, matrix, draw.times, philox, [&](int64_t, const std::vector<Ranked>& ranked) {
    for (const Ranked& r : ranked) keys[static_cast<size_t>(r.entry)] = draw.times.empty() ? r.draw : r.key;
  });
  const Sizes sizes = held_out_sizes(matrix.nnz(), draw);
  mark_first(matrix, keys, sizes.held_out(), philox, Part::kValidation, parts);
  mark_first(matrix, keys, sizes.test, philox, Part::kTest, parts);
}

template <class T>
std::vector<T> take(const std::vector<T>& values, const std::vector<Part>& parts, Part part, size_t count) {
  std::vector<T> taken;
  if (values.empty()) return taken;
  taken.reserve(count);
  for (size_t e = 0; e < values.size(); ++e) {
    if (parts[e] == part) taken.push_back(values[e]);
  }
  return taken;
}

}  // namespace

std::vector<Part> draw_parts(Context& ctx, const HostCsr& matrix, const Draw& draw, uint64_t seed) {
  std::vector<Part> parts(static_cast<size_t>(matrix.nnz()), Part::kTrain);
  if (draw.test <= 0 && draw.validation <= 0) return parts;
  (draw.per_user ? draw_within_users : draw_over_all)(ctx, matrix, draw, Philox{seed, kEntryStage}, parts);
  return parts;
}

std::vector<Part> draw_users(Context& ctx, const HostCsr& matrix, double test, double validation, double fold_in,
                             uint64_t seed) {
  std::vector<std::pair<uint64_t, int64_t>> users;  // draw, user
  const Philox user_draws{seed, kUserStage};
  for (int64_t u = 0; u < matrix.rows(); ++u) {
    if (matrix.row(u).size() > 1) users.emplace_back(joined(user_draws(static_cast<uint64_t>(u))), u);
  }
  const Sizes sizes = held_out_sizes(static_cast<int64_t>(users.size()), {.test = test, .validation = validation});
  std::partial_sort(users.begin(), users.begin() + sizes.held_out(), users.end());
  std::vector<Part> part_of(static_cast<size_t>(matrix.rows()), Part::kTrain);
  for (int64_t r = 0; r < sizes.held_out(); ++r) {
    part_of[static_cast<size_t>(users[static_cast<size_t>(r)].second)] =
        r < sizes.test ? Part::kTest : Part::kValidation;
  }

  std::vector<Part> parts(static_cast<size_t>(matrix.nnz()), Part::kTrain);
  for_each_user(ctx, matrix, {}, Philox{seed, kEntryStage}, [&](int64_t u, std::vector<Ranked>& ranked) {
    const Part part = part_of[static_cast<size_t>(u)];
    if (part == Part::kTrain) return;
    const int64_t found = held_out_sizes(static_cast<int64_t>(ranked.size()), {.test = 1 - fold_in}).test;
    std::ranges::sort(ranked);
    for (const Ranked& r : ranked) {
      parts[static_cast<size_t>(r.entry)] = part == Part::kTest ? Part::kGivenTest : Part::kGivenValidation;
    }
    for (int64_t r = 0; r < found; ++r) parts[static_cast<size_t>(ranked[static_cast<size_t>(r)].entry)] = part;
  });
  return parts;
}

std::vector<uint8_t> draw_folds(Context& ctx, const HostCsr& matrix, int folds, bool per_user, uint64_t seed) {
  std::vector<uint8_t> fold_of(static_cast<size_t>(matrix.nnz()));
  const Philox philox{seed, kFoldStage}, user_draws{seed, kUserStage};
  if (per_user) {
    for_each_user(ctx, matrix, {}, philox, [&](int64_t u, std::vector<Ranked>& ranked) {
      // Each user begins with a fold of one's own, so that the larger shares do not all fall into the first folds.
      uint64_t fold = joined(user_draws(static_cast<uint64_t>(u))) % static_cast<uint64_t>(folds);
      std::ranges::sort(ranked);
      for (const Ranked& r : ranked) {
        fold_of[static_cast<size_t>(r.entry)] = static_cast<uint8_t>(fold);
        fold = (fold + 1) % static_cast<uint64_t>(folds);
      }
    });
    return fold_of;
  }
  std::vector<std::pair<uint64_t, int64_t>> order(static_cast<size_t>(matrix.nnz()));  // draw, entry
  for_each_user(ctx, matrix, {}, philox, [&](int64_t, const std::vector<Ranked>& ranked) {
    for (const Ranked& r : ranked) order[static_cast<size_t>(r.entry)] = {r.draw, r.entry};
  });
  auto begin = order.begin();
  for (int fold = 0; fold < folds; ++fold) {
    const auto end = order.begin() + matrix.nnz() * (fold + 1) / folds;
    std::nth_element(begin, end, order.end());
    for (; begin != end; ++begin) fold_of[static_cast<size_t>(begin->second)] = static_cast<uint8_t>(fold);
  }
  return fold_of;
}

HostCsr take_part(const HostCsr& matrix, const std::vector<Part>& parts, Part part) {
  HostCsr taken;
  taken.cols = matrix.cols;
  taken.offsets.resize(matrix.offsets.size());
  for (size_t u = 0; u + 1 < matrix.offsets.size(); ++u) {
    taken.offsets[u + 1] =
        taken.offsets[u] + std::count(parts.begin() + matrix.offsets[u], parts.begin() + matrix.offsets[u + 1], part);
  }
  const auto count = static_cast<size_t>(taken.offsets.back());
  taken.indices = take(matrix.indices, parts, part, count);
  taken.values = take(matrix.values, parts, part, count);
  return taken;
}

Interactions take_part(const Interactions& all, const std::vector<Part>& parts, Part part) {
  Interactions taken;
  taken.users = all.users;
  taken.items = all.items;
  taken.matrix = take_part(all.matrix, parts, part);
  const auto count = static_cast<size_t>(taken.size());
  taken.times = take(all.times, parts, part, count);
  taken.kinds = take(all.kinds, parts, part, count);
  taken.kind_names = all.kind_names;
  return taken;
}

}  // namespace kindred
