// SPDX-License-Identifier: Apache-2.0
// Raw arrays on disk, which the halves of comparisons with peers exchange with their Python side.
#pragma once
#include <filesystem>
#include <fstream>
#include <span>
#include <vector>

namespace kindred::bench {

/// The whole file; empty where there is none.
template <class T>
std::vector<T> read(const std::filesystem::path& path) {
  std::vector<T> out(std::filesystem::exists(path) ? std::filesystem::file_size(path) / sizeof(T) : 0);
  std::ifstream(path, std::ios::binary)
      .read(reinterpret_cast<char*>(out.data()), static_cast<std::streamsize>(out.size() * sizeof(T)));
  return out;
}

template <class T>
void write(const std::filesystem::path& path, std::span<const T> values) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(values.data()), static_cast<std::streamsize>(values.size_bytes()));
}

}  // namespace kindred::bench
