// SPDX-License-Identifier: Apache-2.0
// Ctrl-C and SIGTERM end a program at the next safe point; a second one ends it at once.
#pragma once

namespace kindred {

/// Installs the handlers for SIGINT and SIGTERM, and ignores SIGPIPE and SIGXFSZ (a write then fails with
/// EPIPE or EFBIG). Once, in main.
void catch_signals();
/// The signal received, 0 if none.
int signal_received();
/// Throws Interrupted if a signal was received. Cheap: call it between batches.
void check_interrupt();
/// For tests: pretends that a signal came (0 clears).
void simulate_signal(int signal);

}  // namespace kindred
