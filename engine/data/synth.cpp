// SPDX-License-Identifier: Apache-2.0
// Writes a synthetic data set. Users are drawn in blocks, several at once; the blocks' text is appended in the order of
// the users, so that the bytes do not depend on threads.
#include "engine/data/synth.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <condition_variable>
#include <limits>
#include <mutex>
#include <system_error>

#include "engine/core/error.hpp"
#include "engine/core/file.hpp"
#include "engine/core/interrupt.hpp"
#include "engine/core/log.hpp"
#include "engine/data/item_choice.hpp"
#include "engine/data/planted.hpp"
#include "engine/data/synth_text.hpp"
#include "kernels/context.hpp"
#include "kernels/cpu/threads.hpp"

namespace kindred {
namespace {

constexpr int64_t kBlockInteractions = 1 << 16;
constexpr int64_t kFirstTime = 1'577'836'800, kSpan = 5 * 365 * 86'400;  // 2020 to 2024

// What a user does beside rating: kind, chance at affinity a: sigmoid(level + slope a).
struct EventKind {
  std::string_view name;
  float level, slope;
};
constexpr EventKind kEventKinds[] = {{"click", 0.f, 0.8f},
                                     {"like", -1.6f, 1.2f},
                                     {"comment", -3.2f, 0.8f},
                                     {"forward", -3.4f, 1.f},
                                     {"save", -2.4f, 1.f}};
constexpr std::string_view kRatings[] = {"0.5", "1", "1.5", "2", "2.5", "3", "3.5", "4", "4.5", "5"};

void append(std::string& text, int64_t number) {
  char digits[24];
  text.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
}

// Runs work for turn 0, 1, 2 … in this order, whichever thread comes with it.
class InTurn {
 public:
  template <class Work>
  void run(int64_t turn, Work&& work) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return turn_ == turn || failed_; });
    if (failed_) return;
    work();
    ++turn_;
    changed_.notify_all();
  }
  /// Lets all who wait go on without their work; a turn will never come.
  void fail() {
    const std::lock_guard lock(mutex_);
    failed_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int64_t turn_ = 0;
  bool failed_ = false;
};

// What truth.json tells of the rows written.
struct Totals {
  int64_t ratings = 0;
  double rating_sum = 0, squared_error = 0;
  int64_t views = 0;
  std::array<int64_t, std::size(kEventKinds)> events{};

  void add(const Totals& other) {
    ratings += other.ratings;
    rating_sum += other.rating_sum;
    squared_error += other.squared_error;
    views += other.views;
    for (size_t k = 0; k < events.size(); ++k) events[k] += other.events[k];
  }
};

// The rows of one user in ratings.csv and events.csv.
void write_user(const SynthOptions& options, const Planted& planted, int64_t row, const PlantedUser& user,
                std::span<const int32_t> items, std::string& ratings, std::string& events, Totals& totals) {
  Draws draws(options.seed, SynthStage::kRating, row);
  Draws event_draws(options.seed, SynthStage::kEvent, row);
  // Half of a user's time span follows his first day; some stay for years.
  const int64_t start = kFirstTime + draws.below(kSpan);
  const auto stay = static_cast<int64_t>(static_cast<double>(kFirstTime + kSpan - start) * std::pow(draws.unit(), 3));
  std::string pair;
  append(pair, row + 1);
  pair += ',';
  const size_t user_size = pair.size();
  for (const int32_t item : items) {
    const float affinity = planted.affinity(user, item);
    const float expected = planted.expected_rating(user, item, affinity);
    const double noisy = static_cast<double>(expected) + Planted::kNoise * static_cast<double>(draws.normal());
    const int halves = std::clamp(static_cast<int>(std::lround(noisy * 2)), 1, 10);
    const int64_t time = start + draws.below(stay + 1);
    pair.resize(user_size);
    append(pair, item + 1);
    pair += ',';

    ratings += pair;
    ratings += kRatings[halves - 1];
    ratings += ',';
    append(ratings, time);
    ratings += '\n';
    const double error = halves * 0.5 - static_cast<double>(expected);
    ++totals.ratings;
    totals.rating_sum += halves * 0.5;
    totals.squared_error += error * error;

    const auto event = [&](std::string_view kind, int64_t at) {
      events += pair;
      events += kind;
      events += ',';
      append(events, at);
      events += '\n';
    };
    int64_t at = time - 60 - (event_draws.bits() & 0xfff);  // seen up to an hour before it is rated
    event("view", at);
    ++totals.views;
    for (size_t k = 0; k < std::size(kEventKinds); ++k) {
      const auto& [kind, level, slope] = kEventKinds[k];
      const float chance = 1.f / (1.f + std::exp(-level - slope * affinity));
      if (event_draws.unit() >= chance) continue;
      at += 1 + (event_draws.bits() & 7);
      event(kind, at);
      ++totals.events[k];
    }
  }
}

Totals write_interactions(Context& ctx, const SynthOptions& options, const Planted& planted, PendingFile& ratings,
                          PendingFile& events) {
  const std::vector<int32_t> activity = planted_activity(options);
  struct Block {
    int64_t first_user, first_interaction;
  };
  std::vector<Block> blocks;
  int64_t interactions = 0;
  for (int64_t u = 0, size = kBlockInteractions; u < options.users; ++u) {
    if (size >= kBlockInteractions) {
      blocks.push_back({u, interactions});
      size = 0;
    }
    size += activity[static_cast<size_t>(u)];
    interactions += activity[static_cast<size_t>(u)];
  }

  ratings.write("user,item,rating,time\n");
  events.write("user,item,kind,time\n");
  Totals totals;
  InTurn in_turn;
  Progress progress("synth", options.interactions, "interactions");
  std::vector<std::unique_ptr<ItemChoice>> choices(static_cast<size_t>(ctx.threads()));
  cpu::parallel_for(ctx, static_cast<int64_t>(blocks.size()), 1, [&](int64_t b, int64_t, int thread) {
    try {
      check_interrupt();
      auto& choice = choices[static_cast<size_t>(thread)];
      if (!choice) choice = std::make_unique<ItemChoice>(options, planted);
      const auto index = static_cast<size_t>(b);
      const int64_t end = index + 1 < blocks.size() ? blocks[index + 1].first_user : options.users;
      int64_t first = blocks[index].first_interaction;
      std::string rating_text, event_text;
      Totals of_block;
      for (int64_t row = blocks[index].first_user; row < end; ++row) {
        const int64_t count = activity[static_cast<size_t>(row)];
        const PlantedUser user = planted.user(row);
        const auto items = choice->draw(row, user, first, count);
        write_user(options, planted, row, user, items, rating_text, event_text, of_block);
        first += count;
      }
      in_turn.run(b, [&] {
        ratings.write(rating_text);
        events.write(event_text);
        totals.add(of_block);
        progress.update(totals.ratings);
      });
    } catch (...) {
      in_turn.fail();
      throw;
    }
  });
  return totals;
}

// A CSV field, quoted where it has to be.
std::string field(std::string_view text) {
  return text.find(',') == std::string_view::npos ? std::string(text) : fmt::format("\"{}\"", text);
}

void write_items(const SynthOptions& options, const Planted& planted, PendingFile& file) {
  file.write("id,title,tags\n");
  std::string line;
  for (int64_t item = 0; item < options.items; ++item) {
    line.clear();
    append(line, item + 1);
    line += ',' + field(synth_title(item)) + ',';
    bool first = true;
    for (const uint8_t tag : planted.tags(item)) {
      if (!first) line += '|';
      first = false;
      line += synth_tags()[tag];
    }
    line += '\n';
    file.write(line);
  }
}

void write_users(const SynthOptions& options, const Planted& planted, PendingFile& file) {
  file.write("id,age,country\n");
  const auto countries = static_cast<float>(synth_countries().size());
  const auto country = [&](Draws& draws) {
    const float u = draws.unit();
    return static_cast<size_t>(u * u * countries);
  };
  std::string line;
  for (int64_t row = 0; row < options.users; ++row) {
    // A community has an age and a country, which most of its users are near to.
    Draws common(options.seed, SynthStage::kProfile, options.users + planted.community(row));
    Draws own(options.seed, SynthStage::kProfile, row);
    const float age = 38 + 12 * common.normal() + 6 * own.normal();
    const size_t usual = country(common), other = country(own);
    line.clear();
    append(line, row + 1);
    line += ',';
    append(line, std::clamp<int64_t>(std::lround(age), 14, 90));
    line += ',';
    line += synth_countries()[own.unit() < 0.7f ? usual : other];
    line += '\n';
    file.write(line);
  }
}

// Pairs, the lower user first: a few in the user's community (users of equal row modulo the communities), sometimes one
// from anywhere.
int64_t write_friends(const SynthOptions& options, const Planted& planted, PendingFile& file) {
  file.write("user,friend\n");
  constexpr int kOfCommunity = 3;
  int64_t pairs = 0;
  std::string line;
  const auto pair = [&](int64_t a, int64_t b) {
    line.clear();
    append(line, a + 1);
    line += ',';
    append(line, b + 1);
    line += '\n';
    file.write(line);
    ++pairs;
  };
  const int64_t step = planted.communities();
  for (int64_t row = 0; row < options.users; ++row) {
    Draws draws(options.seed, SynthStage::kFriend, row);
    int64_t other = row;
    for (int k = 0; k < kOfCommunity; ++k) {
      other += step * (1 + draws.below(4));
      if (other < options.users) pair(row, other);
    }
    const int64_t anyone = draws.below(options.users);
    if (draws.unit() < 0.5f && anyone > row && (anyone - row) % step != 0) pair(row, anyone);
  }
  return pairs;
}

std::string truth_json(const SynthOptions& options, const Totals& totals, int64_t friend_pairs) {
  const auto count = static_cast<double>(totals.ratings);
  std::string kinds = fmt::format("\"view\": {}", totals.views);
  for (size_t k = 0; k < std::size(kEventKinds); ++k) {
    kinds += fmt::format(", \"{}\": {}", kEventKinds[k].name, totals.events[k]);
  }
  return fmt::format(R"({{
  "users": {}, "items": {}, "interactions": {}, "seed": {}, "factors": {},
  "rmse_floor": {}, "noise": {}, "mean_rating": {},
  "events": {{{}}},
  "friends": {}
}}
)",
                     options.users, options.items, options.interactions, options.seed, options.factors,
                     std::sqrt(totals.squared_error / count), Planted::kNoise, totals.rating_sum / count, kinds,
                     friend_pairs);
}

void check(const SynthOptions& options) {
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  const auto within = [](std::string_view what, int64_t value, int64_t least, int64_t most) {
    if (value >= least && value <= most) return;
    throw InputError(fmt::format("synth: {}: expected {} to {}, found {}", what, least, most, value));
  };
  within("users", options.users, 1, kMost);
  within("items", options.items, 1, kMost);
  within("interactions (of distinct pairs)", options.interactions, 1,
         options.users > std::numeric_limits<int64_t>::max() / options.items ? std::numeric_limits<int64_t>::max()
                                                                             : options.users * options.items);
  within("factors", options.factors, 1, 1024);
}

}  // namespace

void write_synthetic(const std::filesystem::path& folder, const SynthOptions& options) {
  check(options);
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (!std::filesystem::is_directory(folder)) {
    throw InputError(
        fmt::format("{}: cannot make this folder{}", folder.string(), error ? ": " + error.message() : ""));
  }
  Context ctx({.device = "cpu", .threads = options.threads, .seed = options.seed});
  const Planted planted(options);
  PendingFile ratings(folder / "ratings.csv"), events(folder / "events.csv"), items(folder / "items.csv"),
      users(folder / "users.csv"), friends(folder / "friends.csv"), truth(folder / "truth.json");
  const Totals totals = write_interactions(ctx, options, planted, ratings, events);
  write_items(options, planted, items);
  write_users(options, planted, users);
  truth.write(truth_json(options, totals, write_friends(options, planted, friends)));
  for (PendingFile* file : {&ratings, &events, &items, &users, &friends, &truth}) file->commit();
}

struct SynthTruth::Impl {
  Planted planted;
};

SynthTruth::SynthTruth(const SynthOptions& options) {
  check(options);
  impl_ = std::make_unique<Impl>(Impl{Planted(options)});
}
SynthTruth::~SynthTruth() = default;

double SynthTruth::expected_rating(int64_t user, int64_t item) const {
  const PlantedUser planted_user = impl_->planted.user(user - 1);
  const float affinity = impl_->planted.affinity(planted_user, item - 1);
  return static_cast<double>(impl_->planted.expected_rating(planted_user, item - 1, affinity));
}

double SynthTruth::noise() const { return Planted::kNoise; }

}  // namespace kindred
