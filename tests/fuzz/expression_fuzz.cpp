// SPDX-License-Identifier: Apache-2.0
// Arithmetic over columns: any text is refused in one line or can be evaluated, over any values, to the same bits
// twice.
#include <bit>
#include <cstdint>
#include <limits>
#include <vector>

#include "engine/data/expression.hpp"
#include "tests/fuzz/fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace kindred;
  try {
    const Expression expression(std::string_view(reinterpret_cast<const char*>(bytes), size));
    const size_t columns = expression.columns().size();
    fuzz::check(columns <= Expression::kMostColumns, "columns are counted");
    for (const double value : {0.0, 1.0, -2.5, 1e308, std::numeric_limits<double>::quiet_NaN()}) {
      std::vector<double> values(columns, value);
      for (size_t c = 1; c < columns; c += 2) values[c] = -value;
      const auto evaluate = [&] { return std::bit_cast<uint64_t>(expression.evaluate(values)); };
      fuzz::check(evaluate() == evaluate(), "an expression has one value");
    }
  } catch (const InputError& error) {
    fuzz::check_message(error);
  }
  return 0;
}
