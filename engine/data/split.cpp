// SPDX-License-Identifier: Apache-2.0
#include "engine/data/split.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include "kernels/cpu/threads.hpp"
#include "kernels/philox.hpp"

namespace kindred {
namespace {

constexpr uint32_t kStage = 0x73706c74;  // 'splt': apart from every other use of the run's seed
constexpr int64_t kUsersAChunk = 256;

struct Sizes {
  int64_t test, validation;
};

Sizes held_out_sizes(int64_t count, double test, double validation) {
  const auto part = [&](double share, int64_t most) -> int64_t {
    if (share <= 0 || most <= 0) return 0;
    const auto rounded = static_cast<int64_t>(share * static_cast<double>(count) + 1e-9);  // 0.29 * 100 < 29 in binary
    return std::clamp<int64_t>(rounded, 1, most);
  };
  const int64_t tested = part(test, count - 1);
  return {tested, part(validation, count - 1 - tested)};
}

uint64_t draw(const Philox& philox, int64_t user, int32_t item) {
  const auto bits = philox(static_cast<uint64_t>(user) << 32 | static_cast<uint32_t>(item));
  return uint64_t{bits[0]} << 32 | bits[1];
}

void draw_within_users(Context& ctx, const HostCsr& matrix, double test, double validation, const Philox& philox,
                       std::vector<Part>& parts) {
  cpu::parallel_for(ctx, matrix.rows(), kUsersAChunk, [&](int64_t first, int64_t last, int) {
    std::vector<std::pair<uint64_t, int64_t>> ranked;  // draw, entry
    for (int64_t u = first; u < last; ++u) {
      const int64_t begin = matrix.offsets[static_cast<size_t>(u)], end = matrix.offsets[static_cast<size_t>(u) + 1];
      const Sizes sizes = held_out_sizes(end - begin, test, validation);
      ranked.clear();
      for (int64_t e = begin; e < end; ++e) {
        ranked.emplace_back(draw(philox, u, matrix.indices[static_cast<size_t>(e)]), e);
      }
      const auto tested = ranked.begin() + sizes.test, held_out = tested + sizes.validation;
      std::partial_sort(ranked.begin(), held_out, ranked.end());
      for (auto r = ranked.begin(); r != held_out; ++r) {
        parts[static_cast<size_t>(r->second)] = r < tested ? Part::kTest : Part::kValidation;
      }
    }
  });
}

void draw_over_all(Context& ctx, const HostCsr& matrix, double test, double validation, const Philox& philox,
                   std::vector<Part>& parts) {
  std::vector<std::pair<uint64_t, int64_t>> ranked(static_cast<size_t>(matrix.nnz()));
  cpu::parallel_for(ctx, matrix.rows(), kUsersAChunk, [&](int64_t first, int64_t last, int) {
    for (int64_t u = first; u < last; ++u) {
      for (auto e = matrix.offsets[static_cast<size_t>(u)]; e < matrix.offsets[static_cast<size_t>(u) + 1]; ++e) {
        ranked[static_cast<size_t>(e)] = {draw(philox, u, matrix.indices[static_cast<size_t>(e)]), e};
      }
    }
  });
  const Sizes sizes = held_out_sizes(matrix.nnz(), test, validation);
  const auto tested = ranked.begin() + sizes.test, held_out = tested + sizes.validation;
  std::nth_element(ranked.begin(), held_out, ranked.end());
  std::nth_element(ranked.begin(), tested, held_out);
  for (auto r = ranked.begin(); r != held_out; ++r) {
    parts[static_cast<size_t>(r->second)] = r < tested ? Part::kTest : Part::kValidation;
  }
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

std::vector<Part> draw_parts(Context& ctx, const HostCsr& matrix, double test, double validation, bool per_user,
                             uint64_t seed) {
  std::vector<Part> parts(static_cast<size_t>(matrix.nnz()), Part::kTrain);
  if (test <= 0 && validation <= 0) return parts;
  const Philox philox{seed, kStage};
  (per_user ? draw_within_users : draw_over_all)(ctx, matrix, test, validation, philox, parts);
  return parts;
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
