// SPDX-License-Identifier: Apache-2.0
#include "engine/core/interrupt.hpp"

#include <csignal>
#include <string>

#include "engine/core/error.hpp"

namespace kindred {
namespace {

volatile std::sig_atomic_t received = 0;

void handle(int signal) {
  if (received != 0) {  // the second one does not wait for a safe point
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  }
  received = signal;
}

}  // namespace

void catch_signals() {
  struct sigaction action {};
  action.sa_handler = handle;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
}

int signal_received() { return received; }

void check_interrupt() {
  if (received != 0) throw Interrupted(received);
}

void simulate_signal(int signal) { received = signal; }

Interrupted::Interrupted(int by)
    : Error(by == SIGINT ? "interrupted" : "terminated by signal " + std::to_string(by)), signal(by) {}

}  // namespace kindred
