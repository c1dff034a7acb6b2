// SPDX-License-Identifier: Apache-2.0
#include "engine/data/row_source.hpp"

#include <fmt/format.h>

#include <optional>
#include <variant>
#include <vector>

#include "engine/core/error.hpp"
#include "engine/core/interrupt.hpp"
#include "engine/core/log.hpp"
#include "engine/data/reader.hpp"
#include "engine/data/text_stream.hpp"
#include "engine/hdf5/columns.hpp"

namespace kindred {
namespace {

constexpr size_t kPieceBytes = size_t{4} << 20;
constexpr int64_t kBlockRows = int64_t{1} << 16;

class CsvRows : public RowSource {
 public:
  CsvRows(const std::filesystem::path& file, const InteractionColumns& columns, const TextForm& form)
      : stream_(file, form.encoding),
        layout_(find_layout(stream_.head(), stream_.name(), interaction_wishes(columns), form.quote)) {
    line_ = layout_.line;
    has_value = layout_.columns[2].index >= 0;
    has_time = layout_.columns[3].index >= 0;
    has_event = layout_.columns[4].index >= 0;
    stream_.skip(layout_.records);
    pieces_.emplace(stream_, layout_.dialect, kPieceBytes);
  }

  bool next(TextRow& row) override {
    try {
      while (!records_ || !records_->next()) {
        if (records_) line_ += count_lines(piece_.view());
        check_interrupt();
        if (!pieces_->next(piece_)) return false;
        records_.emplace(piece_.view(), layout_.dialect);
      }
    } catch (const RecordError& error) {
      fail_at(error.offset, error.message);
    }
    const auto fields = records_->fields();
    if (fields.size() != layout_.width) fail(fmt::format("expected {} fields, found {}", layout_.width, fields.size()));
    const auto field = [&](size_t wish) {
      const int index = layout_.columns[wish].index;
      return index < 0 ? std::string_view() : fields[static_cast<size_t>(index)];
    };
    row = {field(0), field(1), field(2), field(3), field(4)};
    return true;
  }

  [[noreturn]] void fail(const std::string& message) const override {
    fail_at(records_ ? records_->offset() : 0, message);
  }

 private:
  [[noreturn]] void fail_at(size_t offset, const std::string& message) const {
    const int64_t line = line_ + count_lines(piece_.view().substr(0, offset));
    throw InputError(fmt::format("{}:{}: {}", stream_.name(), line, message));
  }

  TextStream stream_;
  Layout layout_;
  std::optional<PieceReader> pieces_;
  TextBuffer piece_;
  std::optional<RecordReader> records_;
  int64_t line_ = 1;  // of the piece
};

class AdjacencyRows : public RowSource {
 public:
  AdjacencyRows(const std::filesystem::path& file, const TextForm& form)
      : stream_(file, form.encoding), pieces_(stream_, {"\n", false}, kPieceBytes) {}

  bool next(TextRow& row) override {
    for (;;) {
      const std::string_view item = next_word();
      if (!item.empty()) {
        row = {user_, item, {}, {}, {}};
        return true;
      }
      while (rest_.empty()) {
        check_interrupt();
        if (!pieces_.next(piece_)) return false;
        rest_ = piece_.view();
      }
      const size_t end = std::min(rest_.find('\n'), rest_.size());
      words_ = rest_.substr(0, end);
      rest_.remove_prefix(std::min(end + 1, rest_.size()));
      ++line_;
      user_ = next_word();
    }
  }

  [[noreturn]] void fail(const std::string& message) const override {
    throw InputError(fmt::format("{}:{}: {}", stream_.name(), line_, message));
  }

 private:
  std::string_view next_word() {
    constexpr std::string_view kBlanks = " \t\r";
    words_.remove_prefix(std::min(words_.find_first_not_of(kBlanks), words_.size()));
    const std::string_view word = words_.substr(0, words_.find_first_of(kBlanks));
    words_.remove_prefix(word.size());
    return word;
  }

  TextStream stream_;
  PieceReader pieces_;
  TextBuffer piece_;
  std::string_view rest_, words_, user_;
  int64_t line_ = 0;
};

class Hdf5Rows : public RowSource {
 public:
  Hdf5Rows(const std::filesystem::path& file, const InteractionColumns& columns) : name_(file.string()), file_(file) {
    for (ColumnWish wish : interaction_wishes(columns)) {
      if (wish.name.starts_with('/')) wish.name.erase(0, 1);
      const int index = find_name(wish, file_.names());
      if (index < 0 && (wish.required || !wish.name.empty()))
        throw InputError(fmt::format("{}: no dataset /{} for the {}", name_,
                                     wish.name.empty() ? wish.usual.front() : std::string_view(wish.name), wish.what));
      Column& column = columns_.emplace_back();
      if (index < 0) continue;
      column.name = file_.names()[static_cast<size_t>(index)];
      const auto opened = file_.open(column.name);
      if (columns_.size() == 1) rows_ = opened.rows;
      if (opened.rows != rows_)
        throw InputError(fmt::format("{}: /{} has {} rows, /{} has {}; expected columns of one length", name_,
                                     columns_[0].name, rows_, column.name, opened.rows));
      column.type = opened.type;
    }
    has_value = !columns_[2].name.empty();
    has_time = !columns_[3].name.empty();
    has_event = !columns_[4].name.empty();
  }

  bool next(TextRow& row) override {
    if (row_ == rows_) return false;
    if (row_ == block_end_) read_block();
    const auto i = static_cast<size_t>(row_ - (block_end_ - block_rows_));
    for (Column& column : columns_) column.write(i);
    row = {columns_[0].text, columns_[1].text, columns_[2].text, columns_[3].text, columns_[4].text};
    ++row_;
    return true;
  }

  [[noreturn]] void fail(const std::string& message) const override {
    throw InputError(fmt::format("{}: row {}: {}", name_, row_, message));
  }

 private:
  struct Column {
    std::string name{}, text{};
    hdf5::ColumnType type = hdf5::ColumnType::kInteger;
    std::vector<int64_t> integers{};
    std::vector<double> reals{};
    std::vector<std::string> texts{};

    void write(size_t i) {
      if (name.empty()) return;
      switch (type) {
        case hdf5::ColumnType::kInteger:
          text = std::to_string(integers[i]);
          return;
        case hdf5::ColumnType::kReal:
          // A float32 as such: 0.1, not 0.10000000149011612.
          text = static_cast<double>(static_cast<float>(reals[i])) == reals[i]
                     ? format_float(static_cast<float>(reals[i]))
                     : format_double(reals[i]);
          return;
        case hdf5::ColumnType::kText:
          text = texts[i];
          return;
      }
    }
  };

  void read_block() {
    check_interrupt();
    block_rows_ = std::min(kBlockRows, rows_ - row_);
    const auto count = static_cast<size_t>(block_rows_);
    for (Column& column : columns_) {
      if (column.name.empty()) continue;
      const auto read = [&](auto& values) {
        values.resize(count);
        file_.read(column.name, row_, std::span(values));
      };
      if (column.type == hdf5::ColumnType::kInteger) read(column.integers);
      if (column.type == hdf5::ColumnType::kReal) read(column.reals);
      if (column.type == hdf5::ColumnType::kText) read(column.texts);
    }
    block_end_ = row_ + block_rows_;
  }

  std::string name_;
  hdf5::ColumnFile file_;
  std::vector<Column> columns_;
  int64_t rows_ = 0, row_ = 0, block_rows_ = 0, block_end_ = 0;
};

}  // namespace

std::unique_ptr<RowSource> open_rows(const std::filesystem::path& file, const std::string& format,
                                     const InteractionColumns& columns, const TextForm& form) {
  if (format == "hdf5") return std::make_unique<Hdf5Rows>(file, columns);
  if (format == "adjacency") return std::make_unique<AdjacencyRows>(file, form);
  return std::make_unique<CsvRows>(file, columns, form);
}

}  // namespace kindred
