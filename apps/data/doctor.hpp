// SPDX-License-Identifier: Apache-2.0
// kindred-data doctor: what was built in, what was found on this machine, and what mends what is missing.
#pragma once

namespace kindred {

/// Prints the report on stdout. Returns whether nothing is missing.
bool doctor();

}  // namespace kindred
