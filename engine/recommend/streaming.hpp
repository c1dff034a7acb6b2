// SPDX-License-Identifier: Apache-2.0
// Lists for many people: batch by batch, and what they leave out.
#pragma once
#include <algorithm>
#include <string_view>
#include <vector>

#include "engine/core/fitted_model.hpp"
#include "engine/core/interrupt.hpp"
#include "engine/core/log.hpp"

namespace kindred {

/// The parts of a model that say what its users have had; those that it keeps.
std::vector<const HostCsr*> seen_parts(const FittedModel& model);
/// Those that were held out from the fit, to be found.
std::vector<const HostCsr*> held_out_parts(const FittedModel& model);

/// answer(begin, count) for batches of `people`, whose lists fit in memory. Shows progress where asked; stops where the
/// program is told to.
template <class Answer>
void in_batches(std::string_view what, size_t people, bool progress, const Answer& answer) {
  constexpr size_t kBatch = 4096;
  Progress shown(what, static_cast<int64_t>(people), "users");
  for (size_t begin = 0; begin < people; begin += kBatch) {
    check_interrupt();
    const size_t count = std::min(kBatch, people - begin);
    answer(begin, count);
    if (progress) shown.update(static_cast<int64_t>(begin + count));
  }
}

}  // namespace kindred
