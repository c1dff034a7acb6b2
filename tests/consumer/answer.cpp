// SPDX-License-Identifier: Apache-2.0
// Prints each user's best item that is not in the history: answer MODEL.h5
#include <engine/recommend/recommender.hpp>
#include <engine/store/model_file.hpp>
#include <iostream>
#include <numeric>

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const kindred::FittedModel model = kindred::load_model(argv[1]);
  kindred::Context context({.device = "cpu"});
  kindred::Recommender recommender(context, model);
  std::vector<int32_t> users(static_cast<size_t>(model.num_users()));
  std::iota(users.begin(), users.end(), 0);
  const kindred::TopK best = recommender.for_users(users, 1, {{&model.history}});
  for (const int32_t user : users) {
    std::cout << model.users->text(user) << ' ' << model.items->text(best.row(user)[0]) << '\n';
  }
}
