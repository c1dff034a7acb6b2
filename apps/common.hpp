// SPDX-License-Identifier: Apache-2.0
// What all programs share: how the command line is read, and the one catch that turns an error into a line on stderr
// and an exit code.
#pragma once
#include <functional>
#include <string>

namespace CLI {
class App;
}

namespace kindred {

/// Runs `body` and returns the exit code: its own; 2 where the input or the call is wrong; 130 and 143 after Ctrl-C and
/// SIGTERM; 0 where a reader closed the pipe; 1 for anything else. Errors are "PROGRAM: MESSAGE" on stderr.
int run_program(const std::string& program, const std::function<int()>& body);

/// Reads the command line into what `app` binds; adds --version and, not in --help, --print-completion bash|zsh and
/// --print-man. False where it asked for one of these, which then stands on stdout: the program is done. Throws
/// InputError for a wrong call.
bool parse_command_line(CLI::App& app, int argc, char** argv);

/// --device and --threads; what the variables hold is said to be the default, but for an empty device, which leaves
/// both to the config.
void add_compute_options(CLI::App& app, std::string& device, int& threads);

}  // namespace kindred
