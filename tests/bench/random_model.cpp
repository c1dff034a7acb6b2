// SPDX-License-Identifier: Apache-2.0
// Writes a model file of random factors and histories, to measure kindred-topk on shapes for which no data is at hand:
// kindred_random_model FILE USERS ITEMS FACTORS HISTORY, ids from 1, HISTORY items a user.
#include <algorithm>
#include <iostream>
#include <numeric>
#include <random>
#include <string>

#include "engine/store/model_file.hpp"

namespace {

using namespace kindred;

std::shared_ptr<const Ids> numbered(int64_t count) {
  std::vector<int64_t> ids(static_cast<size_t>(count));
  std::iota(ids.begin(), ids.end(), 1);
  return std::make_shared<Ids>(Ids::integers(std::move(ids)));
}

HostMatrix table(std::minstd_rand& random, int64_t rows, int64_t cols) {
  std::uniform_real_distribution<float> uniform(-0.5f, 0.5f);
  HostMatrix out(rows, cols);
  for (float& value : out.data) value = uniform(random);
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    std::cerr << "usage: kindred_random_model FILE USERS ITEMS FACTORS HISTORY\n";
    return 2;
  }
  const int64_t users = std::stoll(argv[2]), items = std::stoll(argv[3]), factors = std::stoll(argv[4]);
  std::minstd_rand random(1);
  FittedModel model;
  model.name = "random";
  model.model = "als";
  model.users = numbered(users);
  model.items = numbered(items);
  model.scorer = Factors{table(random, users, factors), table(random, items, factors), {}, {}};
  model.history.cols = items;
  std::vector<int32_t> row(std::stoul(argv[5]));
  for (int64_t user = 0; user < users; ++user) {
    for (int32_t& item : row) item = static_cast<int32_t>(random() % static_cast<uint32_t>(items));
    std::ranges::sort(row);
    model.history.indices.insert(model.history.indices.end(), row.begin(), std::unique(row.begin(), row.end()));
    model.history.offsets.push_back(model.history.nnz());
  }
  save_model(model, argv[1]);
}
