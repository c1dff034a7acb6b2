// SPDX-License-Identifier: Apache-2.0
#include "kernels/versions.hpp"

#include <dnnl.h>

extern "C" char* openblas_get_config();  // "OpenBLAS 0.3.21 NO_AFFINITY …"; cblas.h is not needed otherwise

namespace kindred {

std::string onednn_version() {
  const dnnl_version_t& version = *dnnl_version();
  std::string text = std::to_string(version.major);
  for (const int part : {version.minor, version.patch}) text.append(".").append(std::to_string(part));
  return text;
}

std::string openblas_version() {
  const std::string config = openblas_get_config();
  const size_t begin = config.find(' ') + 1;
  return config.substr(begin, config.find(' ', begin) - begin);
}

}  // namespace kindred
