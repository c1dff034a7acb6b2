// SPDX-License-Identifier: Apache-2.0
// Checkpoints: the model file's machinery around an epoch, a text and some tables, which come back bit by bit.
#include <fmt/format.h>

#include "engine/core/error.hpp"
#include "engine/hdf5/hdf5.hpp"
#include "engine/store/model_file.hpp"
#include "engine/store/model_layout.hpp"

namespace kindred {

namespace layout = model_layout;

void save_checkpoint(const Checkpoint& checkpoint, const std::filesystem::path& path) {
  hdf5::Writer writer(path);
  writer.attribute("/", "format", std::string(layout::kCheckpointFormat));
  writer.attribute("/", "format_version", layout::kFormatVersion);
  writer.attribute("/", "kindred_version", std::string(KINDRED_VERSION), false);
  writer.attribute("/", "epoch", static_cast<int64_t>(checkpoint.epoch));
  writer.attribute("/", "tables", static_cast<int64_t>(checkpoint.tables.size()));
  writer.text("/text", checkpoint.text);
  for (size_t t = 0; t < checkpoint.tables.size(); ++t) {
    const auto& [name, table] = checkpoint.tables[t];
    const std::string at = fmt::format("/table{}", t);
    writer.dataset(at, hdf5::floats({table.rows, table.cols}), std::as_bytes(std::span(table.data)));
    writer.attribute(at, "name", name);
  }
  writer.commit();
}

Checkpoint load_checkpoint(const std::filesystem::path& path) {
  constexpr int64_t kMostTables = 1000;
  hdf5::Reader reader(path);
  layout::check_version(reader, layout::kCheckpointFormat);
  const int64_t tables = reader.integer("/", "tables"), epoch = reader.integer("/", "epoch");
  if (tables < 0 || tables > kMostTables) reader.fail("/", fmt::format("it says that it has {} tables", tables));
  if (epoch < 0 || epoch > INT32_MAX) reader.fail("/", fmt::format("its epoch is {}", epoch));
  std::vector<std::string> paths = {"/text"};
  for (int64_t t = 0; t < tables; ++t) paths.push_back(fmt::format("/table{}", t));
  reader.inspect(paths);
  reader.check_content(layout::counts, layout::root_attribute_counts);

  Checkpoint checkpoint;
  checkpoint.epoch = static_cast<int>(epoch);
  checkpoint.text = reader.scalar_text("/text");
  for (int64_t t = 0; t < tables; ++t) {
    const std::string at = fmt::format("/table{}", t);
    const hdf5::Form& form = reader.form(at);
    if (form.type != hdf5::Type::kFloat32 || form.extents.size() != 2) reader.fail(at, "not a table of float32");
    HostMatrix table;
    table.rows = form.extents[0];
    table.cols = form.extents[1];
    table.data = reader.values<float>(at);
    checkpoint.tables.emplace_back(reader.text(at, "name"), std::move(table));
  }
  return checkpoint;
}

}  // namespace kindred
