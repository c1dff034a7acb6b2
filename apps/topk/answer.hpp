// SPDX-License-Identifier: Apache-2.0
// The questions of kindred-topk, answered from a model file into a sink.
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace kindred {

struct TopkOptions {
  std::filesystem::path model;
  // One of these is the question.
  std::optional<std::string> users, similar_users, history, candidates, score;
  std::vector<std::string> items;
  bool all_users = false;
  // How it is answered.
  int k = 10;
  std::string metric, format = "table", to = "-", device = "auto";
  std::string unknown = "error", exclude;
  std::vector<std::string> only_tags, without_tags;
  std::optional<float> min_score;
  bool include_seen = false, include_held_out = false, explain = false;
  int threads = 0;
};

/// Throws InputError where the question names what the model does not have.
void answer(const TopkOptions& options);

}  // namespace kindred
