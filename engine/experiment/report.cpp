// SPDX-License-Identifier: Apache-2.0
#include "engine/experiment/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engine/core/file.hpp"
#include "engine/core/log.hpp"
#include "engine/core/output.hpp"

namespace kindred {

size_t name_width(const Evaluation& evaluation) {
  size_t width = 14;
  for (size_t m = 0; m < evaluation.metrics.size(); ++m) width = std::max(width, evaluation.name(m).size());
  return width;
}

std::string metrics_table(const Evaluation& evaluation) {
  if (evaluation.metrics.empty()) return "nothing was held out for a test: no metrics\n";
  std::string out = fmt::format("{:<{}} {:>10}   {}\n", "test", name_width(evaluation), "mean", "95 % interval");
  for (size_t m = 0; m < evaluation.metrics.size(); ++m) {
    const MetricValue& value = evaluation.values[m];
    out += fmt::format("{:<{}} {:>10.4f}", evaluation.name(m), name_width(evaluation), value.mean);
    if (!std::isnan(value.low)) out += fmt::format("   {:.4f} to {:.4f}", value.low, value.high);
    out += "\n";
  }
  return out;
}

void write_per_user(const Evaluation& evaluation, const Ids& users, const std::filesystem::path& path) {
  PendingFile file(path);
  std::string line = "user";
  for (size_t m = 0; m < evaluation.metrics.size(); ++m)
    if (evaluation.metrics[m].of_users()) line += "," + evaluation.name(m);
  file.write(line + "\n");
  for (size_t u = 0; u < evaluation.users.size(); ++u) {
    line.clear();
    append_csv(line, users.text(evaluation.users[u]));
    for (size_t m = 0; m < evaluation.metrics.size(); ++m) {
      if (!evaluation.metrics[m].of_users()) continue;
      const double value = evaluation.of_user(m, u);
      line += std::isnan(value) ? "," : "," + format_double(value);
    }
    file.write(line + "\n");
  }
  file.commit();
}

}  // namespace kindred
