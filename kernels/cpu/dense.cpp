// SPDX-License-Identifier: Apache-2.0
// Products by oneDNN: each thread of the pool multiplies blocks of fixed size, so bits do not depend on threads.
#include "kernels/detail/dense.hpp"

#include <oneapi/dnnl/dnnl.h>
#include <sys/mman.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/cpu/threads.hpp"
#include "kernels/memory.hpp"

extern "C" void dsyevd_(const char* jobz, const char* uplo, const int* n, double* a, const int* lda, double* w,
                        double* work, const int* lwork, int* iwork, const int* liwork, int* info);

namespace kindred {
namespace {

/// Row-major c (m x n) = alpha op(a) op(b) + beta c on this thread.
void sgemm(bool turn_a, bool turn_b, int64_t m, int64_t n, int64_t k, float alpha, const float* a, int64_t lda,
           const float* b, int64_t ldb, float beta, float* c, int64_t ldc) {
  if (k == 0) {  // an empty sum; oneDNN refuses it
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < n; ++j) c[i * ldc + j] = beta == 0 ? 0 : beta * c[i * ldc + j];
    return;
  }
  if (dnnl_sgemm(turn_a ? 'T' : 'N', turn_b ? 'T' : 'N', m, n, k, alpha, a, lda, b, ldb, beta, c, ldc) != dnnl_success)
    throw Error("gemm: oneDNN refused a product of " + std::to_string(m) + " x " + std::to_string(n) + " x " +
                std::to_string(k));
}

/// Sixteen sums that a compiler can keep in vectors, added up in a fixed order.
double sum_of_squares(const float* x, int64_t size) {
  float lane[16] = {};
  int64_t k = 0;
  for (; k + 16 <= size; k += 16)
    for (int l = 0; l < 16; ++l) lane[l] += x[k + l] * x[k + l];
  double sum = 0;
  for (; k < size; ++k) sum += double{x[k]} * x[k];
  for (const float v : lane) sum += v;
  return sum;
}

constexpr int64_t kRowChunk = 4096;  // rows a thread takes at once in row-wise ops
constexpr int64_t kGramRows = 4096;  // rows summed in fp32

/// Parts of a Gram matrix's sum, by shape alone: as many as 64, as few as the memory for their fp64 sums (64 MiB) asks.
int64_t gram_shards(int64_t rows, int64_t cols) {
  const int64_t blocks = (rows + kGramRows - 1) / kGramRows;
  return std::clamp<int64_t>((64 << 20) / (8 * cols * cols), 4, std::min<int64_t>(64, std::max<int64_t>(4, blocks)));
}

}  // namespace

namespace cpu {

void gemm(Context& ctx, float alpha, MatrixView<const float> a, Transpose ta, MatrixView<const float> b, Transpose tb,
          float beta, MatrixView<float> c) {
  const bool turn_a = ta == Transpose::kYes, turn_b = tb == Transpose::kYes;
  const int64_t k = turn_a ? a.rows : a.cols;
  constexpr int64_t kRows = 256, kCols = 2048;
  const int64_t row_blocks = (c.rows + kRows - 1) / kRows, col_blocks = (c.cols + kCols - 1) / kCols;
  parallel_for(ctx, row_blocks * col_blocks, 1, [&](int64_t block, int64_t, int) {
    const int64_t i = block / col_blocks * kRows, j = block % col_blocks * kCols;
    const float* left = turn_a ? a.data + i : a.row(i);
    const float* right = turn_b ? b.row(j) : b.data + j;
    sgemm(turn_a, turn_b, std::min(kRows, c.rows - i), std::min(kCols, c.cols - j), k, alpha, left, a.cols, right,
          b.cols, beta, c.row(i) + j, c.cols);
  });
}

void gram(Context& ctx, MatrixView<const float> a, MatrixView<float> out) {
  const int64_t d = a.cols, square = d * d, blocks = (a.rows + kGramRows - 1) / kGramRows;
  if (blocks <= 1) {  // in the pool, where oneDNN has one thread
    parallel_for(ctx, 1, 1, [&](int64_t, int64_t, int) {
      sgemm(true, false, d, d, a.rows, 1, a.data, d, a.data, d, 0, out.data, d);
    });
    return;
  }
  const int64_t shards = gram_shards(a.rows, d);
  const int64_t blocks_a_shard = (blocks + shards - 1) / shards;
  Array<double> sums(ctx, shards * square, "gram shards");
  Array<float> partial(ctx, ctx.threads() * square, "gram block");
  parallel_for(ctx, shards, 1, [&](int64_t shard, int64_t, int thread) {
    double* const sum = sums.data() + shard * square;
    float* const part = partial.data() + thread * square;
    std::fill_n(sum, square, 0.0);
    for (int64_t block = shard * blocks_a_shard; block < std::min(blocks, (shard + 1) * blocks_a_shard); ++block) {
      const int64_t rows = std::min(kGramRows, a.rows - block * kGramRows);
      const float* x = a.row(block * kGramRows);
      sgemm(true, false, d, d, rows, 1, x, d, x, d, 0, part, d);
      for (int64_t e = 0; e < square; ++e) sum[e] += part[e];
    }
  });
  parallel_for(ctx, square, 4096, [&](int64_t begin, int64_t end, int) {
    for (int64_t e = begin; e < end; ++e) {
      double sum = 0;
      for (int64_t shard = 0; shard < shards; ++shard) sum += sums.data()[shard * square + e];
      out.data[e] = static_cast<float>(sum);
    }
  });
}

int64_t gram_scratch_bytes(int threads, int64_t rows, int64_t cols) {
  return rows <= kGramRows ? 0 : (8 * gram_shards(rows, cols) + 4 * int64_t{threads}) * cols * cols;
}

void row_squares(Context& ctx, MatrixView<const float> a, VectorView<float> out) {
  parallel_for(ctx, a.rows, kRowChunk, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) out[i] = static_cast<float>(sum_of_squares(a.row(i), a.cols));
  });
}

void row_norms(Context& ctx, MatrixView<const float> a, VectorView<float> out) {
  parallel_for(ctx, a.rows, kRowChunk, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) out[i] = static_cast<float>(std::sqrt(sum_of_squares(a.row(i), a.cols)));
  });
}

void scale_rows(Context& ctx, MatrixView<float> a, VectorView<const float> factor) {
  parallel_for(ctx, a.rows, kRowChunk, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i)
      for (float *x = a.row(i), *last = x + a.cols; x < last; ++x) *x *= factor[i];
  });
}

void normalize_rows(Context& ctx, MatrixView<float> a) {
  parallel_for(ctx, a.rows, kRowChunk, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      const double norm = std::sqrt(sum_of_squares(a.row(i), a.cols));
      if (!(norm > 0)) continue;
      const auto scale = static_cast<float>(1 / norm);
      for (float *x = a.row(i), *last = x + a.cols; x < last; ++x) *x *= scale;
    }
  });
}

void symmetric_eigen(Context&, MatrixView<const float> symmetric, VectorView<float> out, MatrixView<float> vectors) {
  detail::symmetric_eigen_host({symmetric.data, static_cast<size_t>(symmetric.size())},
                               {out.data, static_cast<size_t>(out.size)},
                               {vectors.data, static_cast<size_t>(vectors.size())});
}

}  // namespace cpu

void detail::expect_room_for_blas() {
  constexpr size_t kBytes = size_t{132} << 20;
  static const bool checked = [] {
    void* const room = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED)
      throw OutOfMemory("cpu: out of memory: OpenBLAS wants " + format_bytes(kBytes) +
                        " of address space, and this process may not have them; raise its limit (ulimit -v)");
    munmap(room, kBytes);
    return true;
  }();
  static_cast<void>(checked);
}

void detail::symmetric_eigen_host(std::span<const float> symmetric, std::span<float> values, std::span<float> vectors) {
  const int d = static_cast<int>(values.size());
  const auto size = static_cast<size_t>(d);
  std::vector<double> a(symmetric.begin(), symmetric.end()), w(size);
  for (const double v : a)
    if (!std::isfinite(v)) throw NumericError("symmetric_eigen: the matrix holds NaN or infinity", -1);
  int info = 0, work_size = -1, iwork_size = -1, ibest = 0;
  double best = 0;
  dsyevd_("V", "U", &d, a.data(), &d, w.data(), &best, &work_size, &ibest, &iwork_size, &info);
  work_size = static_cast<int>(best), iwork_size = ibest;
  std::vector<double> work(static_cast<size_t>(work_size));
  std::vector<int> iwork(static_cast<size_t>(iwork_size));
  expect_room_for_blas();
  dsyevd_("V", "U", &d, a.data(), &d, w.data(), work.data(), &work_size, iwork.data(), &iwork_size, &info);
  if (info != 0) throw NumericError("symmetric_eigen: no convergence", -1);
  // LAPACK's columns, column after column, are our rows.
  for (size_t k = 0; k < size; ++k) {
    const double* vector = a.data() + k * size;
    const double largest =
        *std::max_element(vector, vector + size, [](double x, double y) { return std::abs(x) < std::abs(y); });
    const double sign = largest < 0 ? -1 : 1;
    for (size_t j = 0; j < size; ++j) vectors[k * size + j] = static_cast<float>(sign * vector[j]);
    values[k] = static_cast<float>(w[k]);
  }
}

}  // namespace kindred
