// SPDX-License-Identifier: Apache-2.0
// Words for synthetic data: tags, titles, countries.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace kindred {

std::span<const std::string_view> synth_tags();
std::span<const std::string_view> synth_countries();

/// A made-up title with a year, "The Silent Harbor (1987)": another one for each number.
std::string synth_title(int64_t number);

}  // namespace kindred
