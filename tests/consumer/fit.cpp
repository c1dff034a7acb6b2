// SPDX-License-Identifier: Apache-2.0
// Fits a model on interactions that are made in memory, and writes it: fit MODEL.h5
#include <engine/models/als.hpp>
#include <engine/store/model_file.hpp>

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  // Users 0 to 3 like items 0 to 3, users 4 to 7 items 4 to 7; each has not met one of them yet.
  kindred::Interactions train;
  train.users = train.items =
      std::make_shared<kindred::Ids>(kindred::Ids::integers({100, 101, 102, 103, 104, 105, 106, 107}));
  train.matrix.cols = 8;
  for (int user = 0; user < 8; ++user) {
    for (int item = user / 4 * 4; item < user / 4 * 4 + 4; ++item) {
      if (item != user) train.matrix.indices.push_back(item);
    }
    train.matrix.offsets.push_back(train.matrix.nnz());
  }
  kindred::Context context({.device = "cpu"});
  kindred::AlsOptions options;
  options.factors = 2;
  kindred::FittedModel model = kindred::fit_als(context, train, options);
  model.history = train.matrix;
  kindred::save_model(model, argv[1]);
}
