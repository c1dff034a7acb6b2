// SPDX-License-Identifier: Apache-2.0
#include "engine/data/convert.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <optional>

#include "engine/core/error.hpp"
#include "engine/core/log.hpp"
#include "engine/core/output.hpp"
#include "engine/core/utf8.hpp"
#include "engine/data/id_map.hpp"
#include "engine/data/parse.hpp"
#include "engine/data/profile.hpp"
#include "engine/data/row_source.hpp"
#include "engine/hdf5/hdf5.hpp"

namespace kindred {
namespace {

constexpr int64_t kMillion = 1'000'000;

void check_id(const RowSource& source, std::string_view id, const char* side) {
  if (id.empty()) source.fail(fmt::format("{}: the id is empty", side));
  if (id.size() > kMaxIdBytes)
    source.fail(fmt::format("{}: expected an id of at most {} bytes, found {}", side, kMaxIdBytes, id.size()));
  if (!valid_utf8(id))
    source.fail(fmt::format("{}: expected UTF-8, found '{}'; say --latin-1, or convert the file with iconv", side,
                            printable(id)));
}

int64_t to_csv(RowSource& source, const std::filesystem::path& path) {
  Output out(path);
  out.text = "user,item";
  if (source.has_value) out.text += ",value";
  if (source.has_time) out.text += ",time";
  if (source.has_event) out.text += ",event";
  out.text += '\n';
  int64_t rows = 0;
  for (TextRow row; source.next(row); ++rows) {
    check_id(source, row.user, "user");
    check_id(source, row.item, "item");
    append_csv(out.text, row.user);
    append_csv(out.text += ',', row.item);
    if (source.has_value) append_csv(out.text += ',', row.value);
    if (source.has_time) append_csv(out.text += ',', row.time);
    if (source.has_event) append_csv(out.text += ',', row.event);
    out.text += '\n';
    out.flush_if_full();
  }
  out.finish();
  return rows;
}

int64_t to_adjacency(RowSource& source, const std::filesystem::path& path) {
  IdMap user_map(IdType::kString), item_map(IdType::kString);
  std::vector<int32_t> users, items;
  const auto number = [&](IdMap& map, std::string_view id, const char* side) {
    check_id(source, id, side);
    if (id.find_first_of(" \t\r\n") != std::string_view::npos)
      source.fail(fmt::format("{}: the id '{}' has a blank in it, which adjacency cannot hold", side, printable(id)));
    return map.number(id);
  };
  for (TextRow row; source.next(row);) {
    users.push_back(number(user_map, row.user, "user"));
    items.push_back(number(item_map, row.item, "item"));
  }
  if (source.has_value || source.has_time || source.has_event)
    log_warning("adjacency holds users and items alone: values, times and events are left out");

  // Counting sort by user; a user's items keep their order.
  std::vector<int64_t> begin(static_cast<size_t>(user_map.size()) + 1);
  for (const int32_t user : users) ++begin[static_cast<size_t>(user) + 1];
  std::partial_sum(begin.begin(), begin.end(), begin.begin());
  std::vector<int32_t> sorted(items.size());
  std::vector<int64_t> next(begin.begin(), begin.end() - 1);
  for (size_t r = 0; r < users.size(); ++r)
    sorted[static_cast<size_t>(next[static_cast<size_t>(users[r])]++)] = items[r];
  Output out(path);
  for (int32_t user = 0; user < user_map.size(); ++user) {
    user_map.append_text(user, out.text);
    for (int64_t e = begin[static_cast<size_t>(user)]; e < begin[static_cast<size_t>(user) + 1]; ++e)
      item_map.append_text(sorted[static_cast<size_t>(e)], out.text += ' ');
    out.text += '\n';
    out.flush_if_full();
  }
  out.finish();
  return static_cast<int64_t>(users.size());
}

/// What must be known of all rows before the first can be written.
struct Survey {
  bool integer_users = true, integer_items = true;
  int64_t longest_user = 1, longest_item = 1, longest_event = 1;
  TimeForm time_form = TimeForm::kInteger;
  int64_t largest_time = 0;
  bool whole_seconds = true;

  int64_t time(int64_t raw) const {
    if (time_form == TimeForm::kInteger) return raw;
    const int64_t microseconds = to_microseconds(raw, time_form, time_unit(largest_time, time_form));
    return whole_seconds ? microseconds / kMillion : microseconds;
  }
};

void look_at_id(const RowSource& source, std::string_view id, const char* side, bool& integer, int64_t& longest) {
  check_id(source, id, side);
  int64_t value = 0;
  integer = integer && parse_canonical_integer(id, value);
  longest = std::max(longest, static_cast<int64_t>(id.size()));
}

Survey survey(RowSource& source) {
  Survey out;
  bool first = true;
  for (TextRow row; source.next(row); first = false) {
    look_at_id(source, row.user, "user", out.integer_users, out.longest_user);
    look_at_id(source, row.item, "item", out.integer_items, out.longest_item);
    float value = 0;
    if (!row.value.empty() && !parse_number(row.value, value))
      source.fail(fmt::format("value: expected a number, found '{}'", printable(row.value)));
    if (source.has_time) {
      if (first) out.time_form = time_form(row.time);
      int64_t raw = 0;
      if (!parse_time(row.time, out.time_form, raw))
        source.fail(fmt::format("time: expected a time written as in the first row, found '{}'", printable(row.time)));
      out.largest_time = std::max(out.largest_time, raw < 0 ? -raw : raw);
      out.whole_seconds = out.whole_seconds && raw % kMillion == 0;
    }
    if (source.has_event && !valid_utf8(row.event))
      source.fail(fmt::format("event: expected UTF-8, found '{}'", printable(row.event)));
    out.longest_event = std::max(out.longest_event, static_cast<int64_t>(row.event.size()));
  }
  // Milliseconds are no whole seconds, however round they are.
  if (out.time_form == TimeForm::kDecimal && time_unit(out.largest_time, out.time_form) != TimeUnit::kSeconds)
    out.whole_seconds = false;
  return out;
}

/// A column being written, some rows at a time.
template <class T>
class ColumnWriter {
 public:
  ColumnWriter(hdf5::Writer& writer, const std::string& path, hdf5::Form form)
      : dataset_(writer, path, grow(form), true) {}
  void add(T value) {
    rows_.push_back(value);
    if (rows_.size() == kRows) flush();
  }
  void finish() {
    flush();
    dataset_.finish();
  }

 private:
  static constexpr size_t kRows = 1 << 16;
  static hdf5::Form grow(hdf5::Form form) {
    form.growing = form.deflate = true;
    return form;
  }
  void flush() {
    dataset_.append(std::span<const T>(rows_));
    rows_.clear();
  }
  hdf5::Writer::Dataset dataset_;
  std::vector<T> rows_;
};

/// Ids or kinds: whole numbers, or texts padded with zeros.
class TextWriter {
 public:
  TextWriter(hdf5::Writer& writer, const std::string& path, bool integers, int64_t longest)
      : longest_(static_cast<size_t>(longest)) {
    if (integers)
      integers_.emplace(writer, path, hdf5::int64s({0}));
    else
      dataset_.emplace(writer, path, growing(longest), true);
  }
  void add(std::string_view text) {
    if (integers_) {
      int64_t value = 0;
      parse_canonical_integer(text, value);
      return integers_->add(value);
    }
    bytes_.append(text).append(longest_ - text.size(), '\0');
    if (bytes_.size() >= kBytes) flush();
  }
  void finish() {
    if (integers_) return integers_->finish();
    flush();
    dataset_->finish();
  }

 private:
  static constexpr size_t kBytes = 1 << 20;
  static hdf5::Form growing(int64_t longest) {
    hdf5::Form form = hdf5::strings(longest, {0});
    form.growing = form.deflate = true;
    return form;
  }
  void flush() {
    dataset_->append(std::as_bytes(std::span(bytes_)));
    bytes_.clear();
  }
  size_t longest_;
  std::optional<ColumnWriter<int64_t>> integers_;
  std::optional<hdf5::Writer::Dataset> dataset_;
  std::string bytes_;
};

int64_t to_hdf5(const Survey& found, RowSource& source, const std::filesystem::path& path) {
  hdf5::Writer writer(path);
  TextWriter users(writer, "/user", found.integer_users, found.longest_user);
  TextWriter items(writer, "/item", found.integer_items, found.longest_item);
  std::optional<ColumnWriter<float>> values;
  std::optional<ColumnWriter<int64_t>> times;
  std::optional<TextWriter> events;
  if (source.has_value) values.emplace(writer, "/value", hdf5::floats({0}));
  if (source.has_time) times.emplace(writer, "/time", hdf5::int64s({0}));
  if (source.has_event) events.emplace(writer, "/event", false, found.longest_event);
  int64_t rows = 0;
  for (TextRow row; source.next(row); ++rows) {
    users.add(row.user);
    items.add(row.item);
    if (values) {
      float value = 1;  // an empty cell counts 1, as where csv is read
      if (!row.value.empty()) parse_number(row.value, value);
      values->add(value);
    }
    if (times) {
      int64_t raw = 0;
      parse_time(row.time, found.time_form, raw);
      times->add(found.time(raw));
    }
    if (events) events->add(row.event);
  }
  users.finish();
  items.finish();
  if (values) values->finish();
  if (times) times->finish();
  if (events) events->finish();
  writer.commit();
  return rows;
}

std::string format_of_name(const std::filesystem::path& path) {
  const std::string ending = path.extension().string();
  if (ending == ".csv" || path == "-") return "csv";
  if (ending == ".h5" || ending == ".hdf5") return "hdf5";
  if (ending == ".txt" || ending == ".adjacency") return "adjacency";
  throw InputError("OUT: '" + printable(path.string()) +
                   "' tells no format: end it in .csv, .h5 or .txt (adjacency), or say --to");
}

}  // namespace

Converted convert(const ConvertOptions& options) {
  Converted out{.from = options.from, .to = options.to};
  if (out.to.empty()) out.to = format_of_name(options.out);
  if (out.from.empty()) out.from = options.in == "-" ? "csv" : format_of(find_form(options.in));
  std::error_code ignored;
  if (std::filesystem::equivalent(options.in, options.out, ignored))
    throw InputError(options.out.string() + ": is the file to be read; name another one to write");
  const auto open = [&] { return open_rows(options.in, out.from, options.columns, options.text); };
  if (out.to == "hdf5") {
    if (options.in == "-" || options.out == "-")
      throw InputError("hdf5: standard input is read once and hdf5 needs two passes, and it is no stream; name a file");
    const Survey found = survey(*open());
    out.rows = to_hdf5(found, *open(), options.out);
  } else if (out.to == "adjacency") {
    out.rows = to_adjacency(*open(), options.out);
  } else {
    out.rows = to_csv(*open(), options.out);
  }
  return out;
}

}  // namespace kindred
