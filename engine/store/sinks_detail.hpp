// SPDX-License-Identifier: Apache-2.0
// The sinks that open_sink chooses from.
#pragma once
#include <filesystem>

#include "engine/store/sinks.hpp"

namespace kindred {

/// path "-": standard output.
std::unique_ptr<ListSink> table_sink(const SinkInfo& info);
std::unique_ptr<ListSink> csv_sink(const std::filesystem::path& path, const SinkInfo& info);
std::unique_ptr<ListSink> json_sink(const std::filesystem::path& path, const SinkInfo& info);
std::unique_ptr<ListSink> hdf5_sink(const std::filesystem::path& path, const SinkInfo& info);
std::unique_ptr<ListSink> sqlite_sink(const std::filesystem::path& path, const SinkInfo& info);

/// The title of an item, "" where there is none.
inline std::string_view title_of(const SinkInfo& info, int32_t item) {
  return info.catalogue && !info.catalogue->titles.empty() ? info.catalogue->titles[static_cast<size_t>(item)]
                                                           : std::string_view();
}
inline bool has_titles(const SinkInfo& info) { return info.catalogue && !info.catalogue->titles.empty(); }

/// visit(rank from 1, position in the batch, item) for each entry of query q's list.
template <class Visit>
void for_each_entry(const ListBatch& batch, size_t q, const Visit& visit) {
  const auto k = static_cast<size_t>(batch.k);
  for (size_t at = q * k; at < (q + 1) * k && batch.items[at] >= 0; ++at)
    visit(static_cast<int>(at - q * k) + 1, at, batch.items[at]);
}

}  // namespace kindred
