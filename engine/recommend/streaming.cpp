// SPDX-License-Identifier: Apache-2.0
#include "engine/recommend/streaming.hpp"

namespace kindred {
namespace {

std::vector<const HostCsr*> kept(std::vector<const HostCsr*> parts) {
  std::erase_if(parts, [](const HostCsr* part) { return part->rows() == 0; });
  return parts;
}

}  // namespace

std::vector<const HostCsr*> seen_parts(const FittedModel& model) {
  return kept({&model.history, &model.held_out_given});
}

std::vector<const HostCsr*> held_out_parts(const FittedModel& model) {
  return kept({&model.held_out_validation, &model.held_out_test});
}

}  // namespace kindred
