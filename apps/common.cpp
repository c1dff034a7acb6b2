// SPDX-License-Identifier: Apache-2.0
#include "apps/common.hpp"

#include <cerrno>
#include <cstdio>
#include <new>

#include "engine/core/error.hpp"
#include "engine/core/interrupt.hpp"
#include "engine/core/log.hpp"
#include "engine/store/sinks.hpp"

namespace kindred {
namespace {

int fail(const std::string& program, const std::string& message, int code) {
  clear_progress_line();
  std::fprintf(stderr, "%s: %s\n", program.c_str(), message.c_str());
  return code;
}

}  // namespace

int run_program(const std::string& program, const std::function<int()>& body) {
  start_logging(program);
  catch_signals();
  try {
    const int code = body();
    if (std::fflush(stdout) != 0 && errno != EPIPE) return fail(program, "cannot write to stdout", 1);
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
    return fail(program, "out of memory; use less data, fewer factors or a larger machine", 1);
  } catch (const std::exception& error) {
    return fail(program, error.what(), 1);
  }
}

std::string version_text(const std::string& program) {
  return program + " " + KINDRED_VERSION + " (" + KINDRED_GIT + ")";
}

}  // namespace kindred
