// SPDX-License-Identifier: Apache-2.0
#include "engine/experiment/cost.hpp"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>

#include "engine/core/error.hpp"
#include "engine/core/log.hpp"
#include "engine/data/input_files.hpp"
#include "engine/data/reader.hpp"
#include "engine/data/table.hpp"
#include "engine/experiment/model.hpp"
#include "kernels/dense.hpp"
#include "kernels/memory.hpp"

namespace kindred {
namespace {

/// Work from which the machine's rate is measured: less is over before one would ask.
constexpr double kNoticeableFlop = 1e11;
/// A list's share of the rate of products (docs/measurements/topk-cpu.md).
constexpr double kListRate = 0.75;

/// FLOP/s of a product of two 1,024 x 1,024 matrices, the better of two.
double product_rate(Context& ctx) {
  constexpr int64_t kSize = 1024;
  Matrix<float> a(ctx, kSize, kSize, "rate"), c(ctx, kSize, kSize, "rate");
  fill_zero(ctx, a.view().flat());
  double best = 1e30;
  for (int turn = 0; turn < 2; ++turn) {
    const auto start = std::chrono::steady_clock::now();
    gemm(ctx, 1, a.view(), Transpose::kNo, a.view(), Transpose::kNo, 0, c.view());
    ctx.wait();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return 2.0 * kSize * kSize * kSize / best;
}

int64_t free_device_bytes(const Context& ctx) {
  if (!ctx.on_cuda()) return 0;
  for (const CudaDevice& device : cuda_report().devices)
    if ("cuda:" + std::to_string(device.index) == ctx.device_name()) return device.free_bytes;
  return 0;
}

/// Users of a held-out part who are evaluated.
int64_t evaluated_users(const HeldOut& part, int64_t most) {
  int64_t users = 0;
  for (int64_t u = 0; u < part.matrix.rows(); ++u) users += !part.matrix.row(u).empty();
  return most > 0 ? std::min(users, most) : users;
}

FitShape shape_of(const Interactions& train, int64_t more) {
  return {train.num_users(), train.num_items(), train.size() + more, !train.matrix.values.empty()};
}

/// Peaks of host and device over the phases of a run that begins with `resident` bytes.
void set_memory(const Config& config, const Context& ctx, const PreparedData& data, int64_t resident, RunCost& cost) {
  if (config.model == "popularity" || config.model == "bayesian-average") return;
  const FitShape shape = shape_of(data.train, 0);
  const FitMemory fit = fit_memory(ctx, shape, config);
  if (config.data.normalize != Normalize::kNone) resident += 4 * shape.interactions;  // values are kept as they were
  // A snapshot is validated or exported; early stopping keeps the best one beside it.
  const int64_t kept = config.early_stopping.metric.empty() ? 0 : fit.snapshot;
  cost.host = std::max(cost.host, resident + fit.host + fit.snapshot + kept);
  cost.device = std::max(cost.device, fit.device);
  if (config.refit == "none") return;
  const int64_t validation = data.validation.matrix.nnz(), test = config.refit == "all" ? data.test.matrix.nnz() : 0;
  const FitShape whole = shape_of(data.train, validation + test);
  const FitMemory again = fit_memory(ctx, whole, config);
  const int64_t merged = (4 + 4 * whole.values) * whole.interactions + 8 * whole.users;
  cost.host = std::max(cost.host, resident + merged + kept + std::max(fit.snapshot, again.host + again.snapshot));
  cost.device = std::max(cost.device, again.device);
}

std::string advice(const RunCost& cost) {
  return cost.fitting_factors > 0
             ? fmt::format("model.factors = {} would fit", cost.fitting_factors)
             : std::string("use less data (data.min_user_interactions, data.min_item_interactions) or another machine");
}

std::string gflop(double flop) { return fmt::format("{:.3g} GFLOP", flop * 1e-9); }

}  // namespace

ProcessMemory process_memory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  int64_t size = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> size >> resident;
  return {resident * sysconf(_SC_PAGESIZE), int64_t{usage.ru_maxrss} * 1024};
}

namespace {

/// Rows of a text file of this size, from samples all over it: the first rows are seldom as long as the last.
double count_rows(std::ifstream& file, double size, char row_mark) {
  constexpr int kSamples = 16;
  std::string sample(1 << 16, '\0');
  double seen = 0, marks = 0;
  for (int n = 0; n < kSamples; ++n) {
    file.clear();
    file.seekg(
        static_cast<std::streamoff>(std::max(0.0, size - static_cast<double>(sample.size())) * n / (kSamples - 1)));
    file.read(sample.data(), static_cast<std::streamsize>(sample.size()));
    seen += static_cast<double>(file.gcount());
    marks += static_cast<double>(std::count(sample.begin(), sample.begin() + file.gcount(), row_mark));
  }
  return seen > 0 ? size * marks / seen : 0;
}

/// Bytes that a row needs while the matrix is made: users, items and what else the file's columns give, first as the
/// file has them, then in the matrix, which has the users once.
int64_t row_bytes(const Config& config, const InputFile& input, std::ifstream& file) {
  if (config.data.format == "adjacency") return 8 + 4;
  std::string head(1 << 20, '\0');
  file.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<size_t>(file.gcount()));
  const std::vector<ColumnWish> wishes = interaction_wishes(config.data.columns);
  const bool weighed = !config.data.utility.empty() || !config.data.events.empty();
  const Layout layout = find_layout(head, input.path, wishes, config.data.text.quote);
  const auto has = [&](size_t wish) { return layout.columns[wish].index >= 0; };
  const int64_t values = has(2) || weighed ? 4 : 0, times = has(3) ? 8 : 0, kinds = has(4) || !input.event.empty();
  return 4 + 2 * (4 + values + times + kinds);
}

}  // namespace

ReadingEstimate estimate_reading(const Config& config) {
  ReadingEstimate out{.host_free = process_memory().resident + cpu_report().available_bytes};
  if (config.data.format != "csv" && config.data.format != "adjacency") return out;
  const InputFiles named =
      config.split.protocol == "files" ? InputFiles(config.split.files.train) : config.data.interactions;
  out.host = process_memory().resident;
  for (const InputFile& input : expand(named)) {
    const std::filesystem::path path = input.path;
    std::error_code unreadable;
    const auto size = static_cast<double>(std::filesystem::file_size(path, unreadable));
    if (unreadable || path.extension() == ".gz") continue;
    std::ifstream file(path, std::ios::binary);
    try {
      const int64_t bytes = row_bytes(config, input, file);
      // A row a line, or, in adjacency lists, one each space.
      const auto rows = static_cast<int64_t>(count_rows(file, size, config.data.format == "csv" ? '\n' : ' '));
      out.rows += rows;
      out.host += rows * bytes;
    } catch (const InputError&) {  // said when the file is read
    }
  }
  return out;
}

std::string ReadingEstimate::text() const {
  return fmt::format("estimate {} interactions, reading takes {} of {} free (from the file's size)", format_count(rows),
                     format_bytes(host), format_bytes(host_free));
}

RunCost run_cost(const Config& config, Context& ctx, const PreparedData& data) {
  const ProcessMemory now = process_memory();
  RunCost cost;
  cost.host = now.peak;
  cost.host_free = now.resident + cpu_report().available_bytes;
  cost.device_free = free_device_bytes(ctx);
  set_memory(config, ctx, data, now.resident, cost);
  Config smaller = config;
  if (int* const factors = factors_of(smaller); factors != nullptr && !cost.fits()) {
    const int wanted = *factors;
    for (*factors = 512; *factors >= 8 && cost.fitting_factors == 0; *factors /= 2) {
      RunCost other{.host_free = cost.host_free, .device_free = cost.device_free};
      set_memory(smaller, ctx, data, now.resident, other);
      if (*factors < wanted && other.fits()) cost.fitting_factors = *factors;
    }
  }

  Config own = config;
  const int* const factors = factors_of(own);
  const double user_flop = 2.0 * static_cast<double>(data.train.num_items()) * (factors != nullptr ? *factors : 1);
  cost.validation_flop = user_flop * static_cast<double>(evaluated_users(data.validation, config.validation_users));
  cost.test_flop = user_flop * static_cast<double>(evaluated_users(data.test, config.test_users));
  if (cost.validation_flop > 0) cost.validations = 1 + (epochs_of(config) + config.every - 1) / config.every;
  const double flop = cost.validations * cost.validation_flop + cost.test_flop;
  if (flop > kNoticeableFlop && !ctx.on_cuda()) cost.seconds = flop / (kListRate * product_rate(ctx));
  return cost;
}

void log_cost(const RunCost& cost) {
  if (cost.device > 0)
    log_info("memory", {{"host", format_bytes(cost.host)},
                        {"host_free", format_bytes(cost.host_free)},
                        {"device", format_bytes(cost.device)},
                        {"device_free", format_bytes(cost.device_free)}});
  else
    log_info("memory", {{"host", format_bytes(cost.host)}, {"host_free", format_bytes(cost.host_free)}});
  if (!cost.fits()) log_warning("this run needs more memory than is free", {{"advice", advice(cost)}});
  log_info("evaluation", {{"validations", cost.validations},
                          {"each", gflop(cost.validation_flop)},
                          {"test", gflop(cost.test_flop)},
                          {"all", cost.seconds > 0 ? "about " + format_seconds(cost.seconds) : "soon done"}});
}

std::string cost_text(const RunCost& cost) {
  std::string out = fmt::format("memory_host {} of {} free\n", format_bytes(cost.host), format_bytes(cost.host_free));
  if (cost.device > 0)
    out += fmt::format("memory_device {} of {} free\n", format_bytes(cost.device), format_bytes(cost.device_free));
  if (!cost.fits()) out += "memory_advice " + advice(cost) + "\n";
  out +=
      fmt::format("evaluation {} validations of {}, test of {}{}\n", cost.validations, gflop(cost.validation_flop),
                  gflop(cost.test_flop), cost.seconds > 0 ? ", about " + format_seconds(cost.seconds) + " in all" : "");
  return out;
}

}  // namespace kindred
