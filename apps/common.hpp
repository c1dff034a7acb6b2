// SPDX-License-Identifier: Apache-2.0
// What all programs share: the one catch that turns an error into a line on stderr and an exit code.
#pragma once
#include <functional>
#include <string>

namespace kindred {

/// Runs `body` and returns the exit code: its own; 2 where the input or the call is wrong; 130 and 143 after Ctrl-C and
/// SIGTERM; 0 where a reader closed the pipe; 1 for anything else. Errors are "PROGRAM: MESSAGE" on stderr.
int run_program(const std::string& program, const std::function<int()>& body);

/// "kindred-train 0.1.0 (1a2b3c4)"
std::string version_text(const std::string& program);

}  // namespace kindred
