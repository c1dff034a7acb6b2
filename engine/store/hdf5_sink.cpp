// SPDX-License-Identifier: Apache-2.0
// Lists as an HDF5 file: /users/ids (or /queries/ids) and their rows in the model, /items/ids,
// /recommendations/rows (int32, n x k, -1 padded) and /recommendations/scores. docs/model-file.md describes it.
#include <optional>

#include "engine/hdf5/hdf5.hpp"
#include "engine/store/sinks_detail.hpp"

namespace kindred {
namespace {

using hdf5::Writer;

class Hdf5Sink : public ListSink {
 public:
  Hdf5Sink(const std::filesystem::path& path, const SinkInfo& info)
      : info_(info), group_(info.query_column == "user" ? "/users" : "/queries"), writer_(path) {
    writer_.attribute("/", "format", std::string("kindred-lists"));
    writer_.attribute("/", "format_version", int64_t{1});
    writer_.attribute("/", "model", info.model);
    writer_.attribute("/", "model_content_hash", info.content_hash);
    writer_.group("/items");
    writer_.ids("/items/ids", *info.items);
    writer_.group(group_);
    writer_.group("/recommendations");
  }

  void write(const ListBatch& batch) override {
    if (!rows_) begin(batch.k);
    rows_->append(batch.items);
    scores_->append(batch.scores);
    for (const std::string& query : batch.queries) {
      int64_t value = 0;
      integer_ = integer_ && parse_canonical_integer(query, value);
      ids_ += query;
      ends_.push_back(static_cast<int64_t>(ids_.size()));
    }
    query_rows_.insert(query_rows_.end(), batch.query_rows.begin(), batch.query_rows.end());
  }

  void finish() override {
    if (!rows_) begin(0);
    rows_->finish();
    scores_->finish();
    const auto count = static_cast<int64_t>(ends_.size());
    const auto id = [&](int64_t q) {
      const int64_t begin = q == 0 ? 0 : ends_[static_cast<size_t>(q) - 1];
      return std::string_view(ids_).substr(static_cast<size_t>(begin),
                                           static_cast<size_t>(ends_[static_cast<size_t>(q)] - begin));
    };
    if (integer_) {
      std::vector<int64_t> values(ends_.size());
      for (int64_t q = 0; q < count; ++q) parse_canonical_integer(id(q), values[static_cast<size_t>(q)]);
      writer_.dataset(group_ + "/ids", hdf5::int64s({count}), std::as_bytes(std::span(values)));
    } else {
      writer_.strings(group_ + "/ids", count, id);
    }
    writer_.dataset(group_ + "/rows", hdf5::int32s({count}), std::as_bytes(std::span(query_rows_)));
    writer_.commit();
  }

 private:
  void begin(int k) {
    hdf5::Form rows = hdf5::int32s({0, k}), scores = hdf5::floats({0, k});
    rows.growing = scores.growing = k > 0;
    rows_.emplace(writer_, "/recommendations/rows", rows, true);
    scores_.emplace(writer_, "/recommendations/scores", scores, true);
  }

  const SinkInfo info_;
  const std::string group_;
  Writer writer_;
  std::optional<Writer::Dataset> rows_, scores_;
  std::string ids_;
  std::vector<int64_t> ends_;  // of each id in ids_
  std::vector<int32_t> query_rows_;
  bool integer_ = true;
};

}  // namespace

std::unique_ptr<ListSink> hdf5_sink(const std::filesystem::path& path, const SinkInfo& info) {
  return std::make_unique<Hdf5Sink>(path, info);
}

}  // namespace kindred
