// SPDX-License-Identifier: Apache-2.0
#include "engine/store/sinks.hpp"

#include "engine/store/sinks_detail.hpp"

namespace kindred {

ListFile parse_list_file(const std::string& text) {
  for (const std::string form : {"csv", "json", "h5", "sqlite"}) {
    if (text.starts_with(form + ":") && text.size() > form.size() + 1) return {form, text.substr(form.size() + 1)};
  }
  const std::string ending = std::filesystem::path(text).extension().string();
  if (ending == ".csv") return {"csv", text};
  if (ending == ".json" || ending == ".jsonl") return {"json", text};
  if (ending == ".h5" || ending == ".hdf5") return {"h5", text};
  throw InputError("expected FILE.csv, FILE.json, FILE.h5 or sqlite:FILE, found '" + printable(text) + "'");
}

std::unique_ptr<ListSink> open_sink(const std::string& target, const std::string& format, const SinkInfo& info) {
  if (target == "-") {
    if (format == "table") return table_sink(info);
    if (format == "csv") return csv_sink(target, info);
    if (format == "json") return json_sink(target, info);
    const std::vector<std::string> formats = {"table", "csv", "json"};
    throw InputError("--format: expected table, csv or json, found '" + printable(format) + "'" +
                     did_you_mean(format, formats));
  }
  ListFile file;
  try {
    file = parse_list_file(target);
  } catch (const InputError& error) {
    throw InputError(std::string("--to: ") + error.what());
  }
  if (file.form == "sqlite") return sqlite_sink(file.path, info);
  if (file.form == "json") return json_sink(file.path, info);
  if (file.form == "h5") return hdf5_sink(file.path, info);
  return csv_sink(file.path, info);
}

}  // namespace kindred
