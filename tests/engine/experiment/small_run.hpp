// SPDX-License-Identifier: Apache-2.0
// What the tests of engine/experiment share: a folder with a small file of interactions and configs that name it.
#pragma once
#include <fstream>
#include <random>
#include <string>

#include "engine/core/error.hpp"
#include "engine/core/file.hpp"
#include "engine/experiment/run.hpp"
#include "tests/engine/support.hpp"

namespace kindred::test {

/// Two groups of users, each with a taste for its half of the items: something to learn.
inline std::string two_tastes(int users = 60, int items = 40, int each = 12) {
  std::mt19937 random(5);
  std::string csv = "user,item,rating\n";
  for (int user = 0; user < users; ++user) {
    std::vector<char> had(static_cast<size_t>(items));
    for (int n = 0; n < each;) {
      const auto half = static_cast<unsigned>(items / 2);
      const unsigned group = random() % 8 == 0 ? 1 - user % 2 : user % 2, item = group * half + random() % half;
      if (had[item]++ != 0) continue;
      csv.append("u").append(std::to_string(user)).append(",").append(std::to_string(item));
      csv.append(",").append(std::to_string(1 + random() % 5)).append("\n");
      ++n;
    }
  }
  return csv;
}

class SmallRun {
 public:
  SmallRun() { write("r.csv", two_tastes()); }

  const TemporaryFolder& folder() const { return folder_; }
  std::filesystem::path write(const std::string& name, const std::string& content) const {
    write_file(folder_ / name, content);
    return folder_ / name;
  }
  /// A config of r.csv with more sections; its run folder is `out`.
  Config config(const std::string& sections, const std::vector<std::string>& set = {},
                const std::string& out = "run") const {
    write("c.toml", "output = \"" + (folder_ / out).string() +
                        "\"\ndevice = \"cpu\"\nthreads = 2\n[data]\ninteractions = \"r.csv\"\n" + sections);
    return load_config(folder_ / "c.toml", set);
  }
  std::string read(const std::string& name) const { return read_file(folder_ / name); }
  bool exists(const std::string& name) const { return std::filesystem::exists(folder_ / name); }

 private:
  TemporaryFolder folder_;
};

}  // namespace kindred::test
