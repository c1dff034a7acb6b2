// SPDX-License-Identifier: Apache-2.0
// Every op's tests run once for each backend that this binary has: "cpu", and "cuda" where there is a device, real or
// emulated. Arrays go in and out through put and get.
#pragma once
#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <string>
#include <vector>

#include "kernels/memory.hpp"

namespace kindred {

/// The devices that tests are instantiated for. Under the emulator "cuda" alone: another binary tests the CPU.
inline std::vector<std::string> contexts() {
  const CudaReport report = cuda_report();
  if (report.built_for == "emulated") return {"cuda"};
  std::vector<std::string> names{"cpu"};
  if (!report.devices.empty()) names.emplace_back("cuda");
  return names;
}

/// The emulator runs a device's threads one by one: large shapes are for real backends.
inline bool emulated() { return cuda_report().built_for == "emulated"; }

/// Base of the tests of ops: GetParam() is the backend's name.
class OpTest : public testing::TestWithParam<std::string> {
 protected:
  Context ctx{{.device = GetParam(), .threads = 2, .seed = 1}};

  template <class T>
  Array<T> put(const std::vector<T>& host) {
    Array<T> out(ctx, static_cast<int64_t>(host.size()), "test array");
    upload<T>(ctx, host, out.view());
    ctx.wait();
    return out;
  }
  Matrix<float> put(const std::vector<float>& host, int64_t rows, int64_t cols) {
    Matrix<float> out(ctx, rows, cols, "test matrix");
    upload<float>(ctx, host, out.view().flat());
    ctx.wait();
    return out;
  }
  template <class T>
  std::vector<std::remove_const_t<T>> get(VectorView<T> view) {
    std::vector<std::remove_const_t<T>> out(static_cast<size_t>(view.size));
    download<T>(ctx, view, out);
    ctx.wait();
    return out;
  }
};

/// Calls body() for every set of vector instructions that this processor has, and for plain loops; their number.
template <class Body>
int for_each_instruction_set(Body&& body) {
  int tested = 0;
  const int64_t supported = hwy::SupportedTargets();
  for (int64_t target = 1; target > 0 && target <= HWY_SCALAR; target <<= 1) {
    if ((supported & target) == 0 && target != HWY_SCALAR) continue;
    SCOPED_TRACE(hwy::TargetName(target));
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(target);
    body();
    ++tested;
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  return tested;
}

inline std::string backend_name(const testing::TestParamInfo<std::string>& info) { return info.param; }

}  // namespace kindred

#define KINDRED_FOR_EACH_BACKEND(suite) \
  INSTANTIATE_TEST_SUITE_P(Ops, suite, testing::ValuesIn(kindred::contexts()), kindred::backend_name)
