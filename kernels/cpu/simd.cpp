// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/simd.hpp"

#include <hwy/targets.h>
#include <oneapi/dnnl/dnnl.h>

#include <array>
#include <cstdlib>
#include <mutex>
#include <string_view>

#include "kernels/error.hpp"

namespace kindred::cpu {
namespace {

struct Choice {
  std::string_view name;
  int64_t target;
  dnnl_cpu_isa_t dnnl;
};
/// From the widest to the narrowest. Highway numbers its targets so that a wider one has a lower bit.
constexpr std::array kChoices{
    Choice{"avx3_dl", HWY_AVX3_DL, dnnl_cpu_isa_avx512_core_vnni},
    Choice{"avx3", HWY_AVX3, dnnl_cpu_isa_avx512_core},
    Choice{"avx2", HWY_AVX2, dnnl_cpu_isa_avx2},
    Choice{"sse4", HWY_SSE4, dnnl_cpu_isa_sse41},
    Choice{"ssse3", HWY_SSSE3, dnnl_cpu_isa_sse41},
    Choice{"scalar", HWY_SCALAR, dnnl_cpu_isa_sse41},
};

std::string_view name_of(int64_t targets) {
  for (const auto& choice : kChoices)
    if (targets & choice.target) return choice.name;
  return "scalar";
}

void apply() {
  const char* wanted = std::getenv("KINDRED_CPU");
  if (wanted == nullptr || *wanted == '\0') return;
  std::string names;
  for (const auto& choice : kChoices) {
    names += (names.empty() ? "" : ", ") + std::string(choice.name);
    if (choice.name != wanted) continue;
    if (choice.target != HWY_SCALAR && (hwy::SupportedTargets() & choice.target) == 0)
      throw InvalidArgument("KINDRED_CPU=" + std::string(wanted) + ": this processor has no more than " +
                            simd_supported());
    hwy::DisableTargets(choice.target - 1);
    dnnl_set_max_cpu_isa(choice.dnnl);
    return;
  }
  throw InvalidArgument("KINDRED_CPU=" + std::string(wanted) + ": expected one of " + names);
}

}  // namespace

void apply_simd_choice() {
  static std::once_flag once;
  std::call_once(once, [] {
    simd_supported();  // remembers the set before it is narrowed
    apply();
  });
}

std::string simd_supported() {
  static const std::string widest(name_of(hwy::SupportedTargets()));
  return widest;
}

std::string simd_in_use() { return std::string(name_of(hwy::SupportedTargets())); }

}  // namespace kindred::cpu
