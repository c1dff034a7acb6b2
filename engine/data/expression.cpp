// SPDX-License-Identifier: Apache-2.0
// A recursive-descent parser that writes postfix steps; evaluation is one loop over them with a stack of fixed size.
#include "engine/data/expression.hpp"

#include <fast_float/fast_float.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "engine/core/error.hpp"

namespace kindred {
namespace {

constexpr int kMostNesting = 100;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
// Letters of other scripts are bytes above 127.
bool begins_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || static_cast<unsigned char>(c) > 127;
}
bool continues_name(char c) { return begins_name(c) || is_digit(c) || c == '.'; }

// ---- what the steps do

struct Operator {
  std::string_view text;
  double (*apply)(double, double);
};
// Longer ones before their beginnings.
constexpr std::array<Operator, 6> kComparisons{{{"<=", [](double a, double b) { return a <= b ? 1. : 0.; }},
                                                {">=", [](double a, double b) { return a >= b ? 1. : 0.; }},
                                                {"==", [](double a, double b) { return a == b ? 1. : 0.; }},
                                                {"!=", [](double a, double b) { return a != b ? 1. : 0.; }},
                                                {"<", [](double a, double b) { return a < b ? 1. : 0.; }},
                                                {">", [](double a, double b) { return a > b ? 1. : 0.; }}}};
constexpr std::array<Operator, 2> kSums{
    {{"+", [](double a, double b) { return a + b; }}, {"-", [](double a, double b) { return a - b; }}}};
constexpr std::array<Operator, 2> kProducts{
    {{"*", [](double a, double b) { return a * b; }}, {"/", [](double a, double b) { return a / b; }}}};

double power(double a, double b) { return std::pow(a, b); }
double negative(double a) { return -a; }

// Of `unary` and `binary` one is set, or neither: if(c, a, b). A binary one takes two arguments or more.
struct Function {
  std::string_view name;
  double (*unary)(double) = nullptr;
  double (*binary)(double, double) = nullptr;
};
// min and max keep what is not a number, on whichever side it stands.
constexpr std::array<Function, 8> kFunctions{
    {{"if"},
     {"min", nullptr, [](double a, double b) { return std::isnan(a) || a < b ? a : b; }},
     {"max", nullptr, [](double a, double b) { return std::isnan(a) || a > b ? a : b; }},
     {"abs", [](double a) { return std::abs(a); }},
     {"sqrt", [](double a) { return std::sqrt(a); }},
     {"log", [](double a) { return std::log(a); }},
     {"log1p", [](double a) { return std::log1p(a); }},
     {"exp", [](double a) { return std::exp(a); }}}};

size_t characters(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

}  // namespace

class ExpressionParser {
 public:
  ExpressionParser(std::string_view text, Expression& out) : text_(text), out_(out) {}

  void parse() {
    comparison();
    if (peek() == '\0' && at_ == text_.size()) return;
    fail(open_ ? "an operator, ',' or ')'" : "an operator or the end");
  }

 private:
  using Kind = Expression::Kind;

  void comparison() {
    sum();
    const Operator* first = take(kComparisons);
    if (first == nullptr) return;
    sum();
    push_binary(first->apply);
    const size_t second = at_;
    if (take(kComparisons) == nullptr) return;
    at_ = second;
    fail("one comparison at a time, (a < b) * (b < c)");
  }

  void sum() {
    product();
    while (const Operator* next = take(kSums)) {
      product();
      push_binary(next->apply);
    }
  }

  void product() {
    signed_power();
    while (const Operator* next = take(kProducts)) {
      signed_power();
      push_binary(next->apply);
    }
  }

  void signed_power() {
    const Nesting nesting(*this);
    const char c = peek();
    if (c == '+' || c == '-') {
      ++at_;
      signed_power();
      if (c == '-') push_unary(negative);
      return;
    }
    primary();
    if (!take('^')) return;
    signed_power();
    push_binary(power);
  }

  void primary() {
    const char c = peek();
    if (c == '(') {
      ++at_;
      ++open_;
      comparison();
      expect(')', "an operator or ')'");
      --open_;
    } else if (is_digit(c) || c == '.') {
      number();
    } else if (c == '`') {
      quoted_column();
    } else if (begins_name(c)) {
      const size_t start = at_;
      while (at_ < text_.size() && continues_name(text_[at_])) ++at_;
      const std::string_view name = text_.substr(start, at_ - start);
      if (peek() == '(') {
        call(name, start);
      } else {
        column(name, start);
      }
    } else {
      fail("a number, a column or '('");
    }
  }

  void number() {
    double value = 0;
    const auto result = fast_float::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
    if (result.ec == std::errc::result_out_of_range || !std::isfinite(value)) fail("a number up to 1.8e308");
    if (result.ec != std::errc()) fail("a number");
    at_ = static_cast<size_t>(result.ptr - text_.data());
    if (at_ < text_.size() && (continues_name(text_[at_]))) fail("an operator behind the number");
    push_value({.kind = Kind::kNumber, .number = value});
  }

  void quoted_column() {
    const size_t start = at_, end = text_.find('`', at_ + 1);
    if (end == std::string_view::npos) {
      at_ = text_.size();
      fail("'`' to close the column's name");
    }
    at_ = end + 1;
    if (end == start + 1) {
      at_ = end;
      fail("a column's name");
    }
    column(text_.substr(start + 1, end - start - 1), start);
  }

  void column(std::string_view name, size_t start) {
    auto& columns = out_.columns_;
    const auto known = std::find(columns.begin(), columns.end(), name);
    const auto index = static_cast<size_t>(known - columns.begin());
    if (known == columns.end()) {
      if (columns.size() == Expression::kMostColumns) {
        at_ = start;
        fail(fmt::format("at most {} columns", Expression::kMostColumns));
      }
      columns.emplace_back(name);
    }
    push_value({.kind = Kind::kColumn, .column = static_cast<uint16_t>(index)});
  }

  void call(std::string_view name, size_t start) {
    const auto function = std::find_if(kFunctions.begin(), kFunctions.end(),
                                       [&](const Function& candidate) { return candidate.name == name; });
    if (function == kFunctions.end()) {
      std::vector<std::string> names;
      for (const Function& candidate : kFunctions) names.emplace_back(candidate.name);
      throw InputError(fmt::format("at character {}: no function '{}'; there are {}{}", place(start), printable(name),
                                   fmt::join(names, ", "), did_you_mean(name, names)));
    }
    ++at_;
    ++open_;
    comparison();
    if (function->unary != nullptr) {
      push_unary(function->unary);
    } else {
      argument(2, name);
      if (function->binary != nullptr) {
        push_binary(function->binary);
        while (take(',')) {
          comparison();
          push_binary(function->binary);
        }
      } else {
        argument(3, name);
        push_if();
      }
    }
    expect(')', function->binary != nullptr ? "an operator, ',' or ')'" : "an operator or ')'");
    --open_;
  }

  void argument(int number, std::string_view function) {
    if (!take(',')) fail(fmt::format("',' and argument {} of {}", number, function));
    comparison();
  }

  // The next character that is no space; '\0' at the end.
  char peek() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r'))
      ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool take(char c) {
    if (peek() != c) return false;
    ++at_;
    return true;
  }
  template <size_t n>
  const Operator* take(const std::array<Operator, n>& operators) {
    peek();
    for (const Operator& candidate : operators) {
      if (!text_.substr(at_).starts_with(candidate.text)) continue;
      at_ += candidate.text.size();
      return &candidate;
    }
    return nullptr;
  }
  void expect(char c, const char* wanted) {
    if (!take(c)) fail(wanted);
  }

  void push_value(Expression::Step step) {
    if (++pending_ > Expression::kMostPending) fail_deep();
    out_.steps_.push_back(step);
  }
  void push_unary(double (*apply)(double)) { out_.steps_.push_back({.kind = Kind::kUnary, .unary = apply}); }
  void push_binary(double (*apply)(double, double)) {
    --pending_;
    out_.steps_.push_back({.kind = Kind::kBinary, .binary = apply});
  }
  void push_if() {
    pending_ -= 2;
    out_.steps_.push_back({.kind = Kind::kIf});
  }

  struct Nesting {
    explicit Nesting(ExpressionParser& owner) : parser(owner) {
      if (++parser.nesting_ > kMostNesting) parser.fail_deep();
    }
    ~Nesting() { --parser.nesting_; }
    Nesting(const Nesting&) = delete;
    Nesting& operator=(const Nesting&) = delete;
    ExpressionParser& parser;
  };

  [[noreturn]] void fail_deep() { fail("brackets, signs and powers nested less deeply"); }

  size_t place(size_t offset) const { return characters(text_.substr(0, offset)) + 1; }

  [[noreturn]] void fail(const std::string& wanted) const {
    std::string found = "the end";
    if (at_ < text_.size()) {
      size_t end = at_ + 1;
      if (continues_name(text_[at_])) {
        while (end < text_.size() && continues_name(text_[end])) ++end;
      }
      found = fmt::format("'{}'", printable(text_.substr(at_, end - at_)));
    }
    throw InputError(fmt::format("at character {}: expected {}, found {}", place(at_), wanted, found));
  }

  std::string_view text_;
  Expression& out_;
  size_t at_ = 0, pending_ = 0;
  int nesting_ = 0, open_ = 0;  // signs, powers and brackets under way; brackets alone
};

Expression::Expression(std::string_view text) { ExpressionParser(text, *this).parse(); }

double Expression::evaluate(std::span<const double> values) const {
  std::array<double, kMostPending> stack;
  size_t size = 0;
  for (const Step& step : steps_) {
    switch (step.kind) {
      case Kind::kNumber:
        stack[size++] = step.number;
        break;
      case Kind::kColumn:
        stack[size++] = values[step.column];
        break;
      case Kind::kUnary:
        stack[size - 1] = step.unary(stack[size - 1]);
        break;
      case Kind::kBinary:
        --size;
        stack[size - 1] = step.binary(stack[size - 1], stack[size]);
        break;
      case Kind::kIf:
        size -= 2;
        stack[size - 1] = stack[size - 1] != 0 ? stack[size] : stack[size + 1];
        break;
    }
  }
  return stack[0];
}

}  // namespace kindred
