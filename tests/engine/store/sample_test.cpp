// SPDX-License-Identifier: Apache-2.0
// The other side of test_model_file.py: writes files for it to read, reads files that it made.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

#include "engine/core/error.hpp"
#include "engine/store/model_file.hpp"
#include "engine/store/sinks.hpp"
#include "tests/engine/store/random_model.hpp"

namespace kindred {
namespace {

TEST(Sample, Write) {
  const char* folder = std::getenv("KINDRED_SAMPLE_FOLDER");
  if (folder == nullptr) GTEST_SKIP() << "called by test_model_file.py";
  const std::filesystem::path to(folder);
  for (uint64_t seed = 0; seed < 20; ++seed)
    save_model(test::random_model(seed, 100), to / ("model" + std::to_string(seed) + ".h5"));
  test::Rng rng(1);
  FittedModel model;
  model.model = "als";
  model.users = test::random_ids(rng, 20'000, false);
  model.items = test::random_ids(rng, 3'000, true);
  model.scorer = Factors{test::random_table(rng, 20'000, 48), test::random_table(rng, 3'000, 48), {}, {}};
  model.history = test::random_csr(rng, 20'000, 30, true);
  model.history.cols = 3'000;
  save_model(model, to / "chunks.h5");
  save_checkpoint({.epoch = 3, .text = "{}", .tables = {{"users", test::random_table(rng, 50, 7)}}},
                  to / "checkpoint.h5");

  SinkInfo info;
  info.items = model.items.get();
  const auto sink = open_sink((to / "lists.h5").string(), "", info);
  const std::vector<std::string> queries = {"a", "b"};
  const std::vector<int32_t> rows = {4, -1}, lists = {7, 8, 9, 3, -1, -1};
  const std::vector<float> scores = {3, 2, 1, 0.5f, 0, 0};
  sink->write({.queries = queries, .query_rows = rows, .k = 3, .items = lists, .scores = scores, .because = {}});
  sink->finish();
}

TEST(Sample, Read) {
  const char* file = std::getenv("KINDRED_SAMPLE_FILE");
  if (file == nullptr) GTEST_SKIP() << "called by test_model_file.py";
  try {
    load_model(file);
    std::puts("result: read");
  } catch (const InputError& error) {
    std::printf("result: %s\n", error.what());
  }
}

}  // namespace
}  // namespace kindred
