// SPDX-License-Identifier: Apache-2.0
// The Kindred half of tests/bench/peers/read_polars.py: for each line on stdin FILE is read once and a line is printed:
// seconds until rows and ids are there, until the matrix is built, rows, bytes of the matrix and its ids, peak bytes of
// the process.
#include <chrono>
#include <fstream>
#include <iostream>
#include <string>

#include "engine/data/build.hpp"
#include "engine/data/reader.hpp"

namespace {

using namespace kindred;

int64_t peak_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) return std::stoll(line.substr(6)) * 1024;
  return 0;
}

template <class T>
int64_t bytes(const std::vector<T>& values) {
  return static_cast<int64_t>(values.size() * sizeof(T));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: kindred_read_rounds FILE THREADS\n";
    return 2;
  }
  Context ctx({.device = "cpu", .threads = std::stoi(argv[2])});
  DataOptions options;
  options.interactions = std::filesystem::path(argv[1]);
  for (std::string line; std::getline(std::cin, line);) {
    const auto start = std::chrono::steady_clock::now();
    const auto seconds = [&] {
      return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    };
    RawRows rows = read_rows(ctx, options.interactions, options);
    const MergedIds users = merge_ids(rows.users, IdType::kAuto), items = merge_ids(rows.items, IdType::kAuto);
    rows.users.clear();
    rows.items.clear();
    const double read = seconds();
    const int64_t count = rows.count;
    const Built built = build_matrix(ctx, std::move(rows), users.rows, items.rows, users.ids->size(), items.ids->size(),
                                     Duplicates::kLast);
    const double all = seconds();
    const Interactions& m = built.all;
    const int64_t arrays = bytes(m.matrix.offsets) + bytes(m.matrix.indices) + bytes(m.matrix.values) + bytes(m.times) +
                           bytes(m.kinds) + 8 * (users.ids->size() + items.ids->size());
    std::cout << read << " " << all << " " << count << " " << arrays << " " << peak_bytes() << std::endl;
  }
}
