// SPDX-License-Identifier: Apache-2.0
// Stands in for kernels/cuda where the build has no CUDA part: a context on CUDA cannot be opened, and every op says by
// name what is missing.
#include <string>

#include "kernels/detail/als.hpp"
#include "kernels/detail/cuda.hpp"
#include "kernels/detail/dense.hpp"
#include "kernels/detail/random.hpp"
#include "kernels/detail/sgd.hpp"
#include "kernels/detail/similarity.hpp"
#include "kernels/detail/sparse.hpp"
#include "kernels/detail/spmm.hpp"
#include "kernels/detail/topk.hpp"
#include "kernels/detail/weighting.hpp"

namespace kindred::cuda {
namespace {

constexpr const char* kMissing =
    "this build has no CUDA part; put nvcc on PATH (or set CUDACXX) and build again, or use --device cpu";

[[noreturn]] void unavailable(const char* op) { throw Unavailable(std::string(op) + ": " + kMissing); }

}  // namespace

CudaReport report() noexcept {
  CudaReport report;
  report.problem = kMissing;
  return report;
}

Device* open_device(int) { unavailable("cuda"); }
void close_device(Device*) noexcept {}
void* allocate(Device&, int64_t) noexcept { return nullptr; }
void release(Device&, void*) noexcept {}
int64_t free_bytes(Device&) noexcept { return 0; }
void copy_bytes(Device&, void*, DeviceType, const void*, DeviceType, int64_t) { unavailable("copy"); }
void fill_bytes(Device&, void*, int, int64_t) { unavailable("fill"); }
void wait(Context&) { unavailable("wait"); }

void gemm(Context&, float, MatrixView<const float>, Transpose, MatrixView<const float>, Transpose, float,
          MatrixView<float>) {
  unavailable("gemm");
}
void gram(Context&, MatrixView<const float>, MatrixView<float>) { unavailable("gram"); }
int64_t gram_scratch_bytes(int, int64_t, int64_t) { unavailable("gram"); }
void row_squares(Context&, MatrixView<const float>, VectorView<float>) { unavailable("row_squares"); }
void row_norms(Context&, MatrixView<const float>, VectorView<float>) { unavailable("row_norms"); }
void scale_rows(Context&, MatrixView<float>, VectorView<const float>) { unavailable("scale_rows"); }
void normalize_rows(Context&, MatrixView<float>) { unavailable("normalize_rows"); }
void symmetric_eigen(Context&, MatrixView<const float>, VectorView<float>, MatrixView<float>) {
  unavailable("symmetric_eigen");
}

Csr csr_from_pairs(Context&, VectorView<const int32_t>, VectorView<const int32_t>, VectorView<const float>, int64_t,
                   int64_t) {
  unavailable("csr_from_pairs");
}
Csr transpose(Context&, CsrView) { unavailable("transpose"); }
void row_sums(Context&, CsrView, VectorView<float>) { unavailable("row_sums"); }
void column_sums(Context&, CsrView, VectorView<float>) { unavailable("column_sums"); }

void spmm(Context&, float, CsrView, MatrixView<const float>, float, MatrixView<float>) { unavailable("spmm"); }

void fill_normal(Context&, VectorView<float>, float, float, uint64_t, uint32_t) { unavailable("fill_normal"); }
void fill_uniform(Context&, VectorView<float>, float, float, uint64_t, uint32_t) { unavailable("fill_uniform"); }

void als_features(Context&, MatrixView<const float>, MatrixView<float>, VectorView<float>) {
  unavailable("als_half_sweep");
}
void als_half_sweep(Context&, const detail::AlsProblem&) { unavailable("als_half_sweep"); }
int64_t als_scratch_bytes(int, const detail::AlsShape&, const AlsParams&) { unavailable("als_half_sweep"); }
double als_loss(Context&, const detail::AlsObjectiveProblem&) { unavailable("als_loss"); }

void top_k(Context&, MatrixView<const float>, MatrixView<const float>, VectorView<const float>, CsrView,
           MatrixView<int32_t>, MatrixView<float>) {
  unavailable("top_k");
}
void pair_scores(Context&, MatrixView<const float>, MatrixView<const float>, VectorView<const int32_t>,
                 VectorView<const int32_t>, VectorView<float>) {
  unavailable("pair_scores");
}
void pair_scores(Context&, MatrixView<const float>, MatrixView<const float>, CsrView, VectorView<float>) {
  unavailable("pair_scores");
}

void sgd_rounds(Context&, const detail::SgdProblem&, std::span<const int64_t>, std::span<SgdTally>) {
  unavailable("sgd_rounds");
}

void similar_rows(Context&, CsrView, const SimilarityParams&, MatrixView<int32_t>, MatrixView<float>) {
  unavailable("similar_rows");
}
void similar_rows(Context&, CsrView, VectorView<const int32_t>, CsrView, const SimilarityParams&, MatrixView<int32_t>,
                  MatrixView<float>) {
  unavailable("similar_rows");
}

void weigh_entries(Context&, CsrView, EntryWeight, float, VectorView<const float>, VectorView<const float>,
                   VectorView<float>) {
  unavailable("weigh_entries");
}

}  // namespace kindred::cuda
