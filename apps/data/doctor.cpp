// SPDX-License-Identifier: Apache-2.0
#include "apps/data/doctor.hpp"

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <vector>

#include "engine/core/log.hpp"
#include "engine/hdf5/hdf5.hpp"
#include "engine/store/versions.hpp"
#include "kernels/context.hpp"
#include "kernels/versions.hpp"

namespace kindred {
namespace {

struct Missing {
  std::string what, remedy;
};

void line(std::string_view label, std::string_view text) { fmt::print("{:<10}{}\n", label, text); }

// 12040 and 13000 as CUDA counts: "12.4", "13.0".
std::string cuda_version(int version) { return fmt::format("{}.{}", version / 1000, version % 1000 / 10); }

void report_cpu(std::vector<Missing>& missing) {
  const CpuReport cpu = cpu_report();
  line("CPU", fmt::format("{}, {} {}", cpu.model, cpu.threads, cpu.threads == 1 ? "thread" : "threads"));
  line("", fmt::format("vector instructions: {}, in use: {}", cpu.supported, cpu.in_use));
  if (cpu.in_use == "scalar") {
    missing.push_back({"vector instructions: plain loops are in use, many times slower", "unset KINDRED_CPU"});
  }
  line("Memory", fmt::format("{}, {} available", format_bytes(cpu.total_bytes), format_bytes(cpu.available_bytes)));
}

void report_cuda(std::vector<Missing>& missing) {
  const CudaReport cuda = cuda_report();
  if (cuda.built) {
    line("CUDA", fmt::format("built with toolkit {} for {}", cuda_version(cuda.toolkit), cuda.built_for));
  } else {
    line("CUDA", "not built in");
    missing.push_back({"the CUDA part: this build computes on the CPU only",
                       "install the CUDA toolkit (12.4 or newer), put nvcc on PATH, then: cmake --preset release "
                       "-DKINDRED_CUDA=ON && cmake --build --preset release"});
  }
  line("Driver", cuda.driver == 0 ? "none found" : fmt::format("for CUDA up to {}", cuda_version(cuda.driver)));
  for (const CudaDevice& device : cuda.devices) {
    line(fmt::format("cuda:{}", device.index),
         fmt::format("{}, sm_{}{}, {} multiprocessors, {} of {} free", device.name, device.major, device.minor,
                     device.multiprocessors, format_bytes(device.free_bytes), format_bytes(device.total_bytes)));
  }
  if (!cuda.built || cuda.problem.empty()) return;
  missing.push_back({"a CUDA device: " + cuda.problem,
                     cuda.driver == 0 ? "install the driver (Debian, non-free: sudo apt-get install nvidia-driver) and "
                                        "start again; in a container: docker run --gpus all"
                     : cuda.driver < cuda.toolkit
                         ? fmt::format("update the driver to one for CUDA {} (sudo apt-get install nvidia-driver)",
                                       cuda_version(cuda.toolkit))
                         : "check what nvidia-smi says, and CUDA_VISIBLE_DEVICES"});
}

}  // namespace

bool doctor() {
  std::vector<Missing> missing;
  report_cpu(missing);
  line("BLAS", fmt::format("oneDNN {}, OpenBLAS {}", onednn_version(), openblas_version()));
  line("HDF5", hdf5::version());
  line("SQLite", sqlite_version());
  report_cuda(missing);
  fmt::print("\n");
  if (missing.empty()) fmt::print("Nothing is missing.\n");
  for (const Missing& m : missing) fmt::print("Missing: {}\n  mend it: {}\n", m.what, m.remedy);
  return missing.empty();
}

}  // namespace kindred
