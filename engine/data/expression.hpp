// SPDX-License-Identifier: Apache-2.0
// Arithmetic over the numeric columns of a row: data.utility = "rating + 2*likes + if(hours > 1, log(hours), 0)".
// Parsed once into a flat program, then evaluated for each row without an allocation.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kindred {

/// In order of binding, the loosest first: comparisons < <= > >= == != (1 where they hold, else 0; not chained), + -,
/// * /, a sign, ^ (from the right: 2^3^2 is 2^9, -2^2 is -4). Functions: if(c, a, b) is a where c is not 0, else b;
/// min and max of two and more, abs, sqrt, log (natural), log1p, exp. Any other name is a column; one with characters
/// other than letters, digits, _ and . stands in backticks: `watch time`, and `3` is the third column.
class Expression {
 public:
  /// Throws InputError "at character 10: expected a number, a column or '(', found '*'".
  explicit Expression(std::string_view text);

  /// The columns that it reads, each once, in the order in which evaluate() takes their values.
  const std::vector<std::string>& columns() const { return columns_; }

  /// `values`: one a column; 0 stands for an empty cell. Not finite where the arithmetic isn't: log(0), 1/0. An
  /// argument that if() does not choose does no harm. Safe to call from several threads.
  double evaluate(std::span<const double> values) const;

  static constexpr size_t kMostColumns = 256;
  static constexpr size_t kMostPending = 64;  ///< values that wait for their operator: a limit to nesting

 private:
  friend class ExpressionParser;
  enum class Kind : uint8_t { kNumber, kColumn, kUnary, kBinary, kIf };
  struct Step {
    Kind kind;
    uint16_t column = 0;
    double number = 0;
    double (*unary)(double) = nullptr;
    double (*binary)(double, double) = nullptr;
  };
  std::vector<Step> steps_;  // in postfix order
  std::vector<std::string> columns_;
};

}  // namespace kindred
