// SPDX-License-Identifier: Apache-2.0
// The CUDA backend's own ground: copies, failures, memory, launches; and that both backends build the same matrices and
// draw the same numbers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "kernels/cuda/launch.cuh"
#include "kernels/dense.hpp"
#include "kernels/memory.hpp"
#include "kernels/random.hpp"
#include "kernels/sparse.hpp"

namespace kindred::cuda {
namespace {

using testing::AllOf;
using testing::HasSubstr;

template <class Error, class Call>
std::string message_of(Call&& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

template <class T>
std::vector<T> host_copy(Context& ctx, VectorView<const T> from) {
  std::vector<T> to(static_cast<size_t>(from.size));
  download(ctx, from, std::span<T>(to));
  ctx.wait();
  return to;
}
template <class T>
std::vector<T> host_copy(Context& ctx, const Array<T>& from) {
  return host_copy(ctx, from.view());
}

template <class T>
Array<T> device_copy(Context& ctx, const std::vector<T>& from) {
  Array<T> to(ctx, static_cast<int64_t>(from.size()), "test");
  upload<T>(ctx, from, to.view());
  ctx.wait();
  return to;
}

__global__ void nothing(int) {}
__global__ void half_a_block_waits() {
  if (threadIdx.x < 16) __syncwarp();
}

TEST(CudaDevice, IsFoundAndReported) {
  const CudaReport report = cuda_report();
  EXPECT_TRUE(report.built);
  EXPECT_EQ(report.toolkit, CUDART_VERSION);
  EXPECT_EQ(report.problem, "");
  ASSERT_EQ(report.devices.size(), 1u);
  EXPECT_EQ(report.devices[0].major, 9);
  EXPECT_GT(report.devices[0].free_bytes, 0);
  EXPECT_EQ(Context({.device = "auto"}).device_name(), "cuda:0");
  EXPECT_THAT(message_of<Unavailable>([] { Context({.device = "cuda:7"}); }), HasSubstr("there is no device 7"));
}

TEST(CudaDevice, CopiesOfAllSizesComeBack) {
  Context ctx({.device = "cuda"});
  // Directly, through one chunk of pinned memory, through several with a rest.
  for (const int64_t bytes : {int64_t{1}, Staging::kDirect, Staging::kDirect + 1, 3 * Staging::kChunk + 12345}) {
    std::vector<unsigned char> values(static_cast<size_t>(bytes));
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<unsigned char>(i * 2654435761u >> 13);
    Array<unsigned char> first = device_copy(ctx, values), second(ctx, bytes, "test");
    copy(ctx, first.view(), second.view());
    EXPECT_EQ(host_copy(ctx, second), values) << bytes << " bytes";
  }
}

TEST(CudaDevice, NumbersAreThereAfterWaitOnly) {
  Context ctx({.device = "cuda"});
  Array<float> zeros(ctx, 8, "test");
  fill_zero(ctx, zeros.view());
  std::vector<float> host(8, 1.f);
  download(ctx, zeros.view(), std::span<float>(host));
  EXPECT_TRUE(std::isnan(host[0]));  // the emulator's mark of a copy under way
  ctx.wait();
  EXPECT_EQ(host[0], 0.f);
}

TEST(CudaDevice, BadIndicesSurfaceAtWaitOnce) {
  Context ctx({.device = "cuda"});
  const auto row = device_copy<int32_t>(ctx, {0, 1, 2}), col = device_copy<int32_t>(ctx, {0, 5, -1});
  const Csr csr = csr_from_pairs(ctx, row.view(), col.view(), {}, 3, 4);
  EXPECT_EQ(message_of<InvalidArgument>([&] { ctx.wait(); }), "csr_from_pairs: entry 1: the column is out of range");
  ctx.wait();
  const Csr fine = csr_from_pairs(ctx, row.view(), row.view(), {}, 3, 3);
  ctx.wait();
}

TEST(CudaDevice, NumericFailuresNameOpAndLowestRow) {
  Context ctx({.device = "cuda"});
  const auto note =
      +[](FailureSink failures) { failures.report(Failure::kAlsNotPositiveDefinite, 900 - int64_t{threadIdx.x}); };
  launch(ctx, note, {1, 64}, failures_of(ctx));
  EXPECT_THAT(message_of<NumericError>([&] { ctx.wait(); }),
              AllOf(HasSubstr("als_half_sweep: row 837: "), HasSubstr("positive definite")));
  ctx.wait();
}

TEST(CudaDevice, MemoryThatDoesNotSufficeSaysForWhat) {
  Context ctx({.device = "cuda"});
  const Array<float> held(ctx, 1 << 20, "held table");
  EXPECT_THAT(message_of<OutOfMemory>([&] { Array<float>(ctx, int64_t{1} << 40, "item gram"); }),
              AllOf(HasSubstr("cuda:0: out of memory: item gram wants 4.0 TiB"), HasSubstr("held table 4.0 MiB")));
  Array<float>(ctx, 16, "still works");
}

TEST(CudaDevice, LaunchesThatFailNameTheKernelAndItsSizes) {
  Context ctx({.device = "cuda"});
  EXPECT_THAT(message_of<DeviceError>([&] {
                launch(ctx, nothing, {3, 2000}, 1);
              }),
              AllOf(HasSubstr("cuda: launch of "), HasSubstr("grid 3 x 1 x 1, block 2000 x 1 x 1"),
                    HasSubstr("invalid configuration")));
  EXPECT_THAT(message_of<DeviceError>([&] {
                launch(ctx, nothing, {1, 32, 1 << 20}, 1);
              }),
              HasSubstr("1048576 bytes of shared memory"));
  launch(ctx, nothing, {1, 32, 200 << 10}, 1);  // above 48 KiB it asks
  launch(ctx, nothing, {0, 32}, 1);             // no blocks are no work
  ctx.wait();
}

TEST(CudaDevice, KernelsThatFailSurfaceAtWait) {
  Context ctx({.device = "cuda"});
  launch(ctx, half_a_block_waits, {1, 32});
  EXPECT_THAT(message_of<DeviceError>([&] { ctx.wait(); }), HasSubstr("a barrier that not all threads reach"));
}

TEST(CudaLaunch, ConfigurationsOfSimpleLoops) {
  const DeviceLimits limits{
      .multiprocessors = 132, .shared_bytes_block = 227 << 10, .shared_bytes_multiprocessor = 228 << 10};
  EXPECT_EQ(over_items(limits, 0).grid.x, 0u);
  EXPECT_EQ(over_items(limits, 1).grid.x, 1u);
  EXPECT_EQ(over_items(limits, 257).grid.x, 2u);
  EXPECT_EQ(over_items(limits, int64_t{50'000} * 50'000).grid.x, 132u * 8);  // beyond 2^31 items
  EXPECT_EQ(over_warps(limits, 9).grid.x, 2u);
}

/// Random pairs, many of them equal, some rows and columns without any.
struct Pairs {
  std::vector<int32_t> row, col;
  std::vector<float> value;
  int64_t rows, cols;

  Pairs(int64_t m, int64_t n, size_t count, unsigned seed) : rows(m), cols(n) {
    std::mt19937 random(seed);
    const auto skewed = [&](int64_t size) {
      const double u = std::uniform_real_distribution<double>()(random);
      return static_cast<int32_t>(
          std::min<int64_t>(size - 1, static_cast<int64_t>(u * u * u * static_cast<double>(size))));
    };
    for (size_t e = 0; e < count; ++e) {
      row.push_back(skewed(m));
      col.push_back(skewed(n));
      value.push_back(static_cast<float>(e));
    }
  }
};

struct HostCsr {
  std::vector<int64_t> offsets;
  std::vector<int32_t> indices;
  std::vector<float> values, row_sums, column_sums;
  bool operator==(const HostCsr&) const = default;
};

HostCsr host_copy(Context& ctx, const Csr& csr) {
  Array<float> of_rows(ctx, csr.rows, "test"), of_columns(ctx, csr.cols, "test");
  row_sums(ctx, csr.view(), of_rows.view());
  column_sums(ctx, csr.view(), of_columns.view());
  return {host_copy(ctx, csr.offsets), host_copy(ctx, csr.indices), host_copy(ctx, csr.values), host_copy(ctx, of_rows),
          host_copy(ctx, of_columns)};
}

TEST(CudaSparse, BothBackendsBuildAndTransposeAlike) {
  const Pairs cases[] = {{1, 1, 1, 1},     {1, 1, 40, 2},     {7, 300, 500, 3},
                         {300, 7, 500, 4}, {90, 90, 5000, 5}, {5, 5, 0, 6}};
  for (const Pairs& pairs : cases)
    for (const bool with_values : {true, false}) {
      const auto run = [&](const char* device) {
        Context ctx({.device = device});
        const auto row = device_copy(ctx, pairs.row), col = device_copy(ctx, pairs.col);
        const auto value = device_copy(ctx, with_values ? pairs.value : std::vector<float>());
        const Csr csr = csr_from_pairs(ctx, row.view(), col.view(), value.view(), pairs.rows, pairs.cols);
        const Csr turned = transpose(ctx, csr.view());
        // A part of a matrix, whose offsets do not begin at 0.
        CsrView part = csr.view();
        const int64_t skipped = pairs.rows / 2;
        const auto offsets = host_copy(ctx, csr.offsets);
        part.offsets += skipped;
        part.rows -= skipped;
        part.nnz = offsets.back() - offsets[static_cast<size_t>(skipped)];
        const Csr part_turned = transpose(ctx, part);
        return std::vector<HostCsr>{host_copy(ctx, csr), host_copy(ctx, turned), host_copy(ctx, part_turned)};
      };
      EXPECT_EQ(run("cuda"), run("cpu")) << pairs.rows << " x " << pairs.cols << ", " << pairs.row.size();
    }
}

TEST(CudaRandom, BothBackendsDrawAlike) {
  for (const int64_t size : {int64_t{1}, int64_t{6}, int64_t{10'003}}) {
    const auto run = [&](const char* device, bool normal) {
      Context ctx({.device = device});
      Array<float> out(ctx, size, "test");
      normal ? fill_normal(ctx, out.view(), 1, 3, 42, 7) : fill_uniform(ctx, out.view(), -1, 2, 42, 7);
      return host_copy(ctx, out);
    };
    EXPECT_EQ(run("cuda", false), run("cpu", false));
    EXPECT_EQ(run("cuda", true), run("cpu", true));  // here log and cos are the host's on both sides
  }
}

TEST(CudaDense, GramOfManyBlocksInGroups) {
  Context ctx({.device = "cuda"}), cpu({.device = "cpu"});
  // Three blocks of 4,096 rows and a rest; d = 1 and a wider one.
  for (const int64_t d : {int64_t{1}, int64_t{37}}) {
    const int64_t n = 3 * 4096 + 5;
    Matrix<float> a(ctx, n, d, "test"), out(ctx, d, d, "test");
    fill_normal(ctx, a.view().flat(), 0.5f, 1, 3, 1);
    gram(ctx, a.view(), out.view());
    const auto x = host_copy(ctx, VectorView<const float>(a.view().flat()));
    const auto got = host_copy(ctx, VectorView<const float>(out.view().flat()));
    for (int64_t i = 0; i < d; ++i)
      for (int64_t j = 0; j < d; ++j) {
        double want = 0, size = 0;
        for (int64_t r = 0; r < n; ++r) {
          const double term = double{x[static_cast<size_t>(r * d + i)]} * double{x[static_cast<size_t>(r * d + j)]};
          want += term;
          size += std::fabs(term);
        }
        EXPECT_NEAR(got[static_cast<size_t>(i * d + j)], want, 1e-6 * size);
        EXPECT_EQ(got[static_cast<size_t>(i * d + j)], got[static_cast<size_t>(j * d + i)]);
      }
  }
}

TEST(CudaDense, ProductsOfAllTranspositions) {
  Context ctx({.device = "cuda"});
  const auto values = [&](const Matrix<float>& m) { return host_copy(ctx, VectorView<const float>(m.view().flat())); };
  constexpr int64_t kRows = 5, kCols = 7;
  for (const int64_t inner : {int64_t{0}, int64_t{1}, int64_t{33}})
    for (const bool turn_a : {false, true})
      for (const bool turn_b : {false, true}) {
        Matrix<float> a(ctx, turn_a ? inner : kRows, turn_a ? kRows : inner, "test");
        Matrix<float> b(ctx, turn_b ? kCols : inner, turn_b ? inner : kCols, "test");
        Matrix<float> c(ctx, kRows, kCols, "test");
        uint32_t stage = 0;
        for (Matrix<float>* m : {&a, &b, &c}) fill_uniform(ctx, m->view().flat(), -1, 1, 1, ++stage);
        const auto x = values(a), y = values(b), before = values(c);
        gemm(ctx, 2, a.view(), turn_a ? Transpose::kYes : Transpose::kNo, b.view(),
             turn_b ? Transpose::kYes : Transpose::kNo, 0.5f, c.view());
        const auto after = values(c);
        for (int64_t i = 0; i < kRows; ++i)
          for (int64_t j = 0; j < kCols; ++j) {
            const auto e = static_cast<size_t>(i * kCols + j);
            double want = 0.5 * double{before[e]};
            for (int64_t k = 0; k < inner; ++k)
              want += 2.0 * double{x[static_cast<size_t>(turn_a ? k * kRows + i : i * inner + k)]} *
                      double{y[static_cast<size_t>(turn_b ? j * inner + k : k * kCols + j)]};
            EXPECT_NEAR(after[e], want, 2 * 34 * 34 * 0x1p-24);  // at most 34 roundings of sums below 2 * 34
          }
      }
}

}  // namespace
}  // namespace kindred::cuda
