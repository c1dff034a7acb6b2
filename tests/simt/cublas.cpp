// SPDX-License-Identifier: Apache-2.0
// The functions of cuBLAS that the product calls, over the host's BLAS, behind NVIDIA's own header; and the loader that
// finds them.
#include <cublas_v2.h>

#include <map>
#include <string>

#include "tests/simt/simt.hpp"

extern "C" void sgemm_(const char* ta, const char* tb, const int* m, const int* n, const int* k, const float* alpha,
                       const float* a, const int* lda, const float* b, const int* ldb, const float* beta, float* c,
                       const int* ldc);

struct cublasContext {
  cudaStream_t stream = nullptr;
};

namespace {

const char* letter(cublasOperation_t operation) { return operation == CUBLAS_OP_N ? "N" : "T"; }

}  // namespace

extern "C" {

cublasStatus_t cublasCreate_v2(cublasHandle_t* handle) { return *handle = new cublasContext, CUBLAS_STATUS_SUCCESS; }
cublasStatus_t cublasDestroy_v2(cublasHandle_t handle) {
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetStream_v2(cublasHandle_t handle, cudaStream_t stream) {
  handle->stream = stream;
  return CUBLAS_STATUS_SUCCESS;
}
const char* cublasGetStatusString(cublasStatus_t status) {
  return status == CUBLAS_STATUS_SUCCESS ? "success" : "invalid value";
}

cublasStatus_t cublasSgemmStridedBatched_64(cublasHandle_t handle, cublasOperation_t ta, cublasOperation_t tb,
                                            int64_t m, int64_t n, int64_t k, const float* alpha, const float* a,
                                            int64_t lda, long long stride_a, const float* b, int64_t ldb,
                                            long long stride_b, const float* beta, float* c, int64_t ldc,
                                            long long stride_c, int64_t count) {
  const int64_t a_rows = ta == CUBLAS_OP_N ? m : k, b_rows = tb == CUBLAS_OP_N ? k : n;
  if (m < 0 || n < 0 || k < 0 || lda < a_rows || ldb < b_rows || ldc < m || lda < 1 || ldb < 1 || ldc < 1)
    return CUBLAS_STATUS_INVALID_VALUE;
  simt::enqueue(handle->stream, [=, alpha = *alpha, beta = *beta] {
    const int mi = static_cast<int>(m), ni = static_cast<int>(n), ki = static_cast<int>(k);
    const int ai = static_cast<int>(lda), bi = static_cast<int>(ldb), ci = static_cast<int>(ldc);
    for (int64_t i = 0; i < count; ++i)
      sgemm_(letter(ta), letter(tb), &mi, &ni, &ki, &alpha, a + i * stride_a, &ai, b + i * stride_b, &bi, &beta,
             c + i * stride_c, &ci);
  });
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSgemm_v2_64(cublasHandle_t handle, cublasOperation_t ta, cublasOperation_t tb, int64_t m,
                                 int64_t n, int64_t k, const float* alpha, const float* a, int64_t lda, const float* b,
                                 int64_t ldb, const float* beta, float* c, int64_t ldc) {
  return cublasSgemmStridedBatched_64(handle, ta, tb, m, n, k, alpha, a, lda, 0, b, ldb, 0, beta, c, ldc, 0, 1);
}

}  // extern "C"

namespace simt {

void* load_library(const char* name, int) {
  static int loaded;
  return std::string(name).starts_with("libcublas.so") ? &loaded : nullptr;
}

void* find_symbol(void*, const char* name) {
#define SYMBOL(function) \
  { #function, reinterpret_cast < void*>(&function) }
  static const std::map<std::string, void*> symbols = {
      SYMBOL(cublasCreate_v2),       SYMBOL(cublasDestroy_v2),  SYMBOL(cublasSetStream_v2),

      SYMBOL(cublasGetStatusString), SYMBOL(cublasSgemm_v2_64), SYMBOL(cublasSgemmStridedBatched_64)};
#undef SYMBOL
  const auto found = symbols.find(name);
  return found == symbols.end() ? nullptr : found->second;
}

}  // namespace simt
