// SPDX-License-Identifier: Apache-2.0
// The order in which stochastic gradient descent takes interactions: bands, blocks of bands, runs of a user's samples.
#include <algorithm>
#include <numeric>

#include "kernels/cpu/threads.hpp"
#include "kernels/detail/sgd.hpp"

namespace kindred {
namespace {

constexpr uint32_t kUserBandStage = 0x53474403, kItemBandStage = 0x53474404, kUserOrderStage = 0x53474405,
                   kSampleOrderStage = 0x53474406;

/// Shuffles [begin, end) by draws (stage, index, place).
template <class T>
void shuffle(std::span<T> values, const Philox& philox, uint64_t index) {
  for (size_t k = values.size(); k > 1; --k) {
    const uint32_t word = philox(index, static_cast<uint32_t>(k))[0];
    std::swap(values[k - 1], values[static_cast<size_t>(uint64_t{word} * k >> 32)]);
  }
}

/// Deals rows into `bands` bands: rows of like weight are shuffled among the bands, heaviest first, so that bands have
/// equal numbers of rows (but for one) and about equal weight. The rows of each band, band by band.
struct Deal {
  std::vector<int64_t> begin;  // bands + 1
  std::vector<int32_t> rows;
};
Deal deal(std::span<const int64_t> weights, int64_t bands, const Philox& philox) {
  std::vector<int32_t> order(weights.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, std::greater(), [&](int32_t r) { return weights[static_cast<size_t>(r)]; });
  const auto count = static_cast<int64_t>(order.size());
  std::vector<int32_t> band(order.size()), hand(static_cast<size_t>(bands));
  for (int64_t first = 0; first < count; first += bands) {
    std::iota(hand.begin(), hand.end(), 0);
    shuffle(std::span(hand), philox, static_cast<uint64_t>(first));
    for (int64_t k = first; k < std::min(count, first + bands); ++k)
      band[static_cast<size_t>(order[static_cast<size_t>(k)])] = hand[static_cast<size_t>(k - first)];
  }
  Deal out{std::vector<int64_t>(static_cast<size_t>(bands) + 1), std::vector<int32_t>(order.size())};
  for (const int32_t b : band) ++out.begin[static_cast<size_t>(b) + 1];
  std::partial_sum(out.begin.begin(), out.begin.end(), out.begin.begin());
  std::vector<int64_t> next = out.begin;
  for (size_t r = 0; r < band.size(); ++r)
    out.rows[static_cast<size_t>(next[static_cast<size_t>(band[r])]++)] = static_cast<int32_t>(r);
  return out;
}

/// Walker's tables of places [begin, end), whose weights are counts[rows[place]].
void make_alias(int64_t begin, int64_t end, const std::vector<int32_t>& rows, std::span<const int64_t> counts,
                std::vector<uint32_t>& share, std::vector<int32_t>& alias) {
  const auto size = static_cast<double>(end - begin);
  double total = 0;
  const auto weight = [&](int64_t place) {
    return static_cast<double>(counts[static_cast<size_t>(rows[static_cast<size_t>(place)])]);
  };
  for (int64_t place = begin; place < end; ++place) total += weight(place);
  std::vector<double> rest(static_cast<size_t>(end - begin), 1.);
  std::vector<int64_t> poor, rich;
  for (int64_t place = begin; place < end; ++place) {
    alias[static_cast<size_t>(place)] = static_cast<int32_t>(place);
    double& mine = rest[static_cast<size_t>(place - begin)];
    if (total > 0) mine = weight(place) * size / total;
    (mine < 1 ? poor : rich).push_back(place);
  }
  const auto to_share = [](double part) {
    return static_cast<uint32_t>(std::min(part * 0x1p32, static_cast<double>(UINT32_MAX)));
  };
  while (!poor.empty() && !rich.empty()) {
    const int64_t low = poor.back(), high = rich.back();
    poor.pop_back();
    const double mine = rest[static_cast<size_t>(low - begin)];
    share[static_cast<size_t>(low)] = to_share(mine);
    alias[static_cast<size_t>(low)] = static_cast<int32_t>(high);
    double& other = rest[static_cast<size_t>(high - begin)];
    other -= 1 - mine;
    if (other < 1) poor.push_back(high), rich.pop_back();
  }
  for (const auto& left : {poor, rich})
    for (const int64_t place : left) share[static_cast<size_t>(place)] = UINT32_MAX;
}

}  // namespace

template <class T>
void SgdPlan::keep(Context& ctx, std::vector<T> host, Kept<T>& to) {
  to.host = std::move(host);
  to.device = Resident<T>(ctx, to.host, "sgd plan");
  if (!ctx.on_cuda()) return;
  ctx.wait();
  to.host = {};
}

int64_t SgdPlan::bands_for(const Context& ctx, int64_t users, int64_t items, int64_t samples) {
  // Eight rows a band at least; on CUDA enough bands to fill a device, each with some hundred rows to draw from.
  const int64_t rows = std::min(users, items);
  const int64_t most = ctx.on_cuda() ? std::clamp<int64_t>(rows / 64, 16, 1024) : samples < (1 << 22) ? 16 : 32;
  return std::max<int64_t>(1, std::min(most, rows / 8));
}

int64_t SgdPlan::bytes(const Context& ctx, int64_t users, int64_t items, int64_t samples, bool values) {
  const int64_t bands = bands_for(ctx, users, items, samples);
  return (4 + 4 * values) * samples + 12 * std::min(samples, users * bands) + 16 * bands * bands + 20 * items;
}

SgdPlan::SgdPlan(Context& ctx, std::span<const int64_t> offsets, std::span<const int32_t> indices,
                 std::span<const float> values, int64_t cols, SgdSchedule schedule, uint64_t seed)
    : rows_(ctx, offsets, indices, values, cols, "interactions"), schedule_(schedule) {
  const auto users = static_cast<int64_t>(offsets.size()) - 1, samples = static_cast<int64_t>(indices.size());
  const int64_t bands = bands_ = bands_for(ctx, users, cols, samples);
  const auto blocks = static_cast<size_t>(bands * bands);

  std::vector<int64_t> degrees(static_cast<size_t>(users)), counts(static_cast<size_t>(cols));
  for (size_t u = 0; u < degrees.size(); ++u) degrees[u] = offsets[u + 1] - offsets[u];
  for (const int32_t item : indices) ++counts[static_cast<size_t>(item)];
  const Deal user_deal = deal(degrees, bands, {seed, kUserBandStage});
  Deal item_deal = deal(counts, bands, {seed, kItemBandStage});
  std::vector<int32_t> band_of(static_cast<size_t>(cols));
  for (int64_t b = 0; b < bands; ++b)
    for (int64_t k = item_deal.begin[static_cast<size_t>(b)]; k < item_deal.begin[static_cast<size_t>(b) + 1]; ++k)
      band_of[static_cast<size_t>(item_deal.rows[static_cast<size_t>(k)])] = static_cast<int32_t>(b);

  // Users of a band in random order, the same in each of its blocks; visit(user, band of the item, entry).
  std::vector<int32_t> order = user_deal.rows;
  const auto band_users = [&](int64_t a) {
    const auto begin = static_cast<size_t>(user_deal.begin[static_cast<size_t>(a)]);
    return std::span(order).subspan(begin, static_cast<size_t>(user_deal.begin[static_cast<size_t>(a) + 1]) - begin);
  };
  const auto for_entries = [&](int64_t a, auto&& visit) {
    for (const int32_t user : band_users(a))
      for (int64_t e = offsets[static_cast<size_t>(user)]; e < offsets[static_cast<size_t>(user) + 1]; ++e)
        visit(user, band_of[static_cast<size_t>(indices[static_cast<size_t>(e)])], static_cast<size_t>(e));
  };
  std::vector<int64_t> block_samples(blocks + 1), block_runs(blocks + 1);
  cpu::parallel_for(ctx, bands, 1, [&](int64_t a, int64_t, int) {
    shuffle(band_users(a), {seed, kUserOrderStage}, static_cast<uint64_t>(a));
    std::vector<int32_t> last(static_cast<size_t>(bands), -1);
    for_entries(a, [&](int32_t user, int32_t b, size_t) {
      const auto block = static_cast<size_t>(a * bands + b) + 1;
      ++block_samples[block];
      block_runs[block] += std::exchange(last[static_cast<size_t>(b)], user) != user;
    });
  });
  std::partial_sum(block_samples.begin(), block_samples.end(), block_samples.begin());
  std::partial_sum(block_runs.begin(), block_runs.end(), block_runs.begin());

  std::vector<int32_t> item(indices.size()), run_user(static_cast<size_t>(block_runs.back()));
  std::vector<float> value(values.size());
  std::vector<int64_t> run_begin(run_user.size() + 1, samples);
  cpu::parallel_for(ctx, bands, 1, [&](int64_t a, int64_t, int) {
    const auto first = static_cast<size_t>(a * bands), count = static_cast<size_t>(bands);
    std::vector<int64_t> next(block_samples.begin() + static_cast<int64_t>(first),
                              block_samples.begin() + static_cast<int64_t>(first + count));
    std::vector<int64_t> run(block_runs.begin() + static_cast<int64_t>(first),
                             block_runs.begin() + static_cast<int64_t>(first + count));
    std::vector<int32_t> last(count, -1);
    for_entries(a, [&](int32_t user, int32_t band, size_t e) {
      const auto b = static_cast<size_t>(band);
      if (std::exchange(last[b], user) != user) {
        run_user[static_cast<size_t>(run[b])] = user;
        run_begin[static_cast<size_t>(run[b]++)] = next[b];
      }
      const auto to = static_cast<size_t>(next[b]++);
      item[to] = indices[e];
      if (!values.empty()) value[to] = values[e];
    });
  });
  cpu::parallel_for(ctx, block_runs.back(), 4096, [&](int64_t begin, int64_t end, int) {
    const Philox philox{seed, kSampleOrderStage};
    for (int64_t r = begin; r < end; ++r) {
      const auto from = static_cast<size_t>(run_begin[static_cast<size_t>(r)]);
      const auto size = static_cast<size_t>(run_begin[static_cast<size_t>(r) + 1]) - from;
      shuffle(std::span(item).subspan(from, size), philox, from);
      if (!values.empty()) shuffle(std::span(value).subspan(from, size), philox, from);
    }
  });

  std::vector<uint32_t> alias_share(counts.size());
  std::vector<int32_t> alias(counts.size());
  if (schedule == SgdSchedule::kHogwild)
    make_alias(0, cols, item_deal.rows, counts, alias_share, alias);
  else
    cpu::parallel_for(ctx, bands, 1, [&](int64_t b, int64_t, int) {
      make_alias(item_deal.begin[static_cast<size_t>(b)], item_deal.begin[static_cast<size_t>(b) + 1], item_deal.rows,
                 counts, alias_share, alias);
    });
  std::vector<float> share(counts.size());
  for (size_t i = 0; i < share.size(); ++i)
    share[i] = samples > 0 ? static_cast<float>(static_cast<double>(counts[i]) / static_cast<double>(samples)) : 0;

  keep(ctx, std::move(block_runs), block_runs_);
  keep(ctx, std::move(run_begin), run_begin_);
  keep(ctx, std::move(run_user), run_user_);
  keep(ctx, std::move(item), item_);
  keep(ctx, std::move(value), value_);
  keep(ctx, std::move(item_deal.begin), band_begin_);
  keep(ctx, std::move(item_deal.rows), band_items_);
  keep(ctx, std::move(alias_share), alias_share_);
  keep(ctx, std::move(alias), alias_);
  keep(ctx, std::move(share), share_);
}

SgdPlan::View SgdPlan::view() const {
  const CsrView rows = rows_.view();
  return {bands_,
          block_runs_.device.view().data,
          run_begin_.device.view().data,
          run_user_.device.view().data,
          item_.device.view().data,
          value_.device.view().empty() ? nullptr : value_.device.view().data,
          band_begin_.device.view().data,
          band_items_.device.view().data,
          alias_share_.device.view().data,
          alias_.device.view().data,
          share_.device.view().data,
          schedule_ == SgdSchedule::kHogwild,
          rows.offsets,
          rows.indices,
          rows.cols};
}

}  // namespace kindred
