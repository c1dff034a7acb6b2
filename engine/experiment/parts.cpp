// SPDX-License-Identifier: Apache-2.0
#include "engine/experiment/parts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "engine/core/error.hpp"
#include "engine/core/file.hpp"
#include "engine/core/interrupt.hpp"
#include "engine/core/log.hpp"
#include "engine/core/output.hpp"

namespace kindred {
namespace {

constexpr int64_t kMillion = 1'000'000;
constexpr size_t kBufferBytes = size_t{1} << 18;

/// Everything before the split: where the times of a part's entries are looked up.
class Times {
 public:
  explicit Times(Interactions all) : all_(std::move(all)) {
    seconds_ = std::ranges::all_of(all_.times, [](int64_t time) { return unknown(time) || time % kMillion == 0; });
  }
  bool empty() const { return all_.times.empty(); }

  /// Appends the time of a pair, in Unix seconds; nothing where it is not known.
  void append(std::string_view user, std::string_view item, std::string& to) const {
    const int32_t u = all_.users->find(user), i = all_.items->find(item);
    if (u < 0 || i < 0) return;
    const auto row = all_.matrix.row(u);
    const auto found = std::ranges::lower_bound(row, i);
    if (found == row.end() || *found != i) return;
    const int64_t time =
        all_.times[static_cast<size_t>(all_.matrix.offsets[static_cast<size_t>(u)] + (found - row.begin()))];
    if (unknown(time)) return;
    if (seconds_) {
      to += std::to_string(time / kMillion);
    } else {
      to += fmt::format("{}{}.{:06}", time < 0 ? "-" : "", std::abs(time) / kMillion, std::abs(time) % kMillion);
    }
  }

 private:
  static bool unknown(int64_t time) { return time == INT64_MIN; }

  Interactions all_;
  bool seconds_ = true;
};

WrittenPart write_part(const std::filesystem::path& file, const HostCsr& matrix, const Interactions& ids,
                       const Times& times) {
  PendingFile out(file);
  std::string text = "user,item";
  if (!matrix.values.empty()) text += ",value";
  if (!times.empty()) text += ",time";
  text += '\n';
  std::string user, item;
  for (int64_t u = 0; u < matrix.rows(); ++u) {
    check_interrupt();
    user.clear();
    ids.users->append_text(u, user);
    for (int64_t e = matrix.offsets[static_cast<size_t>(u)]; e < matrix.offsets[static_cast<size_t>(u) + 1]; ++e) {
      item.clear();
      ids.items->append_text(matrix.indices[static_cast<size_t>(e)], item);
      append_csv(text, user);
      append_csv(text += ',', item);
      if (!matrix.values.empty()) text.append(",").append(format_float(matrix.value(e)));
      if (!times.empty()) times.append(user, item, text += ',');
      text += '\n';
    }
    if (text.size() < kBufferBytes) continue;
    out.write(text);
    text.clear();
  }
  out.write(text);
  out.commit();
  return {file, matrix.nnz()};
}

}  // namespace

std::vector<WrittenPart> write_parts(const Config& config, const std::filesystem::path& folder) {
  const DataOptions& options = config.data;
  const auto all_of = [&](const DataOptions& everything) {
    SplitOptions whole;
    whole.protocol = "none";
    return Times(prepare(everything, whole, config.seed, config.threads).train);
  };
  const auto all_of_file = [&](const std::filesystem::path& file) {
    DataOptions everything = options;
    everything.interactions = file;
    return all_of(everything);
  };
  const bool from_files = config.split.protocol == "files";
  if (options.interactions.string() == "-")
    throw InputError("data.interactions: split reads the data twice, which standard input does not allow; name a file");
  const Times times = from_files ? all_of_file(config.split.files.train) : all_of(options);
  // Parts from files of their own have their times there.
  const auto& files = config.split.files;
  const auto own_times = [&](const std::filesystem::path& file) {
    return from_files && !file.empty() ? std::optional(all_of_file(file)) : std::nullopt;
  };
  const auto validation_times = own_times(files.validation), test_times = own_times(files.test);

  PreparedData data = prepare(options, config.split, config.seed, config.threads);
  std::vector<WrittenPart> written;
  const int rounds = config.split.rounds();
  for (int round = 0; round < rounds; ++round) {
    const PreparedData parts = take_round(data, round, config.split, config.seed, config.threads);
    const auto place = rounds == 1 ? folder : folder / fmt::format("fold-{}", round + 1);
    std::error_code error;
    std::filesystem::create_directories(place, error);
    if (error) throw IoError(fmt::format("{}: cannot make the folder: {}", place.string(), error.message()));
    const auto write = [&](const char* name, const HostCsr& matrix, const Times& from) {
      if (matrix.nnz() > 0) written.push_back(write_part(place / name, matrix, parts.train, from));
    };
    write("train.csv", parts.train.matrix, times);
    write("validation.csv", parts.validation.matrix, validation_times ? *validation_times : times);
    write("validation_given.csv", parts.validation.given, times);
    write("test.csv", parts.test.matrix, test_times ? *test_times : times);
    write("test_given.csv", parts.test.given, times);
    write("negatives.csv", parts.negatives, Times({}));
  }
  return written;
}

}  // namespace kindred
