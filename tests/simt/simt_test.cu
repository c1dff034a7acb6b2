// SPDX-License-Identifier: Apache-2.0
// The emulator itself: what a device does right comes out right, what a device punishes is found.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

#include "kernels/cuda/device/bf16.cuh"
#include "kernels/cuda/device/keys.cuh"
#include "kernels/cuda/device/memory.cuh"
#include "kernels/cuda/device/mma.cuh"
#include "kernels/cuda/device/reduce.cuh"

namespace kindred::cuda {
namespace {

using testing::HasSubstr;

/// Device memory of the emulator with the calls around it.
template <class T>
struct Buffer {
  explicit Buffer(size_t n) : size(n) {
    EXPECT_EQ(cudaMalloc(reinterpret_cast<void**>(&data), n * sizeof(T)), cudaSuccess);
  }
  explicit Buffer(const std::vector<T>& host) : Buffer(host.size()) {
    EXPECT_EQ(cudaMemcpyAsync(data, host.data(), size * sizeof(T), cudaMemcpyHostToDevice, nullptr), cudaSuccess);
    EXPECT_EQ(cudaStreamSynchronize(nullptr), cudaSuccess);
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { cudaFree(data); }

  std::vector<T> host() const {
    std::vector<T> result(size);
    EXPECT_EQ(cudaMemcpyAsync(result.data(), data, size * sizeof(T), cudaMemcpyDeviceToHost, nullptr), cudaSuccess);
    EXPECT_EQ(cudaStreamSynchronize(nullptr), cudaSuccess);
    return result;
  }

  T* data = nullptr;
  size_t size;
};

template <class... P, class... A>
cudaError_t start(void (*kernel)(P...), unsigned grid, unsigned block, size_t shared, A... args) {
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = block;
  config.dynamicSmemBytes = shared;
  return cudaLaunchKernelEx(&config, kernel, args...);
}

/// What the emulator says about a kernel; empty where it finds nothing.
template <class... P, class... A>
std::string verdict(void (*kernel)(P...), unsigned grid, unsigned block, size_t shared, A... args) {
  EXPECT_EQ(start(kernel, grid, block, shared, args...), cudaSuccess);
  const cudaError_t status = cudaStreamSynchronize(nullptr);
  cudaGetLastError();
  return status == cudaSuccess ? "" : cudaGetErrorString(status);
}

// ------------------------------------------------------------------------------------------------ what is right

__global__ void row_norms(const float* x, int columns, float* out) {
  __shared__ Shared<float, 8> partial;
  float sum = 0;
  for (int j = static_cast<int>(threadIdx.x); j < columns; j += 256) {
    const float v = x[int64_t{blockIdx.x} * columns + j];
    sum += v * v;
  }
  sum = block_sum<8>(sum, static_cast<float*>(partial));
  if (threadIdx.x == 0) out[blockIdx.x] = sum;
}

TEST(Simt, BlocksOfManyThreadsReduceInAnyOrderToTheSameBits) {
  constexpr int kRows = 500, kColumns = 777;
  std::vector<float> x(kRows * kColumns);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i * 2654435761u % 1000) / 1000;
  const Buffer<float> on_device(x), out(kRows);
  std::vector<float> first;
  for (const unsigned order : {0u, 1u, 2u}) {
    simt::seed = order;
    ASSERT_EQ(verdict(row_norms, kRows, 256, 0, on_device.data, kColumns, out.data), "");
    const auto got = out.host();
    if (order == 0) first = got;
    EXPECT_EQ(got, first);
  }
  simt::seed = 0;
  for (size_t i = 0; i < kRows; ++i) {
    double want = 0;
    for (size_t j = 0; j < kColumns; ++j) want += double{x[i * kColumns + j]} * double{x[i * kColumns + j]};
    EXPECT_NEAR(first[i], want, 1e-5 * want);
  }
}

__global__ void warp_words(unsigned* out) {
  const unsigned lane = threadIdx.x;
  out[lane] = __ballot_sync(kAllLanes, lane % 3 == 0);
  out[32 + lane] = __shfl_sync(kAllLanes, lane, static_cast<int>(lane) + 1, 8);
  out[64 + lane] = __shfl_down_sync(kAllLanes, lane, 4);
  out[96 + lane] = __shfl_up_sync(kAllLanes, lane, 4);
  out[128 + lane] = __shfl_xor_sync(kAllLanes, lane, 5);
  const unsigned half = lane < 16 ? 0xFFFFu : 0xFFFF0000u;  // halves of a warp meet apart
  out[160 + lane] = __shfl_sync(half, lane, lane < 16 ? 3 : 19);
}

TEST(Simt, WarpWords) {
  const Buffer<unsigned> out(192);
  ASSERT_EQ(verdict(warp_words, 1, 32, 0, out.data), "");
  const auto got = out.host();
  unsigned thirds = 0;
  for (unsigned lane = 0; lane < 32; ++lane) thirds |= unsigned{lane % 3 == 0} << lane;
  for (unsigned lane = 0; lane < 32; ++lane) {
    EXPECT_EQ(got[lane], thirds);
    EXPECT_EQ(got[32 + lane], lane / 8 * 8 + (lane + 1) % 8);
    EXPECT_EQ(got[64 + lane], lane + 4 < 32 ? lane + 4 : lane);
    EXPECT_EQ(got[96 + lane], lane >= 4 ? lane - 4 : lane);
    EXPECT_EQ(got[128 + lane], lane ^ 5);
    EXPECT_EQ(got[160 + lane], lane < 16 ? 3u : 19u);
  }
}

__global__ void count(int* counter, float* sum, unsigned long long* least) {
  atomicAdd(counter, 1);
  atomicAdd(sum, 0.5f);
  atomicMin(least, 1000ull - threadIdx.x);
}

TEST(Simt, AtomicsOfBlocksOnSeveralHostThreads) {
  const Buffer<int> counter(std::vector<int>{0});
  const Buffer<float> sum(std::vector<float>{0});
  const Buffer<unsigned long long> least(std::vector<unsigned long long>{~0ull});
  ASSERT_EQ(verdict(count, 300, 64, 0, counter.data, sum.data, least.data), "");
  EXPECT_EQ(counter.host()[0], 300 * 64);
  EXPECT_EQ(sum.host()[0], 300 * 32.f);
  EXPECT_EQ(least.host()[0], 1000ull - 63);
}

__global__ void staged_copy(const float* from, float* to, bool wait) {
  float* stage = dynamic_shared<float>();
  copy_async<16>(stage + 4 * threadIdx.x, from + 4 * threadIdx.x, threadIdx.x != 7);
  commit_copies();
  if (wait) wait_copies<0>();
  __syncthreads();
  const unsigned other = blockDim.x - 1 - threadIdx.x;
  for (unsigned k = 0; k < 4; ++k) to[4 * other + k] = stage[4 * other + k];
}

TEST(Simt, AsynchronousCopiesLandWhenTheyAreWaitedFor) {
  std::vector<float> values(256);
  std::iota(values.begin(), values.end(), 1.f);
  const Buffer<float> from(values), to(256);
  ASSERT_EQ(verdict(staged_copy, 1, 64, 1024, from.data, to.data, true), "");
  auto want = values;
  for (size_t k = 28; k < 32; ++k) want[k] = 0;  // the copy that was not valid
  EXPECT_EQ(to.host(), want);
  ASSERT_EQ(verdict(staged_copy, 1, 64, 1024, from.data, to.data, false), "");
  EXPECT_TRUE(std::isnan(to.host()[0]));
}

__global__ void multiply_tile(const float* a, const float* b, float* out) {
  Tile16 tile{};
  const SplitFragment rows = split(load_fragment(a, 8, 1)), columns = split(load_fragment(b, 8, 1));
  multiply_add(tile, rows, columns);
  for (int r = 0; r < 8; ++r) out[tile_row(r) * 16 + tile_column(r)] = tile.v[r];
}

TEST(Simt, TensorCoreTwinMultipliesTiles) {
  std::vector<float> a(128), b(128);
  for (size_t i = 0; i < 128; ++i) {
    a[i] = std::sin(static_cast<float>(i) * 1.7f);
    b[i] = std::cos(static_cast<float>(i) * 0.9f);
  }
  const Buffer<float> on_a(a), on_b(b), out(256);
  ASSERT_EQ(verdict(multiply_tile, 1, 32, 0, on_a.data, on_b.data, out.data), "");
  const auto got = out.host();
  for (size_t i = 0; i < 16; ++i)
    for (size_t j = 0; j < 16; ++j) {
      double want = 0;
      for (size_t k = 0; k < 8; ++k) want += double{a[i * 8 + k]} * double{b[j * 8 + k]};
      EXPECT_NEAR(got[i * 16 + j], want, 8 * 0x1p-20);  // split operands: 2^-22 a product of at most 1
    }
}

__global__ void multiply_bf16(const float* a, const float* b, float* out) {
  // Both operands go to shared memory as bf16, rows of 16, and come back as fragments.
  __shared__ Shared<Bf16, 256> left;
  __shared__ Shared<Bf16, 128> right;
  for (unsigned i = threadIdx.x; i < 256; i += 32) left[i] = to_bf16(a[i]);
  for (unsigned i = threadIdx.x; i < 128; i += 32) right[i] = to_bf16(b[i]);
  __syncwarp();
  const int row = lane_id() % 8, matrix = lane_id() / 8;
  unsigned rows[4], columns[4];
  load_matrices(rows, left + (row + matrix % 2 * 8) * 16 + matrix / 2 * 8);
  load_matrices(columns, right + row * 16 + matrix % 2 * 8);
  float c[4] = {};
  mma_bf16(c, rows, columns[0], columns[1]);
  for (int r = 0; r < 4; ++r) out[(lane_id() / 4 + r / 2 * 8) * 8 + lane_id() % 4 * 2 + r % 2] = c[r];
}

TEST(Simt, Bf16TwinMultipliesTiles) {
  std::vector<float> a(256), b(128);
  for (size_t i = 0; i < a.size(); ++i) a[i] = static_cast<float>(static_cast<int>(i * 37 % 17) - 8);  // exact in bf16
  for (size_t i = 0; i < b.size(); ++i) b[i] = static_cast<float>(static_cast<int>(i * 29 % 13) - 6);
  const Buffer<float> on_a(a), on_b(b), out(128);
  ASSERT_EQ(verdict(multiply_bf16, 1, 32, 0, on_a.data, on_b.data, out.data), "");
  const auto got = out.host();
  for (size_t i = 0; i < 16; ++i)
    for (size_t j = 0; j < 8; ++j) {
      float want = 0;
      for (size_t k = 0; k < 16; ++k) want += a[i * 16 + k] * b[j * 16 + k];
      EXPECT_EQ(got[i * 8 + j], want);
    }
}

__global__ void round_to_bf16(const float* from, float* to) {
  to[threadIdx.x] = low_bf16(to_bf16(from[threadIdx.x]).bits);
}

TEST(Simt, Bf16RoundsToNearestEven) {
  const Buffer<float> from(std::vector<float>{1, 1 + 0x1p-9f, 1 + 0x1p-8f, 1 + 3 * 0x1p-8f, -INFINITY, NAN}), to(6);
  ASSERT_EQ(verdict(round_to_bf16, 1, 6, 0, from.data, to.data), "");
  const auto got = to.host();
  EXPECT_EQ(got[0], 1);
  EXPECT_EQ(got[1], 1);
  EXPECT_EQ(got[2], 1);
  EXPECT_EQ(got[3], 1 + 0x1p-6f);
  EXPECT_EQ(got[4], -INFINITY);
  EXPECT_TRUE(std::isnan(got[5]));
}

/// Keeps the 64 best of all scores, 64 candidates at a time.
__global__ void best_of(const float* scores, int count, float* best, int* ids) {
  Key list[2] = {kNoKey, kNoKey};
  __shared__ Shared<Key, kPending> pending;
  for (int begin = 0; begin < count; begin += kPending) {
    const int size = count - begin < kPending ? count - begin : kPending;
    for (int i = lane_id(); i < size; i += kWarp) pending[i] = make_key(scores[begin + i], begin + i);
    absorb(list, static_cast<const Key*>(pending), size);
  }
  for (int r = 0; r < 2; ++r) {
    best[r * kWarp + lane_id()] = key_score(list[r]);
    ids[r * kWarp + lane_id()] = key_id(list[r]);
  }
}

TEST(Simt, KeysOrderScoresThenIds) {
  for (const int count : {1, 40, 64, 65, 500}) {
    std::vector<float> scores(static_cast<size_t>(count));
    for (size_t i = 0; i < scores.size(); ++i) scores[i] = static_cast<float>(static_cast<int>(i * 7919 % 41) - 20) / 4;
    if (count > 2) scores[1] = -0.f, scores[2] = -INFINITY;
    std::vector<int> order(scores.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](int i, int j) { return scores[static_cast<size_t>(i)] > scores[static_cast<size_t>(j)]; });
    const Buffer<float> from(scores), best(64);
    const Buffer<int> ids(64);
    ASSERT_EQ(verdict(best_of, 1, 32, 0, from.data, count, best.data, ids.data), "");
    const auto got = ids.host();
    const auto values = best.host();
    for (size_t e = 0; e < 64; ++e) {
      EXPECT_EQ(got[e], e < order.size() ? order[e] : -1) << e << " of " << count;
      EXPECT_EQ(values[e], e < order.size() ? scores[static_cast<size_t>(order[e])] : -INFINITY);
    }
  }
}

__global__ void read_new_memory(float* out) {
  __shared__ Shared<float, 4> fixed;
  out[0] = fixed[2];
  out[1] = dynamic_shared<float>()[0];
  fixed[2] = dynamic_shared<float>()[0] = 1;
}

TEST(Simt, EachBlockFindsItsSharedMemoryPoisoned) {
  const Buffer<float> out(2);
  for (int turn = 0; turn < 2; ++turn) {
    ASSERT_EQ(verdict(read_new_memory, 20, 1, 16, out.data), "");
    for (const float v : out.host()) EXPECT_TRUE(std::isnan(v));
  }
}

// ------------------------------------------------------------------------------------------------ what is found

__global__ void half_a_warp_shuffles() {
  if (threadIdx.x < 16) __shfl_xor_sync(kAllLanes, 1.f, 1);
}
__global__ void half_a_block_waits() {
  if (threadIdx.x < 32) __syncthreads();
  if (threadIdx.x >= 32) __syncthreads();
}
__global__ void lanes_meet_elsewhere() {
  if (threadIdx.x % 2 == 0)
    __ballot_sync(kAllLanes, 1);
  else
    __shfl_sync(kAllLanes, true, 0);
}
__global__ void reads_a_lane_outside() { __shfl_sync(1u << lane_id(), 1, 31 - lane_id()); }
__global__ void mask_without_itself() {
  if (lane_id() == 0) __syncwarp(2);
}
__global__ void writes_behind_dynamic_shared() { dynamic_shared<float>()[4] = 1; }
__global__ void writes_behind_static_shared() {
  __shared__ Shared<float, 4> four;
  four[4] = 1;
}
__global__ void nothing() {}

TEST(Simt, BarriersThatNotAllThreadsReach) {
  EXPECT_THAT(verdict(half_a_warp_shuffles, 1, 32, 0),
              HasSubstr("a barrier that not all threads reach, at simt_test.cu:"));
  EXPECT_THAT(verdict(half_a_block_waits, 3, 64, 0), HasSubstr("meet at different barriers"));
  EXPECT_THAT(verdict(lanes_meet_elsewhere, 1, 32, 0), HasSubstr("lanes of one warp meet at different places"));
  EXPECT_THAT(verdict(reads_a_lane_outside, 1, 32, 0), HasSubstr("a lane outside of the mask"));
  EXPECT_THAT(verdict(mask_without_itself, 1, 32, 0), HasSubstr("a mask that does not name it"));
  EXPECT_EQ(verdict(nothing, 10, 1024, 0), "");  // the fibers serve on after a failure
}

TEST(Simt, WritesBehindSharedMemory) {
  EXPECT_THAT(verdict(writes_behind_dynamic_shared, 1, 1, 16),
              HasSubstr("behind the 16 bytes of dynamic shared memory"));
  EXPECT_THAT(verdict(writes_behind_static_shared, 1, 1, 0), HasSubstr("a write behind a static shared variable"));
  EXPECT_EQ(verdict(nothing, 1, 1, 0), "");
}

TEST(Simt, LaunchesThatADeviceRefuses) {
  EXPECT_EQ(start(nothing, 0, 32, 0), cudaErrorInvalidConfiguration);
  EXPECT_EQ(start(nothing, 1, 1025, 0), cudaErrorInvalidConfiguration);
  EXPECT_EQ(start(nothing, 1, 32, 49 << 10), cudaErrorInvalidValue);  // more than 48 KiB only for who asks
  EXPECT_EQ(cudaFuncSetAttribute(reinterpret_cast<const void*>(&nothing), cudaFuncAttributeMaxDynamicSharedMemorySize,
                                 228 << 10),
            cudaErrorInvalidValue);
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidValue);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
}

TEST(Simt, ResultsAreNotThereBeforeSomebodyWaits) {
  const Buffer<int> counter(std::vector<int>{5});
  std::vector<int> host{7};
  ASSERT_EQ(cudaMemcpyAsync(host.data(), counter.data, 4, cudaMemcpyDeviceToHost, nullptr), cudaSuccess);
  EXPECT_EQ(host[0], -1);  // poison
  ASSERT_EQ(cudaStreamSynchronize(nullptr), cudaSuccess);
  EXPECT_EQ(host[0], 5);
}

TEST(Simt, CopiesThatMistakeTheirSide) {
  const Buffer<int> array(std::vector<int>{5, 6});
  std::vector<int> host(3);
  EXPECT_EQ(cudaMemcpyAsync(host.data(), array.data, 4, cudaMemcpyHostToDevice, nullptr), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpyAsync(array.data, array.data + 1, 4, cudaMemcpyDeviceToHost, nullptr), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpyAsync(host.data(), array.data, 12, cudaMemcpyDeviceToHost, nullptr), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemsetAsync(host.data(), 0, 4, nullptr), cudaErrorInvalidValue);
  cudaGetLastError();
}

TEST(SimtDeathTest, TheHostDoesNotTouchDeviceMemory) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  const Buffer<int> array(std::vector<int>{5});
  EXPECT_DEATH(array.data[0] = 1, "");
}

__global__ void writes_behind_an_array(unsigned char* array) { array[3] = 1; }

TEST(SimtDeathTest, WritesBehindAnArrayAreFoundWhenItIsFreed) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_DEATH(
      {
        const Buffer<unsigned char> array(3);
        verdict(writes_behind_an_array, 1, 1, 0, array.data);
      },
      "a write behind an array of 3 bytes");
}

TEST(Simt, MemoryHasALimit) {
  void* data = nullptr;
  EXPECT_EQ(cudaMalloc(&data, static_cast<size_t>(simt::memory_limit.load()) + 1), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaGetLastError(), cudaErrorMemoryAllocation);
}

}  // namespace
}  // namespace kindred::cuda
