// SPDX-License-Identifier: Apache-2.0
#include "apps/common.hpp"

#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <new>

#include "apps/describe.hpp"
#include "engine/core/error.hpp"
#include "engine/core/interrupt.hpp"
#include "engine/core/log.hpp"
#include "engine/core/output.hpp"

namespace kindred {
namespace {

constexpr size_t kLongestMessage = 4000;

int fail(const std::string& program, const std::string& message, int code) {
  clear_progress_line();
  std::fprintf(stderr, "%s: %s\n", program.c_str(), printable(message, kLongestMessage).c_str());
  return code;
}

bool reader_has_left() {
  pollfd out{STDOUT_FILENO, POLLOUT, 0};
  return ::poll(&out, 1, 0) == 1 && (out.revents & POLLERR) != 0;
}

/// What the process may have, where that is less than what the machine has.
std::string allowance() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return "";
  return ": this process may have " + format_bytes(static_cast<int64_t>(limit.rlim_cur)) +
         " of address space (ulimit -v)";
}

}  // namespace

int run_program(const std::string& program, const std::function<int()>& body) {
  start_logging(program);
  catch_signals();
  try {
    const int code = body();
    std::fflush(stdout);
    if (std::ferror(stdout) && !reader_has_left()) return fail(program, "standard output: cannot write", 1);
    return code;
  } catch (const Interrupted& error) {
    return fail(program, error.what(), 128 + error.signal);
  } catch (const ClosedPipe&) {
    return 0;
  } catch (const InputError& error) {
    return fail(program, error.what(), 2);
  } catch (const InvalidArgument& error) {
    return fail(program, error.what(), 2);
  } catch (const std::bad_alloc&) {
    return fail(program, "out of memory" + allowance() + "; use less data, fewer factors or a larger machine", 1);
  } catch (const std::exception& error) {
    return fail(program, error.what(), 1);
  }
}

void add_compute_options(CLI::App& app, std::string& device, int& threads) {
  CLI::Option* const options[] = {app.add_option("--device", device, "auto | cpu | cuda | cuda:N"),
                                  app.add_option("--threads", threads, "CPU threads, 0: all")};
  if (device.empty()) return;
  for (CLI::Option* option : options) option->capture_default_str();
}

bool parse_command_line(CLI::App& app, int argc, char** argv) {
  struct Answered {
    std::string text;
  };
  std::vector<std::string> commands;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
    if (!command->get_name().empty()) commands.push_back(command->get_name());
  if (argc > 1 && argv[1][0] != '-' && !commands.empty() && std::ranges::find(commands, argv[1]) == commands.end())
    throw InputError("there is no command '" + printable(argv[1]) + "'" + did_you_mean(argv[1], commands) +
                     "; --help lists them");
  app.set_version_flag("--version", app.get_name() + " " + KINDRED_VERSION + " (" + KINDRED_GIT + ")");
  const std::string hidden;  // a group without a name is not in --help
  app.add_option_function<std::string>(
         "--print-completion",
         [&](const std::string& shell) { throw Answered{shell == "zsh" ? zsh_completion(app) : bash_completion(app)}; })
      ->check(CLI::IsMember({"bash", "zsh"}))
      ->group(hidden);
  app.add_flag_callback("--print-man", [&] { throw Answered{man_page(app, KINDRED_VERSION)}; })->group(hidden);
  try {
    app.parse(argc, argv);
    return true;
  } catch (const Answered& answer) {
    write_stdout(answer.text);
  } catch (const CLI::CallForHelp&) {
    write_stdout(app.help());
  } catch (const CLI::CallForVersion& version) {
    write_stdout(std::string(version.what()) + "\n");
  } catch (const CLI::ParseError& error) {
    throw InputError(std::string(error.what()) + "; --help lists what may be asked");
  }
  return false;
}

}  // namespace kindred
