// SPDX-License-Identifier: Apache-2.0
#include "apps/evaluate/answer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "engine/core/error.hpp"
#include "engine/core/log.hpp"
#include "engine/evaluate/bootstrap.hpp"
#include "engine/experiment/report.hpp"
#include "engine/store/text.hpp"

namespace kindred {
namespace {

/// "user=uid" and the like.
void read_columns(const std::vector<std::string>& pairs, InteractionColumns& to) {
  for (const auto& pair : pairs) {
    const size_t equals = pair.find('=');
    const std::string what = pair.substr(0, equals);
    std::string* field = what == "user"    ? &to.user
                         : what == "item"  ? &to.item
                         : what == "score" ? &to.value
                         : what == "rank"  ? &to.time
                                           : nullptr;
    if (field == nullptr || equals == std::string::npos || equals + 1 == pair.size())
      throw InputError("--columns: expected user=NAME, item=NAME, score=NAME or rank=NAME, found '" + printable(pair) +
                       "'");
    *field = pair.substr(equals + 1);
  }
}

void complete(EvaluateRequest& request) {
  for (const auto& name : request.metrics) {
    const MetricSpec metric = parse_metric(name);
    if (std::ranges::any_of(request.options.metrics, [&](const auto& m) { return m.name() == metric.name(); }))
      throw InputError("--metrics: expected each metric once, found " + metric.name() + " again");
    request.options.metrics.push_back(metric);
  }
  const std::string& negatives = request.negatives;
  if (!negatives.empty() && std::ranges::all_of(negatives, [](char c) { return c >= '0' && c <= '9'; })) {
    int& drawn = request.options.negatives;
    const auto result = std::from_chars(negatives.data(), negatives.data() + negatives.size(), drawn);
    if (result.ec != std::errc() || drawn < 1 || drawn > 1000000)
      throw InputError("--negatives: expected a file, or a number from 1 to 1000000, found " + printable(negatives));
    request.options.only_negatives = true;
  } else {
    request.files.negatives = negatives;
  }
  if (std::isnan(request.options.relevant_min)) throw InputError("--relevant-min: expected a number, found nan");
  if (request.options.users < 0) throw InputError("--users: expected 0 or more");
  request.options.gain_by_value = request.gain == "value";
  request.options.filter_seen = !request.include_seen;
  request.options.intervals = !request.no_intervals;
  read_columns(request.columns, request.files.list_columns);
}

/// A number, or nothing where there is none.
std::string cell(double value, const std::string& otherwise = "") {
  return std::isnan(value) ? otherwise : format_double(value);
}

std::string in_table(const Evaluation& evaluation, const Comparison* comparison) {
  if (comparison == nullptr) return metrics_table(evaluation);
  std::string out = fmt::format("{:<{}} {:>10} {:>10} {:>12}   {}\n", "test", name_width(evaluation), "mean", "against",
                                "difference", "95 % interval");
  for (size_t m = 0; m < evaluation.metrics.size(); ++m) {
    const MetricValue& gap = comparison->difference[m];
    out += fmt::format("{:<{}} {:>10.4f} {:>10.4f} {:>+12.4f}", evaluation.name(m), name_width(evaluation),
                       comparison->first[m].mean, comparison->second[m].mean, gap.mean);
    if (!std::isnan(gap.low)) out += fmt::format("   {:+.4f} to {:+.4f}", gap.low, gap.high);
    out += "\n";
  }
  return out;
}

std::string in_csv(const Evaluation& evaluation, const Comparison* comparison) {
  std::string out = comparison == nullptr ? "metric,mean,low,high\n" : "metric,mean,against,difference,low,high\n";
  for (size_t m = 0; m < evaluation.metrics.size(); ++m) {
    const MetricValue& value = comparison == nullptr ? evaluation.values[m] : comparison->difference[m];
    out += evaluation.name(m);
    if (comparison != nullptr)
      out += "," + format_double(comparison->first[m].mean) + "," + format_double(comparison->second[m].mean);
    out += "," + format_double(value.mean) + "," + cell(value.low) + "," + cell(value.high) + "\n";
  }
  return out;
}

std::string in_json(const EvaluateRequest& request, const Evaluation& evaluation, const Comparison* comparison) {
  std::string out = "{\"path\":";
  append_json(out, request.path.string());
  if (comparison != nullptr) out += ",\"against\":", append_json(out, request.against.string());
  out += fmt::format(",\"users\":{},\"metrics\":{{",
                     comparison == nullptr ? std::ssize(evaluation.users) : comparison->users);
  for (size_t m = 0; m < evaluation.metrics.size(); ++m) {
    const MetricValue& value = comparison == nullptr ? evaluation.values[m] : comparison->difference[m];
    out += fmt::format("{}\"{}\":{{", m > 0 ? "," : "", evaluation.name(m));
    if (comparison == nullptr)
      out += "\"mean\":" + format_double(value.mean);
    else
      out += "\"mean\":" + format_double(comparison->first[m].mean) +
             ",\"against\":" + format_double(comparison->second[m].mean) +
             ",\"difference\":" + format_double(value.mean);
    out += ",\"low\":" + cell(value.low, "null") + ",\"high\":" + cell(value.high, "null") + "}";
  }
  return out + "}}\n";
}

}  // namespace

void answer(EvaluateRequest request) {
  complete(request);
  Context ctx({.device = request.device, .threads = request.threads, .seed = request.options.seed});
  const Contender contender = judge(ctx, request.path, request.files, request.options);
  const Evaluation& evaluation = contender.evaluation;
  if (evaluation.users.empty()) log_warning("nobody has anything relevant in the test part: all metrics are 0");
  Comparison comparison;
  if (!request.against.empty()) {
    request.options.metrics = evaluation.metrics;
    const Contender other = judge(ctx, request.against, request.files, request.options);
    comparison = compare(ctx, evaluation, *contender.users, other.evaluation, *other.users, request.options.seed,
                         request.options.intervals);
    if (comparison.users < std::ssize(evaluation.users) || comparison.users < std::ssize(other.evaluation.users))
      log_warning("only users that both know are compared", {{"users", comparison.users}});
  }
  if (!request.per_user.empty()) write_per_user(evaluation, *contender.users, request.per_user);
  const Comparison* pairs = request.against.empty() ? nullptr : &comparison;
  const std::string text = request.format == "json"  ? in_json(request, evaluation, pairs)
                           : request.format == "csv" ? in_csv(evaluation, pairs)
                                                     : in_table(evaluation, pairs);
  std::fputs(text.c_str(), stdout);
}

}  // namespace kindred
