// SPDX-License-Identifier: Apache-2.0
#include "engine/store/sinks.hpp"

#include "engine/store/sinks_detail.hpp"

namespace kindred {

std::unique_ptr<ListSink> open_sink(const std::string& target, const std::string& format, const SinkInfo& info) {
  constexpr std::string_view kSqlite = "sqlite:";
  if (target == "-") {
    if (format == "table") return table_sink(info);
    if (format == "csv") return csv_sink(target, info);
    if (format == "json") return json_sink(target, info);
    const std::vector<std::string> formats = {"table", "csv", "json"};
    throw InputError("--format: expected table, csv or json, found '" + printable(format) + "'" +
                     did_you_mean(format, formats));
  }
  if (target.starts_with(kSqlite) && target.size() > kSqlite.size())
    return sqlite_sink(target.substr(kSqlite.size()), info);
  const std::string ending = std::filesystem::path(target).extension().string();
  if (ending == ".csv") return csv_sink(target, info);
  if (ending == ".json" || ending == ".jsonl") return json_sink(target, info);
  if (ending == ".h5" || ending == ".hdf5") return hdf5_sink(target, info);
  throw InputError("--to: expected FILE.csv, FILE.json, FILE.h5 or sqlite:FILE, found '" + printable(target) + "'");
}

}  // namespace kindred
