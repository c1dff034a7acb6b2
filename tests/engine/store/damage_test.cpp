// SPDX-License-Identifier: Apache-2.0
// Damaged model files: whatever happened to the bytes, reading ends in an InputError of one line or in the same model.
#include <gtest/gtest.h>

#include <cstdio>

#include "engine/core/error.hpp"
#include "engine/core/file.hpp"
#include "engine/store/model_file.hpp"
#include "tests/engine/store/random_model.hpp"
#include "tests/engine/support.hpp"

/// HDF5 1.10.8 loses some hundred bytes for each piece of metadata that it refuses.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:libhdf5"; }

namespace kindred {
namespace {

using test::Rng;
using test::TemporaryFolder;

class Damage : public ::testing::Test {
 protected:
  void SetUp() override {
    Rng rng(11);
    model_ = test::random_model(6, 200);
    save_model(model_, folder_ / "model.h5");
    bytes_ = read_file(folder_ / "model.h5");
  }

  /// Whether it was refused.
  bool refused(const std::string& bytes) {
    std::FILE* file = std::fopen((folder_ / "damaged.h5").c_str(), "wb");
    std::fwrite(bytes.data(), 1, bytes.size(), file);
    std::fclose(file);
    try {
      const FittedModel back = load_model(folder_ / "damaged.h5");
      test::expect_equal(model_, back);
      return false;
    } catch (const InputError& error) {
      const std::string message = error.what();
      EXPECT_EQ(message.find('\n'), std::string::npos) << message;
      EXPECT_NE(message.find("damaged.h5: "), std::string::npos) << message;
      return true;
    }
  }

  TemporaryFolder folder_;
  FittedModel model_;
  std::string bytes_;
};

TEST_F(Damage, TruncatedAnywhere) {
  for (size_t size = 0; size < bytes_.size(); size += 1024) EXPECT_TRUE(refused(bytes_.substr(0, size))) << size;
  EXPECT_TRUE(refused(bytes_.substr(0, bytes_.size() - 1)));
  EXPECT_FALSE(refused(bytes_));
}

TEST_F(Damage, BytesFlipped) {
  Rng rng(12);
  int64_t kept = 0, tried = 0;
  const auto flip = [&](size_t at) {
    std::string damaged = bytes_;
    damaged[at] = static_cast<char>(damaged[at] ^ test::draw(rng, 1, 255));
    kept += refused(damaged) ? 0 : 1;
    ++tried;
    ASSERT_FALSE(HasFailure()) << "byte " << at;
  };
  for (size_t at = 0; at < 600; ++at) flip(at);
  for (int i = 0; i < 3000; ++i) flip(static_cast<size_t>(test::draw(rng, 0, static_cast<int64_t>(bytes_.size()) - 1)));
  EXPECT_LT(kept, tried / 2) << "most bytes of a file matter";
}

TEST_F(Damage, ManyBytesReplaced) {
  Rng rng(13);
  for (int i = 0; i < 500; ++i) {
    std::string damaged = bytes_;
    const auto length = static_cast<size_t>(test::draw(rng, 2, 2000));
    const auto at = static_cast<size_t>(test::draw(rng, 48, static_cast<int64_t>(bytes_.size() - length)));
    for (size_t b = 0; b < length; ++b) damaged[at + b] = static_cast<char>(rng());
    refused(damaged);
    ASSERT_FALSE(HasFailure()) << length << " bytes at " << at;
  }
}

TEST_F(Damage, PiecesMoved) {
  Rng rng(14);
  for (int i = 0; i < 300; ++i) {
    const auto length = static_cast<size_t>(test::draw(rng, 8, 4096));
    const auto from = static_cast<size_t>(test::draw(rng, 0, static_cast<int64_t>(bytes_.size() - length)));
    const auto to = static_cast<size_t>(test::draw(rng, 48, static_cast<int64_t>(bytes_.size() - length)));
    std::string damaged = bytes_;
    damaged.replace(to, length, bytes_.substr(from, length));
    refused(damaged);
    ASSERT_FALSE(HasFailure()) << length << " bytes from " << from << " to " << to;
  }
}

}  // namespace
}  // namespace kindred
